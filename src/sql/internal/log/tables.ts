/**
 * The tables of change logs: one of revisions, one of heads, one of last values when a log keeps the state, and those of
 * the index of keys when it has one.
 */
import { Column } from "../../../internal/columns/columns.js"
import { validateKey } from "../../../internal/log/selector.js"
import { oneOf, optional, or, type Resolved, type Rules, valid } from "../../../internal/options.js"
import type { Layout } from "../dialect.js"
import { type LayoutOf, layout } from "../layout.js"
import { sqlName, tableName } from "../options.js"

/** Which log of which table. */
export interface FeedOptions {
  /**
   * The name of the table of revisions, at most 56 bytes, without double quotes. A log uses `<table>_heads` too,
   * `<table>_state` if it keeps the state, and `<table>_keys`, `<table>_events` and `<table>_holds` if it has an index.
   * They are created if they do not exist.
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
  /**
   * `indexed` keeps an index of the events of each key and kind: see `ChangeLog.index`. Then entries may have `expect`,
   * and a renewed epoch keeps the events. It is decided when the feed is first made, and every later user must give the
   * same. Default `none`.
   */
  readonly keys?: "indexed" | "none" | undefined
}

/** A checked feed and its tables. */
export interface Feed {
  readonly feed: string
  readonly state: "latest" | "none"
  readonly keys: "indexed" | "none"
  readonly log: LayoutOf<typeof logColumns>
  readonly heads: LayoutOf<typeof headColumns>
  readonly kept: LayoutOf<typeof stateColumns>
  readonly counted: LayoutOf<typeof keyColumns>
  readonly events: LayoutOf<typeof eventColumns>
  readonly holds: LayoutOf<typeof holdColumns>
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
  /** See {@link kindOfFeed}. */
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

/** One row is one key that ever had an event. It stays when the events are removed: a key counts on. */
const keyColumns = {
  feed: Column.text,
  key: Column.text,
  /** How many events the key has had. */
  generation: Column.integer,
  /** How many of them are removed, and the revision of the last of those. */
  gone: Column.integer,
  gone_seq: Column.integer,
  gone_tag: Column.integer
}

/** One row is one event that the log holds. In the order of its primary key the events of a key are in their order. */
const eventColumns = {
  feed: Column.text,
  key: Column.text,
  seq: Column.integer,
  /** Its place among the changes of the revision, from 0. */
  pos: Column.integer,
  tag: Column.integer,
  generation: Column.integer,
  kind: Column.nullable(Column.text)
}

/** One row is one reader that keeps what comes after a revision. */
const holdColumns = {
  feed: Column.text,
  name: Column.text,
  seq: Column.integer,
  tag: Column.integer
}

/** The name of the index that keeps ids unique. */
export const idIndex = (table: string): string => `${table}_ids`

/** The tables of a feed, the one of its revisions first. */
export const tablesOf = (feed: Feed): readonly [Layout, ...ReadonlyArray<Layout>] => [
  feed.log,
  feed.heads,
  ...(feed.state === "latest" ? [feed.kept] : []),
  ...(feed.keys === "indexed" ? [feed.counted, feed.events, feed.holds] : [])
]

/**
 * What a feed is, as its head's row holds it. A program that knows no index takes it for another state, and appends
 * nothing past the index.
 */
export const kindOfFeed = ({ keys, state }: Pick<Feed, "keys" | "state">): string =>
  keys === "indexed" ? `${state}+keys` : state

const maxFeedBytes = 512

const validateFeed = (given: unknown): string | undefined =>
  validateKey(given)?.replace("a key", "the name of a feed") ??
  // It is a string then.
  (Buffer.byteLength(given as string) > maxFeedBytes ? `must have at most ${maxFeedBytes} bytes` : undefined)

/** The rules of a feed's options. */
export const feedRules = {
  table: tableName("_events"),
  schema: optional(sqlName),
  feed: or(valid<string>(validateFeed), "main"),
  state: or(oneOf("latest", "none"), "none"),
  keys: or(oneOf("indexed", "none"), "none")
} satisfies Rules<FeedOptions>

/** The tables of a feed whose options have been checked. */
export const makeFeed = ({
  feed,
  keys,
  schema,
  state,
  table
}: Resolved<FeedOptions, typeof feedRules>): Feed => ({
  feed,
  state,
  keys,
  log: layout(
    schema,
    table,
    logColumns,
    ["feed", "seq"],
    [{ name: idIndex(table), columns: ["feed", "id"], unique: true }]
  ),
  heads: layout(schema, `${table}_heads`, headColumns, ["feed"]),
  kept: layout(schema, `${table}_state`, stateColumns, ["feed", "key"]),
  counted: layout(schema, `${table}_keys`, keyColumns, ["feed", "key"]),
  events: layout(
    schema,
    `${table}_events`,
    eventColumns,
    ["feed", "key", "seq", "pos"],
    [{ name: `${table}_kinds`, columns: ["feed", "kind", "seq"], unique: false }]
  ),
  holds: layout(schema, `${table}_holds`, holdColumns, ["feed", "name"])
})
