/** Records that cannot be stored: the dead-letter sink, what is held without one, and redrive. */
import { describe, expect } from "@effect/vitest"
import { Deferred, Effect, Fiber, Option, Schedule, TestClock } from "effect"
import * as Recorder from "../../src/Recorder.js"
import { closeAndAccount, expectAccount, expectBalance, numbers } from "../support/recorder/account.js"
import {
  backend,
  fatal,
  type OpenCall,
  poison,
  refusing,
  stepped,
  transient
} from "../support/recorder/backends.js"
import { scenario, settled, started } from "../support/time/turn.js"

const even = (record: number) => record % 2 === 0
const retry = Schedule.spaced("100 millis")

describe("with a sink", () => {
  scenario("each record that cannot be stored goes to it, with its cause, outcome and time", function* () {
    const taken: Array<Recorder.SetAside<number>> = []
    const storage = backend<number>({
      save: (call) =>
        call.nth === 1
          ? Effect.fail(transient({ outcome: "Unknown" }))
          : refusing<number>(even, poison({ message: "even" }))(call)
    })
    const recorder = yield* Recorder.make(storage.storage, {
      retry,
      deadLetters: (entry) => Effect.sync(() => void taken.push(entry))
    })
    numbers(5).forEach(recorder.unsafeSave)
    yield* TestClock.adjust("100 millis")
    yield* TestClock.adjust("1 second")
    recorder.unsafeSave(6)
    yield* recorder.flush
    const cause = expect.objectContaining({ _tag: "StorageError", kind: "Poison", message: "even" })
    expect(taken).toEqual([
      expect.objectContaining({ record: 2, outcome: "Unknown", at: 100, cause }),
      expect.objectContaining({ record: 4, outcome: "Unknown", at: 100, cause }),
      expect.objectContaining({ record: 6, outcome: "NotStored", at: 1100, cause })
    ])
    const report = yield* closeAndAccount(recorder, storage, { accepted: numbers(6), sunk: [2, 4, 6] })
    expect(report.setAside).toEqual([])
    expect(report.stats).toMatchObject({ stored: 3, setAside: 3 })
  })

  scenario("it gets nothing else than the four facts of an entry", function* () {
    const taken: Array<unknown> = []
    const storage = backend<number>({ save: refusing<number>(even) })
    const recorder = yield* Recorder.make(storage.storage, {
      deadLetters: (entry) => Effect.sync(() => void taken.push(Object.keys(entry).sort()))
    })
    recorder.unsafeSave(2)
    yield* recorder.flush
    expect(taken).toEqual([["at", "cause", "outcome", "record"]])
    yield* recorder.close
  })

  scenario("it is waited for: the next records follow the dead letters before them", function* () {
    const gate = yield* Deferred.make<void>()
    const storage = backend<number>({ save: refusing<number>(even) })
    const recorder = yield* Recorder.make(storage.storage, {
      maxBatchSize: 1,
      deadLetters: () => Deferred.await(gate)
    })
    numbers(3).forEach(recorder.unsafeSave)
    yield* settled
    expect(storage.held).toEqual([1])
    expect(recorder.unsafeStats()).toMatchObject({ stored: 1, setAside: 0, pending: 2 })
    yield* Deferred.succeed(gate, undefined)
    yield* closeAndAccount(recorder, storage, { accepted: numbers(3), sunk: [2] })
  })

  for (const [name, failure] of [
    ["fails", Effect.fail("full")],
    ["dies", Effect.die("full")],
    ["throws", undefined]
  ] as const) {
    scenario(`one that ${name} is tried 3 times; then the record is handed back as SinkFailed`, function* () {
      const tries: Array<number> = []
      const storage = backend<number>({ save: refusing<number>(even) })
      const recorder = yield* Recorder.make(storage.storage, {
        deadLetters: () => {
          if (failure === undefined) {
            tries.push(0)
            throw new Error("full")
          }
          return Effect.zipRight(
            Effect.clockWith((clock) => Effect.sync(() => tries.push(clock.unsafeCurrentTimeMillis()))),
            failure
          )
        }
      })
      numbers(3).forEach(recorder.unsafeSave)
      const receipt = yield* started(recorder.saveDurable(4))
      yield* TestClock.adjust("10 seconds")
      yield* recorder.flush
      // The storage stored what stood behind it all the same.
      expect(storage.held).toEqual([1, 3])
      expect(tries).toHaveLength(6)
      if (failure !== undefined) expect(tries).toEqual([0, 100, 300, 300, 400, 600])
      expect(yield* Effect.flip(Fiber.join(receipt))).toMatchObject({ reason: "HandedBack" })
      expect(recorder.unsafeStats()).toMatchObject({ setAside: 0, handedBack: 2, pending: 0 })
      expectBalance(recorder.unsafeStats())
      const report = yield* closeAndAccount(recorder, storage, { accepted: numbers(4) })
      expect(report.unsaved).toMatchObject([
        { record: 2, reason: "SinkFailed", outcome: "NotStored" },
        { record: 4, reason: "SinkFailed", outcome: "NotStored" }
      ])
      for (const { cause } of report.unsaved) {
        expect(Option.getOrThrow(cause)).toMatchObject({ _tag: "StorageError", kind: "Poison" })
      }
    })
  }

  scenario("one that recovers on its third try has taken the record", function* () {
    let tries = 0
    const storage = backend<number>({ save: refusing<number>(even) })
    const recorder = yield* Recorder.make(storage.storage, {
      deadLetters: () => Effect.suspend(() => (++tries < 3 ? Effect.fail("full") : Effect.void))
    })
    numbers(2).forEach(recorder.unsafeSave)
    yield* TestClock.adjust("1 second")
    const report = yield* closeAndAccount(recorder, storage, { accepted: numbers(2), sunk: [2] })
    expect(report.unsaved).toEqual([])
  })

  scenario(
    "one that hangs is interrupted after saveTimeout, 3 times, and never runs twice at once",
    function* () {
      let running = 0
      let most = 0
      const begun: Array<number> = []
      const hang = Effect.acquireUseRelease(
        Effect.clockWith((clock) =>
          Effect.sync(() => {
            begun.push(clock.unsafeCurrentTimeMillis())
            most = Math.max(most, ++running)
          })
        ),
        () => Effect.never,
        () => Effect.sync(() => running--)
      )
      const storage = backend<number>({ save: refusing<number>(even) })
      const recorder = yield* Recorder.make(storage.storage, {
        saveTimeout: "2 seconds",
        deadLetters: () => hang
      })
      numbers(3).forEach(recorder.unsafeSave)
      yield* TestClock.adjust("7 seconds")
      yield* recorder.flush
      expect(most).toBe(1)
      expect(running).toBe(0)
      expect(begun[0]).toBe(0)
      expect(begun).toHaveLength(3)
      const report = yield* closeAndAccount(recorder, storage, { accepted: numbers(3) })
      expect(report.unsaved).toMatchObject([{ record: 2, reason: "SinkFailed" }])
    }
  )

  scenario("a record of a batch given up as fatal goes to it too", function* () {
    const storage = backend<number>({
      save: (call) => (call.nth === 1 ? Effect.fail(fatal()) : call.commit)
    })
    const taken: Array<number> = []
    const recorder = yield* Recorder.make(storage.storage, {
      maxBatchSize: 2,
      onFatal: "set-aside",
      deadLetters: ({ record }) => Effect.sync(() => void taken.push(record))
    })
    numbers(3).forEach(recorder.unsafeSave)
    yield* recorder.flush
    expect(taken).toEqual([1, 2])
    yield* closeAndAccount(recorder, storage, { accepted: numbers(3), sunk: [1, 2] })
  })

  scenario("a close with a deadline does not wait for it", function* () {
    const storage = backend<number>({ save: refusing<number>(even) })
    const recorder = yield* Recorder.make(storage.storage, { deadLetters: () => Effect.never })
    numbers(4).forEach(recorder.unsafeSave)
    yield* settled
    const closing = yield* started(recorder.closeWithin("1 second"))
    yield* TestClock.adjust("1100 millis")
    const report = yield* Fiber.join(closing)
    expectAccount(report, storage, { accepted: numbers(4) })
    expect(report.unsaved.map(({ record, reason }) => [record, reason])).toContainEqual([2, "Deadline"])
  })
})

describe("without a sink", () => {
  scenario(
    "records set aside stay with the recorder, and come back from close with cause and time",
    function* () {
      const storage = backend<number>({ save: refusing<number>(even, poison({ message: "even" })) })
      const recorder = yield* Recorder.make(storage.storage)
      yield* TestClock.adjust("5 millis")
      numbers(4).forEach(recorder.unsafeSave)
      yield* recorder.flush
      expect(recorder.unsafeStats()).toMatchObject({ stored: 2, setAside: 2, pending: 0 })
      const report = yield* closeAndAccount(recorder, storage, { accepted: numbers(4) })
      expect(report.unsaved).toEqual([])
      const cause = expect.objectContaining({ message: "even" })
      expect(report.setAside).toEqual([
        { record: 2, outcome: "NotStored", at: 5, cause },
        { record: 4, outcome: "NotStored", at: 5, cause }
      ])
    }
  )
})

describe("redrive", () => {
  scenario("takes the room by bytes of its records again, and frees it", function* () {
    let mended = false
    const storage = yield* stepped<number>()
    const fails = (call: OpenCall<number>) => (mended ? call.succeed : call.fail(poison()))
    const answerNext = Effect.flatMap(storage.next, fails)
    const recorder = yield* Recorder.make(storage.storage, {
      maxBatchSize: 1,
      bound: { bytes: 10, sizeOf: (size) => size, overflow: "reject" }
    })
    expect([3, 4].map(recorder.unsafeSave)).toEqual([true, true])
    yield* answerNext
    yield* answerNext
    yield* recorder.flush
    expect(recorder.unsafeStats()).toMatchObject({ setAside: 2, pending: 0, pendingBytes: 0 })
    mended = true
    expect(yield* recorder.redrive).toBe(2)
    expect(recorder.unsafeStats()).toMatchObject({ pending: 2, pendingBytes: 7 })
    expect(recorder.unsafeSave(5)).toBe(false)
    yield* answerNext
    yield* settled
    expect(recorder.unsafeStats()).toMatchObject({ pending: 1, pendingBytes: 4 })
    yield* answerNext
    yield* recorder.flush
    expect(recorder.unsafeStats()).toMatchObject({ pending: 0, pendingBytes: 0 })
    expect(recorder.unsafeSave(10)).toBe(true)
    yield* answerNext
    const report = yield* closeAndAccount(recorder, storage, { accepted: [3, 4, 10] })
    expect(report.stats.refused).toBe(1)
  })

  scenario("saves again what was set aside and is held, and returns how many", function* () {
    let mended = false
    const storage = backend<number>({ save: refusing<number>((record) => even(record) && !mended) })
    const recorder = yield* Recorder.make(storage.storage)
    numbers(4).forEach(recorder.unsafeSave)
    yield* recorder.flush
    mended = true
    expect(yield* recorder.redrive).toBe(2)
    expect(recorder.unsafeStats()).toMatchObject({ accepted: 4, stored: 2, setAside: 0, pending: 2 })
    expect(yield* recorder.redrive).toBe(0)
    yield* recorder.flush
    expect(recorder.unsafeStats()).toMatchObject({ accepted: 4, stored: 4, setAside: 0, pending: 0 })
    expect(storage.held).toEqual([1, 3, 2, 4])
    const report = yield* closeAndAccount(recorder, storage, { accepted: numbers(4) })
    expect(report.setAside).toEqual([])
  })

  scenario("a record that fails again is set aside again, with its newer time", function* () {
    const storage = backend<number>({ save: refusing<number>(even) })
    const recorder = yield* Recorder.make(storage.storage)
    recorder.unsafeSave(2)
    yield* recorder.flush
    yield* TestClock.adjust("1 minute")
    expect(yield* recorder.redrive).toBe(1)
    yield* recorder.flush
    expect(recorder.unsafeStats()).toMatchObject({ accepted: 1, setAside: 1 })
    const report = yield* closeAndAccount(recorder, storage, { accepted: [2] })
    expect(report.setAside).toMatchObject([{ record: 2, at: 60_000 }])
  })

  scenario("leaves the receipts of other records alone", function* () {
    let mended = false
    const storage = backend<number>({ save: refusing<number>((record) => even(record) && !mended) })
    const recorder = yield* Recorder.make(storage.storage)
    expect(yield* Effect.flip(recorder.saveDurable(2))).toMatchObject({ reason: "SetAside" })
    yield* recorder.saveDurable(3)
    mended = true
    const before = yield* started(recorder.saveDurable(5))
    yield* recorder.redrive
    yield* recorder.saveDurable(7)
    yield* Fiber.join(before)
    yield* closeAndAccount(recorder, storage, { accepted: [2, 3, 5, 7] })
  })

  scenario("has nothing to do after close, or when the recorder has failed", function* () {
    const storage = backend<number>({
      save: (call) => (call.batch.includes(9) ? Effect.fail(fatal()) : refusing<number>(even)(call))
    })
    const recorder = yield* Recorder.make(storage.storage)
    recorder.unsafeSave(2)
    yield* recorder.flush
    recorder.unsafeSave(9)
    yield* settled
    expect((yield* recorder.status)._tag).toBe("Failed")
    expect(yield* recorder.redrive).toBe(0)
    const report = yield* closeAndAccount(recorder, storage, { accepted: [2, 9] })
    expect(yield* recorder.redrive).toBe(0)
    expect(report.setAside.map(({ record }) => record)).toEqual([2])
    expect(report.unsaved.map(({ record }) => record)).toEqual([9])
  })
})
