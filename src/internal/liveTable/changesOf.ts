/** What a live table asks of the changes that it follows. */
import type { Effect, Option } from "effect"
import type { Revision } from "../log/events.js"
import type { KnownChanges } from "./tierEntry.js"

/** The changes of a table's log, as they are followed. */
export interface Followed extends KnownChanges {
  /** Waits until every change up to a revision is applied; `false`: it is not, within so many milliseconds. */
  readonly reached: (revision: Revision, wait: number) => Effect.Effect<boolean>
  /** Milliseconds since the log was last known to hold nothing newer. */
  readonly lag: () => number
  readonly cause: () => Option.Option<unknown>
}
