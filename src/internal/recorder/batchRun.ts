/** One batch on its way: what is known of it between its steps, and how its records end. */
import type { Clock, Effect, Schedule } from "effect"
import type { Batch } from "../../Actor.js"
import type { Outcome, Saved, StorageError } from "../../Storage.js"
import * as Bisection from "./bisection.js"
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

/** Whether the next step of this batch waits on purpose, so that no limit holds for it. */
export const waits = <Record>(run: BatchRun<Record>): boolean =>
  run.sinkPauses || (run.bisection !== undefined && Bisection.mustWait(run.bisection))

/** The storage has answered: the next failure begins a new outage. */
export const answered = <Record>(config: Config<Record>, run: BatchRun<Record>): void => {
  run.attempt = 0
  run.driver = undefined
  config.listener.onAnswer()
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
