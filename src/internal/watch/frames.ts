/** What is delivered to a watcher, and how it ends. The arrays are frozen: watchers share them. */
import { Data } from "effect"
import type { Event, KeyValue, Revision } from "../log/events.js"

/** What a reader takes from a watcher. */
export type Frame<V> =
  /**
   * Replaces everything that the watcher held. `entries`: what the follow's selector matches, its `view` lets through
   * and its `where` takes.
   * `deleted`: the keys that were delivered before, and that are not among the entries. Only a follow with
   * `autoResnapshot` remembers them.
   */
  | {
      readonly _tag: "Snapshot"
      readonly revision: Revision
      readonly entries: ReadonlyArray<KeyValue<V>>
      readonly deleted: ReadonlyArray<string>
    }
  /** Everything up to this revision has been delivered: from here on the watcher is live. */
  | { readonly _tag: "Synced"; readonly revision: Revision }
  /** The events of one revision that match; never empty. Watchers share the array, which is frozen. */
  | { readonly _tag: "Events"; readonly revision: Revision; readonly events: ReadonlyArray<Event<V>> }
  /** Nothing that matches has happened up to this revision: a cursor to resume from. */
  | { readonly _tag: "Progress"; readonly revision: Revision }
  /**
   * Events of the revisions `from` to `to` were not delivered; `from` is never above `to`. `Overflow`: the policy
   * `drop-oldest` gave them up. Otherwise the next frame is a Snapshot of revision `to`. `Compacted`: the log no
   * longer held them. `EpochChanged`: the rest of the former epoch, whose length is unknown, and everything up to the
   * snapshot: both numbers are of its epoch, from 1, or both 0 when nothing has happened in it yet.
   */
  | {
      readonly _tag: "Gap"
      readonly from: number
      readonly to: number
      readonly reason: "Overflow" | "Compacted" | "EpochChanged"
    }

/** The {@link Frame} of one revision's events. */
export type EventsFrame<V> = Extract<Frame<V>, { readonly _tag: "Events" }>
/** The {@link Frame} of a snapshot. */
export type SnapshotFrame<V> = Extract<Frame<V>, { readonly _tag: "Snapshot" }>
export type GapFrame = Extract<Frame<never>, { readonly _tag: "Gap" }>

/**
 * Why the owner of a log ends a watcher, or all of them. `Expired`: the time of what it holds is over. `Ended`: its owner
 * gave it up. `Failed`: it cannot go on.
 */
export type OwnerReason = "Expired" | "Ended" | "Failed"

/**
 * Why a watcher has ended; everything that was buffered before is delivered first, if its rights still let it.
 *
 * - `Compacted`: the log no longer holds what comes next. Follow again with a snapshot.
 * - `EpochChanged`: the log's history was renewed. Follow again with a snapshot.
 * - `Overflow`: its buffer was full, and its policy is `cancel`. Follow again after `cursor`.
 * - `Closed`: it was cancelled, or the watch was closed.
 * - `Failed`: its predicate threw, its snapshot could not be taken, the log failed for good, or its owner ended it so; see
 *   `cause`.
 * - `Expired`, `Ended`: the owner of the log ended it.
 * - `Unauthorized`: its rights let it see nothing any more. What waited is discarded.
 */
export class WatchEnded extends Data.TaggedError("WatchEnded")<{
  readonly reason: "Compacted" | "EpochChanged" | "Overflow" | "Closed" | "Unauthorized" | OwnerReason
  readonly message: string
  /**
   * The position of the watcher. Everything up to it that matches has been delivered: a follow that resumes after it
   * leaves out nothing and repeats nothing. If nothing was delivered for long, it is as new as the position of the
   * watch.
   */
  readonly cursor: Revision
  readonly cause?: unknown
}> {}
