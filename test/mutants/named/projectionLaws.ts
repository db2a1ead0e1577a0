/** Guards of projections that schedules show: which rows count, and how old a state is. */
import type { NamedMutant } from "../named.js"
import { guardsOf } from "./guard.js"

const guard = guardsOf("projectionLaws")
const inside = (file: string) => `internal/projection/${file}`
const law = (title: string) => ["laws/projection", title] as const

export const projectionLawMutants: ReadonlyArray<NamedMutant> = [
  guard(
    "take the row of another key",
    inside("tierRow"),
    ["if (row === undefined || row.of !== ownerOf(owner, key)) return", "if (row === undefined) return"],
    law("P5: a tier that returns the row of another key, whose events are of the same revisions")
  ),
  guard(
    "begin the age when the answer comes",
    inside("attempt"),
    [
      "state, at, applied, head, asked, unsaved, isNew",
      "state, at, applied, head, asked: { at: now(runtime), count: runtime.slots.asked }, unsaved, isNew"
    ],
    law("P3: an answer of the log that came late, and a state that was over when it came")
  ),
  guard(
    "order the states of two epochs by the time alone",
    inside("slots"),
    ["next.proven.count >= slot.proven.count", "next.proven.at >= slot.proven.at"],
    law("P4: an answer of an epoch that was left, behind one of the present epoch in the same moment")
  )
]
