/** Wrong in how it refuses. */
import { Effect } from "effect"
import { StorageError } from "../../../src/Storage.js"
import type { Row } from "../../support/laws/subjects.js"
import { check, commit, differing, newOnes, right, type Save, saving, type Wrong } from "./right.js"

const good = (batch: ReadonlyArray<Row>): ReadonlyArray<Row> => {
  const bad = new Set(check(batch)?.bad?.map(({ index }) => index))
  return batch.filter((_, index) => !bad.has(index))
}

const firstBad = (batch: ReadonlyArray<Row>): number | undefined => check(batch)?.bad?.[0]?.index

export const wrongErrors: ReadonlyArray<Wrong> = [
  saving(
    "leaves bad records out in silence",
    (_, { save }) =>
      (batch) =>
        save(good(batch)) as Save,
    [
      "bad-record-fails",
      "prepare-refuses-late",
      "bad-record-is-set-aside",
      "refuses-nan",
      "refuses-numbers-out-of-range",
      "refuses-dates-out-of-range",
      "refuses-bad-text",
      "refuses-bad-json",
      "refuses-other-types",
      "equal-or-refused"
    ]
  ),
  differing(
    "has no word for bad data",
    {
      check: (batch) =>
        firstBad(batch) === undefined
          ? undefined
          : new StorageError({ kind: "Unknown", outcome: "Unknown", message: "invalid input" })
    },
    [
      "bad-record-is-poison",
      "refuses-nan",
      "refuses-numbers-out-of-range",
      "refuses-dates-out-of-range",
      "refuses-bad-text",
      "refuses-bad-json",
      "refuses-other-types"
    ]
  ),
  saving(
    "commits the good records of a batch that it refuses",
    (disk, { save }) =>
      (batch) =>
        check(batch) === undefined
          ? (save(batch) as Save)
          : Effect.zipRight(commit(disk, good(batch)), save(batch) as Save),
    ["not-stored-is-true"]
  ),
  saving(
    "tells a prefix as stored that it has rolled back",
    (_, { save }) =>
      (batch) => {
        const first = firstBad(batch)
        if (first === undefined) return save(batch) as Save
        return Effect.fail(
          new StorageError({ kind: "Poison", outcome: "NotStored", message: "invalid input", stored: first })
        )
      },
    ["stored-prefix-is-held", "bad-record-is-set-aside"]
  ),
  saving(
    "keeps the ids of a batch that it has refused",
    (disk) => {
      const noted = new Set<string>()
      return (batch) =>
        Effect.suspend(() => {
          const fresh = newOnes(disk.rows, batch).filter(({ id }) => !noted.has(id))
          for (const { id } of batch) noted.add(id)
          return Effect.map(commit(disk, check(batch) === undefined ? fresh : batch), () => ({
            duplicates: batch.length - fresh.length
          }))
        })
    },
    ["retry-after-a-part", "bad-record-is-set-aside", "clash-is-set-aside"]
  ),
  differing(
    "counts the positions of bad records from 1",
    {
      check: (batch) => {
        const error = check(batch)
        return (
          error &&
          new StorageError({
            kind: "Poison",
            outcome: "NotStored",
            message: error.message,
            bad: (error.bad ?? []).map(({ cause, index }) => ({ cause, index: index + 1 }))
          })
        )
      }
    },
    [
      "names-the-bad-ones",
      "bad-record-is-set-aside",
      "refuses-nan",
      "refuses-numbers-out-of-range",
      "refuses-dates-out-of-range",
      "refuses-bad-text",
      "refuses-bad-json",
      "refuses-other-types"
    ]
  ),
  saving(
    "stays in the transaction that has failed",
    (_, { save }) => {
      let aborted = false
      return (batch) =>
        Effect.suspend(() => {
          if (aborted) return Effect.fail(new Error("current transaction is aborted"))
          aborted = check(batch) !== undefined
          return save(batch) as Save
        })
    },
    [
      "goes-on-after-bad-records",
      "bad-record-is-poison",
      "retry-after-a-part",
      "bad-record-is-set-aside",
      "refuses-nan",
      "refuses-numbers-out-of-range",
      "refuses-dates-out-of-range",
      "refuses-bad-text",
      "refuses-bad-json",
      "refuses-other-types"
    ]
  ),
  saving(
    "takes a bad record when it comes again",
    (disk, { save }) => {
      const seen = new Set<string>()
      return (batch) =>
        Effect.suspend(() => {
          const bad = batch.filter((row) => check([row]) !== undefined)
          const known = bad.length > 0 && bad.every(({ id }) => seen.has(id))
          for (const { id } of bad) seen.add(id)
          return known
            ? commit(disk, batch, { check: () => undefined, keep: (row) => row })
            : (save(batch) as Save)
        })
    },
    [
      "refuses-again",
      "prepare-refuses-late",
      "refuses-nan",
      "refuses-numbers-out-of-range",
      "refuses-dates-out-of-range",
      "refuses-bad-text",
      "refuses-bad-json",
      "refuses-other-types"
    ]
  ),
  {
    name: "answers a query that it does not know with nothing",
    breaks: ["wrong-query-fails"],
    open: (disk) =>
      Effect.sync(() => ({
        ...right(disk),
        load: (query) => (query.where === undefined ? right(disk).load(query) : Effect.succeed([]))
      }))
  }
]
