/**
 * Records without waiting: a recorder takes records from any number of callers at once, saves them in order and in
 * bulk, and accounts for every one of them.
 *
 * The law: at every instant `accepted = stored + setAside + dropped + handedBack + pending`, and `pending` is 0 after
 * `close`. It holds while the process lives; the README lists what a killed process takes with it.
 *
 * A producer that never gives up the event loop leaves no room for saves, queries or other fibers: nothing in a process can.
 */
import {
  Context,
  DefaultServices,
  type Duration,
  Effect,
  type Layer,
  type Scope,
  type Stream,
  Tracer
} from "effect"
import * as Actor from "./Actor.js"
import * as Arguments from "./internal/arguments.js"
import type { Columns, NewRowOf, RowOf } from "./internal/columns/columns.js"
import type { Query } from "./internal/columns/query.js"
import type { InvalidOptions } from "./internal/options.js"
import { behaviorOf } from "./internal/recorder/behavior.js"
import { loadError, stoppedError } from "./internal/recorder/classify.js"
import type { CloseReport } from "./internal/recorder/closeReport.js"
import type { RecorderClosed, RecorderFailed } from "./internal/recorder/errors.js"
import {
  checkStorage,
  type Options,
  resolve,
  resolveMemory,
  type Settings
} from "./internal/recorder/options.js"
import { makeSaver, type Saver } from "./internal/recorder/saver.js"
import * as Settlement from "./internal/recorder/settlement.js"
import * as Spans from "./internal/recorder/spans.js"
import { type Stats, statsOf } from "./internal/recorder/stats.js"
import type { MadeOrDeferred, Making } from "./internal/remedy.js"
import * as Series from "./internal/series.js"
import { inSlices } from "./internal/slices.js"
import { CurrentTurn } from "./internal/turn.js"
import { type MemoryOptions, type MemoryQuery, memory, type Storage, type StorageError } from "./Storage.js"

export type { Bound, GapNote, Overflow, Status } from "./Actor.js"
export { InvalidOptions } from "./internal/options.js"
export type { CloseReport } from "./internal/recorder/closeReport.js"
export type { SetAside } from "./internal/recorder/deadLetters.js"
export { NotStored, RecorderClosed, RecorderFailed } from "./internal/recorder/errors.js"
export { defaultRetry, type Options } from "./internal/recorder/options.js"
export { mapInput, type Saver } from "./internal/recorder/saver.js"
export type { Unsaved } from "./internal/recorder/settlement.js"
export type { Stats } from "./internal/recorder/stats.js"

/** The handle of a recorder. */
export interface Recorder<in out Record, in Query = never, out Result = unknown> extends Saver<Record> {
  /**
   * Asks the storage, after all saves made before this call have an outcome and before any made after it. Tried once. It
   * waits while those saves are retried, and what is saved after it waits behind it: bound that by `Effect.timeout`. A
   * query whose caller was interrupted holds up nothing.
   */
  readonly load: (query: Query) => Effect.Effect<Result, StorageError | RecorderFailed | RecorderClosed>
  /** Completes when every record accepted before it has an outcome. Succeeds at once after `close`. */
  readonly flush: Effect.Effect<void, RecorderFailed>
  /** Completes when the storage is available. Fails with the reason if it never is, also while a close is pending. */
  readonly ready: Effect.Effect<void, RecorderFailed | RecorderClosed>
  readonly status: Effect.Effect<Actor.Status>
  /** The present status first, then each change, the terminal one (`Closed` or `Failed`) always; then it ends. */
  readonly statusChanges: Stream.Stream<Actor.Status>
  readonly stats: Effect.Effect<Stats>
  /** The synchronous twin of `stats`, for load shedding in plain handlers. */
  readonly unsafeStats: () => Stats
  /**
   * Saves again the records that were set aside and are still held here (no sink took them, and they were not released),
   * and returns how many. They take room of the bound again, also beyond it. Call it after the cause is fixed.
   */
  readonly redrive: Effect.Effect<number>
  /**
   * Stops accepting, finishes what was accepted, and gives the storage back. It waits as long as the retry schedule
   * does, by default for ever; {@link Recorder.closeWithin} bounds it. Cannot be undone; all closers share one result.
   */
  readonly close: Effect.Effect<CloseReport<Record, Query, Result>>
  /**
   * `close` with a deadline, also while a `close` is pending: returns within `duration` + 100 ms, whatever hangs. If
   * `duration` is no duration from 0, it dies with {@link InvalidOptions} and closes nothing.
   */
  readonly closeWithin: (
    duration: Duration.DurationInput
  ) => Effect.Effect<CloseReport<Record, Query, Result>>
}

/** The recorder of a table with these columns, over any storage of tables: `Recorder.OfTable<typeof columns>`. */
export type OfTable<C extends Columns> = Recorder<NewRowOf<C>, Query<C>, ReadonlyArray<RowOf<C>>>

/** The tag of a recorder of any records. That of a table needs the second signature of {@link layerMemory}. */
type PlainTag<Record, Q, Result> = [Q, ReadonlyArray<Record>] extends [MemoryQuery<Record>, Result]
  ? unknown
  : "this recorder is of a table: pass its { columns, id } as the second argument"

const defaultTracer = Context.get(DefaultServices.liveServices, Tracer.Tracer)

/**
 * Makes a recorder over a storage; returns at once. One fiber owns the storage behind an unbounded queue. It is closed
 * with its scope, within `closeDeadline`; what was not written then goes to `onClosed` and, as counts, to the log.
 */
export const make = <Record, Query, Result>(
  storage: MadeOrDeferred & Storage<Record, Query, Result>,
  options: Options<Record> = {}
): Effect.Effect<Recorder<Record, Query, Result>, InvalidOptions, Scope.Scope> =>
  Effect.andThen(checkStorage(storage), () => makeDeferred(Effect.succeed(storage), options))

/**
 * Makes a recorder over a storage that is available later; returns at once. Saves and queries made before are
 * queued and served in order. `acquire` is retried like a save; a `StorageError` of kind `Fatal` ends it, then the
 * recorder is `Failed` and `close` hands all records back. The storage lives until the caller's scope ends.
 */
export const makeDeferred = <Record, Query, Result, E, R>(
  acquire: Making<"save"> & Effect.Effect<Storage<Record, Query, Result>, E, R>,
  options: Options<Record> = {}
): Effect.Effect<Recorder<Record, Query, Result>, InvalidOptions, Exclude<R, Scope.Scope> | Scope.Scope> =>
  Effect.gen(function* () {
    yield* Arguments.checkEffect("acquire", acquire)
    const settings = yield* resolve(options)
    const clock = yield* Effect.clock
    const turn = yield* CurrentTurn
    const tracer = yield* Effect.tracer
    const spans = tracer === defaultTracer ? undefined : Spans.make(settings.name)
    const settlement = Settlement.make<Record>(settings.maxHeld, inSlices(turn, clock))
    const series = yield* Series.open("recorder", settings.name)
    const actor = yield* Actor.make(behaviorOf({ settings, settlement, spans, clock, series }, acquire))
    return recorderOf(actor, settlement, spans, settings)
  })

const recorderOf = <Record, Query, Result>(
  actor: Actor.Actor<Storage<Record, Query, Result>, Record, CloseReport<Record, Query, Result>>,
  settlement: Settlement.Settlement<Record>,
  spans: Spans.Spans | undefined,
  { bound, loadTimeout }: Settings<Record>
): Recorder<Record, Query, Result> => {
  const { control } = actor
  const unsafeStats = () => statsOf(settlement.account, control)
  return {
    ...makeSaver(actor, settlement.receipts, spans, bound?.overflow === "suspend"),
    load: (query) =>
      actor
        .ask((storage) => storage.load(query), { limit: loadTimeout })
        .pipe(Effect.catchAllCause((cause) => Effect.fail(loadError(cause)))),
    flush: Effect.catchAll(actor.flush, (error) => {
      const reason = stoppedError(error)
      return reason._tag === "RecorderFailed" ? Effect.fail(reason) : Effect.void
    }),
    ready: Effect.mapError(actor.ready, stoppedError),
    status: Effect.sync(actor.unsafeStatus),
    statusChanges: actor.statusChanges,
    stats: Effect.sync(unsafeStats),
    unsafeStats,
    redrive: Effect.sync(() => (control.isOpen() ? Settlement.redrive(settlement, control) : 0)),
    close: actor.close,
    closeWithin: actor.closeWithin
  }
}

/**
 * Makes a layer with a recorder over a storage that is available later, under a tag of your own:
 *
 * ```ts
 * class Audit extends Context.Tag("Audit")<Audit, Recorder.OfTable<typeof columns>>() {}
 * ```
 *
 * The layer is there at once; it is closed with its scope, within `closeDeadline`.
 */
export const layer = <Id, Record, Query, Result, E, R>(
  tag: Context.Tag<Id, Recorder<Record, Query, Result>>,
  acquire: Making<"save"> & Effect.Effect<Storage<Record, Query, Result>, E, R>,
  options: Options<Record> = {}
): Layer.Layer<Id, InvalidOptions, Exclude<R, Scope.Scope>> =>
  Arguments.layer(tag, makeDeferred(acquire, options))

/**
 * Makes a layer for tests: the same recorder over `Storage.memory`. With `columns` and `id` it checks records, ignores
 * duplicates and answers typed queries as the SQL storages do.
 */
export const layerMemory: {
  <Id, Record, Q, Result>(
    tag: Context.Tag<Id, Recorder<Record, Q, Result>> & PlainTag<Record, Q, Result>,
    options?: Options<Record>
  ): Layer.Layer<Id, InvalidOptions>
  <Id, const C extends Columns, Q extends Query<C>>(
    tag: Context.Tag<Id, Recorder<NewRowOf<C>, Q, ReadonlyArray<RowOf<C>>>>,
    options: Options<NewRowOf<C>> & MemoryOptions<C>
  ): Layer.Layer<Id, InvalidOptions>
} = (<Id, Row>(
  tag: Context.Tag<Id, Recorder<Row>>,
  options: Options<Row> & Partial<MemoryOptions<Columns>> = {}
): Layer.Layer<Id, InvalidOptions> => {
  // Of null, `resolveMemory` makes the error.
  const { columns, id, table, ...rest } = options ?? {}
  const isTable = columns !== undefined || id !== undefined || table !== undefined
  // The signatures bind records and queries to their storage; the body serves them all. `memory` checks its options.
  const storage = isTable
    ? memory({ columns, id, table } as MemoryOptions<Columns>)
    : Effect.sync(() => memory<Row>())
  const made = Effect.andThen(resolveMemory(options), storage as Effect.Effect<Storage<Row>, InvalidOptions>)
  return Arguments.layer(
    tag,
    Effect.flatMap(made, (storage) => make(storage, rest))
  )
}) as never
