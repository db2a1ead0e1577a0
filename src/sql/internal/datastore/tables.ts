/** The tables of permanent stores and pools, beside those of their logs. */
import { Column } from "../../../internal/columns/columns.js"
import type { Layout } from "../dialect.js"
import { type LayoutOf, layout } from "../layout.js"
import { type Feed, makeFeed, tablesOf } from "../log/tables.js"

/** One row is one store or pool. */
const storeColumns = {
  id: Column.text,
  /** What it is: see `Stored`. */
  part: Column.text,
  primary: Column.text,
  version: Column.integer,
  fingerprint: Column.text,
  owner: Column.text,
  /** How many values it holds, and the bytes of their JSON. Written while the head of its feed is locked. */
  records: Column.integer,
  bytes: Column.integer
}

/** One row is one operation whose reply is remembered. */
const operationColumns = {
  feed: Column.text,
  client: Column.text,
  n: Column.integer,
  principal: Column.text,
  content: Column.text,
  /** As text: a reply is returned as it was written, to the byte. */
  reply: Column.text,
  at: Column.integer
}

/** One row is what is known of a client's operations on one feed. It outlives them, because its numbers count on. */
const clientColumns = {
  feed: Column.text,
  client: Column.text,
  top: Column.integer,
  floor: Column.integer,
  /** When the last of them was remembered. */
  at: Column.integer
}

/** One row is the lease of one session. Instants are milliseconds of the database's clock. */
const sessionColumns = {
  id: Column.text,
  until: Column.integer
}

/** One row is one key whose value ends with a session. */
const sessionKeyColumns = {
  session: Column.text,
  feed: Column.text,
  key: Column.text
}

/** What is added to the name of the table at most. */
export const longestSuffix = "_sessions_until"

/** The tables of all stores of a backend. */
export interface DatastoreTables {
  /** The feed of any store, but for its name. */
  readonly log: Feed
  readonly stores: LayoutOf<typeof storeColumns>
  readonly operations: LayoutOf<typeof operationColumns>
  readonly clients: LayoutOf<typeof clientColumns>
  readonly sessions: LayoutOf<typeof sessionColumns>
  readonly sessionKeys: LayoutOf<typeof sessionKeyColumns>
}

export const makeDatastoreTables = (table: string, schema: string | undefined): DatastoreTables => ({
  log: makeFeed({ table, schema, feed: "", state: "latest", keys: "none" }),
  stores: layout(schema, `${table}_stores`, storeColumns, ["id"]),
  operations: layout(schema, `${table}_operations`, operationColumns, ["feed", "client", "n"]),
  clients: layout(schema, `${table}_clients`, clientColumns, ["feed", "client"]),
  sessions: layout(
    schema,
    `${table}_sessions`,
    sessionColumns,
    ["id"],
    [{ name: `${table}${longestSuffix}`, columns: ["until"], unique: false }]
  ),
  sessionKeys: layout(schema, `${table}_session_keys`, sessionKeyColumns, ["session", "feed", "key"])
})

/** All of them, the one of the revisions first. */
export const allTables = ({
  clients,
  log,
  operations,
  sessionKeys,
  sessions,
  stores
}: DatastoreTables): readonly [Layout, ...ReadonlyArray<Layout>] => [
  ...tablesOf(log),
  stores,
  operations,
  clients,
  sessions,
  sessionKeys
]

/** The feed of a store. */
export const feedOf = ({ log }: DatastoreTables, id: string): Feed => ({ ...log, feed: id })

/** Why a store whose rows are not there cannot be used. */
export const lostStore = ({ stores }: DatastoreTables, id: string): string =>
  `the table ${stores.sql} has no store ${JSON.stringify(id)}: open it first`
