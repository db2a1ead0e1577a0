/**
 * Change logs on Postgres: the serial head. Every commit updates the head's row as the last thing before its own
 * COMMIT, and so waits for the one before it: the order of revisions is the order of commits, and a rollback leaves no
 * gap. A sequence would give neither.
 */
import { plain, type Row, type Statement, type Table } from "../dialect.js"
import { headList } from "../log/compose.js"
import type { IndexRows } from "../log/keyRows.js"
import { type Encoded, type LogRow, placeOf, type StateChanges } from "../log/rows.js"
import { headText, type Limits, type LogStatements, type Names, sharedStatements } from "../log/statements.js"
import type { Feed } from "../log/tables.js"
import { arrayEncoders } from "./arrays.js"
import { pgDialect } from "./dialect.js"
import { arrayOf, encodeTable, insertText, literal, type PgStatement, statementName } from "./insert.js"
import {
  changeArrays,
  countChanges,
  encodeChanges,
  encodeExpected,
  expectedArrays,
  isMismatch,
  judgesExpected,
  mismatch,
  writeIndex
} from "./logIndex.js"

const lockHead = (feed: Feed, { idle, lock }: Limits): string =>
  `SET LOCAL lock_timeout = ${lock}; SET LOCAL idle_in_transaction_session_timeout = ${idle}; ` +
  `SELECT ${headList(pgDialect, feed)} FROM ${feed.heads.sql} h WHERE h."feed" = ${literal(feed.feed)} FOR UPDATE`

// The encoders read named columns of a row; an interface has no index signature, but these have those columns.
const asRows = (entries: ReadonlyArray<Encoded>) => entries as unknown as ReadonlyArray<Row>

/** The rows as columns, each one array. Both names are fixed by the text that they go into. */
const encodeRows = (rows: ReadonlyArray<LogRow>): ReadonlyArray<unknown> => {
  const of = asRows(rows)
  const { integer, text } = arrayEncoders
  return [
    integer(of, "seq"),
    integer(of, "tag"),
    text(of, "id"),
    integer(of, "base"),
    text(of, "json"),
    text(of, "previous")
  ]
}

const writeState = (
  feed: Feed,
  state: StateChanges
): { readonly text: string; readonly params: Array<unknown> } => {
  const gone: Array<Row> = []
  const put: Array<Row> = []
  for (const [key, to] of state) {
    if (to === undefined) gone.push({ key })
    else put.push({ key, ...to })
  }
  const { kept } = feed
  const { integer, text } = arrayEncoders
  return {
    text:
      `, gone AS (DELETE FROM ${kept.sql} WHERE "feed" = $1 AND "key" = ANY($12::text[]))` +
      `, put AS (INSERT INTO ${kept.sql} ("feed", "key", "value", "seq", "tag")` +
      ` SELECT $1, unnest($13::text[]), unnest($14::text[])::jsonb, unnest($15::bigint[]), unnest($16::bigint[])` +
      ` ON CONFLICT ("feed", "key") DO UPDATE SET` +
      ` "value" = excluded."value", "seq" = excluded."seq", "tag" = excluded."tag")`,
    params: [
      text(gone, "key"),
      text(put, "key"),
      text(put, "value"),
      integer(put, "seq"),
      integer(put, "tag")
    ]
  }
}

const write = (
  feed: Feed,
  rows: ReadonlyArray<LogRow>,
  state: StateChanges,
  index: IndexRows,
  at: Date
): ReadonlyArray<Statement> => {
  const { heads, log } = feed
  const place = placeOf(rows, { seq: 0, bytes: 0 })
  const values = feed.state === "latest" ? writeState(feed, state) : { text: "", params: [] }
  const indexed =
    feed.keys === "indexed" ? writeIndex(feed, index, 12 + values.params.length) : { text: "", params: [] }
  const text =
    `WITH added AS (INSERT INTO ${log.sql} ("feed", "at", "seq", "tag", "id", "base", "changes", "previous")` +
    ` SELECT $1, $2::timestamptz, unnest($3::bigint[]), unnest($4::bigint[]), unnest($5::text[]),` +
    ` unnest($6::bigint[]), unnest($7::text[])::jsonb, unnest($8::text[])::jsonb)${values.text}${indexed.text}` +
    ` UPDATE ${heads.sql} SET "seq" = $9::bigint, "tag" = $10::bigint, "bytes" = $11::bigint WHERE "feed" = $1`
  return [
    {
      text,
      params: [
        feed.feed,
        at.toISOString(),
        ...encodeRows(rows),
        String(place.seq),
        String(place.tag ?? 0),
        String(place.bytes),
        ...values.params,
        ...indexed.params
      ]
    }
  ]
}

/**
 * The parts of a statement that appends rows of a table `fresh` (n, id, tag, json, bytes) to the log: `n` is their order.
 * `lock` comes first, so that the wait for the head's row ends in time; the head's update needs its value.
 */
const appendTo = (feed: Feed, first: number): string => {
  const { heads, log } = feed
  return (
    `limits AS MATERIALIZED (SELECT set_config('lock_timeout', $${first + 1}, true) AS "set"),` +
    ` head AS (UPDATE ${heads.sql} SET "seq" = "seq" + (SELECT count(*) FROM fresh),` +
    ` "tag" = (SELECT tag FROM fresh ORDER BY fresh.n DESC LIMIT 1),` +
    ` "bytes" = "bytes" + (SELECT sum(bytes) FROM fresh)::bigint` +
    ` WHERE "feed" = $${first} AND (SELECT count(*) FROM fresh) > 0 AND (SELECT "set" FROM limits) IS NOT NULL` +
    ` RETURNING "epoch", "seq" - (SELECT count(*) FROM fresh) AS "before",` +
    ` "bytes" - (SELECT sum(bytes) FROM fresh)::bigint AS "base"),` +
    ` added AS (INSERT INTO ${log.sql} ("feed", "at", "seq", "tag", "id", "base", "changes")` +
    ` SELECT $${first}, $${first + 2}::timestamptz, head."before" + row_number() OVER (ORDER BY fresh.n), tag, id,` +
    ` head."base" + sum(bytes) OVER (ORDER BY fresh.n) - bytes, json::jsonb FROM head, fresh RETURNING "seq", "tag")` +
    (feed.keys === "indexed" ? countChanges(feed, `$${first}`) : "")
  )
}

const append = (feed: Feed, { lock }: Limits) => {
  const isIndexed = feed.keys === "indexed"
  const text = (expected: string, judged: string) =>
    `WITH entries AS (SELECT * FROM unnest($4::text[], $5::bigint[], $6::text[], $7::bigint[])` +
    ` WITH ORDINALITY AS e (id, tag, json, bytes, n)),${isIndexed ? changeArrays(8) : ""}${expected}` +
    ` fresh AS MATERIALIZED (SELECT * FROM entries e WHERE e.id IS NULL OR NOT EXISTS` +
    ` (SELECT 1 FROM ${feed.log.sql} l WHERE l."feed" = $1 AND l."id" = e.id)),` +
    ` ${appendTo(feed, 1)}` +
    appended("fresh", judged)
  const plain = named(text("", ""))
  const expecting = named(text(expectedArrays(12), `, ${mismatch}`))
  return (entries: ReadonlyArray<Encoded>, at: Date): PgStatement => {
    const of = asRows(entries)
    const { integer, text: texts } = arrayEncoders
    const isExpecting = entries.some(({ expect }) => expect.length > 0)
    return {
      ...(isExpecting ? expecting : plain),
      params: [
        feed.feed,
        String(lock),
        at.toISOString(),
        texts(of, "id"),
        integer(of, "tag"),
        texts(of, "json"),
        integer(of, "bytes"),
        ...(isIndexed ? encodeChanges(entries) : []),
        ...(isExpecting ? encodeExpected(entries) : [])
      ]
    }
  }
}

const named = (text: string) => ({ text, name: statementName(text) })

/** What was appended, and how many entries were to be. */
const appended = (fresh: string, also = ""): string =>
  ` SELECT (SELECT count(*) FROM ${fresh})::text AS "fresh", head."epoch", added."seq"::text, added."tag"::text${also}` +
  ` FROM (SELECT 1) one LEFT JOIN (head CROSS JOIN added) ON true ORDER BY added."seq"`

const store =
  (feed: Feed, { lock }: Limits) =>
  (table: Table) => {
    const { id } = table
    const isIndexed = feed.keys === "indexed"
    const first = table.columns.length + 1
    const entries = [`${arrayOf(id)}`, "bigint[]", "text[]", "bigint[]"].map(
      (type, n) => `$${first + 3 + n}::${type}`
    )
    const text =
      `WITH stored AS (${insertText(table)} RETURNING ${id.sql} AS "row"),${isIndexed ? changeArrays(first + 7) : ""}` +
      ` fresh AS MATERIALIZED (SELECT NULL::text AS id, e.tag, e.json, e.bytes, e.n` +
      ` FROM unnest(${entries.join(", ")}) WITH ORDINALITY AS e ("row", tag, json, bytes, n)` +
      ` JOIN stored ON stored."row" = e."row"),` +
      ` ${appendTo(feed, first)}${appended("stored")}`
    const statement = named(text)
    return (
      rows: ReadonlyArray<Row>,
      firsts: ReadonlyArray<Row>,
      entries: ReadonlyArray<Encoded>,
      at: Date
    ): PgStatement => {
      const of = asRows(entries)
      const { integer, text: texts } = arrayEncoders
      return {
        ...statement,
        params: [
          ...encodeTable(table, rows),
          feed.feed,
          String(lock),
          at.toISOString(),
          arrayEncoders[id.type](firsts, id.name),
          integer(of, "tag"),
          texts(of, "json"),
          integer(of, "bytes"),
          ...(isIndexed ? encodeChanges(entries) : [])
        ]
      }
    }
  }

const known = (feed: Feed, { counts, ids, values }: Names): Statement => {
  const params: Array<unknown> = [feed.feed]
  const isOneOf = (column: string, names: ReadonlyArray<string>) => {
    const rows = names.map((name) => ({ name }))
    params.push(arrayEncoders.text(rows, "name"))
    return `"feed" = $1 AND "${column}" = ANY($${params.length}::text[])`
  }
  const held = `SELECT 'id' AS kind, "id" AS name, NULL AS value, NULL AS seq FROM ${feed.log.sql} WHERE ${isOneOf("id", ids)}`
  const last =
    feed.state === "none"
      ? ""
      : ` UNION ALL SELECT 'key', "key", "value"::text, "seq"::text FROM ${feed.kept.sql} WHERE ${isOneOf("key", values)}`
  const counted =
    feed.keys === "none"
      ? ""
      : ` UNION ALL SELECT 'count', "key", "generation"::text, NULL FROM ${feed.counted.sql} WHERE ${isOneOf("key", counts)}`
  return { text: held + last + counted, params }
}

export const pgLog = (feed: Feed, limits: Limits): LogStatements => ({
  ...sharedStatements(pgDialect, feed),
  dialect: pgDialect,
  // Read committed: a snapshot from before the wait for the lock would not show the commit before.
  begin: [plain(`BEGIN ISOLATION LEVEL READ COMMITTED; ${lockHead(feed, limits)}`)],
  headText: headText(feed, literal(feed.feed)),
  lock: plain(lockHead(feed, limits)),
  known: (names) => known(feed, names),
  write: (rows, state, index, at) => write(feed, rows, state, index, at),
  append: feed.state === "none" ? append(feed, limits) : undefined,
  store: feed.state === "none" ? store(feed, limits) : undefined,
  judges: judgesExpected,
  isConflict: isMismatch,
  last: (result) => (Array.isArray(result) ? result.at(-1) : result)
})
