/**
 * An ordered log of changes that readers can resume: what a `Watch` follows.
 *
 * A log is a sequence of revisions without gaps. Each revision is one or more changes of keys, made at once and never
 * split. A reader that has read up to a revision continues after it. When that is not possible any more, `read` fails
 * and returns no part. Correctness comes from `read` alone: the doorbell is a hint that there is something to read.
 *
 * {@link make} keeps a log in memory; `sql/SqlChangeLog` keeps one in SQLite or Postgres. {@link withLog} writes what a
 * storage stores to a log. {@link asStorage} lets a recorder store to a log alone.
 */
import { Effect, Either } from "effect"
import { check, handle } from "./internal/arguments.js"
import {
  type Append,
  type ChangeLog,
  checkRing,
  type ReadOptions,
  ringEach
} from "./internal/log/changeLog.js"
import {
  type Change,
  type ChangeLogError,
  type Compacted,
  type Conflict,
  type Entry,
  type EpochChanged,
  entryOf,
  type LoggedRevision,
  noState,
  type Revision,
  refusal,
  validateRange
} from "./internal/log/events.js"
import { makeIndex } from "./internal/log/memoryIndex.js"
import * as MemoryLog from "./internal/log/memoryLog.js"
import * as MemoryRows from "./internal/log/memoryRows.js"
import { latestOf } from "./internal/log/memoryState.js"
import { resolveSelector } from "./internal/log/selector.js"
import { estimateSize } from "./internal/log/size.js"
import { storageError } from "./internal/log/storageError.js"
import { func, type InvalidOptions, oneOf, or, type Rules, resolve, whole } from "./internal/options.js"
import { makeRandom, randomName } from "./internal/random.js"
import type { Made } from "./internal/remedy.js"
import { type BadRecord, type Saved, type Storage, StorageError } from "./Storage.js"

export type { ChangeLog, Head, Latest, ReadOptions } from "./internal/log/changeLog.js"
export {
  type Change,
  ChangeLogError,
  Compacted,
  type Condition,
  Conflict,
  type Entry,
  EpochChanged,
  type Event,
  type GenerationCondition,
  type KeyValue,
  type LoggedRevision,
  type NothingCondition,
  put,
  type Revision,
  remove,
  type SeqCondition,
  type Snapshot,
  start
} from "./internal/log/events.js"
export type {
  HistoryOptions,
  KeyEvent,
  KeyHistory,
  KeyIndex,
  KeyPosition,
  Scan,
  ScanOptions
} from "./internal/log/keyIndex.js"
export { type Forgotten, forgotten } from "./internal/log/kinds.js"
export type { CommitResult } from "./internal/log/memoryLog.js"
export {
  anyOf,
  compareKeys,
  from,
  InvalidSelector,
  key,
  matches,
  type Part,
  prefix,
  range,
  type Selector
} from "./internal/log/selector.js"
export { InvalidOptions } from "./internal/options.js"

/** The options of a log in memory; each has a default. */
export interface Options<in V> {
  /**
   * `latest`: keeps the last value of each key, for snapshots, previous values and conditions on the seq of a key.
   * Default `none`.
   */
  readonly state?: "latest" | "none" | undefined
  /**
   * `indexed`: keeps an index of the events of each key and kind, for `index`, other conditions, and a renewal that keeps events.
   * It counts the events of every key that ever was, outside of `maxBytes`. Default `none`.
   */
  readonly keys?: "indexed" | "none" | undefined
  /** The most revisions that the log holds. Beyond it the oldest are removed. Default 10,240. */
  readonly maxRevisions?: number | undefined
  /** The most bytes of revisions that the log holds, measured by `sizeOf`. Default 8 MiB. */
  readonly maxBytes?: number | undefined
  /** Measures one change in bytes. Default: an estimate for plain data, two bytes for each UTF-16 unit of its strings. */
  readonly sizeOf?: ((change: Change<V>) => number) | undefined
}

const rules = {
  state: or(oneOf("none", "latest"), "none"),
  keys: or(oneOf("none", "indexed"), "none"),
  maxRevisions: or(whole(1), 10_240),
  maxBytes: or(whole(1, "bytes"), 8 * 1024 * 1024),
  sizeOf: or(func("that returns the bytes of a change"), estimateSize)
}

/**
 * Makes a log in memory: a ring bounded by count and bytes.
 *
 * - A reader of revisions that the log no longer holds fails with `Compacted`.
 * - A revision that alone is larger than `maxBytes` is refused as `TooLarge`.
 * - Values are kept and returned by reference: do not change a value after it was appended. Everything else is copied
 *   on the way in, and frozen on the way out.
 */
export const make = <V>(options: Options<V> = {}): Effect.Effect<ChangeLog<V>, InvalidOptions> =>
  Effect.gen(function* () {
    const { keys, maxBytes, maxRevisions, sizeOf, state } = yield* resolve<Options<V>>()(rules, options)
    const random = yield* makeRandom
    const history = MemoryRows.make<V>({
      epoch: randomName(random),
      maxRevisions,
      maxBytes,
      sizeOf,
      random,
      keeps: { keys, state }
    })
    const rings = new Set<() => void>()
    const commitNow = (
      entries: ReadonlyArray<Entry<V>>
    ): Either.Either<MemoryLog.CommitResult, ChangeLogError | Conflict> => {
      const committed = MemoryLog.commit(history, entries)
      if (Either.isRight(committed) && committed.right.revisions.length > 0) ringEach(rings)
      return committed
    }
    const appendNow = (changes: ReadonlyArray<Change<V>>): Either.Either<Revision, ChangeLogError> => {
      const appended = MemoryLog.append(history, changes)
      if (Either.isRight(appended)) ringEach(rings)
      return appended
    }
    const append: Append<V> = (changes) => Effect.suspend(() => appendNow(changes))
    return {
      append: Object.assign(append, { now: appendNow }),
      commit: (entries) => Effect.suspend(() => commitNow(entries)),
      check: (entry) => MemoryLog.check(history, entry),
      read: (options) =>
        Effect.suspend(
          (): Either.Either<ReadonlyArray<LoggedRevision<V>>, Compacted | EpochChanged | ChangeLogError> => {
            const problem = validateRange(options)
            return problem === undefined
              ? MemoryLog.read(history, options.after, options.limit)
              : Either.left(problem)
          }
        ),
      head: Effect.sync(() => ({ head: history.head, floor: history.floor })),
      revisionAt: (seq) => Effect.sync(() => MemoryRows.revisionAt(history, seq)),
      compact: (upTo) => Effect.sync(() => MemoryRows.compact(history, upTo)),
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
      latest: history.state && latestOf(history.state),
      index: history.keys === undefined ? undefined : makeIndex(history, history.keys),
      doorbell: (ring) =>
        Effect.andThen(
          checkRing(ring),
          Effect.acquireRelease(
            Effect.sync(() => {
              // A function that is registered twice is called twice.
              const own = () => ring()
              rings.add(own)
              return own
            }),
            (own) => Effect.sync(() => rings.delete(own))
          )
        )
    }
  })

/** Which revisions to load from a log that is used as a storage. */
export type LogQuery = ReadOptions

/** Returns the entries of a batch, or the error that names every record that has no entry which the log accepts. */
const entriesOf = <V, Record>(
  check: (entry: Entry<V>) => ChangeLogError | undefined,
  toEntry: (record: Record) => Entry<V>,
  batch: ReadonlyArray<Record>
): Either.Either<ReadonlyArray<Entry<V>>, StorageError> => {
  const entries: Array<Entry<V>> = []
  const bad: Array<BadRecord> = []
  for (const [index, record] of batch.entries()) {
    const entry = entryOf(toEntry, record)
    const cause = Either.isLeft(entry) ? entry.left : check(entry.right)
    if (Either.isRight(entry) && cause === undefined) entries.push(entry.right)
    else bad.push({ index, cause })
  }
  if (bad.length === 0) return Either.right(entries)
  const message = `${bad.length} of ${batch.length} records cannot be made into changes for the log`
  return Either.left(new StorageError({ kind: "Poison", outcome: "NotStored", message, bad }))
}

const aLog = handle("a ChangeLog", "commit")
const anEntry = func("that returns an Entry")

const notUsable = (cause: InvalidOptions): StorageError =>
  new StorageError({
    kind: "Fatal",
    outcome: "NotStored",
    message: `${cause.option} ${cause.message}: give it to asStorage`,
    cause
  })

/**
 * Makes a storage of a log, so that a Recorder appends records without waiting. Each record is a revision of its own, a
 * batch is one commit, and `load` reads revisions.
 *
 * If entries have an `id`, a batch that is saved again appends only what the log does not hold. If `toEntry` throws on a
 * record, the record is bad, and the recorder sets it aside.
 */
export const asStorage = <V, Record>(
  log: Made & ChangeLog<V>,
  toEntry: (record: Record) => Entry<V>
): Storage<Record, LogQuery, ReadonlyArray<LoggedRevision<V>>> => {
  const checked = Effect.andThen(check("log", aLog, log), check("toEntry", anEntry, toEntry))
  return {
    save: (batch) =>
      checked.pipe(
        Effect.mapError(notUsable),
        Effect.andThen(() => entriesOf((entry) => log.check?.(entry), toEntry, batch)),
        Effect.andThen((entries) =>
          Effect.mapBoth(log.commit(entries), {
            onFailure: storageError,
            onSuccess: ({ duplicates }): Saved => ({ duplicates })
          })
        )
      ),
    load: (query) =>
      checked.pipe(
        Effect.mapError((error) => refusal("Invalid", notUsable(error).message)),
        Effect.andThen(() => log.read(query))
      )
  }
}

type AnyStorage = Storage<never, never>

type RecordOf<S extends AnyStorage> = Parameters<S["save"]>[0][number]

type SaveOf<S extends AnyStorage> = (
  batch: ReadonlyArray<RecordOf<S>>
) => Effect.Effect<
  Effect.Effect.Success<ReturnType<S["save"]>>,
  Effect.Effect.Error<ReturnType<S["save"]>> | StorageError
>

/** A storage whose records also go to a log. All its other members are those of the storage `S`. */
export type WithLog<S extends AnyStorage> = Omit<S, "save" | "prepare"> & {
  readonly save: SaveOf<S>
  readonly prepare?: SaveOf<S>
}

/** The log that {@link withLog} writes to, and what it writes. */
export interface WithLogOptions<in Record, in out V> {
  readonly log: Made & ChangeLog<V>
  /**
   * Returns the changes of a record, at least one: they are one revision. If it throws, or returns what cannot be
   * logged, the record is bad. If the entry has an `id`, a record that is saved again while the log holds its revision is
   * not logged again. Where the storage ignores known ids, return an `id`: equal for records that the storage takes for
   * the same.
   */
  readonly toEntry: (record: Record) => Entry<V>
}

/** Refuses entries that expect something: the rows would be stored before the log judges it. */
const checkUnjudged =
  <V>(log: ChangeLog<V>) =>
  (entry: Entry<V>): ChangeLogError | undefined =>
    entry.expect === undefined
      ? log.check?.(entry)
      : refusal(
          "Invalid",
          "withLog cannot judge what an entry expects: commit it to the log, or use asStorage"
        )

/** Makes the error of a commit that failed after the rows were stored. */
const afterStore = (error: ChangeLogError | Conflict): StorageError => {
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
 * Makes a storage that also writes to a log what it stores. Use it for storages in memory, and for others that have no
 * option `log`. Fails with {@link InvalidOptions}. A save stores the batch, then commits all of it to the log, a revision
 * for each record, and succeeds after that. So after a receipt, or a `flush`, of a recorder above it, watchers can read
 * the record.
 *
 * - A record that cannot be logged is bad before anything is stored, as far as the log has a `check`. A record that only
 *   the commit refuses is stored, and bad with outcome `Unknown`. In both cases the recorder sets the record aside, and
 *   goes on.
 * - A record whose entry has `expect` is bad.
 * - If the log fails otherwise, the save fails with outcome `Unknown` after the rows are stored, and the recorder saves
 *   them again. A storage that ignores known ids then holds them once, any other storage twice. The log holds them once
 *   if entries have ids.
 * - It is not atomic. If the process ends between the two steps, or a record is set aside or handed back with outcome
 *   `Unknown`, the row may be stored without its revision. Storages in databases have an option `log`, which is atomic,
 *   and finds by the rows what is new, however old it is: use that for them.
 */
export const withLog = <S extends AnyStorage, V>(
  storage: Made & S,
  options: WithLogOptions<RecordOf<S>, V>
): Effect.Effect<WithLog<S>, InvalidOptions> =>
  Effect.andThen(
    check("storage", handle("a Storage", "save", "load"), storage),
    Effect.map(resolve<WithLogOptions<RecordOf<S>, V>>()(withLogRules, options), (resolved) =>
      logging(storage, resolved)
    )
  )

const withLogRules = {
  log: aLog,
  toEntry: anEntry
} satisfies Rules<WithLogOptions<never, never>>

const logging = <S extends AnyStorage, V>(
  storage: S,
  { log, toEntry }: WithLogOptions<RecordOf<S>, V>
): WithLog<S> => {
  const append = (entries: ReadonlyArray<Entry<V>>) => Effect.mapError(log.commit(entries), afterStore)
  const logged = (batch: ReadonlyArray<RecordOf<S>>, store: AnyStorage["save"]): ReturnType<SaveOf<S>> => {
    const entries = entriesOf(checkUnjudged(log), toEntry, batch)
    if (Either.isLeft(entries)) return Effect.fail(entries.left)
    // The batch is of the records that S saves, and the result is the one that S returns.
    const stored = store(batch as ReadonlyArray<never>) as ReturnType<SaveOf<S>>
    return stored.pipe(
      // The stored part of a failed batch is not saved again, so it is logged here.
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
  // The other members are read from the storage each time: its properties may be computed.
  for (const name of Object.keys(storage) as ReadonlyArray<keyof S & string>) {
    own[name] ??= { get: () => storage[name] }
  }
  for (const descriptor of Object.values(own)) descriptor.enumerable = true
  // It has all members of S, with another save.
  return Object.create(Object.getPrototypeOf(storage), own) as WithLog<S>
}
