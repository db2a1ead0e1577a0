/**
 * Takes one batch through its saves, waits and dead letters, one step a call, as the bulk machine says.
 *
 * Invariant: an answer changes the machine, the account and the receipts in one synchronous piece, so that a
 * step that is interrupted has changed nothing, and may be told as failed afterwards.
 */
import { type Cause, Effect, Exit, type Schedule } from "effect"
import type { Batch } from "../actor/mailbox.js"
import * as Time from "../time.js"
import * as Bulk from "./bisection.js"

export type Acknowledgement = { readonly duplicates: number } | void
export type Save = Effect.Effect<Acknowledgement, unknown>

/** The part of a storage that saves. */
export interface Target<in Item> {
  readonly save: (items: ReadonlyArray<Item>) => Save
}

/** What the saver tells its recorder. Synchronous. */
export interface Listener<Item, F extends Bulk.Failure> {
  readonly stored: (batch: Batch<Item>, from: number, to: number, duplicates: number) => void
  readonly acknowledged: (count: number) => void
  readonly isolated: (batch: Batch<Item>, entry: Isolated<Item, F>, sink: SinkResult) => void
  readonly waiting: (failure: F, attempt: number) => void
  /** The storage has answered: it is there. */
  readonly answered: () => void
  /** Asks for more items behind those that fail alone; how many came. */
  readonly extend: () => number
  /** No more items can come. */
  readonly isClosing: () => boolean
}

export type SinkResult = "none" | "taken" | "failed"

/** A record that cannot be stored. */
export interface Isolated<Item, F> {
  readonly index: number
  readonly record: Item
  readonly cause: F
  readonly outcome: "NotStored" | "Unknown"
  readonly at: number
}

export interface Config<Item, F extends Bulk.Failure> {
  readonly now: () => number
  /** Milliseconds of monotonic time. */
  readonly elapsed: () => number
  readonly schedule: Schedule.Schedule<unknown, F>
  readonly onFatal: "stop" | "set-aside"
  readonly sink: ((entry: Isolated<Item, F>) => Effect.Effect<void, unknown>) | undefined
  readonly classify: (cause: Cause.Cause<unknown>) => F
  /** The failure of one record, from that of its batch and what the storage said of it. */
  readonly single: (failure: F, detail: unknown) => F
  /** Puts something around a save, such as a span. */
  readonly wrap: ((save: Save, batch: Batch<Item>, from: number, to: number) => Save) | undefined
  readonly listener: Listener<Item, F>
}

/** A batch on its way. */
export interface Run<Item, F extends Bulk.Failure> {
  readonly batch: Batch<Item>
  /** None until a save has failed: the first one holds the whole batch, and as a rule the only one. */
  bulk: Bulk.Bulk<F> | undefined
  prepared: Save | undefined
  /** What a save under way holds: its outcome is open. */
  saving: { readonly from: number; readonly to: number } | undefined
  attempt: number
  driver: Pick<Schedule.ScheduleDriver<unknown, F>, "next"> | undefined
  sinkTries: number
  /** The sink has failed and is left alone for a while: the next step is that pause. */
  sinkRests: boolean
  /** The records' fate has been told: a late answer changes nothing. */
  over: boolean
}

export const begin = <Item, F extends Bulk.Failure>(batch: Batch<Item>): Run<Item, F> => ({
  batch,
  bulk: undefined,
  prepared: undefined,
  saving: undefined,
  attempt: 0,
  driver: undefined,
  sinkTries: 0,
  sinkRests: false,
  over: false
})

/** The machine of a batch that needs one; `fit` is what was learned of sizes before. */
export const bulkOf = <Item, F extends Bulk.Failure>(run: Run<Item, F>, fit?: Bulk.Fit): Bulk.Bulk<F> => {
  run.bulk ??= Bulk.make<F>(run.batch.items.length, fit)
  return run.bulk
}

/** A sink is tried this often. */
const sinkTries = 3
const sinkPauseMillis = 100

/** Whether the next step of this batch waits on purpose, so that no limit holds for it. */
export const waits = <Item, F extends Bulk.Failure>(run: Run<Item, F>): boolean =>
  run.sinkRests || (run.bulk !== undefined && Bulk.mustWait(run.bulk))

const answered = <Item, F extends Bulk.Failure>(config: Config<Item, F>, run: Run<Item, F>): void => {
  run.attempt = 0
  run.driver = undefined
  config.listener.answered()
}

const fails = <Item, F extends Bulk.Failure>(
  config: Config<Item, F>,
  run: Run<Item, F>,
  failure: F
): void => {
  const { batch } = run
  const from = run.saving?.from ?? 0
  run.saving = undefined
  const stored = Bulk.failed(bulkOf(run), failure)
  if (stored === 0) return
  config.listener.stored(batch, from, from + stored, 0)
  answered(config, run)
}

/** The step under way took too long and was interrupted: of a save nothing is known, a sink has failed. */
export const overrun = <Item, F extends Bulk.Failure>(
  config: Config<Item, F>,
  run: Run<Item, F>,
  failure: F
): void => {
  if (run.saving !== undefined) fails(config, run, failure)
  else sinkFailed(config, run)
}

/** Calls the storage; what it throws is a defect of its effect. `Effect.suspend` would cost a step of the fiber. */
const call = <Item>(storage: Target<Item>, items: ReadonlyArray<Item>): Save => {
  try {
    return storage.save(items)
  } catch (defect) {
    return Effect.die(defect)
  }
}

/** Saves batches. It is asked for one step at a time, and the next one when that has ended. */
export interface Saver<Item, F extends Bulk.Failure> {
  readonly config: Config<Item, F>
  /** The batch of the save under way. */
  run: Run<Item, F> | undefined
  /** What was learned of sizes of late, and until when it holds. */
  fit: (Bulk.Fit & { readonly until: number }) | undefined
  readonly answers: {
    readonly onFailure: (cause: Cause.Cause<unknown>) => Effect.Effect<boolean>
    readonly onSuccess: (acknowledgement: Acknowledgement) => Effect.Effect<boolean>
  }
}

/** What an answer leads to is made once, not for every save. */
export const make = <Item, F extends Bulk.Failure>(config: Config<Item, F>): Saver<Item, F> => {
  const saver: Saver<Item, F> = {
    config,
    run: undefined,
    fit: undefined,
    answers: {
      onFailure: (cause) => {
        const { run } = saver
        if (run === undefined || run.over) return isFinished
        fails(config, run, config.classify(cause))
        return run.over ? isFinished : isNotFinished
      },
      onSuccess: (acknowledgement) => {
        const { run } = saver
        if (run === undefined || run.over) return isFinished
        const isDone = succeeds(config, run, acknowledgement)
        if (run.bulk !== undefined) remember(saver, run.bulk)
        return isDone ? isFinished : isNotFinished
      }
    }
  }
  return saver
}

/** How long what was learned of sizes holds, in milliseconds. Then twice as much is tried. */
const fitMillis = 60_000
const maxFit = 65_536

/** What was learned of sizes, as far as it holds. */
const fitNow = <Item, F extends Bulk.Failure>(saver: Saver<Item, F>): Bulk.Fit | undefined => {
  const { config, fit } = saver
  if (fit === undefined || config.elapsed() < fit.until) return fit
  const { proven, size } = fit
  const next = { size: size * 2, proven, until: config.elapsed() + fitMillis }
  saver.fit = proven && size < maxFit ? next : undefined
  return saver.fit
}

/** The most records that a save may hold, by what has passed of late. */
export const fitOf = <Item, F extends Bulk.Failure>(saver: Saver<Item, F>): number => {
  const fit = fitNow(saver)
  return fit?.proven === true ? fit.size : Number.POSITIVE_INFINITY
}

/** The next batches begin with the size that passed, without failing at a larger one first. */
const remember = <Item, F extends Bulk.Failure>(
  saver: Saver<Item, F>,
  { passed, sizeDoubted, sizeProven }: Bulk.Bulk<F>
): void => {
  if (!sizeDoubted || passed === 0) return
  saver.fit = { size: passed, proven: sizeProven, until: saver.config.elapsed() + fitMillis }
}

const isFinished = Effect.succeed(true)
const isNotFinished = Effect.succeed(false)

/** Whether the batch is finished. */
const succeeds = <Item, F extends Bulk.Failure>(
  config: Config<Item, F>,
  run: Run<Item, F>,
  acknowledgement: Acknowledgement
): boolean => {
  const { batch, bulk, saving } = run
  const { from, to } = saving ?? { from: 0, to: 0 }
  run.saving = undefined
  if (bulk !== undefined) Bulk.saved(bulk)
  answered(config, run)
  config.listener.acknowledged(to - from)
  config.listener.stored(batch, from, to, acknowledgement?.duplicates ?? 0)
  return bulk === undefined || Bulk.isDone(bulk)
}

const saveStep = <Item, F extends Bulk.Failure>(
  saver: Saver<Item, F>,
  run: Run<Item, F>,
  storage: Target<Item>,
  from: number,
  to: number
): Effect.Effect<boolean> => {
  const { batch } = run
  const { wrap } = saver.config
  const whole = from === 0 && to === batch.items.length
  saver.run = run
  run.saving = { from, to }
  const prepared = whole ? run.prepared : undefined
  // A copy: the array that a storage gets is its own, and the records are needed here for the next attempt.
  const attempt = prepared ?? call(storage, batch.items.slice(from, to))
  const wrapped = wrap === undefined ? attempt : wrap(attempt, batch, from, to)
  return Effect.matchCauseEffect(wrapped, saver.answers)
}

const waitStep = <Item, F extends Bulk.Failure>(
  config: Config<Item, F>,
  run: Run<Item, F>,
  failure: F
): Effect.Effect<boolean> => {
  const bulk = bulkOf(run)
  if (config.listener.isClosing() && Bulk.conclude(bulk)) return isNotFinished
  if (compare(config, run)) return isNotFinished
  run.attempt++
  config.listener.waiting(failure, run.attempt)
  const driver = run.driver === undefined ? Time.driver(config.schedule) : Effect.succeed(run.driver)
  return Effect.flatMap(driver, (driver) => {
    run.driver = driver
    return Effect.match(driver.next(failure), {
      onFailure: () => {
        Bulk.exhausted(bulk)
        return false
      },
      onSuccess: () => {
        if (!compare(config, run)) Bulk.retry(bulk)
        return false
      }
    })
  })
}

const compare = <Item, F extends Bulk.Failure>(config: Config<Item, F>, run: Run<Item, F>): boolean => {
  const bulk = bulkOf(run)
  if (!bulk.wantsMore) return false
  const count = config.listener.extend()
  if (count === 0) return false
  run.prepared = undefined
  Bulk.extend(bulk, count)
  return true
}

const sinkFailed = <Item, F extends Bulk.Failure>(config: Config<Item, F>, run: Run<Item, F>): void => {
  run.sinkTries++
  run.sinkRests = run.sinkTries < sinkTries
  if (run.sinkRests) return
  const step = Bulk.next(bulkOf(run))
  if (step._tag === "Isolate") isolate(config, run, step, entryOf(config, run, step), "failed")
}

const entryOf = <Item, F extends Bulk.Failure>(
  config: Config<Item, F>,
  run: Run<Item, F>,
  { cause, detail, index }: Bulk.Suspect<F>
): Isolated<Item, F> => ({
  index,
  record: run.batch.items[index] as Item,
  cause: config.single(cause, detail),
  outcome: Bulk.outcomeOf(bulkOf(run), index),
  at: config.now()
})

const isolate = <Item, F extends Bulk.Failure>(
  config: Config<Item, F>,
  run: Run<Item, F>,
  suspect: Bulk.Suspect<F>,
  entry: Isolated<Item, F>,
  result: SinkResult
): boolean => {
  run.sinkTries = 0
  Bulk.isolated(bulkOf(run))
  // The storage has judged this very record: it is there.
  if (suspect.times > 0) answered(config, run)
  config.listener.isolated(run.batch, entry, result)
  return Bulk.next(bulkOf(run))._tag === "Done"
}

const sinkStep = <Item, F extends Bulk.Failure>(
  config: Config<Item, F>,
  run: Run<Item, F>,
  suspect: Bulk.Suspect<F>
): Effect.Effect<boolean> => {
  if (run.sinkRests) {
    return Effect.map(Effect.sleep(sinkPauseMillis * 2 ** (run.sinkTries - 1)), () => {
      run.sinkRests = false
      return false
    })
  }
  const entry = entryOf(config, run, suspect)
  const { sink } = config
  if (sink === undefined) return Effect.sync(() => isolate(config, run, suspect, entry, "none"))
  const attempt = Effect.suspend(() => sink(entry))
  return Effect.map(Effect.exit(attempt), (exit) => {
    if (run.over) return true
    if (Exit.isSuccess(exit)) return isolate(config, run, suspect, entry, "taken")
    sinkFailed(config, run)
    return Bulk.next(bulkOf(run))._tag === "Done"
  })
}

/** The next step of a batch: true when the batch is finished. A failure stops the recorder. */
export const step = <Item, F extends Bulk.Failure>(
  saver: Saver<Item, F>,
  run: Run<Item, F>,
  storage: Target<Item>
): Effect.Effect<boolean, F> => {
  const { config } = saver
  const { length } = run.batch.items
  const fit = run.bulk === undefined && saver.fit !== undefined ? fitNow(saver) : undefined
  if (run.bulk === undefined && length > 0 && fit === undefined)
    return saveStep(saver, run, storage, 0, length)
  const bulk = bulkOf(run, fit)
  const next = Bulk.next(bulk)
  switch (next._tag) {
    case "Save":
      return saveStep(saver, run, storage, next.from, next.to)
    case "Wait":
      return waitStep(config, run, next.failure)
    case "Isolate":
      return sinkStep(config, run, next)
    case "Stop":
      if (compare(config, run)) return isNotFinished
      if (config.onFatal === "stop") return Effect.fail(next.failure)
      return Effect.sync(() => {
        Bulk.condemn(bulk)
        return false
      })
    case "Done":
      return Effect.succeed(true)
  }
}

/** A record without an outcome, and what is known of it. */
export interface Left<Item> {
  readonly index: number
  readonly record: Item
  readonly outcome: "NotStored" | "Unknown"
}

/** The records of a batch that has been given up, in order. */
export const leftOf = <Item, F extends Bulk.Failure>(run: Run<Item, F>): ReadonlyArray<Left<Item>> =>
  Bulk.remaining(bulkOf(run)).map((index) => {
    const { saving } = run
    const inFlight = saving !== undefined && index >= saving.from && index < saving.to
    return {
      index,
      record: run.batch.items[index] as Item,
      outcome: inFlight ? "Unknown" : Bulk.outcomeOf(bulkOf(run), index)
    }
  })
