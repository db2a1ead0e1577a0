/**
 * An ordered log of changes that anybody can resume: what a `Watch` follows.
 *
 * A log is a sequence of revisions without gaps. Each is one or more changes of keys, made at once and never split.
 * Whoever has read up to a revision reads on after it; when that is not possible any more, `read` says so and gives
 * nothing. Correctness comes from `read` alone: the doorbell is a hint that reading is worth while.
 *
 * {@link make} keeps a log in memory; `sql/SqlChangeLog` keeps one in SQLite or Postgres. {@link withLog} writes to one
 * what a storage stores, and {@link asStorage} lets a recorder store nothing but a log.
 */
import { Effect, Either } from "effect"
import { type Append, type ChangeLog, type ReadOptions, ringEach } from "./internal/log/changeLog.js"
import {
  type Change,
  type ChangeLogError,
  type Compacted,
  type Entry,
  type EpochChanged,
  entryOf,
  type LoggedRevision,
  noState,
  type Revision,
  wrongLimit
} from "./internal/log/events.js"
import * as MemoryLog from "./internal/log/memoryLog.js"
import { resolveSelector } from "./internal/log/selector.js"
import { func, type InvalidOptions, oneOf, or, resolve, whole } from "./internal/options.js"
import { makeRandom, randomName } from "./internal/random.js"
import { type BadRecord, type Saved, type Storage, StorageError } from "./Storage.js"

export type { ChangeLog, Head, ReadOptions } from "./internal/log/changeLog.js"
export {
  type Change,
  ChangeLogError,
  Compacted,
  type Entry,
  EpochChanged,
  type Event,
  type KeyValue,
  type LoggedRevision,
  put,
  type Revision,
  remove,
  type Snapshot,
  start
} from "./internal/log/events.js"
export type { CommitResult } from "./internal/log/memoryLog.js"
export {
  anyOf,
  compareKeys,
  InvalidSelector,
  key,
  matches,
  type Part,
  prefix,
  range,
  type Selector
} from "./internal/log/selector.js"
export { InvalidOptions } from "./internal/options.js"

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

const rules = {
  state: or(oneOf("none", "latest"), "none"),
  maxRevisions: or(whole(1), 10_240),
  maxBytes: or(whole(1, "bytes"), 8 * 1024 * 1024),
  sizeOf: or(func("that gives the bytes of a change"), MemoryLog.estimateSize)
}

/**
 * Makes a log in memory: a ring bounded by count and bytes. What it no longer holds is `Compacted` to its readers.
 * A revision that alone is larger than `maxBytes` is refused as `TooLarge`. Values are kept by reference, and given so
 * to everybody who reads: nobody may change them afterwards. Everything else that it is given is copied, and all that it
 * gives is frozen.
 */
export const make = <V>(options: Options<V> = {}): Effect.Effect<ChangeLog<V>, InvalidOptions> =>
  Effect.gen(function* () {
    const { maxBytes, maxRevisions, sizeOf, state } = yield* resolve<Options<V>>()(rules, options)
    const random = yield* makeRandom
    const history = MemoryLog.make<V>({
      epoch: randomName(random),
      maxRevisions,
      maxBytes,
      sizeOf,
      random,
      keepsState: state === "latest"
    })
    const rings = new Set<() => void>()
    const commit = (
      entries: ReadonlyArray<Entry<V>>
    ): Either.Either<MemoryLog.CommitResult, ChangeLogError> => {
      const committed = MemoryLog.commit(history, entries)
      if (Either.isRight(committed) && committed.right.revisions.length > 0) ringEach(rings)
      return committed
    }
    const appendNow = (changes: ReadonlyArray<Change<V>>): Either.Either<Revision, ChangeLogError> =>
      Either.map(commit([{ changes }]), ({ revisions }) => revisions[0] as Revision)
    const append: Append<V> = (changes) => Effect.suspend(() => appendNow(changes))
    return {
      append: Object.assign(append, { now: appendNow }),
      commit: (entries) => Effect.suspend(() => commit(entries)),
      check: (entry) => MemoryLog.check(history, entry),
      read: ({ after, limit }) =>
        Effect.suspend(
          (): Either.Either<ReadonlyArray<LoggedRevision<V>>, Compacted | EpochChanged | ChangeLogError> =>
            wholeAbove0(limit) ? MemoryLog.read(history, after, limit) : Either.left(wrongLimit)
        ),
      head: Effect.sync(() => ({ head: history.head, floor: history.floor })),
      compact: (upTo) => Effect.sync(() => MemoryLog.compact(history, upTo)),
      renewEpoch: Effect.sync(() => {
        MemoryLog.renew(history, randomName(random))
        ringEach(rings)
        return history.head.epoch
      }),
      snapshot: (selector) =>
        Effect.flatMap(resolveSelector(selector), (selector) => {
          const entries = MemoryLog.snapshot(history, selector)
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

/** The entries of a batch, or the error that names every record that cannot be made into one that the log takes. */
const entriesOf = <V, Record>(
  log: ChangeLog<V>,
  toEntry: (record: Record) => Entry<V>,
  batch: ReadonlyArray<Record>
): Either.Either<ReadonlyArray<Entry<V>>, StorageError> => {
  const entries: Array<Entry<V>> = []
  const bad: Array<BadRecord> = []
  for (const [index, record] of batch.entries()) {
    const entry = entryOf(toEntry, record)
    const cause = Either.isLeft(entry) ? entry.left : log.check?.(entry.right)
    if (Either.isRight(entry) && cause === undefined) entries.push(entry.right)
    else bad.push({ index, cause })
  }
  if (bad.length === 0) return Either.right(entries)
  const message = `${bad.length} of ${batch.length} records cannot be made into changes for the log`
  return Either.left(new StorageError({ kind: "Poison", outcome: "NotStored", message, bad }))
}

/**
 * A log as the storage of a Recorder, so that records are appended without waiting: each record is a revision of its
 * own, a batch is one commit, and `load` reads revisions. With an `id`, a batch that is saved again appends only what
 * the log does not hold. A record that `toEntry` throws on is bad: it is set aside.
 */
export const asStorage = <V, Record>(
  log: ChangeLog<V>,
  toEntry: (record: Record) => Entry<V>
): Storage<Record, LogQuery, ReadonlyArray<LoggedRevision<V>>> => ({
  save: (batch) =>
    Effect.suspend(() =>
      Effect.flatMap(entriesOf(log, toEntry, batch), (entries) =>
        Effect.mapBoth(log.commit(entries), {
          onFailure: storageError,
          onSuccess: ({ duplicates }): Saved => ({ duplicates })
        })
      )
    ),
  load: (query) => log.read(query)
})

type AnyStorage = Storage<never, never>

type RecordOf<S extends AnyStorage> = Parameters<S["save"]>[0][number]

type SaveOf<S extends AnyStorage> = (
  batch: ReadonlyArray<RecordOf<S>>
) => Effect.Effect<
  Effect.Effect.Success<ReturnType<S["save"]>>,
  Effect.Effect.Error<ReturnType<S["save"]>> | StorageError
>

/** A storage whose records go to a log too: for the rest it offers what it is made of. */
export type WithLog<S extends AnyStorage> = Omit<S, "save" | "prepare"> & {
  readonly save: SaveOf<S>
  readonly prepare?: SaveOf<S>
}

/** Where to log what a storage stores. */
export interface WithLogOptions<in Record, in out V> {
  readonly log: ChangeLog<V>
  /**
   * The changes that a record makes, at least one: they are one revision. A record for which it throws, or gives what
   * cannot be logged, is bad. With an `id`, a record that is saved again while the log holds its revision is not
   * logged again: give one where the storage ignores known ids, the same for what the storage takes for the same.
   */
  readonly toEntry: (record: Record) => Entry<V>
}

/** The rows are stored, whatever the log says. */
const afterStore = (error: ChangeLogError): StorageError => {
  const { bad, cause, kind, message } = storageError(error)
  return new StorageError({
    kind,
    outcome: "Unknown",
    message: `stored, but not in the log: ${message}`,
    cause,
    ...(bad === undefined ? {} : { bad })
  })
}

/**
 * Lets a storage in memory, or any other one without a `log` option of its own, write to a log what it stores: a save
 * stores, then commits all of its batch to the log, a revision for each record, and only then answers. So a receipt,
 * or a `flush`, of a recorder above it says that watchers can read the record.
 *
 * - What cannot be logged is bad before anything is stored, as far as the log can `check`. What only its commit refuses
 *   is stored, and bad with outcome `Unknown`. Either way the recorder sets it aside, and goes on.
 * - A log that fails otherwise fails the save, with outcome `Unknown`, after the rows are stored: the recorder saves
 *   them again. A storage that ignores known ids then holds them once, any other one twice; the log holds them once
 *   when entries have ids.
 * - It is not atomic: of a process that ends between the two, and of a record that is set aside or handed back with
 *   outcome `Unknown`, the row may be there without its revision. Storages in databases have an option `log`, which
 *   is atomic, and knows by the rows what is new however old it is: use that for them.
 */
export const withLog = <S extends AnyStorage, V>(
  storage: S,
  { log, toEntry }: WithLogOptions<RecordOf<S>, V>
): WithLog<S> => {
  const append = (entries: ReadonlyArray<Entry<V>>) => Effect.mapError(log.commit(entries), afterStore)
  const logged = (batch: ReadonlyArray<RecordOf<S>>, store: AnyStorage["save"]): ReturnType<SaveOf<S>> => {
    const entries = entriesOf(log, toEntry, batch)
    if (Either.isLeft(entries)) return Effect.fail(entries.left)
    // A batch of what S saves, and the answer that S gives.
    const stored = store(batch as ReadonlyArray<never>) as ReturnType<SaveOf<S>>
    return stored.pipe(
      // What is stored of a batch that failed is not saved again.
      Effect.tapError((error) => {
        const count = error instanceof StorageError ? (error.stored ?? 0) : 0
        return count > 0 ? append(entries.right.slice(0, count)) : Effect.void
      }),
      Effect.tap(() => append(entries.right))
    )
  }
  const save: SaveOf<S> = (batch) => Effect.suspend(() => logged(batch, (batch) => storage.save(batch)))
  const prepare: SaveOf<S> = (batch) => logged(batch, (batch) => storage.prepare!(batch))
  const load: AnyStorage["load"] = (query) => storage.load(query)
  const own: PropertyDescriptorMap = { save: { value: save }, load: { value: load } }
  if (storage.prepare !== undefined) own.prepare = { value: prepare }
  // The rest by way of the storage, whose properties may be computed.
  for (const name of Object.keys(storage) as ReadonlyArray<keyof S & string>) {
    own[name] ??= { get: () => storage[name] }
  }
  for (const descriptor of Object.values(own)) descriptor.enumerable = true
  // All that S has, with another save.
  return Object.create(Object.getPrototypeOf(storage), own) as WithLog<S>
}
