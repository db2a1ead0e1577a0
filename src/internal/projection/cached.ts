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
 * Whether nothing that concerns the projection came after a cached state. The log fails if the state's position is not of
 * its history, or ahead of it; so a page after it always has a last event.
 */
export const isEqual = ({ events, more }: Page): boolean => events.length === 0 && !more

export const isSame = (a: Revision, b: Revision): boolean =>
  a.seq === b.seq && a.tag === b.tag && a.epoch === b.epoch
