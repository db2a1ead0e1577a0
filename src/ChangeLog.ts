/**
 * An ordered log of changes that anybody can resume: what a `Watch` follows.
 *
 * A log is a sequence of revisions without gaps. Each is one or more changes of keys, made at once and never split.
 * Whoever has read up to a revision reads on after it; when that is not possible any more, `read` says so and gives
 * nothing. Correctness comes from `read` alone: the doorbell is a hint that reading is worth while.
 *
 * {@link make} keeps a log in memory; `sql/SqlChangeLog` keeps one in SQLite or Postgres.
 */
import { Effect, Either, type Scope } from "effect"
import {
  type Change,
  type ChangeLogError,
  type Compacted,
  type Entry,
  type EpochChanged,
  type Logged,
  noState,
  type Revision,
  type Snapshot,
  wrongLimit
} from "./internal/events.js"
import * as History from "./internal/history.js"
import { InvalidOptions } from "./internal/invalidOptions.js"
import { makeRandom, randomName } from "./internal/random.js"
import { checkSelector, type InvalidSelector, type Selector } from "./internal/selector.js"
import { type BadRecord, type Saved, type Storage, StorageError } from "./Storage.js"

export {
  type Change,
  ChangeLogError,
  Compacted,
  type Entry,
  EpochChanged,
  type Event,
  type Kept,
  type Logged,
  type Revision,
  type Snapshot
} from "./internal/events.js"
export type { Committed } from "./internal/history.js"
export { InvalidOptions } from "./internal/invalidOptions.js"
export { compareKeys, InvalidSelector, matches, type Part, type Selector } from "./internal/selector.js"

/** Where a log stands. */
export interface Head {
  /** The last revision; `seq` 0 when there was none in this epoch. */
  readonly head: Revision
  /** The last revision that is gone: reading after it, and after any later one, is possible. */
  readonly floor: Revision
}

/** Which revisions to read. */
export interface ReadOptions {
  /** Exclusive. {@link start} of the log's epoch reads from the beginning. */
  readonly after: Revision
  /** The most revisions to give; at least 1. */
  readonly limit: number
}

/** A log of changes of values `V`. */
export interface ChangeLog<in out V> {
  /** Appends one revision. */
  readonly append: (changes: ReadonlyArray<Change<V>>) => Effect.Effect<Revision, ChangeLogError>
  /**
   * Appends a revision for each entry, all in one commit or none. An entry whose id the log holds, or held earlier in
   * this commit, is a duplicate: it appends nothing, and an id is known for as long as its revision is held.
   */
  readonly commit: (entries: ReadonlyArray<Entry<V>>) => Effect.Effect<History.Committed, ChangeLogError>
  /**
   * Whole revisions after a cursor, in order; none when the cursor is the head. Fails with `Compacted` when some of
   * them are gone, and with `EpochChanged` when the cursor is not of this history: never gives a part with a hole.
   */
  readonly read: (
    options: ReadOptions
  ) => Effect.Effect<ReadonlyArray<Logged<V>>, Compacted | EpochChanged | ChangeLogError>
  readonly head: Effect.Effect<Head, ChangeLogError>
  /** Gives up the revisions up to and including `upTo`. The state stays. */
  readonly compact: (upTo: number) => Effect.Effect<void, ChangeLogError>
  /**
   * Begins another epoch, and gives its name: every cursor becomes invalid. For whoever has restored a backup or
   * changed the data behind the log's back.
   */
  readonly renewEpoch: Effect.Effect<string, ChangeLogError>
  /** The last value of each key that matches, at one revision. Fails with `NoState` when the log keeps no state. */
  readonly snapshot: (selector: Selector) => Effect.Effect<Snapshot<V>, ChangeLogError | InvalidSelector>
  /** Whether it can give snapshots and previous values. */
  readonly state: "latest" | "none"
  /**
   * Rings after commits until the scope ends. A hint: it may ring once for many commits, and when nothing has
   * changed. `ring` is called synchronously and must not throw.
   */
  readonly doorbell: (ring: () => void) => Effect.Effect<void, never, Scope.Scope>
}

/** Sets a key. */
export const put = <V>(key: string, value: V): Change<V> => ({ _tag: "Put", key, value })

/** Removes a key. */
export const remove = (key: string): Change<never> => ({ _tag: "Delete", key })

/** One key. */
export const key = (key: string): Selector & { readonly _tag: "Key" } => ({ _tag: "Key", key })

/** Every key below a prefix, which is empty (all keys) or ends with `/`. */
export const prefix = (prefix: string): Selector & { readonly _tag: "Prefix" } => ({ _tag: "Prefix", prefix })

/** Every key from `from` until before `to`, by code point. */
export const range = (from: string, to: string): Selector & { readonly _tag: "Range" } => ({
  _tag: "Range",
  from,
  to
})

/** All of these together; a key that several of them match counts once. */
export const many = (...parts: ReadonlyArray<Exclude<Selector, { readonly _tag: "Many" }>>): Selector => ({
  _tag: "Many",
  parts
})

/** The point before the first revision of an epoch. */
export const start = (epoch: string): Revision => ({ epoch, seq: 0, tag: 0 })

const wholeAbove0 = (n: number): boolean => Number.isSafeInteger(n) && n > 0

/** How a log in memory behaves; everything has a default. */
export interface Options<in V> {
  /** `latest` keeps the last value of each key, for snapshots and previous values. Default `none`. */
  readonly state?: "latest" | "none" | undefined
  /** The most revisions that are held; the oldest go first. Default 10,240. */
  readonly maxRevisions?: number | undefined
  /** The most bytes of revisions that are held, by `sizeOf`. Default 8 MiB. */
  readonly maxBytes?: number | undefined
  /** The bytes of one change. Default: an estimate for plain data, two bytes for each UTF-16 unit of its strings. */
  readonly sizeOf?: ((change: Change<V>) => number) | undefined
}

const problem = <V>(options: Options<V>): InvalidOptions | undefined => {
  const { maxBytes, maxRevisions, sizeOf, state } = options
  for (const [option, value] of Object.entries({ maxBytes, maxRevisions })) {
    if (value !== undefined && !wholeAbove0(value)) {
      return new InvalidOptions({ option, message: "must be a whole number above 0" })
    }
  }
  if (state !== undefined && state !== "latest" && state !== "none") {
    return new InvalidOptions({ option: "state", message: 'must be "latest" or "none"' })
  }
  if (sizeOf !== undefined && typeof sizeOf !== "function") {
    return new InvalidOptions({ option: "sizeOf", message: "must be a function" })
  }
  return undefined
}

/**
 * Makes a log in memory: a ring bounded by count and bytes. What it no longer holds is `Compacted` to its readers.
 * A revision that alone is larger than `maxBytes` is refused as `TooLarge`. Values are kept by reference and must not
 * be changed afterwards.
 */
export const make = <V>(options: Options<V> = {}): Effect.Effect<ChangeLog<V>, InvalidOptions> =>
  Effect.gen(function* () {
    const wrong = problem(options)
    if (wrong !== undefined) return yield* wrong
    const random = yield* makeRandom
    const state = options.state ?? "none"
    const history = History.make<V>({
      epoch: randomName(random),
      maxRevisions: options.maxRevisions ?? 10_240,
      maxBytes: options.maxBytes ?? 8 * 1024 * 1024,
      sizeOf: options.sizeOf ?? History.estimateSize,
      random,
      keepsState: state === "latest"
    })
    const rings = new Set<() => void>()
    const commit = (entries: ReadonlyArray<Entry<V>>): Either.Either<History.Committed, ChangeLogError> => {
      const committed = History.commit(history, entries)
      if (Either.isRight(committed) && committed.right.revisions.length > 0) for (const ring of rings) ring()
      return committed
    }
    return {
      append: (changes) =>
        Effect.suspend(() => Either.map(commit([{ changes }]), ({ revisions }) => revisions[0] as Revision)),
      commit: (entries) => Effect.suspend(() => commit(entries)),
      read: ({ after, limit }) =>
        Effect.suspend(
          (): Either.Either<ReadonlyArray<Logged<V>>, Compacted | EpochChanged | ChangeLogError> =>
            wholeAbove0(limit) ? History.read(history, after, limit) : Either.left(wrongLimit)
        ),
      head: Effect.sync(() => ({ head: history.head, floor: history.floor })),
      compact: (upTo) => Effect.sync(() => History.compact(history, upTo)),
      renewEpoch: Effect.sync(() => {
        History.renew(history, randomName(random))
        for (const ring of rings) ring()
        return history.head.epoch
      }),
      snapshot: (selector) =>
        Effect.flatMap(checkSelector(selector), (selector) => {
          const entries = History.snapshot(history, selector)
          return entries === undefined ? noState : Effect.succeed({ revision: history.head, entries })
        }),
      state,
      doorbell: (ring) =>
        Effect.acquireRelease(
          Effect.sync(() => {
            // Whoever rings twice has two bells.
            const own = () => ring()
            rings.add(own)
            return own
          }),
          (own) => Effect.sync(() => rings.delete(own))
        )
    }
  })

/** Which revisions a log that is used as a storage is asked for. */
export type LogQuery = ReadOptions

const storageError = (error: ChangeLogError): StorageError => {
  const { cause, index, message, outcome = "NotStored", reason } = error
  // A log in a database knows best what it met.
  if (cause instanceof StorageError) return cause
  const poison = reason !== "Unavailable"
  const bad: ReadonlyArray<BadRecord> | undefined =
    poison && index !== undefined ? [{ index, cause: error }] : undefined
  return new StorageError({
    kind: poison ? "Poison" : "Transient",
    outcome,
    message,
    cause: cause ?? error,
    ...(bad === undefined ? {} : { bad })
  })
}

/**
 * A log as the storage of a Recorder, so that records are appended without waiting: each record is a revision of its
 * own, a batch is one commit, and `load` reads revisions. With an `id`, a batch that is saved again appends only what
 * the log does not hold. A record that `toEntry` throws on is bad: it is set aside.
 */
export const asStorage = <V, Record>(
  log: ChangeLog<V>,
  toEntry: (record: Record) => Entry<V>
): Storage<Record, LogQuery, ReadonlyArray<Logged<V>>> => {
  const save = (batch: ReadonlyArray<Record>): Effect.Effect<Saved, StorageError> => {
    const entries: Array<Entry<V>> = []
    const bad: Array<BadRecord> = []
    for (const [index, record] of batch.entries()) {
      try {
        entries.push(toEntry(record))
      } catch (cause) {
        bad.push({ index, cause })
      }
    }
    if (bad.length > 0) {
      const message = `${bad.length} of ${batch.length} records cannot be made into changes`
      return Effect.fail(new StorageError({ kind: "Poison", outcome: "NotStored", message, bad }))
    }
    return Effect.mapBoth(log.commit(entries), {
      onFailure: storageError,
      onSuccess: ({ duplicates }) => ({ duplicates })
    })
  }
  return { save: (batch) => Effect.suspend(() => save(batch)), load: (query) => log.read(query) }
}
