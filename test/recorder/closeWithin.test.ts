/** Closing with a deadline, whatever hangs. */
import { describe, expect } from "@effect/vitest"
import { Deferred, Effect, Fiber, Option, Schedule, TestClock } from "effect"
import * as Recorder from "../../src/Recorder.js"
import { expectAccount, numbers } from "../support/recorder/account.js"
import { backend, poison, type SaveCall, stepped, transient } from "../support/recorder/backends.js"
import { scenario, settled, started } from "../support/time/turn.js"

const retry = Schedule.spaced("100 millis")

const unsaved = (report: Recorder.CloseReport<number, never>) =>
  report.unsaved.map(({ outcome, reason, record }) => [record, reason, outcome])

/** Ignores its interruption until the test opens the gate, then commits. */
const stubborn = (gate: Deferred.Deferred<void>) => (call: SaveCall<number>) =>
  Effect.uninterruptible(Effect.zipRight(Deferred.await(gate), call.commit))

describe("closeWithin", () => {
  scenario("returns as soon as everything is written", function* () {
    const storage = yield* stepped<number>()
    const recorder = yield* Recorder.make(storage.storage)
    recorder.unsafeSave(1)
    const closing = yield* started(recorder.closeWithin("1 hour"))
    yield* Effect.flatMap(storage.next, (call) => call.succeed)
    const report = yield* Fiber.join(closing)
    expectAccount(report, storage, { accepted: [1] })
    expect(unsaved(report)).toEqual([])
  })

  scenario(
    "abandons a save that ignores its interruption within 100 ms, and reports storageBusy",
    function* () {
      const gate = yield* Deferred.make<void>()
      const storage = backend<number>({ save: stubborn(gate) })
      const recorder = yield* Recorder.make(storage.storage, { maxBatchSize: 2 })
      numbers(3).forEach(recorder.unsafeSave)
      const receipt = yield* started(recorder.saveDurable(4))
      const closing = yield* started(recorder.closeWithin("5 seconds"))
      yield* TestClock.adjust(4999)
      expect(closing.unsafePoll()).toBeNull()
      yield* TestClock.adjust(101)
      const report = yield* Fiber.join(closing)
      expect(report.storageBusy).toBe(true)
      expect(Option.isSome(report.storage)).toBe(true)
      expect(unsaved(report)).toEqual([
        [1, "Deadline", "Unknown"],
        [2, "Deadline", "Unknown"],
        [3, "Deadline", "NotStored"],
        [4, "Deadline", "NotStored"]
      ])
      expect(yield* Effect.flip(Fiber.join(receipt))).toMatchObject({ reason: "HandedBack" })
      expectAccount(report, storage, { accepted: numbers(4) })
      expect((yield* recorder.status)._tag).toBe("Closed")
      // The late answer changes nothing: these records' fate has been told.
      yield* Deferred.succeed(gate, undefined)
      yield* settled
      expect(storage.held).toEqual([1, 2])
      expectAccount(report, storage, { accepted: numbers(4) })
      expect(recorder.unsafeStats()).toEqual(report.stats)
      expect(storage.saves).toHaveLength(1)
    }
  )

  scenario("interrupts one that hangs: the storage is not busy", function* () {
    const interrupted = yield* Deferred.make<void>()
    const storage = backend<number>({
      save: () => Effect.onInterrupt(Effect.never, () => Deferred.succeed(interrupted, undefined))
    })
    const recorder = yield* Recorder.make(storage.storage)
    recorder.unsafeSave(1)
    const closing = yield* started(recorder.closeWithin("1 second"))
    yield* TestClock.adjust("1 second")
    yield* Deferred.await(interrupted)
    const report = yield* Fiber.join(closing)
    expect(report.storageBusy).toBe(false)
    expect(unsaved(report)).toEqual([[1, "Deadline", "Unknown"]])
    expect(report.unsaved[0]!.cause).toEqual(Option.none())
    expectAccount(report, storage, { accepted: [1] })
  })

  scenario("knows of a half that was not tried again that it is not stored", function* () {
    const storage = backend<number>({
      save: (call) => (call.nth === 1 ? Effect.fail(poison()) : Effect.never)
    })
    const recorder = yield* Recorder.make(storage.storage)
    numbers(4).forEach(recorder.unsafeSave)
    const closing = yield* started(recorder.closeWithin("1 second"))
    yield* TestClock.adjust("2 seconds")
    const report = yield* Fiber.join(closing)
    expect(report.unsaved.map(({ outcome, record }) => [record, outcome])).toEqual([
      [1, "Unknown"],
      [2, "Unknown"],
      [3, "NotStored"],
      [4, "NotStored"]
    ])
    expectAccount(report, storage, { accepted: numbers(4) })
  })

  scenario("ends a wait for the next attempt, and names what was in the way", function* () {
    const storage = backend<number>({ save: () => Effect.fail(transient({ message: "away" })) })
    const recorder = yield* Recorder.make(storage.storage, { retry: Schedule.spaced("1 hour") })
    recorder.unsafeSave(1)
    const closing = yield* started(recorder.closeWithin("1 second"))
    yield* TestClock.adjust("1100 millis")
    const report = yield* Fiber.join(closing)
    expect(unsaved(report)).toEqual([[1, "Deadline", "NotStored"]])
    expect(Option.getOrThrow(report.unsaved[0]!.cause)).toMatchObject({ message: "away" })
    expectAccount(report, storage, { accepted: [1] })
  })

  scenario("bounds a close that is pending", function* () {
    const storage = backend<number>({ save: () => Effect.never })
    const recorder = yield* Recorder.make(storage.storage)
    recorder.unsafeSave(1)
    const patient = yield* started(recorder.close)
    yield* TestClock.adjust("10 seconds")
    expect(patient.unsafePoll()).toBeNull()
    const closing = yield* started(recorder.closeWithin("1 second"))
    yield* TestClock.adjust("1100 millis")
    const report = yield* Fiber.join(closing)
    expect(yield* Fiber.join(patient)).toBe(report)
    expectAccount(report, storage, { accepted: [1] })
  })

  for (const [name, first, second] of [
    ["the later call is the earlier deadline", "10 seconds", "2 seconds"],
    ["the earlier call is the earlier deadline", "2 seconds", "10 seconds"]
  ] as const) {
    scenario(`the earliest deadline wins: ${name}`, function* () {
      const storage = backend<number>({ save: () => Effect.never })
      const recorder = yield* Recorder.make(storage.storage)
      recorder.unsafeSave(1)
      const closers = [
        yield* started(recorder.closeWithin(first)),
        yield* started(recorder.closeWithin(second))
      ]
      yield* TestClock.adjust(1999)
      expect(closers.map((closer) => closer.unsafePoll())).toEqual([null, null])
      yield* TestClock.adjust(101)
      const reports = yield* Fiber.join(Fiber.all(closers))
      expect(reports[0]).toBe(reports[1])
      expectAccount(reports[0]!, storage, { accepted: [1] })
    })
  }

  scenario("interrupting its closer abandons only the wait: the deadline holds", function* () {
    const storage = backend<number>({ save: () => Effect.never })
    const recorder = yield* Recorder.make(storage.storage)
    recorder.unsafeSave(1)
    const closer = yield* started(recorder.closeWithin("1 second"))
    yield* Fiber.interrupt(closer)
    const patient = yield* started(recorder.close)
    yield* TestClock.adjust("1100 millis")
    expectAccount(yield* Fiber.join(patient), storage, { accepted: [1] })
  })

  scenario("of 0 hands back what is not written, at once", function* () {
    const storage = yield* stepped<number>()
    const recorder = yield* Recorder.make(storage.storage, { maxBatchSize: 2 })
    numbers(4).forEach(recorder.unsafeSave)
    yield* Effect.flatMap(storage.next, (call) => call.succeed)
    yield* storage.next
    const closing = yield* started(recorder.closeWithin(0))
    yield* TestClock.adjust("100 millis")
    const report = yield* Fiber.join(closing)
    expect(unsaved(report)).toEqual([
      [3, "Deadline", "Unknown"],
      [4, "Deadline", "Unknown"]
    ])
    expectAccount(report, storage, { accepted: numbers(4) })
  })

  scenario("abandons a query that ignores its interruption; its caller gets an error", function* () {
    const gate = yield* Deferred.make<void>()
    const storage = backend<number>({
      load: (found) => Effect.as(Effect.uninterruptible(Deferred.await(gate)), found)
    })
    const recorder = yield* Recorder.make(storage.storage)
    const load = yield* started(recorder.load(undefined))
    recorder.unsafeSave(1)
    const closing = yield* started(recorder.closeWithin("1 second"))
    yield* TestClock.adjust("1100 millis")
    const report = yield* Fiber.join(closing)
    expect(report.storageBusy).toBe(true)
    expect(yield* Effect.flip(Fiber.join(load))).toMatchObject({ _tag: "RecorderClosed" })
    expect(unsaved(report)).toEqual([[1, "Deadline", "NotStored"]])
    expectAccount(report, storage, { accepted: [1] })
    yield* Deferred.succeed(gate, undefined)
  })

  scenario("a record known to have an unknown outcome keeps it through later failures", function* () {
    const storage = backend<number>({
      save: (call) => Effect.fail(transient({ outcome: call.nth === 1 ? "Unknown" : "NotStored" }))
    })
    const recorder = yield* Recorder.make(storage.storage, { retry, maxBatchSize: 1 })
    numbers(2).forEach(recorder.unsafeSave)
    yield* TestClock.adjust("1 second")
    const closing = yield* started(recorder.closeWithin(0))
    yield* TestClock.adjust("100 millis")
    const report = yield* Fiber.join(closing)
    expect(unsaved(report)).toEqual([
      [1, "Deadline", "Unknown"],
      [2, "Deadline", "NotStored"]
    ])
    expectAccount(report, storage, { accepted: numbers(2) })
  })
})
