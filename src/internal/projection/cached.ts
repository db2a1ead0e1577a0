/** A cached state, and what the log's answer makes of it. */
import type { Revision } from "../log/events.js"
import type { KeyHistory, KeyPosition } from "../log/keyIndex.js"
import type { EventValue } from "./events.js"
import type { Kept } from "./states.js"

/** What the log answers about a key. */
export type Page = KeyHistory<EventValue>

/** A state that was proven equal to the log at a position of its key. */
export interface Cached<S> {
  readonly state: Kept<S>
  /** The last event of any kind that the key had then. */
  readonly at: KeyPosition
  /** The last event that is folded into it. */
  readonly applied: Revision
}

/** A cached state, and the events that came after it. */
export interface Base<S> {
  readonly cached: Cached<S>
  readonly page: Page
  readonly strategy: "SlotIncremental" | "TierIncremental"
  /** Events that the tier's row lacks before those of the page. */
  readonly unsaved: number
}

/**
 * - `Equal`: nothing that concerns the projection came since.
 * - `Behind`: further events are to be folded.
 * - `Foreign`: it is not of this history. It counts for nothing.
 */
export type Verdict = "Equal" | "Behind" | "Foreign"

/** Judges a cached state by what the log has after it. */
export const judge = ({ at }: Cached<unknown>, { events, last, more }: KeyHistory<unknown>): Verdict => {
  if (last === undefined || last.generation < at.generation) return "Foreign"
  if (last.generation === at.generation && !isSame(last.revision, at.revision)) return "Foreign"
  return events.length === 0 && !more ? "Equal" : "Behind"
}

export const isSame = (a: Revision, b: Revision): boolean =>
  a.seq === b.seq && a.tag === b.tag && a.epoch === b.epoch
