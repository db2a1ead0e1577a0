/** What one bulk save takes, and when the drain starts. */
import { describe, expect } from "@effect/vitest"
import { Effect, Fiber, TestClock } from "effect"
import * as Recorder from "../../src/Recorder.js"
import { closeAndAccount, expectAccount, numbers } from "../support/recorder/account.js"
import { backend, stepped } from "../support/recorder/backends.js"
import { manual, scenario, settled, started, withTurn } from "../support/time/turn.js"

describe("a bulk", () => {
  scenario("calls save once with everything that is ready, in order", function* () {
    const storage = backend<number>()
    const recorder = yield* Recorder.make(storage.storage)
    yield* Effect.sync(() => numbers(999).forEach(recorder.unsafeSave))
    yield* closeAndAccount(recorder, storage, { accepted: numbers(999) })
    expect(storage.batches()).toEqual([numbers(999)])
  })

  scenario("takes what came during the last save", function* () {
    const storage = yield* stepped<number>()
    const recorder = yield* Recorder.make(storage.storage)
    recorder.unsafeSave(1)
    const first = yield* storage.next
    recorder.unsafeSave(2)
    yield* settled
    recorder.unsafeSave(3)
    yield* first.succeed
    const second = yield* storage.next
    expect(second.batch).toEqual([2, 3])
    yield* second.succeed
    yield* closeAndAccount(recorder, storage, { accepted: numbers(3) })
  })

  scenario("ends at the next query or flush", function* () {
    const storage = backend<number>()
    const recorder = yield* Recorder.make(storage.storage)
    recorder.unsafeSave(1)
    recorder.unsafeSave(2)
    const load = yield* started(recorder.load(undefined))
    recorder.unsafeSave(3)
    const flush = yield* started(recorder.flush)
    recorder.unsafeSave(4)
    expect(yield* Fiber.join(load)).toEqual([1, 2])
    yield* Fiber.join(flush)
    yield* closeAndAccount(recorder, storage, { accepted: numbers(4) })
    expect(storage.batches()).toEqual([[1, 2], [3], [4]])
  })

  for (const [name, options, maxBatch, sizes] of [
    ["holds at most 1,000 records by default", {}, undefined, [1000, 1000, 500]],
    ["holds at most maxBatchSize records", { maxBatchSize: 1200 }, undefined, [1200, 1200, 100]],
    ["holds at most as many as a storage names that can take fewer", {}, 700, [700, 700, 700, 400]],
    ["is not changed by a storage that names nonsense", { maxBatchSize: 900 }, Number.NaN, [900, 900, 700]],
    ["is not changed by a storage that names 0", { maxBatchSize: 900 }, 0, [900, 900, 700]],
    ["is not made larger by a storage that can take more", { maxBatchSize: 900 }, 5000, [900, 900, 700]]
  ] as const) {
    scenario(name, function* () {
      const storage = backend<number>(maxBatch === undefined ? {} : { maxBatch })
      const recorder = yield* Recorder.make(storage.storage, options)
      yield* Effect.sync(() => numbers(2500).forEach(recorder.unsafeSave))
      yield* closeAndAccount(recorder, storage, { accepted: numbers(2500) })
      expect(storage.batches().map((batch) => batch.length)).toEqual(sizes)
      expect(storage.held).toEqual(numbers(2500))
    })
  }
})

describe("the drain", () => {
  scenario("starts at the end of the turn, so that the requests of one turn share a batch", function* () {
    const turn = manual()
    const storage = backend<number>()
    const recorder = yield* withTurn(turn)(Recorder.make(storage.storage))
    yield* turn.end
    for (const request of numbers(10)) {
      // Each request is a fiber of its own, and they take several microtasks.
      const fiber = yield* Effect.fork(recorder.save(request))
      yield* Fiber.join(fiber)
    }
    yield* settled
    expect(storage.saves).toEqual([])
    yield* turn.end
    expect(storage.batches()).toEqual([numbers(10)])
    const closing = yield* started(recorder.close)
    yield* turn.end
    expectAccount(yield* Fiber.join(closing), storage, { accepted: numbers(10) })
  })

  scenario("linger waits longer for more records", function* () {
    const storage = backend<number>()
    const recorder = yield* Recorder.make(storage.storage, { linger: "100 millis" })
    recorder.unsafeSave(1)
    yield* TestClock.adjust("60 millis")
    recorder.unsafeSave(2)
    yield* TestClock.adjust("39 millis")
    expect(storage.saves).toEqual([])
    yield* TestClock.adjust("1 millis")
    expect(storage.batches()).toEqual([[1, 2]])
    recorder.unsafeSave(3)
    yield* TestClock.adjust("99 millis")
    expect(storage.saves).toHaveLength(1)
    yield* TestClock.adjust("1 millis")
    expect(storage.batches()).toEqual([[1, 2], [3]])
    yield* closeAndAccount(recorder, storage, { accepted: numbers(3) })
  })

  scenario("linger ends early for a full batch, a query, a flush and a close", function* () {
    const storage = backend<number>()
    const recorder = yield* Recorder.make(storage.storage, { linger: "1 hour", maxBatchSize: 3 })
    numbers(2).forEach(recorder.unsafeSave)
    yield* settled
    expect(storage.saves).toEqual([])
    recorder.unsafeSave(3)
    yield* settled
    expect(storage.batches()).toEqual([[1, 2, 3]])
    recorder.unsafeSave(4)
    yield* settled
    expect(yield* recorder.load((record) => record > 3)).toEqual([4])
    recorder.unsafeSave(5)
    yield* settled
    yield* recorder.flush
    recorder.unsafeSave(6)
    yield* settled
    yield* closeAndAccount(recorder, storage, { accepted: numbers(6) })
    expect(storage.batches()).toEqual([[1, 2, 3], [4], [5], [6]])
  })
})
