/** What many recorders in one process take beside one: counted, not timed. */
import { expect } from "@effect/vitest"
import { Chunk, Effect, Supervisor, TestClock } from "effect"
import * as Recorder from "../../src/Recorder.js"
import { numbers } from "../support/recorder/account.js"
import { backend } from "../support/recorder/backends.js"
import { scenario, settled } from "../support/time/turn.js"

/** Counts the fibers that start. */
class Counting extends Supervisor.AbstractSupervisor<number> {
  started = 0
  readonly value = Effect.sync(() => this.started)
  override onStart(): void {
    this.started++
  }
}

scenario("64 recorders begin no fiber and arm no timer for a batch", function* () {
  const fibers = new Counting()
  const storages = numbers(64).map(() => backend<number>())
  const recorders = yield* Effect.supervised(
    Effect.forEach(storages, ({ storage }) => Recorder.make(storage)),
    fibers
  )
  yield* settled
  const [started, sleeps] = [fibers.started, Chunk.size(yield* TestClock.sleeps())]
  expect(started).toBeGreaterThanOrEqual(recorders.length)
  for (const turn of numbers(20)) {
    for (const recorder of recorders) recorder.unsafeSave(turn)
    yield* settled
  }
  for (const { batches } of storages) expect(batches()).toEqual(numbers(20).map((turn) => [turn]))
  expect(fibers.started).toBe(started)
  expect(Chunk.size(yield* TestClock.sleeps())).toBe(sleeps)
})
