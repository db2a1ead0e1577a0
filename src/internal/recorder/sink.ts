/** Takes a record that cannot be stored to the dead-letter sink. */
import { Effect, Exit } from "effect"
import type { StorageError } from "../../Storage.js"
import { answered, type BatchRun, bisectionOf, type Config, type SinkResult } from "./batchRun.js"
import * as Bisection from "./bisection.js"
import { errorOfRecord } from "./classify.js"
import type { SetAside } from "./deadLetters.js"

/** A sink is tried this often, with pauses of 100 and 200 ms. */
const maxSinkTries = 3
const sinkPauseMillis = 100

/** The sink has failed, or took too long: it is tried again after a pause, or the record is handed back. */
export const sinkFailed = <Record>(config: Config<Record>, run: BatchRun<Record>): void => {
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

/** Gives one bad record to the sink. True when the batch is finished. */
export const sinkStep = <Record>(
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
