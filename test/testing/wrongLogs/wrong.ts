/** What a wrong log is, and the ways to one. */
import { Effect } from "effect"
import type * as ChangeLog from "../../../src/ChangeLog.js"
import { type Disk, type Parts, right } from "../rightLog.js"

export type Log = ChangeLog.ChangeLog<unknown>
type State = "latest" | "none"

/** A log that breaks some laws. */
export interface WrongLog {
  /** What it does. */
  readonly name: string
  /** The laws that it breaks. It keeps all others. */
  readonly breaks: ReadonlyArray<string>
  readonly open: (disk: Disk, state: State) => Log
}

/** Differs in some parts. */
export const differing = (name: string, over: Partial<Parts>, breaks: ReadonlyArray<string>): WrongLog => ({
  name,
  breaks,
  open: (disk, state) => right(disk, state, over)
})

/** Differs in some calls. */
export const calling = (
  name: string,
  calls: (disk: Disk, rightly: Log, state: State) => Partial<Log>,
  breaks: ReadonlyArray<string>
): WrongLog => ({
  name,
  breaks,
  open: (disk, state) => {
    const rightly = right(disk, state)
    const own = calls(disk, rightly, state)
    const { commit = rightly.commit } = own
    const { check: _, ...unchecked } = rightly
    return {
      // Who asks `check` first never gets to a commit that refuses in another way.
      ...(own.commit === undefined ? rightly : unchecked),
      append: (changes) =>
        Effect.map(commit([{ changes }]), ({ revisions }) => revisions[0] as ChangeLog.Revision).pipe(
          // The entry expects nothing.
          Effect.catchTag("Conflict", Effect.die)
        ),
      ...own
    }
  }
})

export const known = <A>(disk: Disk, name: string, first: A): A => {
  if (!disk.notes.has(name)) disk.notes.set(name, first)
  return disk.notes.get(name) as A
}

export const yielding = Effect.yieldNow()

/** Long enough for others to commit and to compact. */
export const aWhile = Effect.repeatN(yielding, 40)
