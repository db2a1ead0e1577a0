/**
 * Marks of epochs: where there are rights to judge, the epochs of permanent stores and pools end in a mark of the process, so
 * that what any other one has judged, or this one before its restart, is judged anew.
 */
import { Effect } from "effect"
import type { Revision } from "../../ChangeLog.js"
import * as Policy from "./policy.js"
import type { As } from "./sessionCalls.js"

/** Stands before the mark of a process in an epoch, and nowhere else in it. */
const beforeMark = "~"

/** The mark of a process; empty: there are no rights to judge. */
export const markOf = (authorize: unknown, process: string): string =>
  authorize === undefined ? "" : `${beforeMark}${process}`

/** The mark of what one process decides in memory, until it has failed so many times. */
export const lifeMark = (process: string, failures: number): string => `${beforeMark}${process}/${failures}`

const unmarked = (epoch: string): string => epoch.split(beforeMark, 1)[0]!

/** The server itself sees everything, whichever process has given it the cursor. */
export const cursorOf = <V>(
  { isOpen }: Policy.Policy<V>,
  epoch: string,
  after: Revision,
  as: As | undefined
): Revision =>
  (as === undefined || isOpen) && unmarked(after.epoch) === unmarked(epoch) ? { ...after, epoch } : after

/** A store or pool that other processes write too. */
interface SharedThing extends Policy.Thing {
  readonly marks: Policy.Marks
  /** The number of the head that is committed now. */
  readonly head: Effect.Effect<number, unknown>
}

/**
 * Notes of what other processes write too where the versions that were given fall: at most at its last revision. A cursor
 * behind that was made later. Until it is noted, cursors count as older.
 */
export const markShared = <V>(
  policy: Policy.Policy<V>,
  { head, id, kind, marks }: SharedThing,
  as: As | undefined
): Effect.Effect<void> => {
  if (as === undefined || policy.isOpen) return Effect.void
  // What is over raises the version first.
  policy.versionOf(as.principal, { id, kind })
  const count = policy.count()
  if (Policy.isMarked(marks, count)) return Effect.void
  // A head that cannot be read is read by the next opening.
  return Effect.ignore(Effect.map(head, (seq) => Policy.mark(marks, count, seq)))
}
