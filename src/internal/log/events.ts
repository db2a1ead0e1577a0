/** What a change log holds, and why it can fail. */
import { Data, Either, identity, type Option } from "effect"

/**
 * A point in the history of a log. `seq` counts from 1 without gaps; `epoch` names one life of the log; `tag` is
 * random, so that a restored backup that uses a number again is noticed. The start of a log is `seq` 0.
 */
export interface Revision {
  readonly epoch: string
  readonly seq: number
  /** A whole number from 0 to 2^32 - 1. */
  readonly tag: number
}

/** The point before the first revision of an epoch. */
export const start = (epoch: string): Revision => Object.freeze({ epoch, seq: 0, tag: 0 })

/** A revision that its giver cannot change any more. */
export const ownRevision = ({ epoch, seq, tag }: Revision): Revision => Object.freeze({ epoch, seq, tag })

/** A change of one key, as its writer tells it. */
export type Change<V> =
  | { readonly _tag: "Put"; readonly key: string; readonly value: V }
  | { readonly _tag: "Delete"; readonly key: string }

/** Sets a key. */
export const put = <V>(key: string, value: V): Change<V> => ({ _tag: "Put", key, value })

/** Removes a key. */
export const remove = (key: string): Change<never> => ({ _tag: "Delete", key })

/** Changes that become one revision, and the id by which a log knows them when they come again. */
export interface Entry<out V> {
  readonly changes: ReadonlyArray<Change<V>>
  /** Unique in its log: an entry whose id the log already holds changes nothing. */
  readonly id?: string | undefined
}

/** A change that has a place in the history. It is shared by everybody who sees it, and must not be changed. */
export type Event<V> =
  | {
      readonly _tag: "Put"
      readonly key: string
      readonly value: V
      readonly revision: Revision
      /** Only when it was asked for: the value before, none when there was no such key. */
      readonly previous?: Option.Option<V>
    }
  | {
      readonly _tag: "Delete"
      readonly key: string
      readonly revision: Revision
      readonly previous?: Option.Option<V>
    }

/**
 * One revision of a log. Everybody who reads it may be given the same object: it is frozen, and so are its events and
 * its arrays. Values are not: whoever reads one must not change it.
 */
export interface LoggedRevision<out V> {
  readonly revision: Revision
  /** In the order of their writer; never empty. */
  readonly events: ReadonlyArray<Event<V>>
  /** What was there before each event, when the log keeps the state. */
  readonly previous: ReadonlyArray<Option.Option<V>> | undefined
}

/** The last value of a key. */
export interface KeyValue<out V> {
  readonly key: string
  readonly value: V
  readonly revision: Revision
}

/** Everything that a selector matches, as it was at a revision, ordered by key. */
export interface Snapshot<out V> {
  readonly revision: Revision
  readonly entries: ReadonlyArray<KeyValue<V>>
}

/** The revisions behind a cursor are gone up to `floor`: begin with a snapshot, or at the floor. */
export class Compacted extends Data.TaggedError("Compacted")<{
  /** The last revision that is gone. */
  readonly floor: number
  readonly message: string
}> {}

/** The cursor belongs to another life of this log, or to another log: begin with a snapshot. */
export class EpochChanged extends Data.TaggedError("EpochChanged")<{
  /** The log's epoch now. */
  readonly epoch: string
  readonly message: string
}> {}

/**
 * - `Invalid`: an entry that cannot be, such as one without a change. Nothing was appended.
 * - `TooLarge`: a revision that the log could not hold. Nothing was appended.
 * - `NoState`: a snapshot was asked of a log that keeps no state.
 * - `Unavailable`: the log's backend failed; whether something was appended is told by `outcome`.
 */
export class ChangeLogError extends Data.TaggedError("ChangeLogError")<{
  readonly reason: "Invalid" | "TooLarge" | "NoState" | "Unavailable"
  readonly message: string
  /** The entry at fault, by its position. */
  readonly index?: number
  readonly outcome?: "NotStored" | "Unknown"
  readonly cause?: unknown
}> {}

export const compacted = (floor: number): Compacted =>
  new Compacted({
    floor,
    message: `the revisions up to ${floor} are gone: begin with a snapshot, or read after the floor`
  })

export const epochChanged = (epoch: string): EpochChanged =>
  new EpochChanged({
    epoch,
    message: "the revision is not of this log's history, which was renewed or restored: begin with a snapshot"
  })

/**
 * Why a cursor cannot be read after, or `undefined`. `tagAt` gives the tag of a revision above the floor, none when
 * the log does not hold it.
 */
export const validateCursor = (
  after: Revision,
  { floor, head }: { readonly head: Revision; readonly floor: Revision },
  tagAt: (seq: number) => number | undefined
): Compacted | EpochChanged | undefined => {
  const { epoch, seq, tag } = after
  if (epoch !== head.epoch || !(seq >= 0 && seq <= head.seq) || !Number.isInteger(seq)) {
    return epochChanged(head.epoch)
  }
  if (seq < floor.seq) return compacted(floor.seq)
  const known = seq === floor.seq ? floor.tag : tagAt(seq)
  return known === tag ? undefined : epochChanged(head.epoch)
}

/** What a log cannot hold, told before anything is appended. */
export const refusal = (reason: ChangeLogError["reason"], message: string, index?: number): ChangeLogError =>
  new ChangeLogError({ reason, message, outcome: "NotStored", ...(index === undefined ? {} : { index }) })

export const wrongLimit = new ChangeLogError({
  reason: "Invalid",
  message: "the limit must be a whole number above 0",
  outcome: "NotStored"
})

export const noState = new ChangeLogError({
  reason: "NoState",
  message: 'this log keeps no state: make it with state: "latest", or pass a snapshot source'
})

/** The entry of a record, or why there is none: what `toEntry` throws, or that it gives none. */
export const entryOf = <Record, V>(
  toEntry: (record: Record) => Entry<V>,
  record: Record
): Either.Either<Entry<V>, unknown> =>
  Either.filterOrLeft(
    Either.try({ try: () => toEntry(record), catch: identity }),
    (entry) => typeof entry === "object" && (entry as unknown) !== null,
    () => refusal("Invalid", "toEntry gave no entry")
  )
