/** The statements of a tier: one for any number of keys, which come as one JSON parameter. */
import type { Dialect, Row, Statement, TableColumn } from "../dialect.js"
import { compose, keyList, type Parts, param } from "../log/statements.js"
import { columnOf, orderBy } from "../orderBy.js"
import type { TierTable } from "./table.js"

/** The statements of one table. `now` is the time of the program. */
export interface TierStatements {
  /** The rows `key` and `value` of those keys that are there and have not expired. */
  readonly get: (namespace: string, keys: ReadonlyArray<string>, now: Date) => Statement
  /** Stores rows without a namespace, each key once, but for those that an entry of a higher `seq` precedes. */
  readonly put: (namespace: string, rows: ReadonlyArray<Row>, now: Date) => Statement
  readonly remove: (namespace: string, keys: ReadonlyArray<string>) => Statement
  readonly clear: (namespace: string) => Statement
  /** Deletes so many expired rows at most, of all namespaces. */
  readonly sweep: (now: Date, limit: number) => Statement
}

/** A table made of a JSON array of objects, with a column for each of these. */
const tableOf: {
  readonly [Name in Dialect["name"]]: (
    dialect: Dialect,
    columns: ReadonlyArray<TableColumn>
  ) => readonly [before: string, behind: string]
} = {
  sqlite: (_, columns) => [
    `${columns.map(({ name }) => `value ->> '${name}'`).join(", ")} FROM json_each(`,
    // Without a condition the parser takes ON for a join's.
    ") WHERE 1 = 1"
  ],
  pg: (dialect, columns) => [
    `${columns.map(({ sql }) => `e.${sql}`).join(", ")} FROM json_to_recordset((`,
    `)::json) AS e(${columns.map((column) => `${column.sql} ${dialect.columnType(column)}`).join(", ")})`
  ]
}

const encodeRows = (
  dialect: Dialect,
  columns: ReadonlyArray<TableColumn>,
  rows: ReadonlyArray<Row>
): string =>
  JSON.stringify(
    rows.map((row) =>
      Object.fromEntries(
        columns.map((column) => {
          const value = row[column.name]
          return [column.name, value === null ? null : dialect.param(column, value)]
        })
      )
    )
  )

const put = (dialect: Dialect, table: TierTable): TierStatements["put"] => {
  const { expires, key, namespace: space } = table.column
  const given = table.columns.filter((column) => column !== space)
  const [before, behind] = tableOf[dialect.name](dialect, given)
  const set = given.filter((column) => column !== key).map(({ sql }) => `${sql} = excluded.${sql}`)
  return (namespace, rows, now) =>
    compose(
      dialect,
      `INSERT INTO ${table.sql} AS h (${[space, ...given].map(({ sql }) => sql).join(", ")}) SELECT `,
      param(space, namespace),
      `, ${before}`,
      param(key, encodeRows(dialect, given, rows)),
      `${behind} ON CONFLICT ("namespace", "key") DO UPDATE SET ${set.join(", ")}` +
        // Judged when the row is locked: of two puts at once the later one wins.
        ` WHERE h."epoch" IS DISTINCT FROM excluded."epoch" OR h."seq" IS NULL OR h."seq" <= excluded."seq"` +
        ` OR h."expires" <= `,
      param(expires, now)
    )
}

/**
 * Deletes what a condition on `h` selects. On Postgres the rows are locked first, in a fixed order or not at all where
 * they are locked already, so that no deadlock can be.
 */
const deleting = (
  dialect: Dialect,
  table: TierTable,
  where: Parts,
  rest: string,
  lock: string
): Statement => {
  const selected = `SELECT h."namespace", h."key" FROM ${table.sql} h WHERE `
  return dialect.name === "sqlite"
    ? compose(
        dialect,
        `DELETE FROM ${table.sql} WHERE ("namespace", "key") IN (${selected}`,
        ...where,
        `${rest})`
      )
    : compose(
        dialect,
        `WITH gone AS MATERIALIZED (${selected}`,
        ...where,
        `${rest} ${lock}) DELETE FROM ${table.sql} AS d USING gone` +
          ` WHERE d."namespace" = gone."namespace" AND d."key" = gone."key"`
      )
}

/** Makes the statements of a table. */
export const tierStatements = (dialect: Dialect, table: TierTable): TierStatements => {
  const { expires, key, namespace: space, value } = table.column
  const selected = [key, value].map((column) => `${dialect.selected(columnOf("h", column))} AS ${column.sql}`)
  const inOrder = orderBy(dialect, "h", key)
  const of = (namespace: string): Parts => [`h."namespace" = `, param(space, namespace)]
  const among = (namespace: string, keys: ReadonlyArray<string>): Parts => [
    ...of(namespace),
    ` AND h."key" IN (`,
    ...keyList(dialect, key, keys),
    ")"
  ]
  return {
    get: (namespace, keys, now) =>
      compose(
        dialect,
        `SELECT ${selected.join(", ")} FROM ${table.sql} h WHERE `,
        ...among(namespace, keys),
        ` AND (h."expires" IS NULL OR h."expires" > `,
        param(expires, now),
        ")"
      ),
    put: put(dialect, table),
    remove: (namespace, keys) => deleting(dialect, table, among(namespace, keys), inOrder, "FOR UPDATE"),
    clear: (namespace) => deleting(dialect, table, of(namespace), inOrder, "FOR UPDATE"),
    sweep: (now, limit) =>
      deleting(
        dialect,
        table,
        [`h."expires" <= `, param(expires, now)],
        `${orderBy(dialect, "h", expires)} LIMIT ${limit}`,
        "FOR UPDATE SKIP LOCKED"
      )
  }
}
