/** The laws of entries that expect the last value of a key to be of a revision. */
import { Effect } from "effect"
import { type Condition, type Entry, key, prefix, put, remove } from "../../../ChangeLog.js"
import { ensure } from "../calls.js"
import { handles } from "./concurrency.js"
import { changed, conflicts, expecting, oneWins } from "./conditions.js"
import { type LogTrial, logLaw } from "./fixture.js"
import type { LogLaw } from "./subject.js"

type Seq = number | "absent"

/** Sets a key that has to be as a revision has left it. */
const over = (key: string, seq: Seq): Entry<unknown> => expecting(put(key, 1), { key, seq })

/** Ensures that each of these is a conflict, which names what the log has. */
const conflictWith = (
  trial: LogTrial,
  key: string,
  seqs: ReadonlyArray<Seq>,
  present: Seq
): Effect.Effect<void, string> =>
  Effect.forEach(
    seqs,
    (seq) =>
      Effect.gen(function* () {
        const error = yield* conflicts(
          trial,
          `expecting ${key} at ${seq}, and not ${present}`,
          changed,
          over(key, seq)
        )
        yield* ensure(error.seq === present, `the conflict names ${String(error.seq)}, not ${present}`)
        yield* ensure(error.index === 0, `the conflict names entry ${String(error.index)} of one`)
      }),
    { discard: true }
  )

/** Commits one entry, and returns the number of its revision. */
const seqOf = (trial: LogTrial, entry: Entry<unknown>): Effect.Effect<number, string> =>
  Effect.map(trial.commit(entry), ({ revisions }) => revisions[0]?.seq ?? Number.NaN)

const judged: ReadonlyArray<LogLaw> = [
  logLaw(
    {
      id: "C69",
      name: "expects-a-seq",
      group: "seqs",
      needs: ["state"],
      statement:
        "An entry that expects a seq is appended if its key's last value is of that revision, or absent as expected.",
      advice: "Compare the kept revision of the key; a key without a value has none, not even 0"
    },
    (trial) =>
      Effect.gen(function* () {
        yield* conflictWith(trial, "/a", [0, 1], "absent")
        const first = yield* seqOf(trial, over("/a", "absent"))
        yield* trial.commit(expecting(put("/b", 1), { key: "/a", seq: first }, { key: "/b", seq: "absent" }))
        yield* conflictWith(trial, "/a", [0, first + 1, "absent"], first)
        const second = yield* seqOf(trial, over("/a", first))
        yield* conflictWith(trial, "/a", [first], second)
        yield* trial.compact(second)
        const gone = yield* seqOf(trial, expecting(remove("/a"), { key: "/a", seq: second }))
        yield* conflictWith(trial, "/a", [0, second, gone], "absent")
        const again = yield* seqOf(trial, over("/a", "absent"))
        yield* conflictWith(trial, "/a", ["absent", second], again)
      })
  ),
  logLaw(
    {
      id: "C70",
      name: "seqs-in-order",
      group: "seqs",
      needs: ["state"],
      statement: "An entry that expects a seq sees the revisions of the new entries of its commit before it.",
      advice: "Number the new entries from the head, and let a duplicate take no number"
    },
    (trial) =>
      Effect.gen(function* () {
        const before = yield* seqOf(trial, { changes: [put("/z", 1)] })
        const other = { changes: [put("/b", 1)] }
        yield* trial.commit(over("/a", "absent"), over("/a", before + 1), other, over("/a", before + 2))
        const error = yield* conflicts(
          trial,
          "expecting one seq twice",
          changed,
          over("/a", before + 4),
          over("/a", before + 4)
        )
        yield* ensure(
          error.index === 1 && error.seq === before + 5,
          `the conflict names entry ${String(error.index)} and ${String(error.seq)}, not 1 and ${before + 5}`
        )
        yield* trial.commit(expecting(remove("/a"), { key: "/a", seq: before + 4 }), over("/a", "absent"))
        const known = { ...over("/c", "absent"), id: "once" }
        const at = yield* seqOf(trial, known)
        const { duplicates } = yield* trial.commit(known, over("/c", at), over("/c", at + 1))
        yield* ensure(duplicates === 1, `of three entries, one of them known, ${duplicates} are duplicates`)
      })
  ),
  logLaw(
    {
      id: "C71",
      name: "seq-after-renewal",
      group: "seqs",
      needs: ["state"],
      statement: "In a renewed epoch a seq is that of the revision which a snapshot shows for the key.",
      advice: "Move the kept revisions with the epoch, and judge by them alone"
    },
    (trial) =>
      Effect.gen(function* () {
        yield* trial.commit({ changes: [put("/x", 1)] }, { changes: [put("/a", 1), put("/b", 1)] })
        yield* trial.renew
        const { entries } = yield* trial.snapshot(prefix(""))
        for (const { key, revision } of entries) {
          yield* conflictWith(trial, key, ["absent", revision.seq + 1], revision.seq)
          yield* trial.commit(over(key, revision.seq))
        }
        yield* conflictWith(trial, "/never", [0], "absent")
      })
  ),
  logLaw(
    {
      id: "C72",
      name: "one-winner-of-a-seq",
      group: "seqs",
      needs: ["state"],
      statement: "Of writers that expect the same seq at once one is appended, and the others conflict.",
      advice: "Judge conditions after the head is locked, by what is there then"
    },
    (trial) =>
      Effect.gen(function* () {
        const fixtures = yield* handles(trial, 4)
        for (let round = 0; round < 5; round++) {
          const [kept] = (yield* trial.snapshot(key("/a"))).entries
          const seq = kept?.revision.seq ?? "absent"
          yield* oneWins(trial, fixtures, over("/a", seq), `seq ${seq}`)
        }
      })
  )
]

const malformed: ReadonlyArray<readonly [what: string, condition: unknown]> = [
  ["a seq below 0", { key: "/a", seq: -1 }],
  ["a fraction", { key: "/a", seq: 0.5 }],
  ["NaN", { key: "/a", seq: Number.NaN }],
  ["an infinite seq", { key: "/a", seq: Number.POSITIVE_INFINITY }],
  ["a text", { key: "/a", seq: "1" }],
  ["null", { key: "/a", seq: null }],
  ["no key", { seq: 1 }],
  ["an empty key", { key: "", seq: 1 }],
  ["a key that is too long", { key: "k".repeat(100_000), seq: "absent" }],
  ["both a seq and a generation", { key: "/a", seq: 1, generation: 1 }],
  ["both a seq and nothing", { nothing: key("/a"), seq: 1, after: { epoch: "", seq: 0, tag: 0 } }]
]

const refused: ReadonlyArray<LogLaw> = [
  logLaw(
    {
      id: "C73",
      name: "malformed-seq-is-refused",
      group: "seqs",
      needs: ["state"],
      statement: "An entry that expects a seq which is not valid is refused, and named by its position.",
      advice: "Check what entries expect before anything is appended"
    },
    (trial) =>
      Effect.gen(function* () {
        const good = { changes: [put("/a", 1)] }
        for (const [what, condition] of malformed) {
          // What a caller without types passes.
          const bad = expecting(put("/a", 1), condition as Condition)
          const error = yield* conflicts(trial, `expecting ${what}`, "ChangeLogError Invalid", good, bad)
          yield* ensure(error.index === 1, `it is named by ${String(error.index)}, not 1`)
        }
      })
  ),
  logLaw(
    {
      id: "C74",
      name: "seq-needs-state",
      group: "seqs",
      needs: ["no state"],
      statement: "A log that keeps no state refuses an entry that expects a seq.",
      advice: "Refuse what the log cannot judge, and append nothing"
    },
    (trial) =>
      Effect.gen(function* () {
        const good = { changes: [put("/a", 1)] }
        for (const seq of [1, "absent"] as const) {
          const what = `expecting ${seq} without state`
          const error = yield* conflicts(trial, what, "ChangeLogError Invalid", good, over("/a", seq))
          yield* ensure(error.index === 1, `it is named by ${String(error.index)}, not 1`)
        }
      })
  )
]

export const logLawsOfSeqs: ReadonlyArray<LogLaw> = [...judged, ...refused]
