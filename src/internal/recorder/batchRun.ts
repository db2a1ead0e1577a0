/**
 * Takes one batch through its saves, waits and dead letters, one step a call, as the bisection says.
 *
 * Invariant: an answer changes the machine, the account and the receipts in one synchronous piece, so that a
 * step that is interrupted has changed nothing, and may be told as failed afterwards.
 */
import { type Cause, Effect, Exit, type Schedule } from "effect"
import type { Batch } from "../actor/mailbox.js"
import * as Time from "../time.js"
import * as Bisection from "./bisection.js"

export type Acknowledgement = { readonly duplicates: number } | void
export type Save = Effect.Effect<Acknowledgement, unknown>

/** The part of a storage that saves. */
export interface SaveTarget<in Item> {
  readonly save: (items: ReadonlyArray<Item>) => Save
}

/** What the runner tells its recorder. Synchronous. */
export interface Listener<Item, F extends Bisection.Failure> {
  readonly onStored: (batch: Batch<Item>, from: number, to: number, duplicates: number) => void
  readonly onAcknowledged: (count: number) => void
  readonly onBad: (batch: Batch<Item>, entry: BadRecord<Item, F>, sink: SinkResult) => void
  readonly onRetry: (failure: F, attempt: number) => void
  /** The storage has answered: it is there. */
  readonly onAnswer: () => void
  /** Asks for more items behind those that fail alone; how many came. */
  readonly takeMore: () => number
  /** No more items can come. */
  readonly isClosing: () => boolean
}

export type SinkResult = "none" | "taken" | "failed"

/** A record that cannot be stored. */
export interface BadRecord<Item, F> {
  readonly index: number
  readonly record: Item
  readonly cause: F
  readonly outcome: "NotStored" | "Unknown"
  readonly at: number
}

export interface Config<Item, F extends Bisection.Failure> {
  readonly now: () => number
  /** Milliseconds of monotonic time. */
  readonly elapsed: () => number
  readonly schedule: Schedule.Schedule<unknown, F>
  readonly onFatal: "stop" | "set-aside"
  readonly sink: ((entry: BadRecord<Item, F>) => Effect.Effect<void, unknown>) | undefined
  readonly classify: (cause: Cause.Cause<unknown>) => F
  /** The failure of one record, from that of its batch and what the storage said of it. */
  readonly single: (failure: F, detail: unknown) => F
  /** Puts something around a save, such as a span. */
  readonly wrap: ((save: Save, batch: Batch<Item>, from: number, to: number) => Save) | undefined
  readonly listener: Listener<Item, F>
}

/** A batch on its way. */
export interface BatchRun<Item, F extends Bisection.Failure> {
  readonly batch: Batch<Item>
  /** None until a save has failed: the first one holds the whole batch, and as a rule the only one. */
  bisection: Bisection.Bisection<F> | undefined
  prepared: Save | undefined
  /** What a save under way holds: its outcome is open. */
  saving: { readonly from: number; readonly to: number } | undefined
  attempt: number
  driver: Pick<Schedule.ScheduleDriver<unknown, F>, "next"> | undefined
  sinkTries: number
  /** The sink has failed and is left alone for a while: the next step is that pause. */
  sinkPauses: boolean
  /** The records' fate has been told: a late answer changes nothing. */
  isOver: boolean
}

export const makeRun = <Item, F extends Bisection.Failure>(batch: Batch<Item>): BatchRun<Item, F> => ({
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
export const bisectionOf = <Item, F extends Bisection.Failure>(
  run: BatchRun<Item, F>,
  fit?: Bisection.Fit
): Bisection.Bisection<F> => {
  run.bisection ??= Bisection.make<F>(run.batch.items.length, fit)
  return run.bisection
}

/** A sink is tried this often. */
const maxSinkTries = 3
const sinkPauseMillis = 100

/** Whether the next step of this batch waits on purpose, so that no limit holds for it. */
export const waits = <Item, F extends Bisection.Failure>(run: BatchRun<Item, F>): boolean =>
  run.sinkPauses || (run.bisection !== undefined && Bisection.mustWait(run.bisection))

const answered = <Item, F extends Bisection.Failure>(
  config: Config<Item, F>,
  run: BatchRun<Item, F>
): void => {
  run.attempt = 0
  run.driver = undefined
  config.listener.onAnswer()
}

const saveFailed = <Item, F extends Bisection.Failure>(
  config: Config<Item, F>,
  run: BatchRun<Item, F>,
  failure: F
): void => {
  const { batch } = run
  const from = run.saving?.from ?? 0
  run.saving = undefined
  const stored = Bisection.failed(bisectionOf(run), failure)
  if (stored === 0) return
  config.listener.onStored(batch, from, from + stored, 0)
  answered(config, run)
}

/** The step under way took too long and was interrupted: of a save nothing is known, a sink has failed. */
export const timedOut = <Item, F extends Bisection.Failure>(
  config: Config<Item, F>,
  run: BatchRun<Item, F>,
  failure: F
): void => {
  if (run.saving !== undefined) saveFailed(config, run, failure)
  else sinkFailed(config, run)
}

/** Calls the storage; what it throws is a defect of its effect. `Effect.suspend` would cost a step of the fiber. */
const call = <Item>(storage: SaveTarget<Item>, items: ReadonlyArray<Item>): Save => {
  try {
    return storage.save(items)
  } catch (defect) {
    return Effect.die(defect)
  }
}

/** Saves batches. It is asked for one step at a time, and the next one when that has ended. */
export interface BatchRunner<Item, F extends Bisection.Failure> {
  readonly config: Config<Item, F>
  /** The batch of the save under way. */
  run: BatchRun<Item, F> | undefined
  /** What was learned of sizes of late, and until when it holds. */
  fit: (Bisection.Fit & { readonly until: number }) | undefined
  readonly answers: {
    readonly onFailure: (cause: Cause.Cause<unknown>) => Effect.Effect<boolean>
    readonly onSuccess: (acknowledgement: Acknowledgement) => Effect.Effect<boolean>
  }
}

/** What an answer leads to is made once, not for every save. */
export const make = <Item, F extends Bisection.Failure>(config: Config<Item, F>): BatchRunner<Item, F> => {
  const runner: BatchRunner<Item, F> = {
    config,
    run: undefined,
    fit: undefined,
    answers: {
      onFailure: (cause) => {
        const { run } = runner
        if (run === undefined || run.isOver) return isFinished
        saveFailed(config, run, config.classify(cause))
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
const fitNow = <Item, F extends Bisection.Failure>(
  runner: BatchRunner<Item, F>
): Bisection.Fit | undefined => {
  const { config, fit } = runner
  if (fit === undefined || config.elapsed() < fit.until) return fit
  const { proven, size } = fit
  const next = { size: size * 2, proven, until: config.elapsed() + fitMillis }
  runner.fit = proven && size < maxFit ? next : undefined
  return runner.fit
}

/** The most records that a save may hold, by what has passed of late. */
export const fitOf = <Item, F extends Bisection.Failure>(runner: BatchRunner<Item, F>): number => {
  const fit = fitNow(runner)
  return fit?.proven === true ? fit.size : Number.POSITIVE_INFINITY
}

/** The next batches begin with the size that passed, without failing at a larger one first. */
const remember = <Item, F extends Bisection.Failure>(
  runner: BatchRunner<Item, F>,
  { passed, sizeSuspected, sizeProven }: Bisection.Bisection<F>
): void => {
  if (!sizeSuspected || passed === 0) return
  runner.fit = { size: passed, proven: sizeProven, until: runner.config.elapsed() + fitMillis }
}

const isFinished = Effect.succeed(true)
const isNotFinished = Effect.succeed(false)

/** Whether the batch is finished. */
const saveSucceeded = <Item, F extends Bisection.Failure>(
  config: Config<Item, F>,
  run: BatchRun<Item, F>,
  acknowledgement: Acknowledgement
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

const saveStep = <Item, F extends Bisection.Failure>(
  runner: BatchRunner<Item, F>,
  run: BatchRun<Item, F>,
  storage: SaveTarget<Item>,
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

const waitStep = <Item, F extends Bisection.Failure>(
  config: Config<Item, F>,
  run: BatchRun<Item, F>,
  failure: F
): Effect.Effect<boolean> => {
  const bisection = bisectionOf(run)
  if (config.listener.isClosing() && Bisection.conclude(bisection)) return isNotFinished
  if (compareWithMore(config, run)) return isNotFinished
  run.attempt++
  config.listener.onRetry(failure, run.attempt)
  const driver = run.driver === undefined ? Time.driver(config.schedule) : Effect.succeed(run.driver)
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

const compareWithMore = <Item, F extends Bisection.Failure>(
  config: Config<Item, F>,
  run: BatchRun<Item, F>
): boolean => {
  const bisection = bisectionOf(run)
  if (!bisection.needsComparison) return false
  const count = config.listener.takeMore()
  if (count === 0) return false
  run.prepared = undefined
  Bisection.extend(bisection, count)
  return true
}

const sinkFailed = <Item, F extends Bisection.Failure>(
  config: Config<Item, F>,
  run: BatchRun<Item, F>
): void => {
  run.sinkTries++
  run.sinkPauses = run.sinkTries < maxSinkTries
  if (run.sinkPauses) return
  const step = Bisection.next(bisectionOf(run))
  if (step._tag === "Isolate") settleBad(config, run, step, entryOf(config, run, step), "failed")
}

const entryOf = <Item, F extends Bisection.Failure>(
  config: Config<Item, F>,
  run: BatchRun<Item, F>,
  { cause, detail, index }: Bisection.Suspect<F>
): BadRecord<Item, F> => ({
  index,
  record: run.batch.items[index] as Item,
  cause: config.single(cause, detail),
  outcome: Bisection.outcomeOf(bisectionOf(run), index),
  at: config.now()
})

const settleBad = <Item, F extends Bisection.Failure>(
  config: Config<Item, F>,
  run: BatchRun<Item, F>,
  suspect: Bisection.Suspect<F>,
  entry: BadRecord<Item, F>,
  result: SinkResult
): boolean => {
  run.sinkTries = 0
  Bisection.isolated(bisectionOf(run))
  // The storage has judged this very record: it is there.
  if (suspect.times > 0) answered(config, run)
  config.listener.onBad(run.batch, entry, result)
  return Bisection.next(bisectionOf(run))._tag === "Done"
}

const sinkStep = <Item, F extends Bisection.Failure>(
  config: Config<Item, F>,
  run: BatchRun<Item, F>,
  suspect: Bisection.Suspect<F>
): Effect.Effect<boolean> => {
  if (run.sinkPauses) {
    return Effect.map(Effect.sleep(sinkPauseMillis * 2 ** (run.sinkTries - 1)), () => {
      run.sinkPauses = false
      return false
    })
  }
  const entry = entryOf(config, run, suspect)
  const { sink } = config
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
export const step = <Item, F extends Bisection.Failure>(
  runner: BatchRunner<Item, F>,
  run: BatchRun<Item, F>,
  storage: SaveTarget<Item>
): Effect.Effect<boolean, F> => {
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
export interface Unsettled<Item> {
  readonly index: number
  readonly record: Item
  readonly outcome: "NotStored" | "Unknown"
}

/** The records of a batch that has been given up, in order. */
export const unsettledOf = <Item, F extends Bisection.Failure>(
  run: BatchRun<Item, F>
): ReadonlyArray<Unsettled<Item>> =>
  Bisection.remaining(bisectionOf(run)).map((index) => {
    const { saving } = run
    const inFlight = saving !== undefined && index >= saving.from && index < saving.to
    return {
      index,
      record: run.batch.items[index] as Item,
      outcome: inFlight ? "Unknown" : Bisection.outcomeOf(bisectionOf(run), index)
    }
  })
