/** The statements that open, read and save stores. */

import type { Stored } from "../../../internal/catalog/backend.js"
import { maxClients, rememberedFor } from "../../../internal/catalog/operations.js"
import { millisNow } from "../clock.js"
import type { Dialect, Statement, TableColumn } from "../dialect.js"
import { compose, headList, type Parts, param, selected } from "../log/compose.js"
import { keyList } from "../log/selecting.js"
import { columnOf, orderBy } from "../orderBy.js"
import type { DatastoreTables } from "./tables.js"

/** An operation of a client. */
interface OperationName {
  readonly client: string
  readonly n: number
}

/** What a batch of saves names of one store. */
export interface SaveNames {
  readonly keys: ReadonlyArray<string>
  readonly operations: ReadonlyArray<OperationName>
  /** Ids of entries of its log. */
  readonly entries: ReadonlyArray<string>
}

/** The condition that a column is one of these texts. On Postgres as an array: an index serves it, whatever is planned. */
const isOneOf = (dialect: Dialect, column: TableColumn, values: ReadonlyArray<string>): Parts => {
  const list = keyList(dialect, column, values)
  return dialect.name === "pg"
    ? [`${column.sql} = ANY(ARRAY(`, ...list, "))"]
    : [`${column.sql} IN (`, ...list, ")"]
}

/** A query that gives each operation that is remembered, by a look-up in the index for each. */
const namedOperations = (
  dialect: Dialect,
  { operations }: DatastoreTables,
  feed: string,
  names: ReadonlyArray<OperationName>
): Parts => {
  const { client, n } = operations.column
  const list = param(client, JSON.stringify(names.map((name) => [name.client, name.n])))
  const ofFeed = param(operations.column.feed, feed)
  return dialect.name === "pg"
    ? [
        "(SELECT value ->> 0 AS client, (value ->> 1)::bigint AS n FROM json_array_elements((",
        list,
        `)::json) OFFSET 0) g CROSS JOIN LATERAL (SELECT * FROM ${operations.sql} o WHERE o."feed" = `,
        ofFeed,
        ` AND o.${client.sql} = g.client AND o.${n.sql} = g.n OFFSET 0) o`
      ]
    : [
        "json_each(",
        list,
        `) g CROSS JOIN ${operations.sql} o ON o."feed" = `,
        ofFeed,
        ` AND o.${client.sql} = g.value ->> 0 AND o.${n.sql} = g.value ->> 1`
      ]
}

/** What a row of {@link StoreStatements.named} is about. */
export type NamedKind = "totals" | "value" | "entry" | "client" | "operation"

/** Reads what a batch names, each row with its kind and up to six texts or numbers. The head is locked. */
const named =
  (dialect: Dialect, tables: DatastoreTables) =>
  (feed: string, { entries, keys, operations }: SaveNames): Statement => {
    const { clients, log, stores } = tables
    const { kept } = log
    const of = (alias: string, column: TableColumn) => dialect.selected(columnOf(alias, column))
    const row = (kind: NamedKind, ...columns: ReadonlyArray<string>) =>
      `SELECT '${kind}' AS kind, ${Array.from({ length: 6 }, (_, n) => `${columns[n] ?? "NULL"} AS v${n}`).join(", ")} FROM `
    const now = dialect.name === "pg" ? `${millisNow.pg}::text` : millisNow.sqlite
    const parts: Array<string | Parts[number]> = [
      row(
        "totals",
        of("t", stores.column.records),
        of("t", stores.column.bytes),
        now,
        of("t", stores.column.owner)
      ),
      `${stores.sql} t WHERE t."id" = `,
      param(stores.column.id, feed)
    ]
    const { key, seq, value } = kept.column
    parts.push(
      ` UNION ALL ${row("value", of("s", key), of("s", seq), of("s", value))}${kept.sql} s WHERE s."feed" = `,
      param(kept.column.feed, feed),
      " AND ",
      ...isOneOf(dialect, columnOf("s", key), keys),
      ` UNION ALL ${row("entry", of("l", log.log.column.id), of("l", log.log.column.seq), of("l", log.log.column.tag))}`,
      `${log.log.sql} l WHERE l."feed" = `,
      param(log.log.column.feed, feed),
      " AND ",
      ...isOneOf(dialect, columnOf("l", log.log.column.id), entries)
    )
    if (operations.length > 0) {
      const { client, floor, top } = clients.column
      const names = [...new Set(operations.map((one) => one.client))]
      parts.push(
        ` UNION ALL ${row("client", of("c", client), of("c", top), of("c", floor))}${clients.sql} c WHERE c."feed" = `,
        param(clients.column.feed, feed),
        " AND ",
        ...isOneOf(dialect, columnOf("c", client), names),
        ` UNION ALL ${row("operation", ...operationColumns(tables).map((column) => of("o", column)))}`,
        ...namedOperations(dialect, tables, feed, operations)
      )
    }
    return compose(dialect, ...parts)
  }

const operationColumns = ({ operations }: DatastoreTables): ReadonlyArray<TableColumn> => {
  const { at, client, content, n, principal, reply } = operations.column
  return [client, n, principal, content, reply, at]
}

/** The statements that load a store, while its head is locked. */
const loadStatements = (dialect: Dialect, tables: DatastoreTables) => {
  const { clients, log, operations } = tables
  const { key, seq, value } = log.kept.column
  const old = ` AND o."at" < ${millisNow[dialect.name]} - ${rememberedFor}`
  return {
    values: (feed: string) =>
      compose(
        dialect,
        `SELECT ${selected(dialect, "s", [key, value, seq])} FROM ${log.kept.sql} s WHERE s."feed" = `,
        param(log.kept.column.feed, feed),
        `${orderBy(dialect, "s", seq)}, ${dialect.operand(columnOf("s", key))}`
      ),
    operations: (feed: string) =>
      compose(
        dialect,
        `SELECT ${selected(dialect, "o", operationColumns(tables))} FROM ${operations.sql} o WHERE o."feed" = `,
        param(operations.column.feed, feed),
        `${orderBy(dialect, "o", operations.column.client)}, o."n"`
      ),
    clients: (feed: string) =>
      compose(
        dialect,
        `SELECT ${selected(dialect, "c", clients.columns.slice(1))} FROM ${clients.sql} c WHERE c."feed" = `,
        param(clients.column.feed, feed)
      ),
    /** Forgets the clients without an operation, but for those that came last. */
    forgetClients: (feed: string) => {
      const ofFeed = param(clients.column.feed, feed)
      return compose(
        dialect,
        `DELETE FROM ${clients.sql} AS c WHERE c."feed" = `,
        ofFeed,
        ` AND c."client" IN (SELECT d."client" FROM ${clients.sql} d WHERE d."feed" = `,
        ofFeed,
        ` AND NOT EXISTS (SELECT 1 FROM ${operations.sql} o WHERE o."feed" = d."feed" AND o."client" = d."client")`,
        ` ORDER BY d."at" DESC, d."client" LIMIT ${dialect.name === "pg" ? "ALL" : -1} OFFSET ${maxClients})`
      )
    },
    /** Forgets old operations. The floor goes first: what is neither remembered nor below it counts as new. */
    forgetOld: (feed: string): ReadonlyArray<Statement> => {
      const ofFeed = param(clients.column.feed, feed)
      const oldOfClient = `FROM ${operations.sql} o WHERE o."feed" = c."feed" AND o."client" = c."client"${old}`
      return [
        compose(
          dialect,
          `UPDATE ${clients.sql} AS c SET "floor" = (SELECT max(o."n") ${oldOfClient}) WHERE c."feed" = `,
          ofFeed,
          ` AND EXISTS (SELECT 1 ${oldOfClient})`
        ),
        compose(
          dialect,
          `DELETE FROM ${operations.sql} AS o WHERE o."feed" = `,
          ofFeed,
          ` AND o."n" <= (SELECT c."floor" FROM ${clients.sql} c WHERE c."feed" = o."feed" AND c."client" = o."client")`
        )
      ]
    }
  }
}

/** The statements that make and describe a store. */
const describing = (dialect: Dialect, tables: DatastoreTables) => {
  const { log, stores } = tables
  const { column } = stores
  const described = [column.part, column.primary, column.version, column.fingerprint, column.owner]
  return {
    /** The row of a store, with the head of its feed if there is one. */
    look: (id: string) =>
      compose(
        dialect,
        `SELECT ${selected(dialect, "t", described)}, ${headList(dialect, log)} FROM ${stores.sql} t` +
          ` LEFT JOIN ${log.heads.sql} h ON h."feed" = t."id" WHERE t."id" = `,
        param(column.id, id)
      ),
    create: ({ fingerprint, id, owner, part, primary, version }: Stored) =>
      compose(
        dialect,
        `INSERT INTO ${stores.sql} (${stores.columns.map(({ sql }) => sql).join(", ")}) VALUES (`,
        param(column.id, id),
        ...[
          param(column.part, part),
          param(column.primary, primary),
          param(column.version, version),
          param(column.fingerprint, fingerprint),
          param(column.owner, owner)
        ].flatMap((value) => [", ", value]),
        ", 0, 0) ON CONFLICT (id) DO NOTHING"
      ),
    setVersion: (id: string, version: number) =>
      compose(
        dialect,
        `UPDATE ${stores.sql} SET "version" = `,
        param(column.version, version),
        ` WHERE "id" = `,
        param(column.id, id)
      ),
    now: compose(
      dialect,
      `SELECT ${millisNow[dialect.name]}${dialect.name === "pg" ? "::text" : ""} AS "now"`
    )
  }
}

/** Makes the statements of the stores of a backend. */
export const storeStatements = (dialect: Dialect, tables: DatastoreTables) => ({
  named: named(dialect, tables),
  ...loadStatements(dialect, tables),
  ...describing(dialect, tables)
})

export type StoreStatements = ReturnType<typeof storeStatements>
