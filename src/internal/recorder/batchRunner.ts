/**
 * Takes one batch through its saves, waits and dead letters, one step a call, as the bisection decides.
 *
 * Invariant: an answer changes the bisection, the account and the receipts in one synchronous piece. So a step that is
 * interrupted has changed nothing, and may be reported as failed afterwards.
 */
import { type Cause, Effect } from "effect"
import type { Saved, Storage, StorageError } from "../../Storage.js"
import * as Time from "../time.js"
import { answered, type BatchRun, bisectionOf, type Config, type Save } from "./batchRun.js"
import * as Bisection from "./bisection.js"
import { classify } from "./classify.js"
import { sinkFailed, sinkStep } from "./sink.js"

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
