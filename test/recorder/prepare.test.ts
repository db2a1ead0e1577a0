/** A storage that prepares the next batch while a save is out. */
import { describe, expect } from "@effect/vitest"
import { Effect, Fiber, Schedule, TestClock } from "effect"
import * as Recorder from "../../src/Recorder.js"
import type { Storage } from "../../src/Storage.js"
import { expectAccount, numbers } from "../support/recorder/account.js"
import { poison, type SteppedBackend, stepped, transient } from "../support/recorder/backends.js"
import { scenario, settled, started } from "../support/time/turn.js"

const retry = Schedule.spaced("100 millis")

/** The storage of a backend, with `prepare`; what was prepared is noted. */
const preparing = (
  backend: SteppedBackend<number>,
  encode: (batch: ReadonlyArray<number>) => void = () => undefined
) => {
  const prepared: Array<ReadonlyArray<number>> = []
  const storage: Storage<number> = {
    ...backend.storage,
    prepare: (batch) => {
      prepared.push(batch.slice())
      encode(batch)
      return backend.storage.save(batch)
    }
  }
  return { prepared, storage }
}

const succeedNext = (backend: SteppedBackend<number>) => Effect.flatMap(backend.next, (call) => call.succeed)

describe("prepare", () => {
  scenario("gets the next full batch while a save is out, and its effect saves it in order", function* () {
    const backend = yield* stepped<number>()
    const { prepared, storage } = preparing(backend)
    const recorder = yield* Recorder.make(storage, { maxBatchSize: 3 })
    numbers(8).forEach(recorder.unsafeSave)
    const first = yield* backend.next
    yield* settled
    expect(first.batch).toEqual([1, 2, 3])
    expect(prepared).toEqual([[4, 5, 6]])
    expect(recorder.unsafeStats()).toMatchObject({ pending: 8, stored: 0 })
    yield* first.succeed
    const second = yield* backend.next
    yield* settled
    expect(second.batch).toEqual([4, 5, 6])
    expect(recorder.unsafeStats()).toMatchObject({ pending: 5, stored: 3 })
    // The last batch may still grow.
    expect(prepared).toHaveLength(1)
    yield* second.succeed
    yield* succeedNext(backend)
    const report = yield* recorder.close
    expectAccount(report, backend, { accepted: numbers(8) })
    expect(backend.held).toEqual(numbers(8))
  })

  for (const linger of [0, 50, "adaptive"] as const) {
    scenario(`gets the next batch when it is full, with a linger of ${linger} too`, function* () {
      const backend = yield* stepped<number>()
      const { prepared, storage } = preparing(backend)
      const recorder = yield* Recorder.make(storage, { maxBatchSize: 4, linger })
      numbers(4).forEach(recorder.unsafeSave)
      const first = yield* backend.next
      numbers(5, 5).forEach(recorder.unsafeSave)
      yield* settled
      expect(prepared).toEqual([numbers(4, 5)])
      yield* first.succeed
      yield* succeedNext(backend)
      const closing = yield* Effect.fork(recorder.close)
      yield* succeedNext(backend)
      yield* Fiber.join(closing)
      expect(backend.held).toEqual(numbers(9))
    })
  }

  scenario("a prepared batch is no longer droppable", function* () {
    const backend = yield* stepped<number>()
    const { prepared, storage } = preparing(backend)
    const recorder = yield* Recorder.make(storage, {
      maxBatchSize: 2,
      bound: { count: 5, overflow: "drop-oldest" }
    })
    numbers(5).forEach(recorder.unsafeSave)
    const first = yield* backend.next
    yield* settled
    expect(prepared).toEqual([[3, 4]])
    numbers(2, 6).forEach(recorder.unsafeSave)
    yield* first.succeed
    yield* succeedNext(backend)
    yield* succeedNext(backend)
    const report = yield* recorder.close
    expectAccount(report, backend, { accepted: numbers(7), dropped: [5, 6] })
    expect(backend.held).toEqual([1, 2, 3, 4, 7])
  })

  scenario("one that throws costs only the head start", function* () {
    const backend = yield* stepped<number>()
    const { prepared, storage } = preparing(backend, () => {
      throw new Error("encoding")
    })
    const recorder = yield* Recorder.make(storage, { maxBatchSize: 2 })
    numbers(4).forEach(recorder.unsafeSave)
    const first = yield* backend.next
    yield* settled
    expect(prepared).toEqual([[3, 4]])
    yield* first.succeed
    yield* succeedNext(backend)
    expectAccount(yield* recorder.close, backend, { accepted: numbers(4) })
  })

  scenario(
    "its effect may run any number of times; the halves of its batch are saved without it",
    function* () {
      const backend = yield* stepped<number>()
      const { prepared, storage } = preparing(backend)
      const recorder = yield* Recorder.make(storage, { maxBatchSize: 2, retry })
      numbers(4).forEach(recorder.unsafeSave)
      yield* Effect.flatMap(backend.next, (call) => Effect.zipRight(settled, call.succeed))
      yield* Effect.flatMap(backend.next, (call) => call.fail(transient()))
      yield* TestClock.adjust("100 millis")
      yield* Effect.flatMap(backend.next, (call) => call.fail(poison()))
      yield* succeedNext(backend)
      yield* succeedNext(backend)
      expectAccount(yield* recorder.close, backend, { accepted: numbers(4) })
      expect(backend.batches()).toEqual([[1, 2], [3, 4], [3, 4], [3], [4]])
      expect(prepared).toEqual([[3, 4]])
    }
  )

  scenario("a prepared batch is handed back, in order, when a deadline ends the close", function* () {
    const backend = yield* stepped<number>()
    const { storage } = preparing(backend)
    const recorder = yield* Recorder.make(storage, { maxBatchSize: 2 })
    numbers(5).forEach(recorder.unsafeSave)
    yield* backend.next
    yield* settled
    const closing = yield* started(recorder.closeWithin("1 second"))
    yield* TestClock.adjust("1100 millis")
    const report = yield* Fiber.join(closing)
    expectAccount(report, backend, { accepted: numbers(5) })
    expect(report.unsaved.map(({ record, outcome }) => [record, outcome])).toEqual([
      [1, "Unknown"],
      [2, "Unknown"],
      [3, "NotStored"],
      [4, "NotStored"],
      [5, "NotStored"]
    ])
  })

  scenario("the array that it gets is its own", function* () {
    const backend = yield* stepped<number>()
    const { storage } = preparing(backend, (batch) => void (batch as Array<number>).reverse())
    const recorder = yield* Recorder.make(storage, { maxBatchSize: 2 })
    numbers(4).forEach(recorder.unsafeSave)
    yield* Effect.flatMap(backend.next, (call) => Effect.zipRight(settled, call.succeed))
    yield* Effect.flatMap(backend.next, (call) => call.fail(poison({ bad: [{ index: 0, cause: "first" }] })))
    yield* succeedNext(backend)
    const report = yield* recorder.close
    expect(report.stats).toMatchObject({ stored: 3, setAside: 1 })
    // Positions count in the batch that the recorder gave out.
    expect(report.setAside.map(({ record }) => record)).toEqual([3])
    expect(backend.batches()).toEqual([[1, 2], [4, 3], [4]])
  })
})
