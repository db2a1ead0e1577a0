/**
 * Takes one batch through its saves, waits and dead letters, one step a call, as the bisection decides.
 *
 * Invariant: an answer changes the bisection, the account and the receipts in one synchronous piece. So a step that is
 * interrupted has changed nothing, and may be reported as failed afterwards.
 */
import { type Cause, type Clock, Effect, Exit, type Schedule } from "effect"
import type { Batch } from "../../Actor.js"
import type { Outcome, Saved, Storage, StorageError } from "../../Storage.js"
import * as Time from "../time.js"
import * as Bisection from "./bisection.js"
import { classify, errorOfRecord } from "./classify.js"
import type { SetAside } from "./deadLetters.js"

/** One bulk save, or its answer that is on its way. */
export type Save = Effect.Effect<Saved | void, unknown>

/** What became of a record that cannot be stored: no sink is there, or it took the record, or it failed. */
export type SinkResult = "none" | "taken" | "failed"

/** What the runner reports, synchronously, when it has happened. */
export interface Listener<Record> {
  readonly onStored: (batch: Batch<Record>, from: number, to: number, duplicates: number) => void
  readonly onAcknowledged: (count: number) => void
  /** The record at this index cannot be stored. */
  readonly onBad: (batch: Batch<Record>, index: number, entry: SetAside<Record>, sink: SinkResult) => void
  readonly onRetry: (failure: StorageError, attempt: number) => void
  /** The storage has answered: it is there. */
  readonly onAnswer: () => void
}

export interface Config<Record> {
  readonly clock: Clock.Clock
  readonly retry: Schedule.Schedule<unknown, StorageError>
  readonly onFatal: "stop" | "set-aside"
  readonly deadLetters: ((entry: SetAside<Record>) => Effect.Effect<void, unknown>) | undefined
  /** Puts something around a save, such as a span. */
  readonly wrap: ((save: Save, batch: Batch<Record>, from: number, to: number) => Save) | undefined
  /** Puts more records behind those that fail alone; how many came. */
  readonly takeMore: () => number
  /** Whether more records can come. */
  readonly isOpen: () => boolean
  readonly listener: Listener<Record>
}

/** A batch on its way. */
export interface BatchRun<Record> {
  readonly batch: Batch<Record>
  /** None until a save has failed: the first one holds the whole batch, and as a rule the only one. */
  bisection: Bisection.Bisection<StorageError> | undefined
  prepared: Save | undefined
  /** What a save under way holds: its outcome is open. */
  saving: { readonly from: number; readonly to: number } | undefined
  attempt: number
  driver: Pick<Schedule.ScheduleDriver<unknown, StorageError>, "next"> | undefined
  sinkTries: number
  /** The sink has failed and is left alone for a while: the next step is that pause. */
  sinkPauses: boolean
  /** All records have an outcome: a late answer changes nothing. */
  isOver: boolean
}

export const makeRun = <Record>(batch: Batch<Record>): BatchRun<Record> => ({
  batch,
  bisection: undefined,
  prepared: undefined,
  saving: undefined,
  attempt: 0,
  driver: undefined,
  sinkTries: 0,
  sinkPauses: false,
  isOver: false
})

/** The machine of a batch that needs one; `fit` is what was learned of sizes before. */
export const bisectionOf = <Record>(
  run: BatchRun<Record>,
  fit?: Bisection.Fit
): Bisection.Bisection<StorageError> => {
  run.bisection ??= Bisection.make<StorageError>(run.batch.items.length, fit)
  return run.bisection
}

/** A sink is tried this often. */
const maxSinkTries = 3
const sinkPauseMillis = 100

/** Whether the next step of this batch waits on purpose, so that no limit holds for it. */
export const waits = <Record>(run: BatchRun<Record>): boolean =>
  run.sinkPauses || (run.bisection !== undefined && Bisection.mustWait(run.bisection))

const answered = <Record>(config: Config<Record>, run: BatchRun<Record>): void => {
  run.attempt = 0
  run.driver = undefined
  config.listener.onAnswer()
}

const saveFailed = <Record>(config: Config<Record>, run: BatchRun<Record>, failure: StorageError): void => {
  const { batch } = run
  const from = run.saving?.from ?? 0
  run.saving = undefined
  const stored = Bisection.failed(bisectionOf(run), failure)
  if (stored === 0) return
  config.listener.onStored(batch, from, from + stored, 0)
  answered(config, run)
}

/** The step under way took too long and was interrupted: of a save nothing is known, a sink has failed. */
export const timedOut = <Record>(
  config: Config<Record>,
  run: BatchRun<Record>,
  failure: StorageError
): void => {
  if (run.saving !== undefined) saveFailed(config, run, failure)
  else sinkFailed(config, run)
}

/** Calls the storage; what it throws is a defect of its effect. `Effect.suspend` would cost a step of the fiber. */
const call = <Record>(storage: Storage<Record>, items: ReadonlyArray<Record>): Save => {
  try {
    return storage.save(items)
  } catch (defect) {
    return Effect.die(defect)
  }
}

/** Saves batches. It is asked for one step at a time, and the next one when that has ended. */
export interface BatchRunner<Record> {
  readonly config: Config<Record>
  /** The batch of the save under way. */
  run: BatchRun<Record> | undefined
  /** What was learned of sizes of late, and until when it holds. */
  fit: (Bisection.Fit & { readonly until: number }) | undefined
  readonly answers: {
    readonly onFailure: (cause: Cause.Cause<unknown>) => Effect.Effect<boolean>
    readonly onSuccess: (acknowledgement: Saved | void) => Effect.Effect<boolean>
  }
}

/** What an answer leads to is made once, not for every save. */
export const make = <Record>(config: Config<Record>): BatchRunner<Record> => {
  const runner: BatchRunner<Record> = {
    config,
    run: undefined,
    fit: undefined,
    answers: {
      onFailure: (cause) => {
        const { run } = runner
        if (run === undefined || run.isOver) return isFinished
        saveFailed(config, run, classify(cause))
        return run.isOver ? isFinished : isNotFinished
      },
      onSuccess: (acknowledgement) => {
        const { run } = runner
        if (run === undefined || run.isOver) return isFinished
        const isDone = saveSucceeded(config, run, acknowledgement)
        if (run.bisection !== undefined) remember(runner, run.bisection)
        return isDone ? isFinished : isNotFinished
      }
    }
  }
  return runner
}

/** How long what was learned of sizes holds, in milliseconds. Then twice as much is tried. */
const fitMillis = 60_000
const maxFit = 65_536

/** What was learned of sizes, as far as it holds. */
const fitNow = <Record>(runner: BatchRunner<Record>): Bisection.Fit | undefined => {
  const { config, fit } = runner
  if (fit === undefined || Time.monotonicMillis(config.clock) < fit.until) return fit
  const { proven, size } = fit
  const next = { size: size * 2, proven, until: Time.monotonicMillis(config.clock) + fitMillis }
  runner.fit = proven && size < maxFit ? next : undefined
  return runner.fit
}

/** The most records that a save may hold, by what has passed of late. */
export const fitOf = <Record>(runner: BatchRunner<Record>): number => {
  const fit = fitNow(runner)
  return fit?.proven === true ? fit.size : Number.POSITIVE_INFINITY
}

/** The next batches begin with the size that passed, without failing at a larger one first. */
const remember = <Record>(
  runner: BatchRunner<Record>,
  { passed, sizeSuspected, sizeProven }: Bisection.Bisection<StorageError>
): void => {
  if (!sizeSuspected || passed === 0) return
  runner.fit = {
    size: passed,
    proven: sizeProven,
    until: Time.monotonicMillis(runner.config.clock) + fitMillis
  }
}

const isFinished = Effect.succeed(true)
const isNotFinished = Effect.succeed(false)

/** Whether the batch is finished. */
const saveSucceeded = <Record>(
  config: Config<Record>,
  run: BatchRun<Record>,
  acknowledgement: Saved | void
): boolean => {
  const { batch, bisection, saving } = run
  const { from, to } = saving ?? { from: 0, to: 0 }
  run.saving = undefined
  if (bisection !== undefined) Bisection.saved(bisection)
  answered(config, run)
  config.listener.onAcknowledged(to - from)
  config.listener.onStored(batch, from, to, acknowledgement?.duplicates ?? 0)
  return bisection === undefined || Bisection.isDone(bisection)
}

const saveStep = <Record>(
  runner: BatchRunner<Record>,
  run: BatchRun<Record>,
  storage: Storage<Record>,
  from: number,
  to: number
): Effect.Effect<boolean> => {
  const { batch } = run
  const { wrap } = runner.config
  const whole = from === 0 && to === batch.items.length
  runner.run = run
  run.saving = { from, to }
  const prepared = whole ? run.prepared : undefined
  // A copy: the array that a storage gets is its own, and the records are needed here for the next attempt.
  const attempt = prepared ?? call(storage, batch.items.slice(from, to))
  const wrapped = wrap === undefined ? attempt : wrap(attempt, batch, from, to)
  return Effect.matchCauseEffect(wrapped, runner.answers)
}

const waitStep = <Record>(
  config: Config<Record>,
  run: BatchRun<Record>,
  failure: StorageError
): Effect.Effect<boolean> => {
  const bisection = bisectionOf(run)
  if (!config.isOpen() && Bisection.conclude(bisection)) return isNotFinished
  if (compareWithMore(config, run)) return isNotFinished
  run.attempt++
  config.listener.onRetry(failure, run.attempt)
  const driver = run.driver === undefined ? Time.driver(config.retry) : Effect.succeed(run.driver)
  return Effect.flatMap(driver, (driver) => {
    run.driver = driver
    return Effect.match(driver.next(failure), {
      onFailure: () => {
        Bisection.exhausted(bisection)
        return false
      },
      onSuccess: () => {
        if (!compareWithMore(config, run)) Bisection.retry(bisection)
        return false
      }
    })
  })
}

const compareWithMore = <Record>(config: Config<Record>, run: BatchRun<Record>): boolean => {
  const bisection = bisectionOf(run)
  if (!bisection.needsComparison) return false
  const count = config.takeMore()
  if (count === 0) return false
  run.prepared = undefined
  Bisection.extend(bisection, count)
  return true
}

const sinkFailed = <Record>(config: Config<Record>, run: BatchRun<Record>): void => {
  run.sinkTries++
  run.sinkPauses = run.sinkTries < maxSinkTries
  if (run.sinkPauses) return
  const step = Bisection.next(bisectionOf(run))
  if (step._tag === "Isolate") settleBad(config, run, step, entryOf(config, run, step), "failed")
}

const entryOf = <Record>(
  config: Config<Record>,
  run: BatchRun<Record>,
  { cause, detail, index }: Bisection.Suspect<StorageError>
): SetAside<Record> => ({
  record: run.batch.items[index] as Record,
  cause: errorOfRecord(cause, detail),
  outcome: Bisection.outcomeOf(bisectionOf(run), index),
  at: config.clock.unsafeCurrentTimeMillis()
})

const settleBad = <Record>(
  config: Config<Record>,
  run: BatchRun<Record>,
  suspect: Bisection.Suspect<StorageError>,
  entry: SetAside<Record>,
  result: SinkResult
): boolean => {
  run.sinkTries = 0
  Bisection.isolated(bisectionOf(run))
  // The storage has judged this very record: it is there.
  if (suspect.times > 0) answered(config, run)
  config.listener.onBad(run.batch, suspect.index, entry, result)
  return Bisection.next(bisectionOf(run))._tag === "Done"
}

const sinkStep = <Record>(
  config: Config<Record>,
  run: BatchRun<Record>,
  suspect: Bisection.Suspect<StorageError>
): Effect.Effect<boolean> => {
  if (run.sinkPauses) {
    return Effect.map(Effect.sleep(sinkPauseMillis * 2 ** (run.sinkTries - 1)), () => {
      run.sinkPauses = false
      return false
    })
  }
  const entry = entryOf(config, run, suspect)
  const { deadLetters: sink } = config
  if (sink === undefined) return Effect.sync(() => settleBad(config, run, suspect, entry, "none"))
  const attempt = Effect.suspend(() => sink(entry))
  return Effect.map(Effect.exit(attempt), (exit) => {
    if (run.isOver) return true
    if (Exit.isSuccess(exit)) return settleBad(config, run, suspect, entry, "taken")
    sinkFailed(config, run)
    return Bisection.next(bisectionOf(run))._tag === "Done"
  })
}

/** The next step of a batch: true when the batch is finished. A failure stops the recorder. */
export const step = <Record>(
  runner: BatchRunner<Record>,
  run: BatchRun<Record>,
  storage: Storage<Record>
): Effect.Effect<boolean, StorageError> => {
  const { config } = runner
  const { length } = run.batch.items
  const fit = run.bisection === undefined && runner.fit !== undefined ? fitNow(runner) : undefined
  if (run.bisection === undefined && length > 0 && fit === undefined)
    return saveStep(runner, run, storage, 0, length)
  const bisection = bisectionOf(run, fit)
  const next = Bisection.next(bisection)
  switch (next._tag) {
    case "Save":
      return saveStep(runner, run, storage, next.from, next.to)
    case "Wait":
      return waitStep(config, run, next.failure)
    case "Isolate":
      return sinkStep(config, run, next)
    case "Stop":
      if (compareWithMore(config, run)) return isNotFinished
      if (config.onFatal === "stop") return Effect.fail(next.failure)
      return Effect.sync(() => {
        Bisection.failRemaining(bisection)
        return false
      })
    case "Done":
      return Effect.succeed(true)
  }
}

/** A record without an outcome, and what is known of it. */
export interface Unsettled<Record> {
  readonly index: number
  readonly record: Record
  readonly outcome: Outcome
}

/** The records of a batch that has been given up, in order. */
export const unsettledOf = <Record>(run: BatchRun<Record>): ReadonlyArray<Unsettled<Record>> =>
  Bisection.remaining(bisectionOf(run)).map((index) => {
    const { saving } = run
    const inFlight = saving !== undefined && index >= saving.from && index < saving.to
    return {
      index,
      record: run.batch.items[index] as Record,
      outcome: inFlight ? "Unknown" : Bisection.outcomeOf(bisectionOf(run), index)
    }
  })
