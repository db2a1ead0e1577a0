/**
 * Records without waiting: a recorder takes records from any number of callers at once, saves them in order and in
 * bulk, and accounts for every one of them.
 *
 * The law: at every instant `accepted = stored + setAside + dropped + handedBack + pending`, and `pending` is 0 after
 * `close`. It holds while the process lives; what a killed process takes with it stands in the README.
 */
import {
  Cause,
  Context,
  DefaultServices,
  type Duration,
  Effect,
  Layer,
  MetricLabel,
  type Option,
  Schedule,
  type Scope,
  type Stream,
  Tracer
} from "effect"
import * as Actor from "./Actor.js"
import { acquireWith } from "./internal/acquire.js"
import type { Columns, IdOf, NewRowOf, RowOf } from "./internal/columns/columns.js"
import type { Query } from "./internal/columns/query.js"
import { lazyArray } from "./internal/lazyArray.js"
import { InvalidOptions, millisOf } from "./internal/options.js"
import * as Account from "./internal/recorder/account.js"
import * as BatchRun from "./internal/recorder/batchRun.js"
import * as DeadLetters from "./internal/recorder/deadLetters.js"
import {
  droppedError,
  type NotStored,
  notStored,
  type RecorderClosed,
  type RecorderFailed,
  recorderClosed,
  recorderFailed
} from "./internal/recorder/errors.js"
import * as Receipts from "./internal/recorder/receipts.js"
import { makeSaver, type Saver } from "./internal/recorder/saver.js"
import * as Settlement from "./internal/recorder/settlement.js"
import * as Spans from "./internal/recorder/spans.js"
import { oldestAge, type Stats, statsOf } from "./internal/recorder/stats.js"
import * as Metrics from "./Metrics.js"
import { type MemoryQuery, memory, type Outcome, type Storage, StorageError } from "./Storage.js"

export type { Bound, GapNote, Overflow, Status } from "./Actor.js"
export { InvalidOptions } from "./internal/options.js"
export { NotStored, RecorderClosed, RecorderFailed } from "./internal/recorder/errors.js"
export { mapInput, type Saver } from "./internal/recorder/saver.js"
export type { Unsaved } from "./internal/recorder/settlement.js"
export type { Stats } from "./internal/recorder/stats.js"

/** A record that its storage cannot hold. */
export interface SetAside<out Record> {
  readonly record: Record
  readonly cause: StorageError
  /** `Unknown` when an earlier attempt that held this record had an unknown outcome. */
  readonly outcome: Outcome
  /** Milliseconds since the epoch. */
  readonly at: number
}

/** What a closed recorder gives back. */
export interface CloseReport<in out Record, in Query = never, out Result = unknown> {
  /** The storage, still usable until the scope it was made in ends; none when it never came up. */
  readonly storage: Option.Option<Storage<Record, Query, Result>>
  /** The storage ignored its interruption: a save may still be running on it. */
  readonly storageBusy: boolean
  /**
   * The records that were accepted and are given back, in order. Above 10,000 of them an entry is made when it is first
   * read, so that millions delay no deadline; `Array.from` it before you send it to another thread.
   */
  readonly unsaved: ReadonlyArray<Settlement.Unsaved<Record>>
  /** The records set aside that no sink took, oldest first: the last `maxHeld`. `stats.released` counts the others. */
  readonly setAside: ReadonlyArray<SetAside<Record>>
  readonly stats: Stats
}

/** The handle of a recorder. */
export interface Recorder<in out Record, in Query = never, out Result = unknown> extends Saver<Record> {
  /**
   * Asks the storage, after all saves made before this call have an outcome and before any made after it. Tried once. It
   * waits while those saves are retried, and what is saved after it waits behind it: bound that by `Effect.timeout`. A
   * query whose caller has gone holds up nothing.
   */
  readonly load: (query: Query) => Effect.Effect<Result, StorageError | RecorderFailed | RecorderClosed>
  /** Completes when every record accepted before it has an outcome. Succeeds at once after `close`. */
  readonly flush: Effect.Effect<void, RecorderFailed>
  /** Completes when the storage is up. */
  readonly ready: Effect.Effect<void, RecorderFailed | RecorderClosed>
  readonly status: Effect.Effect<Actor.Status>
  /** The present status first, then each change, the terminal one (`Closed` or `Failed`) always; then it ends. */
  readonly statusChanges: Stream.Stream<Actor.Status>
  readonly stats: Effect.Effect<Stats>
  /** The synchronous twin of `stats`, for load shedding in plain handlers. */
  readonly unsafeStats: () => Stats
  /**
   * Saves again the records that were set aside and are still held here (no sink took them, and they were not released),
   * and returns how many. They take room of the bound again, also beyond it. For after the reason is mended.
   */
  readonly redrive: Effect.Effect<number>
  /**
   * Stops accepting, finishes what was accepted, and gives the storage back. It waits as long as the retry schedule
   * does, by default for ever; {@link Recorder.closeWithin} bounds it. Cannot be undone; all closers share one result.
   */
  readonly close: Effect.Effect<CloseReport<Record, Query, Result>>
  /** `close` with a deadline, also while a `close` is pending: returns within `duration` + 100 ms, whatever hangs. */
  readonly closeWithin: (
    duration: Duration.DurationInput
  ) => Effect.Effect<CloseReport<Record, Query, Result>>
}

/** How a recorder behaves; everything has a default. */
export interface Options<in out Record> {
  /** Names it in metrics, spans and log lines. Default `recorder`. */
  readonly name?: string | undefined
  /** The most records of one save. Default 1,000; a storage may name a smaller number. */
  readonly maxBatchSize?: number | undefined
  /** How long a batch waits for more records. Default 0: until the end of the event-loop turn. */
  readonly linger?: Duration.DurationInput | undefined
  /** The longest that one save, or one call of the dead-letter sink, may take. Default 30 seconds. */
  readonly saveTimeout?: Duration.DurationInput | undefined
  /** The longest that one `load` may take once it is its turn. Default 30 seconds. */
  readonly loadTimeout?: Duration.DurationInput | undefined
  /** When a save is tried again. Default {@link defaultRetry}. When it ends, the failure counts as fatal. */
  readonly retry?: Schedule.Schedule<unknown, StorageError> | undefined
  /** What a fatal failure does: stop the recorder as `Failed` (the default), or set the records aside and go on. */
  readonly onFatal?: "stop" | "set-aside" | undefined
  /**
   * The dead-letter sink: takes the records that cannot be stored. Tried 3 times; then the record is handed back by
   * `close` with the reason `SinkFailed`. Without a sink, records set aside stay with the recorder. See `maxHeld`.
   */
  readonly deadLetters?: ((entry: SetAside<Record>) => Effect.Effect<void, unknown>) | undefined
  /**
   * The most records that stay with the recorder after they could not be stored: set aside without a sink, or refused by
   * it. A whole number from 0; default 10,000. They take no room of `bound`. Beyond it the oldest are released from
   * memory: counted as set aside and as `released`, and named by nobody any more. An interval of releases leaves one log
   * line and one gap note. It ends with a `redrive`, or when no record was released for a minute.
   */
  readonly maxHeld?: number | undefined
  /** Bounds what is pending, and says what happens over it. Default: unbounded, with a warning per doubling. */
  readonly bound?: Actor.Bound<Record> | undefined
  /** How long the end of the scope waits for the drain. Default 10 seconds. */
  readonly closeDeadline?: Duration.DurationInput | undefined
  /** Told what was not written when the scope has ended and nobody had called `close`. */
  readonly onClosed?: ((report: CloseReport<Record>) => Effect.Effect<void>) | undefined
}

/** Exponential from 100 ms by factor 2, at most 30 s, jittered by 20 %, for ever. */
export const defaultRetry: Schedule.Schedule<unknown, unknown> = Schedule.exponential("100 millis", 2).pipe(
  Schedule.union(Schedule.spaced("30 seconds")),
  Schedule.jittered
)

const shapes: { readonly [Option in keyof Options<never>]?: "string" | "function" } = {
  name: "string",
  deadLetters: "function",
  onClosed: "function"
}

const problem = <Record>(options: Options<Record>): InvalidOptions | undefined => {
  for (const [option, shape] of Object.entries(shapes)) {
    const given = options[option as keyof Options<Record>]
    if (given !== undefined && typeof given !== shape) {
      return new InvalidOptions({ option, message: `must be a ${shape}` })
    }
  }
  if (options.retry !== undefined && !Schedule.isSchedule(options.retry)) {
    return new InvalidOptions({ option: "retry", message: "must be a Schedule" })
  }
  if (options.onFatal !== undefined && options.onFatal !== "stop" && options.onFatal !== "set-aside") {
    return new InvalidOptions({ option: "onFatal", message: 'must be "stop" or "set-aside"' })
  }
  if (options.maxHeld !== undefined && !(Number.isSafeInteger(options.maxHeld) && options.maxHeld >= 0)) {
    return new InvalidOptions({ option: "maxHeld", message: "must be a whole number of records from 0" })
  }
  return undefined
}

const kinds: ReadonlyArray<unknown> = ["Transient", "Poison", "Fatal", "Unknown"]
const outcomes: ReadonlyArray<unknown> = ["NotStored", "Unknown"]

/** The tag alone is no proof: other libraries have an error of this name. */
const isStorageError = (error: unknown): error is StorageError => {
  if (typeof error !== "object" || error === null) return false
  const { _tag, kind, outcome } = error as Partial<StorageError>
  return _tag === "StorageError" && kinds.includes(kind) && outcomes.includes(outcome)
}

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error))

/** What a storage failed with, classified: anything but a `StorageError` is unknown. No retry mends wrong options. */
const classify = (cause: Cause.Cause<unknown>): StorageError => {
  const error = Cause.squash(cause)
  if (isStorageError(error)) return error
  if (error instanceof InvalidOptions) {
    const message = `${error.option}: ${error.message}`
    return new StorageError({ kind: "Fatal", outcome: "NotStored", message, cause: error })
  }
  return new StorageError({ kind: "Unknown", outcome: "Unknown", message: messageOf(error), cause: error })
}

/** What a log line may say of a failure: an error that no storage has classified may quote the row. */
const loggable = (failure: StorageError): string =>
  failure.kind === "Unknown" ? "an error of unknown kind" : failure.message

const single = (failure: StorageError, detail: unknown): StorageError =>
  detail === undefined
    ? failure
    : new StorageError({
        kind: "Poison",
        outcome: failure.outcome,
        message: messageOf(detail),
        cause: detail
      })

const errors: Settlement.Errors<StorageError, NotStored> = {
  setAside: (cause) => notStored("SetAside", `the storage cannot hold this record: ${cause.message}`, cause),
  handedBack: (cause) => notStored("HandedBack", "the recorder ended before the record was stored", cause),
  outcomeUnknown: (cause) =>
    notStored("OutcomeUnknown", "the record may be stored or not: reuse its id when you save it again", cause)
}

type RecordSettlement<Record> = Settlement.Settlement<Record, StorageError, NotStored>

const defaultTracer = Context.get(DefaultServices.liveServices, Tracer.Tracer)

/**
 * Makes a recorder of a storage; returns at once. One fiber owns the storage behind an unbounded queue. It is closed
 * with its scope, within `closeDeadline`; what was not written then goes to `onClosed` and, as counts, to the log.
 */
export const make = <Record, Query, Result>(
  storage: Storage<Record, Query, Result>,
  options: Options<Record> = {}
): Effect.Effect<Recorder<Record, Query, Result>, InvalidOptions, Scope.Scope> =>
  makeDeferred(Effect.succeed(storage), options)

/**
 * Makes a recorder of a storage that comes later; returns at once. Saves and queries made before it is there are
 * queued and served in order. `acquire` is retried like a save; a `StorageError` of kind `Fatal` ends it, then the
 * recorder is `Failed` and `close` hands all records back. The storage lives until the caller's scope ends.
 */
export const makeDeferred = <Record, Query, Result, E, R>(
  acquire: Effect.Effect<Storage<Record, Query, Result>, E, R>,
  options: Options<Record> = {}
): Effect.Effect<Recorder<Record, Query, Result>, InvalidOptions, Exclude<R, Scope.Scope> | Scope.Scope> =>
  Effect.gen(function* () {
    const wrong = problem(options)
    if (wrong !== undefined) return yield* wrong
    const name = options.name ?? "recorder"
    const schedule = options.retry ?? defaultRetry
    const { deadLetters, maxHeld = 10_000 } = options
    const saveTimeout = millisOf("saveTimeout", options.saveTimeout ?? "30 seconds", "above 0")
    const loadTimeout = millisOf("loadTimeout", options.loadTimeout ?? "30 seconds", "above 0")
    if (typeof saveTimeout !== "number") return yield* saveTimeout
    if (typeof loadTimeout !== "number") return yield* loadTimeout
    const clock = yield* Effect.clock
    const now = () => clock.unsafeCurrentTimeMillis()
    const tracer = yield* Effect.tracer
    const spans = tracer === defaultTracer ? undefined : Spans.make(name)
    const labels = [MetricLabel.make("recorder", name)]
    let settlement!: RecordSettlement<Record>
    let publish!: () => void
    /** One log line for all the bad records of a batch. */
    let loggedBatch: Actor.Batch<Record> | undefined
    /** Saves have failed since the last answer, maybe those of a batch that was given up. */
    let isAway = false

    const actor = yield* Actor.make<
      Storage<Record, Query, Result>,
      Record,
      CloseReport<Record, Query, Result>,
      R | Scope.Scope
    >((control) => {
      settlement = Settlement.make(control, errors, maxHeld)
      publish = Account.publisher(settlement.account, control, labels)
      const reportOutage = (cause: StorageError, attempt: number): void => {
        control.setOutage({ cause, attempt })
        if (attempt > 1) return
        control.runInBackground(
          Effect.logWarning(`${name}: the storage is away, retrying: ${loggable(cause)}`)
        )
      }
      const reportReleases = (): void => {
        control.statusChanged()
        const why = `more than ${maxHeld} records could not be stored and wait here (maxHeld)`
        control.runInBackground(
          Effect.logWarning(`${name}: ${why}: the oldest are being released from memory`)
        )
      }
      const runner = BatchRun.make<Record, StorageError>({
        now,
        elapsed: () => Number(clock.unsafeCurrentTimeNanos()) / 1e6,
        schedule,
        onFatal: options.onFatal ?? "stop",
        sink: deadLetters && ((entry) => deadLetters(setAside(entry))),
        classify,
        single,
        wrap:
          spans &&
          ((save, batch, from, to) =>
            Spans.around(spans, save, to - from, {
              first: batch.first,
              from: Settlement.positionOf(settlement, from),
              to: Settlement.positionOf(settlement, to - 1) + 1
            })),
        listener: {
          onAcknowledged: (count) => {
            settlement.account.saves++
            Metrics.batchSize.unsafeUpdate(count, labels)
            Metrics.saveDuration.unsafeUpdate(
              Number(clock.unsafeCurrentTimeNanos() - control.stepStartedAt()) / 1e6,
              labels
            )
          },
          onStored: (batch, from, to, duplicates) => {
            Settlement.settleStored(settlement, batch, from, to, duplicates)
            publish()
          },
          onBad: (batch, entry, sink) => {
            if (Settlement.settleBad(settlement, batch, entry, sink)) reportReleases()
            publish()
            if (loggedBatch === batch) return
            loggedBatch = batch
            control.runInBackground(
              Effect.logWarning(`${name}: a record cannot be stored: ${loggable(entry.cause)}`)
            )
          },
          onRetry: (cause, attempt) => {
            isAway = true
            settlement.account.retries++
            reportOutage(cause, attempt)
            publish()
          },
          onAnswer: () => {
            if (!isAway) return
            isAway = false
            control.setOutage(undefined)
            control.runInBackground(Effect.logInfo(`${name}: the storage is back`))
          },
          takeMore: () => Settlement.takeMore(settlement),
          isClosing: () => !control.intake.open
        }
      })
      return {
        name,
        bound: options.bound,
        linger: options.linger,
        maxBatchSize: options.maxBatchSize,
        closeDeadline: options.closeDeadline,
        resourceMaxBatchSize: (storage) => storage.maxBatch,
        acquire: acquireWith(acquire, {
          schedule,
          classify,
          isFatal: (failure) => failure.kind === "Fatal",
          onFailure: reportOutage
        }),
        onBatch: (storage, batch) => BatchRun.step(runner, Settlement.startRun(settlement, batch), storage),
        prepare: (storage, batch) => {
          if (storage.prepare !== undefined && batch.items.length <= BatchRun.fitOf(runner))
            Settlement.prepare(settlement, batch, () => storage.prepare?.(batch.items.slice()))
        },
        limit: (batch) =>
          BatchRun.waits(Settlement.startRun(settlement, batch)) ? Number.POSITIVE_INFINITY : saveTimeout,
        onTimeout: (batch) =>
          BatchRun.timedOut(runner.config, Settlement.startRun(settlement, batch), timedOut(saveTimeout)),
        onDropped: (position) => Receipts.settle(settlement.receipts, position, droppedError),
        onRefused: publish,
        onFailed: (cause) => {
          Settlement.failReceipts(settlement, Cause.squash(cause))
          control.runInBackground(Effect.logError(`${name}: failed: ${loggable(classify(cause))}`))
        },
        onTick: () => {
          Metrics.oldestAge.unsafeUpdate(oldestAge(settlement), labels)
          publish()
        },
        report: (rest) => {
          const unsaved = Settlement.handBack(settlement, rest)
          publish()
          return {
            storage: rest.resource,
            storageBusy: rest.busy,
            unsaved,
            setAside: deadLettersOf(settlement),
            stats: statsOf(settlement)
          }
        },
        onScopeClosed: (report) => reportUnsaved(name, report, settlement.handedBackUnknown, options.onClosed)
      }
    })
    return recorderOf(actor, settlement, spans, loadTimeout)
  })

/**
 * A layer with a recorder of a storage that comes later, under a tag of your own:
 *
 * ```ts
 * class Audit extends Context.Tag("Audit")<Audit, Recorder.Recorder<Entry, Query, Result>>() {}
 * ```
 *
 * The layer is there at once; it is closed with its scope, within `closeDeadline`.
 */
export const layer = <Id, Record, Query, Result, E, R>(
  tag: Context.Tag<Id, Recorder<Record, Query, Result>>,
  acquire: Effect.Effect<Storage<Record, Query, Result>, E, R>,
  options: Options<Record> = {}
): Layer.Layer<Id, InvalidOptions, Exclude<R, Scope.Scope>> =>
  Layer.scoped(tag, makeDeferred(acquire, options))

/** The columns of {@link layerMemory}'s table. */
export interface MemoryColumns<C extends Columns> {
  readonly columns: C
  readonly id: IdOf<C>
}

/**
 * A layer for tests: the same recorder over `Storage.memory`. With `columns` and `id` it checks records, ignores
 * duplicates and answers typed queries as the SQL storages do.
 */
export const layerMemory: {
  <Id, Record>(
    tag: Context.Tag<Id, Recorder<Record, MemoryQuery<Record>, ReadonlyArray<Record>>>,
    options?: Options<Record>
  ): Layer.Layer<Id, InvalidOptions>
  <Id, const C extends Columns, Q extends Query<C>>(
    tag: Context.Tag<Id, Recorder<NewRowOf<C>, Q, ReadonlyArray<RowOf<C>>>>,
    options: Options<NewRowOf<C>> & MemoryColumns<C>
  ): Layer.Layer<Id, InvalidOptions>
} = (<Id, Row>(
  tag: Context.Tag<Id, Recorder<Row>>,
  options: Options<Row> & Partial<MemoryColumns<Columns>> = {}
): Layer.Layer<Id, InvalidOptions> => {
  const { columns, id } = options
  const storage =
    columns === undefined || id === undefined
      ? Effect.sync(() => memory<Row>())
      : memory({ columns, id: id as never })
  // The signatures say which records and queries go with which storage; the body serves them all.
  return Layer.scoped(
    tag,
    Effect.flatMap(storage as Effect.Effect<Storage<Row>, InvalidOptions>, (made) => make(made, options))
  )
}) as never

const setAside = <Record>(entry: BatchRun.BadRecord<Record, StorageError>): SetAside<Record> => ({
  record: entry.record,
  cause: entry.cause,
  outcome: entry.outcome,
  at: entry.at
})

const deadLettersOf = <Record>({
  deadLetters
}: RecordSettlement<Record>): ReadonlyArray<SetAside<Record>> => {
  function* entries(): Generator<SetAside<Record>> {
    for (const { entry } of DeadLetters.entriesOf(deadLetters)) yield setAside(entry)
  }
  return lazyArray(DeadLetters.size(deadLetters), entries())
}

const timedOut = (millis: number): StorageError =>
  new StorageError({
    kind: "Transient",
    outcome: "Unknown",
    blame: "size",
    message: `the save took longer than saveTimeout (${millis} ms) and was interrupted`
  })

const reportUnsaved = <Record, Query, Result>(
  name: string,
  report: CloseReport<Record, Query, Result>,
  unknown: number,
  onClosed: Options<Record>["onClosed"]
): Effect.Effect<void> => {
  const { setAside, stats, unsaved } = report
  const { released } = stats
  const log =
    unsaved.length + setAside.length + released === 0
      ? Effect.void
      : Effect.logError(
          `${name}: closed by its scope with ${unsaved.length} records unsaved (${unknown} of unknown outcome) ` +
            `and ${setAside.length} set aside${released === 0 ? "" : `, ${released} released from memory before`}`
        )
  // A logger that throws must not keep the report from its reader.
  const told = Effect.asVoid(Effect.exit(log))
  return onClosed === undefined ? told : Effect.zipRight(told, onClosed(report))
}

const recorderOf = <Record, Query, Result>(
  actor: Actor.Actor<Storage<Record, Query, Result>, Record, CloseReport<Record, Query, Result>>,
  settlement: RecordSettlement<Record>,
  spans: Spans.Spans | undefined,
  loadTimeout: number
): Recorder<Record, Query, Result> => ({
  ...makeSaver(actor, settlement.receipts, spans),
  load: (query) =>
    actor
      .ask((storage) => storage.load(query), { limit: loadTimeout })
      .pipe(Effect.catchAllCause((cause) => Effect.fail(loadError(cause)))),
  flush: Effect.catchAll(actor.flush, (error) => {
    const reason = stopped(error)
    return reason._tag === "RecorderFailed" ? Effect.fail(reason) : Effect.void
  }),
  ready: Effect.mapError(actor.ready, stopped),
  status: Effect.sync(actor.unsafeStatus),
  statusChanges: actor.statusChanges,
  stats: Effect.sync(() => statsOf(settlement)),
  unsafeStats: () => statsOf(settlement),
  redrive: Effect.sync(() => (actor.control.intake.open ? Settlement.redrive(settlement) : 0)),
  close: actor.close,
  closeWithin: actor.closeWithin
})

const stopped = (error: Actor.ActorStopped): RecorderFailed | RecorderClosed =>
  error.reason === "Failed" ? recorderFailed(Cause.squash(error.cause)) : recorderClosed

const loadError = (cause: Cause.Cause<unknown>): StorageError | RecorderFailed | RecorderClosed => {
  const error = Cause.squash(cause)
  if (error instanceof Actor.ActorStopped) return stopped(error)
  if (!(error instanceof Actor.AskTimedOut)) return classify(cause)
  return new StorageError({
    kind: "Transient",
    outcome: "Unknown",
    message: `the query took longer than loadTimeout (${error.millis} ms) and was interrupted`
  })
}
