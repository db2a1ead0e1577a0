/** How statements of change logs on Postgres keep the index of keys. The head's row is locked before any row of it. */
import { isOfGeneration } from "../../../internal/log/judge.js"
import type { Row } from "../dialect.js"
import type { SqlFailure } from "../errors.js"
import type { IndexRows } from "../log/keyRows.js"
import type { Encoded } from "../log/rows.js"
import type { Feed } from "../log/tables.js"
import { arrayEncoders } from "./arrays.js"

const keyColumns = `"feed", "key", "generation", "gone", "gone_seq", "gone_tag"`
const eventColumns = `"feed", "key", "seq", "pos", "tag", "generation", "kind"`

/** The part of a statement that writes rows of the index. Its parameters begin at `first`; the feed is the first of all. */
export const writeIndex = (
  { counted, events }: Feed,
  index: IndexRows,
  first: number
): { readonly text: string; readonly params: ReadonlyArray<unknown> } => {
  const { integer, text } = arrayEncoders
  const keys: ReadonlyArray<Row> = Array.from(index.generations, ([key, generation]) => ({ key, generation }))
  // The encoders read named columns of a row; an interface has no index signature, but these have those columns.
  const of = index.events as unknown as ReadonlyArray<Row>
  const from = (n: number, type: string) => `unnest($${first + n}::${type}[])`
  return {
    text:
      `, counted AS (INSERT INTO ${counted.sql} (${keyColumns})` +
      ` SELECT $1, ${from(0, "text")}, ${from(1, "bigint")}, 0, 0, 0` +
      ` ON CONFLICT ("feed", "key") DO UPDATE SET "generation" = excluded."generation")` +
      `, indexed AS (INSERT INTO ${events.sql} (${eventColumns}) SELECT $1, ${from(2, "text")},` +
      ` ${from(3, "bigint")}, ${from(4, "bigint")}, ${from(5, "bigint")}, ${from(6, "bigint")}, ${from(7, "text")})`,
    params: [
      text(keys, "key"),
      integer(keys, "generation"),
      text(of, "key"),
      integer(of, "seq"),
      integer(of, "pos"),
      integer(of, "tag"),
      integer(of, "generation"),
      text(of, "kind")
    ]
  }
}

/** The changes of entries as a table `changed` (n, pos, key, kind); `n` counts the entries from 1. */
export const changeArrays = (first: number): string =>
  ` changed AS (SELECT c.n, c.pos, c.key COLLATE "C" AS key, c.kind FROM unnest($${first}::bigint[],` +
  ` $${first + 1}::bigint[], $${first + 2}::text[], $${first + 3}::text[]) AS c (n, pos, key, kind)),`

/** The parameters of {@link changeArrays}. */
export const encodeChanges = (entries: ReadonlyArray<Encoded>): ReadonlyArray<unknown> => {
  const changes = entries.flatMap(({ changes }, n) =>
    changes.map(({ key, kind }, pos): Row => ({ n: n + 1, pos, key, kind }))
  )
  const { integer, text } = arrayEncoders
  return [integer(changes, "n"), integer(changes, "pos"), text(changes, "key"), text(changes, "kind")]
}

/**
 * The part of a statement that counts the events of `fresh` rows by their keys, after it has updated the `head`. A count
 * goes by the key's row as it is then, not by the view from before the wait for the head.
 */
export const countChanges = ({ counted, events }: Feed, feed: string): string =>
  `, ranked AS (SELECT fresh.n, fresh.tag, row_number() OVER (ORDER BY fresh.n) AS rank FROM fresh)` +
  `, placed AS MATERIALIZED (SELECT c.key, c.kind, c.pos, r.tag, head."before" + r.rank AS seq,` +
  ` row_number() OVER (PARTITION BY c.key ORDER BY c.n, c.pos) AS nth, count(*) OVER (PARTITION BY c.key) AS count` +
  ` FROM head CROSS JOIN ranked r JOIN changed c ON c.n = r.n)` +
  `, counted AS (INSERT INTO ${counted.sql} AS k (${keyColumns})` +
  ` SELECT ${feed}, p.key, p.count, 0, 0, 0 FROM placed p WHERE p.nth = 1` +
  ` ON CONFLICT ("feed", "key") DO UPDATE SET "generation" = k."generation" + excluded."generation"` +
  ` RETURNING k."key", k."generation")` +
  `, indexed AS (INSERT INTO ${events.sql} (${eventColumns}) SELECT ${feed}, p.key, p.seq, p.pos, p.tag,` +
  ` k."generation" - p.count + p.nth, p.kind FROM placed p JOIN counted k ON k."key" = p.key)`

/** The generations that an entry expects, by their keys. */
const generationsOf = (entries: ReadonlyArray<Encoded>): ReadonlyArray<Row> =>
  entries.flatMap(({ expect }) =>
    expect.flatMap((condition) =>
      isOfGeneration(condition) ? [{ key: condition.key, generation: condition.generation }] : []
    )
  )

/** A single entry that expects generations of keys which it changes: their rows are locked and counted in the statement. */
export const judgesExpected = (entries: ReadonlyArray<Encoded>): boolean => {
  const [entry, second] = entries
  if (entry === undefined || second !== undefined) return false
  const changed = new Set(entry.changes.map(({ key }) => key))
  return entry.expect.every((condition) => isOfGeneration(condition) && changed.has(condition.key))
}

/** What {@link judgesExpected} allows as a table `expected` (key, generation). */
export const expectedArrays = (first: number): string =>
  ` expected AS (SELECT * FROM unnest($${first}::text[], $${first + 1}::bigint[]) AS x (key, generation)),`

/** The parameters of {@link expectedArrays}. */
export const encodeExpected = (entries: ReadonlyArray<Encoded>): ReadonlyArray<unknown> => {
  const expected = generationsOf(entries)
  return [arrayEncoders.text(expected, "key"), arrayEncoders.integer(expected, "generation")]
}

/**
 * An expression that fails, and the statement with it, if a key that was `counted` had another generation before. A
 * duplicate is not counted. It goes by rows that were locked after the head, never by what was there before the wait.
 */
export const mismatch =
  `1 / (SELECT CASE count(*) WHEN 0 THEN 1 ELSE 0 END FROM expected x JOIN counted k ON k."key" = x.key` +
  ` JOIN placed p ON p.key = x.key AND p.nth = 1 WHERE k."generation" - p.count <> x.generation)::int AS "judged"`

/** A division by zero: of {@link mismatch}, or of what else runs in the statement. */
export const isMismatch = ({ code }: SqlFailure): boolean => code === "22012"
