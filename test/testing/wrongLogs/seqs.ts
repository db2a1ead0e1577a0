/** Wrong in what entries expect of the seq of a key. */
import { Effect } from "effect"
import * as ChangeLog from "../../../src/ChangeLog.js"
import { validateEntry } from "../../../src/internal/log/entry.js"
import { commitNow, type Disk, type Parts, parts, refusal } from "../rightLog.js"
import { valueProblem } from "../rightParts.js"
import { calling, differing, known, type WrongLog, yielding } from "./wrong.js"

const judgedProblem: Parts["problem"] = (entry) =>
  validateEntry(entry, { keys: "none", state: "latest" }) ?? valueProblem(entry)

/** Numbers that are remembered beside the state: of each key the last event, removals too. */
const lastEvents = (disk: Disk): Map<string, number> => known(disk, "last events", new Map())

const remembering: Parts["write"] = (disk, rows) => {
  for (const { events, revision } of rows) {
    for (const { key } of events) lastEvents(disk).set(key, revision.seq)
  }
  parts.write(disk, rows)
}

export const wrongSeqs: ReadonlyArray<WrongLog> = [
  differing("judges no seq", { conflict: () => undefined }, [
    "expects-a-seq",
    "seqs-in-order",
    "seq-after-renewal",
    "one-winner-of-a-seq"
  ]),
  differing(
    "takes a key without a value for one of seq 0",
    {
      conflict: (disk, entries, of) =>
        parts.conflict(
          disk,
          entries.map((entry) => ({
            ...entry,
            expect: entry.expect?.map((condition) =>
              "seq" in condition && condition.seq === 0 && of.seqOf(disk, condition.key) === "absent"
                ? { key: condition.key, seq: "absent" as const }
                : condition
            )
          })),
          of
        )
    },
    ["expects-a-seq", "seq-after-renewal"]
  ),
  differing(
    "keeps the seq of a deleted key",
    { write: remembering, seqOf: (disk, key) => lastEvents(disk).get(key) ?? parts.seqOf(disk, key) },
    ["expects-a-seq", "seq-after-renewal"]
  ),
  differing(
    "judges each entry by the log alone",
    {
      conflict: (disk, entries, of) => {
        for (const [index, entry] of entries.entries()) {
          const conflict = parts.conflict(disk, [entry], of)
          if (conflict !== undefined) return new ChangeLog.Conflict({ ...conflict, index })
        }
        return undefined
      }
    },
    ["seqs-in-order"]
  ),
  differing(
    "names no seq in a conflict",
    {
      conflict: (disk, entries, of) => {
        const { seq: _, ...conflict } = parts.conflict(disk, entries, of) ?? {}
        // What is left has all but the seq.
        return "reason" in conflict ? new ChangeLog.Conflict(conflict as ChangeLog.Conflict) : undefined
      }
    },
    ["expects-a-seq", "seqs-in-order", "seq-after-renewal"]
  ),
  calling(
    "judges before it waits",
    (disk, _, state) => ({
      commit: (entries) =>
        Effect.suspend(() => {
          const problem = state === "latest" ? judgedProblem : parts.problem
          const refused = refusal(entries, { ...parts, problem }) ?? parts.conflict(disk, entries, parts)
          if (refused !== undefined) return Effect.fail(refused)
          return Effect.andThen(
            Effect.repeatN(yielding, 3),
            Effect.suspend(() =>
              commitNow(disk, entries, { ...parts, problem: () => undefined, conflict: () => undefined })
            )
          )
        })
    }),
    ["one-winner-of-a-seq"]
  ),
  differing(
    "takes any condition",
    {
      problem: ({ expect: _, ...entry }) => parts.problem(entry),
      conflict: (disk, entries, of) =>
        entries.some((entry) => judgedProblem(entry) !== undefined)
          ? undefined
          : parts.conflict(disk, entries, of)
    },
    ["malformed-seq-is-refused", "seq-needs-state"]
  ),
  differing("judges a seq without state", { problem: judgedProblem }, ["seq-needs-state"])
]
