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
      "state, at, applied, head, readAt, unsaved, isNew",
      "state, at, applied, head, readAt: now(runtime), unsaved, isNew"
    ],
    law("P3: an answer of the log that came late, and a state that was over when it came")
  )
]
