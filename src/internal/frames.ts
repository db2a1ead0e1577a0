/** What a follower is told, and how it ends. */
import { Data } from "effect"
import type { Event, Kept, Revision } from "./events.js"

/** One thing that a follower is told. */
export type Frame<V> =
  /** Replaces everything that the follower held. `deleted`: what this follow had delivered and is gone since. */
  | {
      readonly _tag: "Snapshot"
      readonly revision: Revision
      readonly entries: ReadonlyArray<Kept<V>>
      readonly deleted: ReadonlyArray<string>
    }
  /** Everything up to this revision has been told: from here on it is live. */
  | { readonly _tag: "Synced"; readonly revision: Revision }
  /** The events of one revision that match; never empty. */
  | { readonly _tag: "Events"; readonly revision: Revision; readonly events: ReadonlyArray<Event<V>> }
  /** Nothing that matches has happened up to this revision: a cursor to resume from. */
  | { readonly _tag: "Progress"; readonly revision: Revision }
  /** Events of the revisions `from` to `to` were not told. */
  | {
      readonly _tag: "Gap"
      readonly from: number
      readonly to: number
      readonly reason: "Overflow" | "Compacted" | "EpochChanged"
    }

export type EventsFrame<V> = Extract<Frame<V>, { readonly _tag: "Events" }>

/**
 * Why a follower has ended; everything that was buffered before has been told first.
 *
 * - `Compacted`: the log no longer holds what comes next. Follow again with a snapshot.
 * - `EpochChanged`: the log's history was renewed. Follow again with a snapshot.
 * - `Overflow`: its buffer was full, and its policy is `cancel`. Follow again after `cursor`.
 * - `Closed`: it was cancelled, or the watch was closed.
 * - `Failed`: its predicate threw, or the log refused; see `cause`.
 */
export class WatchEnded extends Data.TaggedError("WatchEnded")<{
  readonly reason: "Compacted" | "EpochChanged" | "Overflow" | "Closed" | "Failed"
  readonly message: string
  /** Everything up to it has been told: resume after it. */
  readonly cursor: Revision
  readonly cause?: unknown
}> {}
