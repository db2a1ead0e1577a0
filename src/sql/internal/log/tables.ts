/** The tables of change logs: one of revisions, one of heads, and one of last values when a log keeps the state. */
import { Column } from "../../../internal/columns/columns.js"
import { validateKey } from "../../../internal/log/selector.js"
import { oneOf, optional, or, type Resolved, type Rules, valid } from "../../../internal/options.js"
import type { Layout } from "../dialect.js"
import { type LayoutOf, layout } from "../layout.js"
import { sqlName, tableName } from "../options.js"

/** Which log of which table. */
export interface FeedOptions {
  /**
   * The name of the table of revisions, at most 57 bytes, without double quotes. A log uses `<table>_heads` too, and
   * `<table>_state` if it keeps the state. They are created if they do not exist.
   */
  readonly table: string
  /** Their schema on Postgres, or attached database on SQLite; by default the connection's own. It must exist. */
  readonly schema?: string | undefined
  /** Which of the logs that share the table; at most 512 bytes. Default `main`. */
  readonly feed?: string | undefined
  /**
   * `latest` keeps the last value of each key, for snapshots and previous values. It is decided when the feed is first
   * made, and every later user must give the same. Default `none`.
   */
  readonly state?: "latest" | "none" | undefined
}

/** A checked feed and its tables. */
export interface Feed {
  readonly feed: string
  readonly state: "latest" | "none"
  readonly log: LayoutOf<typeof logColumns>
  readonly heads: LayoutOf<typeof headColumns>
  readonly kept: LayoutOf<typeof stateColumns>
}

/** One row is one revision, so that none is ever split. */
const logColumns = {
  feed: Column.text,
  seq: Column.integer,
  tag: Column.integer,
  /** The entry's. */
  id: Column.nullable(Column.text),
  /** When it was appended, by its writer's clock: for retention by age. */
  at: Column.timestamp,
  /** The bytes of all revisions before it: for retention by bytes. */
  base: Column.integer,
  changes: Column.json,
  /** For each change nothing or the value before it, as an array. */
  previous: Column.nullable(Column.json)
}

/**
 * One row is one feed. Every commit updates it, and thereby waits for the commit before it: the order of revisions is
 * the order of commits.
 */
const headColumns = {
  feed: Column.text,
  /** The id by which the logs of one process know each other; it never changes. Tables that exist have this name. */
  bell: Column.text,
  state: Column.text,
  epoch: Column.text,
  seq: Column.integer,
  tag: Column.integer,
  floor: Column.integer,
  floor_tag: Column.integer,
  /** The bytes of all revisions that there ever were in this epoch. */
  bytes: Column.integer
}

const stateColumns = {
  feed: Column.text,
  key: Column.text,
  value: Column.json,
  seq: Column.integer,
  tag: Column.integer
}

/** The name of the index that keeps ids unique. */
export const idIndex = (table: string): string => `${table}_ids`

/** The tables of a feed, the one of its revisions first. */
export const tablesOf = ({ heads, kept, log, state }: Feed): readonly [Layout, ...ReadonlyArray<Layout>] =>
  state === "latest" ? [log, heads, kept] : [log, heads]

const maxFeedBytes = 512

const validateFeed = (given: unknown): string | undefined =>
  validateKey(given)?.replace("a key", "the name of a feed") ??
  // It is a string then.
  (Buffer.byteLength(given as string) > maxFeedBytes ? `must have at most ${maxFeedBytes} bytes` : undefined)

/** The rules of a feed's options. */
export const feedRules = {
  table: tableName("_heads"),
  schema: optional(sqlName),
  feed: or(valid<string>(validateFeed), "main"),
  state: or(oneOf("latest", "none"), "none")
} satisfies Rules<FeedOptions>

/** The tables of a feed whose options have been checked. */
export const makeFeed = ({ feed, schema, state, table }: Resolved<FeedOptions, typeof feedRules>): Feed => ({
  feed,
  state,
  log: layout(
    schema,
    table,
    logColumns,
    ["feed", "seq"],
    [{ name: idIndex(table), columns: ["feed", "id"], unique: true }]
  ),
  heads: layout(schema, `${table}_heads`, headColumns, ["feed"]),
  kept: layout(schema, `${table}_state`, stateColumns, ["feed", "key"])
})
