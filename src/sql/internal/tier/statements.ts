/** The statements of a tier: one for any number of keys, which come as one JSON parameter. */
import type { Dialect, Row, Statement } from "../dialect.js"
import { compose, type Parts, param } from "../log/compose.js"
import { rowsOf } from "../log/jsonRows.js"
import { keyList } from "../log/selecting.js"
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

const put = (dialect: Dialect, table: TierTable): TierStatements["put"] => {
  const { expires, key, namespace: space } = table.column
  const given = table.columns.filter((column) => column !== space)
  const set = given.filter((column) => column !== key).map(({ sql }) => `${sql} = excluded.${sql}`)
  return (namespace, rows, now) =>
    compose(
      dialect,
      `INSERT INTO ${table.sql} AS h (${[space, ...given].map(({ sql }) => sql).join(", ")}) SELECT `,
      param(space, namespace),
      `, ${given.map(({ sql }) => `e.${sql}`).join(", ")} FROM `,
      ...rowsOf(dialect, given, rows, key),
      // Without a condition the parser of SQLite takes ON for a join's.
      ` e WHERE 1 = 1 ON CONFLICT ("namespace", "key") DO UPDATE SET ${set.join(", ")}` +
        // Judged when the row is locked: of two puts at once the later one wins.
        ` WHERE h."epoch" IS DISTINCT FROM excluded."epoch" OR h."seq" IS NULL OR h."seq" <= excluded."seq"` +
        ` OR h."expires" <= `,
      param(expires, now)
    )
}

/**
 * A list of keys, in its order, each with its row `h` of a namespace. On Postgres each key is looked up in the index for
 * itself: a planner that knows little of the table would compare every key with every row of the namespace.
 */
const eachOf = (
  dialect: Dialect,
  table: TierTable,
  namespace: string,
  keys: ReadonlyArray<string>,
  rest = "OFFSET 0"
): Parts => {
  const space = param(table.column.namespace, namespace)
  const list = keyList(dialect, table.column.key, keys)
  return dialect.name === "pg"
    ? [
        "(",
        ...list,
        ` AS "key" OFFSET 0) g CROSS JOIN LATERAL (SELECT h.ctid AS place, h.* FROM ${table.sql} h WHERE h."namespace" = `,
        space,
        ` AND h."key" = g."key" ${rest}) h WHERE 1 = 1`
      ]
    : [`${table.sql} AS h WHERE h."namespace" = `, space, ` AND h."key" IN (`, ...list, ")"]
}

/** Deletes rows by their places, which a query has locked. Those that change meanwhile are of a later put. */
const placed = (dialect: Dialect, { sql }: TierTable, ...query: Parts): Statement =>
  compose(dialect, `DELETE FROM ${sql} WHERE ctid = ANY(ARRAY(`, ...query, "))")

/** On Postgres, rows are locked in the order in which puts lock them, so that none wait for each other. */
const remove =
  (dialect: Dialect, table: TierTable): TierStatements["remove"] =>
  (namespace, keys) =>
    dialect.name === "pg"
      ? placed(
          dialect,
          table,
          "SELECT h.place FROM ",
          ...eachOf(dialect, table, namespace, keys, "FOR UPDATE")
        )
      : compose(dialect, "DELETE FROM ", ...eachOf(dialect, table, namespace, keys))

const clear =
  (dialect: Dialect, table: TierTable): TierStatements["clear"] =>
  (namespace) => {
    const where = [`${table.sql} AS h WHERE h."namespace" = `, param(table.column.namespace, namespace)]
    const inOrder = orderBy(dialect, "h", table.column.key)
    return dialect.name === "pg"
      ? placed(dialect, table, "SELECT h.ctid FROM ", ...where, `${inOrder} FOR UPDATE`)
      : compose(dialect, "DELETE FROM ", ...where)
  }

/** Postgres passes over the rows that another writer has locked. */
const sweep = (dialect: Dialect, table: TierTable): TierStatements["sweep"] => {
  const { expires } = table.column
  return (now, limit) => {
    const expired = [`${table.sql} h WHERE h."expires" <= `, param(expires, now)]
    const first = `${orderBy(dialect, "h", expires)} LIMIT ${limit}`
    return dialect.name === "pg"
      ? placed(dialect, table, "SELECT h.ctid FROM ", ...expired, `${first} FOR UPDATE SKIP LOCKED`)
      : compose(
          dialect,
          `DELETE FROM ${table.sql} WHERE ("namespace", "key") IN (SELECT h."namespace", h."key" FROM `,
          ...expired,
          `${first})`
        )
  }
}

/** Makes the statements of a table. */
export const tierStatements = (dialect: Dialect, table: TierTable): TierStatements => {
  const { expires, key, value } = table.column
  const selected = [key, value].map((column) => `${dialect.selected(columnOf("h", column))} AS ${column.sql}`)
  return {
    get: (namespace, keys, now) =>
      compose(
        dialect,
        `SELECT ${selected.join(", ")} FROM `,
        ...eachOf(dialect, table, namespace, keys),
        ` AND (h."expires" IS NULL OR h."expires" > `,
        param(expires, now),
        ")"
      ),
    put: put(dialect, table),
    remove: remove(dialect, table),
    clear: clear(dialect, table),
    sweep: sweep(dialect, table)
  }
}
