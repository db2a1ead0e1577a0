/** The policies that drop records, and the account of it. */
import { describe, expect } from "@effect/vitest"
import { Effect, Fiber, TestClock } from "effect"
import * as Recorder from "../../src/Recorder.js"
import { closeAndAccount, expectBalance, numbers } from "../support/recorder/account.js"
import { type SteppedBackend, stepped } from "../support/recorder/backends.js"
import { logs } from "../support/recorder/watching.js"
import { scenario, settled, started } from "../support/time/turn.js"

const succeedNext = <R>(storage: SteppedBackend<R>) => Effect.flatMap(storage.next, (call) => call.succeed)

describe("drop-newest", () => {
  const bound = { count: 2, overflow: "drop-newest" } as const

  scenario("is in the account: true, counted accepted and dropped; a receipt fails", function* () {
    const storage = yield* stepped<number>()
    const recorder = yield* Recorder.make(storage.storage, { bound })
    expect(numbers(3).map(recorder.unsafeSave)).toEqual([true, true, true])
    expect(yield* recorder.save(4)).toBe(true)
    expect(yield* recorder.saveAll([5, 6])).toBe(true)
    expect(yield* Effect.flip(recorder.saveDurable(7))).toMatchObject({ reason: "Dropped" })
    expect(recorder.unsafeStats()).toMatchObject({ accepted: 7, dropped: 5, pending: 2, refused: 0 })
    expectBalance(recorder.unsafeStats())
    const call = yield* storage.next
    expect(call.batch).toEqual([1, 2])
    yield* call.succeed
    yield* closeAndAccount(recorder, storage, { accepted: numbers(7), dropped: numbers(5, 3) })
  })

  scenario("saveAll keeps as many as fit, from its beginning", function* () {
    const storage = yield* stepped<number>()
    const recorder = yield* Recorder.make(storage.storage, { bound })
    recorder.unsafeSave(1)
    expect(yield* recorder.saveAll([2, 3, 4])).toBe(true)
    yield* succeedNext(storage)
    yield* closeAndAccount(recorder, storage, { accepted: numbers(4), dropped: [3, 4] })
  })
})

describe("drop-oldest", () => {
  const bound = { count: 3, overflow: "drop-oldest" } as const

  scenario("only records never handed to save are dropped; their receipts fail", function* () {
    const storage = yield* stepped<number>()
    const recorder = yield* Recorder.make(storage.storage, { bound })
    const inFlight = yield* started(recorder.saveDurable(1))
    const call = yield* storage.next
    const queued = yield* started(recorder.saveDurable(2))
    expect(numbers(4, 3).map(recorder.unsafeSave)).toEqual([true, true, true, true])
    expect(yield* Effect.flip(Fiber.join(queued))).toMatchObject({ reason: "Dropped" })
    expect(recorder.unsafeStats()).toMatchObject({ accepted: 6, dropped: 3, pending: 3 })
    expectBalance(recorder.unsafeStats())
    yield* call.succeed
    yield* Fiber.join(inFlight)
    const next = yield* storage.next
    expect(next.batch).toEqual([5, 6])
    yield* next.succeed
    yield* closeAndAccount(recorder, storage, { accepted: numbers(6), dropped: [2, 3, 4] })
  })

  scenario("while everything pending is in flight the new record is the one to drop", function* () {
    const storage = yield* stepped<number>()
    const recorder = yield* Recorder.make(storage.storage, { bound })
    numbers(3).forEach(recorder.unsafeSave)
    const call = yield* storage.next
    expect(recorder.unsafeSave(4)).toBe(true)
    expect(yield* Effect.flip(recorder.saveDurable(5))).toMatchObject({ reason: "Dropped" })
    yield* call.succeed
    yield* closeAndAccount(recorder, storage, { accepted: numbers(5), dropped: [4, 5] })
  })

  scenario("drops as many as a large record needs, and none for one that can never fit", function* () {
    const storage = yield* stepped<string>()
    const recorder = yield* Recorder.make(storage.storage, {
      bound: { bytes: 5, sizeOf: (record: string) => record.length, overflow: "drop-oldest" }
    })
    for (const record of ["a", "b", "c", "ddd", "eeeeee"]) expect(recorder.unsafeSave(record)).toBe(true)
    expect(recorder.unsafeStats()).toMatchObject({ accepted: 5, dropped: 2, pending: 3, pendingBytes: 5 })
    yield* succeedNext(storage)
    const accepted = ["a", "b", "c", "ddd", "eeeeee"]
    yield* closeAndAccount(recorder, storage, { accepted, dropped: ["a", "eeeeee"] })
  })

  scenario("a dropped record's place is taken in order, across batches", function* () {
    const storage = yield* stepped<number>()
    const recorder = yield* Recorder.make(storage.storage, {
      maxBatchSize: 2,
      bound: { count: 5, overflow: "drop-oldest" }
    })
    recorder.unsafeSave(0)
    const call = yield* storage.next
    numbers(9).forEach(recorder.unsafeSave)
    yield* call.succeed
    yield* succeedNext(storage)
    yield* succeedNext(storage)
    yield* closeAndAccount(recorder, storage, { accepted: numbers(10, 0), dropped: numbers(5) })
    expect(storage.held).toEqual([0, 6, 7, 8, 9])
  })
})

describe("an interval of drops", () => {
  for (const overflow of ["drop-newest", "drop-oldest"] as const) {
    scenario(`is logged once and leaves one gap note (${overflow})`, function* () {
      const { layer, lines } = logs()
      const storage = yield* stepped<number>()
      const recorder = yield* Effect.provide(
        Recorder.make(storage.storage, { maxBatchSize: 2, bound: { count: 4, overflow } }),
        layer
      )
      const logged = () => lines.filter(({ text }) => text.includes(overflow)).length
      yield* TestClock.adjust("10 millis")
      numbers(5).forEach(recorder.unsafeSave)
      yield* TestClock.adjust("7 millis")
      numbers(2, 6).forEach(recorder.unsafeSave)
      const open = { from: 10, to: 17, count: 3, reason: overflow }
      expect(recorder.unsafeStats().gaps).toEqual([open])
      yield* settled
      expect(logged()).toBe(1)
      // Half of the bound is not below it: the interval goes on.
      yield* succeedNext(storage)
      yield* storage.next.pipe(
        Effect.tap(() => numbers(3, 8).forEach(recorder.unsafeSave)),
        Effect.flatMap((call) => call.succeed)
      )
      expect(recorder.unsafeStats().gaps).toEqual([{ ...open, count: 4 }])
      yield* succeedNext(storage)
      yield* recorder.flush
      numbers(5, 20).forEach(recorder.unsafeSave)
      expect(recorder.unsafeStats().gaps).toEqual([
        { ...open, count: 4 },
        { from: 17, to: 17, count: 1, reason: overflow }
      ])
      yield* settled
      expect(logged()).toBe(2)
      yield* succeedNext(storage)
      yield* succeedNext(storage)
      const report = yield* recorder.close
      expectBalance(report.stats)
      expect(report.stats).toMatchObject({ accepted: 15, dropped: 5, stored: 10 })
    })
  }

  scenario("the last 100 are kept", function* () {
    const storage = yield* stepped<number>()
    const recorder = yield* Recorder.make(storage.storage, { bound: { count: 1, overflow: "drop-newest" } })
    for (const interval of numbers(102)) {
      recorder.unsafeSave(interval)
      recorder.unsafeSave(-interval)
      yield* succeedNext(storage)
      yield* recorder.flush
      yield* TestClock.adjust("1 millis")
    }
    const { dropped, gaps } = recorder.unsafeStats()
    expect(dropped).toBe(102)
    expect(gaps).toHaveLength(100)
    expect([gaps[0]?.from, gaps[99]?.from]).toEqual([2, 101])
    yield* closeAndAccount(recorder, storage, {
      accepted: numbers(102).flatMap((n) => [n, -n]),
      dropped: numbers(102).map((n) => -n)
    })
  })
})
