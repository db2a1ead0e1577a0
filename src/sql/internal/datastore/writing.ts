/** What a commit writes beside the logs: what is remembered, whose the keys are, how large the stores are. */
import type { After, Before } from "../../../internal/catalog/decideSaves.js"
import { compareText } from "../../../internal/text.js"
import { millisNow } from "../clock.js"
import type { Dialect, Layout, Row, Statement, TableColumn } from "../dialect.js"
import { compose, type Parts } from "../log/compose.js"
import { rowsOf } from "../log/jsonRows.js"
import type { DatastoreTables } from "./tables.js"

/** What a batch has made of one store. */
export interface Change {
  readonly id: string
  readonly before: Before
  readonly after: After
}

/** A session that no process has ever extended has this lease, from its first key: its keys end all the same. */
const orphanLease = 30_000

/** Rows of the tables, as they are written. */
interface Rows {
  readonly operations: ReadonlyArray<Row>
  readonly windows: ReadonlyArray<Row>
  /** The clients whose floor has been raised. */
  readonly floors: ReadonlyArray<Row>
  readonly left: ReadonlyArray<Row>
  readonly entered: ReadonlyArray<Row>
  readonly sessions: ReadonlyArray<Row>
  readonly totals: ReadonlyArray<Row>
}

const rowsOfChanges = (changes: ReadonlyArray<Change>): Rows => {
  const floors: Array<Row> = []
  const left: Array<Row> = []
  const entered: Array<Row> = []
  const windows: Array<Row> = []
  const operations: Array<Row> = []
  const totals: Array<Row> = []
  const sessions = new Set<string>()
  for (const { after, before, id: feed } of changes) {
    if (after.values.size > 0) totals.push({ id: feed, ...after.totals })
    const lastAt = new Map<string, number>()
    for (const one of after.operations) {
      operations.push({ ...one, feed, reply: JSON.stringify(one.reply) })
      lastAt.set(one.client, one.at)
    }
    for (const [client, { floor, top }] of after.windows) {
      windows.push({ feed, client, top, floor, at: lastAt.get(client) ?? 0 })
      if (floor > (before.window(client)?.floor ?? 0)) floors.push({ feed, client, floor })
    }
    for (const [key, value] of after.values) {
      const was = before.get(key)?.session
      const is = value?.session
      if (was === is) continue
      if (was !== undefined) left.push({ session: was, feed, key })
      if (is === undefined) continue
      entered.push({ session: is, feed, key })
      sessions.add(is)
    }
  }
  // All writers lock sessions in one order, so that none wait for each other.
  const ids = [...sessions].sort(compareText)
  return { operations, windows, floors, left, entered, sessions: ids.map((id) => ({ id })), totals }
}

const listOf = (columns: ReadonlyArray<TableColumn>, alias = ""): string =>
  columns.map(({ sql }) => `${alias}${sql}`).join(", ")

/** Adds rows, or sets the columns of those whose key is there. */
const upsert = (dialect: Dialect, table: Layout, rows: ReadonlyArray<Row>): Parts => {
  const { columns, key } = table
  const set = columns
    .filter((column) => !key.includes(column))
    .map(({ sql }) => `${sql} = excluded.${sql}`)
    .join(", ")
  return [
    `INSERT INTO ${table.sql} (${listOf(columns)}) SELECT ${listOf(columns, "e.")} FROM `,
    ...rowsOf(dialect, columns, rows, key[0]!),
    // Without a condition the parser of SQLite takes ON for a join's.
    ` e WHERE 1 = 1 ON CONFLICT (${listOf(key)}) DO ${set === "" ? "NOTHING" : `UPDATE SET ${set}`}`
  ]
}

/** Deletes what is joined with these rows. */
const remove = (
  dialect: Dialect,
  table: Layout,
  columns: ReadonlyArray<TableColumn>,
  rows: ReadonlyArray<Row>,
  on: string
): Parts => {
  const given = rowsOf(dialect, columns, rows, table.key[0]!)
  return dialect.name === "pg"
    ? [`DELETE FROM ${table.sql} t USING `, ...given, ` e WHERE ${on}`]
    : [
        `DELETE FROM ${table.sql} WHERE (${listOf(table.key)}) IN (SELECT ${listOf(table.key, "t.")} FROM `,
        ...given,
        // In this order: for each row the index gives what is joined.
        ` e CROSS JOIN ${table.sql} t ON ${on})`
      ]
}

const partsOf = (dialect: Dialect, tables: DatastoreTables, rows: Rows): ReadonlyArray<Parts> => {
  const { clients, operations, sessionKeys, sessions, stores } = tables
  const { client, feed, floor } = clients.column
  const { bytes, id, records } = stores.column
  const parts: Array<Parts> = []
  const add = (some: ReadonlyArray<Row>, make: (some: ReadonlyArray<Row>) => Parts) => {
    if (some.length > 0) parts.push(make(some))
  }
  add(rows.operations, (some) => upsert(dialect, operations, some))
  add(rows.floors, (some) =>
    remove(
      dialect,
      operations,
      [feed, client, floor],
      some,
      `t."feed" = e."feed" AND t."client" = e."client" AND t."n" <= e."floor"`
    )
  )
  add(rows.windows, (some) => upsert(dialect, clients, some))
  add(rows.left, (some) =>
    remove(
      dialect,
      sessionKeys,
      sessionKeys.columns,
      some,
      `t."session" = e."session" AND t."feed" = e."feed" AND t."key" = e."key"`
    )
  )
  add(rows.entered, (some) => upsert(dialect, sessionKeys, some))
  add(rows.sessions, (some) => [
    `INSERT INTO ${sessions.sql} AS s ("id", "until") SELECT e."id", ${millisNow[dialect.name]} + ${orphanLease} FROM `,
    ...rowsOf(dialect, [sessions.column.id], some, sessions.column.id),
    // The row is locked: it is not forgotten before its new keys are seen.
    ` e WHERE 1 = 1 ORDER BY e."id" ON CONFLICT ("id") DO UPDATE SET "until" = s."until"`
  ])
  add(rows.totals, (some) => [
    `UPDATE ${stores.sql} AS t SET "records" = e."records", "bytes" = e."bytes" FROM `,
    ...rowsOf(dialect, [id, records, bytes], some, id),
    ` e WHERE t."id" = e."id"`
  ])
  return parts
}

/** One statement on Postgres, where each part sees what was there before; on SQLite one for each part. */
export const writeStatements = (
  dialect: Dialect,
  tables: DatastoreTables,
  changes: ReadonlyArray<Change>
): ReadonlyArray<Statement> => {
  const parts = partsOf(dialect, tables, rowsOfChanges(changes))
  if (dialect.name === "sqlite" || parts.length < 2) return parts.map((part) => compose(dialect, ...part))
  const all = parts.flatMap((part, n) => [`${n === 0 ? "WITH" : ","} p${n} AS (`, ...part, ")"])
  return [compose(dialect, ...all, " SELECT 1")]
}
