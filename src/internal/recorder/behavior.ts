/** What a recorder's actor does: saves batches, retries, sets aside, and hands back. */
import { Cause, type Clock, Effect, type Scope } from "effect"
import type { Control, Options } from "../../Actor.js"
import * as Metrics from "../../Metrics.js"
import type { Storage, StorageError } from "../../Storage.js"
import { acquireWith } from "../acquire.js"
import type { Series } from "../series.js"
import * as Account from "./account.js"
import { type Config, type Listener, waits } from "./batchRun.js"
import * as BatchRunner from "./batchRunner.js"
import { classify, loggable, saveTimedOut } from "./classify.js"
import { type CloseReport, reportUnsaved } from "./closeReport.js"
import { droppedError } from "./errors.js"
import { checkStorage, type Settings } from "./options.js"
import * as Receipts from "./receipts.js"
import * as Settlement from "./settlement.js"
import * as Spans from "./spans.js"
import { statsOf } from "./stats.js"

/** What a recorder consists of. */
export interface Parts<Record> {
  readonly settings: Settings<Record>
  readonly settlement: Settlement.Settlement<Record>
  /** None without a tracer. */
  readonly spans: Spans.Spans | undefined
  readonly clock: Clock.Clock
  readonly series: Series
}

/** The parts with what they need of the actor. */
interface Running<Record> extends Parts<Record> {
  readonly control: Control<Record>
  /** Publishes the metrics. */
  readonly publish: () => void
}

/** Shows that the storage is away, and logs it at the first failure. */
const reportOutage = <Record>(
  { control, settings }: Running<Record>,
  cause: StorageError,
  attempt: number
): void => {
  control.setOutage({ cause, attempt })
  if (attempt > 1) return
  const warning = `${settings.name}: the storage is away, retrying: ${loggable(cause)}`
  control.runInBackground(Effect.logWarning(warning))
}

const reportReleases = <Record>({ control, settings: { maxHeld, name } }: Running<Record>): void => {
  const why = `more than ${maxHeld} records could not be stored and wait here (maxHeld)`
  control.runInBackground(Effect.logWarning(`${name}: ${why}: the oldest are being released from memory`))
}

/** Settles what the saves of a batch lead to, and publishes it. */
const listenerOf = <Record>(running: Running<Record>): Listener<Record> => {
  const { clock, control, publish, series, settings, settlement } = running
  const { account } = settlement
  /** One log line for all the bad records of a batch. */
  let loggedBatch: unknown
  /** Saves have failed since the last answer, maybe those of a batch that was given up. */
  let isAway = false
  return {
    onAcknowledged: (count) => {
      account.saves++
      series.update(Metrics.batchSize, count)
      const nanos = clock.unsafeCurrentTimeNanos() - control.stepStartedAt()
      series.update(Metrics.saveDuration, Number(nanos) / 1e6)
    },
    onStored: (batch, from, to, duplicates) => {
      Settlement.settleStored(settlement, control, batch, from, to, duplicates)
      publish()
    },
    onBad: (batch, index, entry, sink) => {
      if (Settlement.settleBad(settlement, control, batch, index, entry, sink)) reportReleases(running)
      publish()
      if (loggedBatch === batch) return
      loggedBatch = batch
      const warning = `${settings.name}: a record cannot be stored: ${loggable(entry.cause)}`
      control.runInBackground(Effect.logWarning(warning))
    },
    onRetry: (cause, attempt) => {
      isAway = true
      account.retries++
      reportOutage(running, cause, attempt)
      publish()
    },
    onAnswer: () => {
      if (!isAway) return
      isAway = false
      control.setOutage(undefined)
      control.runInBackground(Effect.logInfo(`${settings.name}: the storage is back`))
    }
  }
}

/** Puts a span around each save, where there is a tracer. */
const wrapOf = <Record>({ settlement, spans }: Parts<Record>): Config<Record>["wrap"] =>
  spans &&
  ((save, batch, from, to) =>
    Spans.around(spans, save, to - from, {
      first: batch.first,
      from: Settlement.positionOf(settlement, from),
      to: Settlement.positionOf(settlement, to - 1) + 1
    }))

const runnerOf = <Record>(running: Running<Record>): BatchRunner.BatchRunner<Record> => {
  const { clock, control, settings, settlement } = running
  return BatchRunner.make<Record>({
    clock,
    retry: settings.retry,
    onFatal: settings.onFatal,
    deadLetters: settings.deadLetters,
    wrap: wrapOf(running),
    takeMore: () => Settlement.takeMore(settlement, control),
    isOpen: control.isOpen,
    listener: listenerOf(running)
  })
}

/** The options of the actor of a recorder, whose storage comes by `acquire`. */
export const behaviorOf =
  <Record, Query, Result, E, R>(
    parts: Parts<Record>,
    acquire: Effect.Effect<Storage<Record, Query, Result>, E, R>
  ) =>
  (
    control: Control<Record>
  ): Options<Storage<Record, Query, Result>, Record, CloseReport<Record, Query, Result>, R | Scope.Scope> => {
    const { series, settings, settlement } = parts
    const { name, saveTimeout } = settings
    const publish = Account.publisher(settlement.account, control, series)
    const running: Running<Record> = { ...parts, control, publish }
    const runner = runnerOf(running)
    return {
      name,
      bound: settings.bound,
      linger: settings.linger,
      maxBatchSize: settings.maxBatchSize,
      closeDeadline: settings.closeDeadline,
      resourceMaxBatchSize: (storage) => storage.maxBatch,
      acquire: acquireWith(acquire, {
        schedule: settings.retry,
        classify,
        isFatal: (failure) => failure.kind === "Fatal",
        onFailure: (cause, attempt) => reportOutage(running, cause, attempt)
      }).pipe(Effect.tap(checkStorage)),
      onBatch: (storage, batch) => BatchRunner.step(runner, Settlement.startRun(settlement, batch), storage),
      prepare: (storage, batch) => {
        if (storage.prepare !== undefined && batch.items.length <= BatchRunner.fitOf(runner))
          Settlement.prepare(settlement, batch, () => storage.prepare?.(batch.items.slice()))
      },
      limit: (batch) =>
        waits(Settlement.startRun(settlement, batch)) ? Number.POSITIVE_INFINITY : saveTimeout,
      onTimeout: (batch) =>
        BatchRunner.timedOut(
          runner.config,
          Settlement.startRun(settlement, batch),
          saveTimedOut(saveTimeout)
        ),
      onDropped: (position) => Receipts.settle(settlement.receipts, position, droppedError),
      onRefused: publish,
      onFailed: (cause) => {
        Settlement.failReceipts(settlement, Cause.squash(cause))
        control.runInBackground(Effect.logError(`${name}: failed: ${loggable(classify(cause))}`))
      },
      onTick: () => {
        series.update(Metrics.oldestAge, control.oldestAge())
        publish()
      },
      report: (leftover) => {
        const unsaved = Settlement.handBack(settlement, leftover)
        publish()
        series.end()
        return {
          storage: leftover.resource,
          storageBusy: leftover.busy,
          unsaved,
          setAside: Settlement.heldOf(settlement),
          stats: statsOf(settlement.account, control)
        }
      },
      onScopeClosed: (report) => reportUnsaved(name, report, settlement.handedBackUnknown, settings.onClosed)
    }
  }
