/** What a change log holds, and the errors of its calls. */
import { Data, Either, identity, type Option } from "effect"
import type { Selector } from "./selector.js"

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

/** Whether a value has the parts of a revision. Whether it is one of a log, the log judges: see {@link validateCursor}. */
export const isCursor = (given: unknown): given is Revision => {
  const { epoch, seq, tag } = (given ?? {}) as { readonly [name: string]: unknown }
  return typeof epoch === "string" && typeof seq === "number" && typeof tag === "number"
}

/** Whether a value from untyped code is a revision. */
export const isRevision = (given: unknown): given is Revision => {
  const isWhole = (part: number) => Number.isSafeInteger(part) && part >= 0
  return isCursor(given) && isWhole(given.seq) && isWhole(given.tag)
}

/** Copies a revision, so that its caller cannot change it any more. */
export const ownRevision = ({ epoch, seq, tag }: Revision): Revision => Object.freeze({ epoch, seq, tag })

/** Returns the earlier revision: what both values hold. None if one of them has none, or they are of two histories. */
export const earlier = (a: Revision | undefined, b: Revision | undefined): Revision | undefined => {
  if (a === undefined || b === undefined || a.epoch !== b.epoch) return undefined
  return a.seq <= b.seq ? a : b
}

/** A change of one key, as its writer passes it to the log. */
export type Change<V> =
  | { readonly _tag: "Put"; readonly key: string; readonly value: V }
  | { readonly _tag: "Delete"; readonly key: string }

/** Sets a key. */
export const put = <V>(key: string, value: V): Change<V> => ({ _tag: "Put", key, value })

/** Removes a key. */
export const remove = (key: string): Change<never> => ({ _tag: "Delete", key })

/** Expects that a key has had so many events, of any kind, since its log was made; 0 for a new key. */
export interface GenerationCondition {
  readonly key: string
  readonly generation: number
}

/** Expects that no event of these keys, and of these kinds if they are given, came after a revision. */
export interface NothingCondition {
  readonly nothing: Selector
  readonly kinds?: ReadonlyArray<string> | undefined
  /** Exclusive. A revision of another epoch, or one before the log's floor, cannot be judged: it is a conflict. */
  readonly after: Revision
}

/**
 * Expects that the last value of a key is of a revision of this epoch, or that the key has no value. Only a log with
 * `state: "latest"` judges it, by the revisions that its snapshots show.
 */
export interface SeqCondition {
  readonly key: string
  /** A revision's number. It is 0 for a value from before the epoch was renewed, unless the log keeps its events. */
  readonly seq: number | "absent"
}

/** What an entry expects of its log. Only a log with `keys: "indexed"` judges generations and `nothing`. */
export type Condition = GenerationCondition | NothingCondition | SeqCondition

/** Changes that become one revision, and the id by which a log recognises them when they are appended again. */
export interface Entry<out V> {
  readonly changes: ReadonlyArray<Change<V>>
  /** Unique in its log: an entry whose id the log already holds changes nothing. */
  readonly id?: string | undefined
  /** What the log must be like, all of it. A log that cannot judge it refuses the entry as `Invalid`. */
  readonly expect?: ReadonlyArray<Condition> | undefined
}

/** A change that has a place in the history. All readers share it: do not change it. */
export type Event<V> =
  | {
      readonly _tag: "Put"
      readonly key: string
      readonly value: V
      readonly revision: Revision
      /** The value before; none if there was no such key. Present only if it was requested. */
      readonly previous?: Option.Option<V>
    }
  | {
      readonly _tag: "Delete"
      readonly key: string
      readonly revision: Revision
      readonly previous?: Option.Option<V>
    }

/**
 * One revision of a log. All readers may share one object: it is frozen, and so are its events and its arrays. Values
 * are not frozen: do not change them.
 */
export interface LoggedRevision<out V> {
  readonly revision: Revision
  /** In the order of their writer; never empty. */
  readonly events: ReadonlyArray<Event<V>>
  /** The value before each event, if the log keeps the state. */
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

/** The revisions after a cursor are removed up to `floor`: begin with a snapshot, or at the floor. */
export class Compacted extends Data.TaggedError("Compacted")<{
  /** The last revision that is removed. */
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
 * - `Invalid`: an entry is not valid, such as one without a change. Nothing was appended.
 * - `TooLarge`: a revision is larger than the log can hold. Nothing was appended.
 * - `NoState`: a snapshot was requested of a log that keeps no state.
 * - `Unavailable`: the log's backend failed. `outcome` is `Unknown` if something may have been appended.
 */
export class ChangeLogError extends Data.TaggedError("ChangeLogError")<{
  readonly reason: "Invalid" | "TooLarge" | "NoState" | "Unavailable"
  readonly message: string
  /** The entry at fault, by its position. */
  readonly index?: number
  readonly outcome?: "NotStored" | "Unknown"
  readonly cause?: unknown
}> {}

/**
 * The log is not as an entry expects it. Nothing of the commit was appended: read again, decide anew, and append.
 *
 * - `Changed`: something was appended since. `generation`, `seq` or `revision` is what the log has now.
 * - `EpochChanged`, `Compacted`: the log cannot judge what came after the condition's revision.
 */
export class Conflict extends Data.TaggedError("Conflict")<{
  readonly reason: "Changed" | "EpochChanged" | "Compacted"
  /** The entry, by its position in the commit. */
  readonly index: number
  readonly condition: Condition
  /** How many events the condition's key has had. */
  readonly generation?: number
  /** The number of the revision of the last value of the condition's key. */
  readonly seq?: number | "absent"
  /** The first revision after the condition's one that has such an event. */
  readonly revision?: Revision
  readonly message: string
}> {}

export const compacted = (floor: number): Compacted =>
  new Compacted({
    floor,
    message: `the revisions up to ${floor} are removed: begin with a snapshot, or read after the floor`
  })

export const epochChanged = (epoch: string): EpochChanged =>
  new EpochChanged({
    epoch,
    message: "the revision is not of this log's history, which was renewed or restored: begin with a snapshot"
  })

/**
 * Returns why reading after a cursor is not possible, or `undefined`. `tagAt` returns the tag of a revision above the
 * floor, or `undefined` if the log does not hold it.
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

/** Makes the error of an entry that the log refuses before it appends anything. */
export const refusal = (reason: ChangeLogError["reason"], message: string, index?: number): ChangeLogError =>
  new ChangeLogError({ reason, message, outcome: "NotStored", ...(index === undefined ? {} : { index }) })

export const wrongLimit = new ChangeLogError({
  reason: "Invalid",
  message: "the limit must be a whole number above 0",
  outcome: "NotStored"
})

/** Makes the error of a cursor that is no revision, such as `null`. */
export const wrongCursor = (name: "after" | "upTo"): ChangeLogError =>
  refusal("Invalid", `${name} must be a revision of the log: pass one that it has returned, or start(epoch)`)

/** Returns why a reading between these ends is not possible on any log, or `undefined`. */
export const validateRange = (options: unknown): ChangeLogError | undefined => {
  const { after, limit, upTo } = (options ?? {}) as { readonly [name: string]: unknown }
  if (!(Number.isSafeInteger(limit) && (limit as number) > 0)) return wrongLimit
  if (!isCursor(after)) return wrongCursor("after")
  return upTo === undefined || isCursor(upTo) ? undefined : wrongCursor("upTo")
}

export const noState = new ChangeLogError({
  reason: "NoState",
  message: 'this log keeps no state: make it with state: "latest", or pass a snapshot source'
})

/** Returns the entry of a record, or why there is none: `toEntry` threw, or it returned no entry. */
export const entryOf = <Record, V>(
  toEntry: (record: Record) => Entry<V>,
  record: Record
): Either.Either<Entry<V>, unknown> =>
  Either.filterOrLeft(
    Either.try({ try: () => toEntry(record), catch: identity }),
    (entry) => typeof entry === "object" && (entry as unknown) !== null,
    () => refusal("Invalid", "toEntry returned no entry: return { changes }, with at least one change")
  )
