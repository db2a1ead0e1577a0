/** Decides saves of what was decided in memory: they hold as long as no other process has written. */
import type { Decision, Locked, Save } from "./backend.js"

const notNext = (stored: number, expected: number): string =>
  `revision ${stored} is stored, and not ${expected}: another process has written, or a save before was not stored`

/** Makes the decision of a save that goes behind a revision. One that is in the log already is not appended again. */
export const nextAfter =
  (before: number, decision: (locked: Locked) => Decision): Save["decide"] =>
  (locked) => {
    if (locked.logged !== undefined) return { revisions: [] }
    const { head } = locked
    if (head.seq !== before) return { _tag: "Broken", message: notNext(head.seq, before) }
    return decision(locked)
  }
