/**
 * A cache in front of a table that never serves a value older than an acknowledged write.
 *
 * Reads come from memory where they are fresh, else from the master; many callers of one key share one load. Writes go
 * to the master by one actor, in order, neighbours by one call. Before a writer gets its reply, everything that the write
 * concerns is invalidated. With a log of the table's changes, foreign writes are seen when the log delivers them.
 *
 * Guarantees: a read that begins after a write was acknowledged returns that write or a later one, whatever the cache,
 * the events, the tier and a close do. What is not committed is never cached. A list is the result of one read of the
 * master. No caller can change what another one gets. No failure of the master ends the live table.
 *
 * Where a tracer is installed when it is made, there is a root span, by the name of the live table, for each call of the
 * master (`getMany`, `list`, `count`, `write`) and of the tier (`tier.get`, `tier.put`, `tier.remove`), and for the events
 * of the log that are applied together (`events`); a page of a stream (`stream`) takes the tracer of its reader. They have
 * the outcome, and in `liveTable.count` how many ids, writes, events or rows it was about: 1 for a list or a count.
 */
import {
  type Context,
  type Duration,
  Effect,
  type Layer,
  type Option,
  Predicate,
  type Scope,
  Stream
} from "effect"
import type { ActorStopped, Status } from "./Actor.js"
import * as Arguments from "./internal/arguments.js"
import type { Condition, InvalidQuery, Query } from "./internal/columns/query.js"
import type { AnyDefinition, Fields, Id, NewRow, Write } from "./internal/columns/writes.js"
import type { Answer } from "./internal/liveTable/answers.js"
import { table as asTable } from "./internal/liveTable/asTable.js"
import type { CloseReport } from "./internal/liveTable/closeReport.js"
import type { ReadFailed, WriteFailed } from "./internal/liveTable/errors.js"
import * as Follow from "./internal/liveTable/followCalls.js"
import { type Health, healthOf } from "./internal/liveTable/health.js"
import { checkMaster, checkTarget, type Options, resolve } from "./internal/liveTable/options.js"
import * as Reads from "./internal/liveTable/readCalls.js"
import type { FollowOptions, ReadOptions } from "./internal/liveTable/readOptions.js"
import { type Runtime, statsOf } from "./internal/liveTable/runtime.js"
import type { Staged } from "./internal/liveTable/staging.js"
import { start } from "./internal/liveTable/starting.js"
import type { Stats } from "./internal/liveTable/stats.js"
import * as Targets from "./internal/liveTable/targetCalls.js"
import type { Target } from "./internal/liveTable/targets.js"
import * as Writes from "./internal/liveTable/writeCalls.js"
import type { InvalidOptions } from "./internal/options.js"
import type { MadeOrDeferred, Making } from "./internal/remedy.js"
import { memory, type Row, type Table, type WriteRefused, type Written } from "./Table.js"

export type { Answer, Freshness, StaleReason } from "./internal/liveTable/answers.js"
export type { CloseReport, UnsavedWrite } from "./internal/liveTable/closeReport.js"
export { ReadFailed, WriteFailed } from "./internal/liveTable/errors.js"
export type { Health } from "./internal/liveTable/health.js"
export type { Options } from "./internal/liveTable/options.js"
export type { FollowOptions, ReadOptions } from "./internal/liveTable/readOptions.js"
export type { Staged, StagedStatus } from "./internal/liveTable/staging.js"
export type { Stats } from "./internal/liveTable/stats.js"
export type { Target } from "./internal/liveTable/targets.js"
export { InvalidOptions } from "./internal/options.js"

/** A write that was not waited for, and what it failed with. */
export interface Failure<D extends AnyDefinition> {
  readonly write: Write<D>
  readonly error: WriteRefused | WriteFailed
}

/** The handle of a live table. */
export interface LiveTable<in out D extends AnyDefinition> {
  /** Reads one row; none if there is no such row. */
  readonly get: (
    id: Id<D>,
    options?: ReadOptions
  ) => Effect.Effect<Answer<Option.Option<Row<D>>>, ReadFailed | InvalidQuery>
  /** Reads rows by their ids: an answer for each id, in order. Rows that are not cached share calls of the master. */
  readonly getMany: (
    ids: ReadonlyArray<Id<D>>,
    options?: ReadOptions
  ) => Effect.Effect<ReadonlyArray<Answer<Option.Option<Row<D>>>>, ReadFailed | InvalidQuery>
  /** Reads the rows that a query selects. Without a `limit`, the first 50. */
  readonly list: (
    query?: Query<D["columns"]>,
    options?: ReadOptions
  ) => Effect.Effect<Answer<ReadonlyArray<Row<D>>>, ReadFailed | InvalidQuery>
  /** Counts the rows that meet a condition; all of them without one. */
  readonly count: (
    where?: Condition<D["columns"]>,
    options?: ReadOptions
  ) => Effect.Effect<Answer<number>, ReadFailed | InvalidQuery>
  /** Streams the rows of a query from the master, past the cache, with one page of them in memory at a time. */
  readonly stream: (query?: Query<D["columns"]>) => Stream.Stream<Row<D>, ReadFailed | InvalidQuery>
  /** Returns a row if it is fresh in memory; `undefined`: it is not, use `get`. It waits for nothing and never throws. */
  readonly unsafeGet: (id: Id<D>) => Answer<Option.Option<Row<D>>> | undefined
  /**
   * Follows a row, or the rows of a query: the answer now, then every different one. A slow reader gets the latest. A later
   * read that fails emits nothing. Fails if the first read does, or when the live table is closed.
   */
  readonly follow: {
    (
      query: Query<D["columns"]>,
      options?: FollowOptions
    ): Stream.Stream<Answer<ReadonlyArray<Row<D>>>, ReadFailed | InvalidQuery>
    (
      id: Id<D>,
      options?: FollowOptions
    ): Stream.Stream<Answer<Option.Option<Row<D>>>, ReadFailed | InvalidQuery>
  }
  /**
   * Writes, and waits for the outcome, also for room in the queue. Interrupting a caller after its write was queued undoes
   * nothing.
   */
  readonly insert: (row: NewRow<D>) => Effect.Effect<Written<D>, WriteRefused | WriteFailed>
  readonly replace: (row: NewRow<D>) => Effect.Effect<Written<D>, WriteRefused | WriteFailed>
  readonly patch: (
    id: Id<D>,
    fields: Fields<D>,
    when?: Condition<D["columns"]>
  ) => Effect.Effect<Written<D>, WriteRefused | WriteFailed>
  readonly delete: (
    id: Id<D>,
    when?: Condition<D["columns"]>
  ) => Effect.Effect<Written<D>, WriteRefused | WriteFailed>
  readonly deleteAll: Effect.Effect<Written<D>, WriteRefused | WriteFailed>
  /** Queues a write without waiting. `false`: it is not valid, or there is no room. Later failures come in `failures`. */
  readonly unsafeWrite: (write: Write<D>) => boolean
  /** What writes that were not waited for have failed with; the last 256 first. It ends with the live table. */
  readonly failures: Stream.Stream<Failure<D>>
  /** Queues a write, and shows it at once to reads with `pending: "include"`, until it has an outcome. */
  readonly stage: (write: Write<D>) => Effect.Effect<Staged<D>, WriteRefused | WriteFailed>
  /** Drops what a target names: nothing that was read before is served again. */
  readonly invalidate: (target: Target<D>) => Effect.Effect<void, InvalidQuery>
  /** Ends the freshness of what a target names. It may still be served stale, as the options allow. */
  readonly expire: (target: Target<D>) => Effect.Effect<void, InvalidQuery>
  /**
   * Runs statements of your own on the table, and invalidates the target when they have ended, however they end. Wrap the
   * whole transaction, so that the commit is inside. If they fail, they may still be committed: the target is not stored
   * for `doubt`.
   */
  readonly invalidateAfter: <A, E, R>(
    target: Target<D>,
    statements: Effect.Effect<A, E, R>
  ) => Effect.Effect<A, E | InvalidQuery, R>
  /** This live table as a table, for whatever takes one. Completes when the master is up. */
  readonly table: Effect.Effect<Table<D>, ReadFailed>
  /** Completes when every write accepted before it has an outcome. */
  readonly flush: Effect.Effect<void, ActorStopped>
  /** Completes when the master is up. Fails with the reason if it never is. */
  readonly ready: Effect.Effect<void, ActorStopped>
  readonly status: Effect.Effect<Status>
  /** The present status first. */
  readonly statusChanges: Stream.Stream<Status>
  readonly health: Effect.Effect<Health>
  readonly stats: Effect.Effect<Stats>
  readonly unsafeStats: () => Stats
  /** Finishes the queued writes, ends everything, and hands the tables back. All closers share one report. */
  readonly close: Effect.Effect<CloseReport<D>>
  /** `close` with a deadline; the earliest deadline wins. Dies with {@link InvalidOptions} if it is no duration from 0. */
  readonly closeWithin: (duration: Duration.DurationInput) => Effect.Effect<CloseReport<D>>
}

/** The live table of a definition: `LiveTable.Of<typeof keys>`. */
export type Of<D extends AnyDefinition> = LiveTable<D>

const handleOf = <D extends AnyDefinition>(runtime: Runtime<D>): LiveTable<D> => {
  const { actor } = runtime
  const unsafeStats = (): Stats => statsOf(runtime)
  const calls = {
    get: (id: unknown, options?: ReadOptions) => Reads.get(runtime, id, options),
    getMany: (ids: ReadonlyArray<unknown>, options?: ReadOptions) => Reads.getMany(runtime, ids, options),
    list: (query: unknown = {}, options?: ReadOptions) => Reads.list(runtime, query, options),
    count: (where: unknown, options?: ReadOptions) => Reads.count(runtime, where, options),
    unsafeGet: (id: unknown) => Reads.unsafeGet(runtime, id),
    follow: (what: unknown, options?: FollowOptions) => Follow.follow(runtime, what, options)
  }
  return {
    // A row of the memory has the columns of the definition, and was checked when it was read.
    ...(calls as unknown as Pick<LiveTable<D>, keyof typeof calls>),
    stream: (query) => Reads.stream(runtime, query),
    insert: (row) => Writes.write(runtime, { _tag: "Insert", row }),
    replace: (row) => Writes.write(runtime, { _tag: "Replace", row }),
    patch: (id, fields, when) => Writes.write(runtime, { _tag: "Patch", id, fields, when }),
    delete: (id, when) => Writes.write(runtime, { _tag: "Delete", id, when }),
    deleteAll: Writes.write(runtime, { _tag: "DeleteAll" }),
    unsafeWrite: (write) => Writes.unsafeWrite(runtime, write),
    failures: Stream.takeWhile(Stream.fromPubSub(runtime.failures), Predicate.isNotUndefined),
    stage: (write) => Writes.stage(runtime, write),
    invalidate: (target) => Targets.invalidate(runtime, target),
    expire: (target) => Targets.expire(runtime, target),
    invalidateAfter: (target, statements) => Targets.invalidateAfter(runtime, target, statements),
    table: asTable(runtime),
    flush: actor.flush,
    ready: actor.ready,
    status: Effect.sync(actor.unsafeStatus),
    statusChanges: actor.statusChanges,
    health: Effect.sync(() => healthOf(runtime.life.changes, runtime.life.reads?.core, runtime.settings)),
    stats: Effect.sync(unsafeStats),
    unsafeStats,
    close: runtime.close,
    closeWithin: runtime.closeWithin
  }
}

/** Makes a live table in front of a master; returns at once. It is closed with its scope, within `closeDeadline`. */
export const make = <D extends AnyDefinition>(
  master: MadeOrDeferred & Table<D>,
  options: Options<D> = {}
): Effect.Effect<LiveTable<D>, InvalidOptions, Scope.Scope> =>
  Effect.gen(function* () {
    yield* checkMaster(master)
    const settings = yield* resolve(options)
    yield* checkTarget(master, settings.target)
    return handleOf(yield* start(Effect.succeed(master), settings))
  })

/**
 * Makes a live table in front of a master that is available later; returns at once. Reads wait for the master, writes are
 * queued. `acquire` is retried from 100 ms to every 30 s; a `StorageError` of kind `Fatal` ends it, then the live table is
 * `Failed`.
 */
export const makeDeferred = <D extends AnyDefinition, E, R>(
  acquire: Making<"definition"> & Effect.Effect<Table<D>, E, R>,
  options: Options<D> = {}
): Effect.Effect<LiveTable<D>, InvalidOptions, Exclude<R, Scope.Scope> | Scope.Scope> =>
  Effect.gen(function* () {
    yield* Arguments.checkEffect("acquire", acquire)
    return handleOf(yield* start(acquire, yield* resolve(options)))
  })

/**
 * Makes a layer with a live table in front of a master that is available later, under a tag of your own:
 *
 * ```ts
 * class Keys extends Context.Tag("Keys")<Keys, LiveTable.Of<typeof keys>>() {}
 * ```
 */
export const layer = <Id, D extends AnyDefinition, E, R>(
  tag: Context.Tag<Id, LiveTable<D>>,
  acquire: Making<"definition"> & Effect.Effect<Table<D>, E, R>,
  options: Options<D> = {}
): Layer.Layer<Id, InvalidOptions, Exclude<R, Scope.Scope>> =>
  Arguments.layer(tag, makeDeferred(acquire, options))

/** Makes a layer for tests: the same live table in front of a table in memory. */
export const layerMemory = <Id, D extends AnyDefinition>(
  tag: Context.Tag<Id, LiveTable<D>>,
  definition: D,
  options: Options<D> = {}
): Layer.Layer<Id, InvalidOptions> =>
  Arguments.layer(
    tag,
    Effect.flatMap(memory(definition), (table) => make(table, options))
  )
