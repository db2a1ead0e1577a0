/** What load and flush promise. */
import { describe, expect } from "@effect/vitest"
import { Cause, Deferred, Effect, Exit, Fiber, Option, TestClock } from "effect"
import * as Recorder from "../../src/Recorder.js"
import { closeAndAccount, expectAccount, expectBalance, numbers } from "../support/recorder/account.js"
import {
  backend,
  failingFirst,
  fatal,
  poison,
  refusing,
  stepped,
  transient
} from "../support/recorder/backends.js"
import { status } from "../support/recorder/watching.js"
import { scenario, settled, started } from "../support/time/turn.js"

const all = undefined

const raise = (message: string): never => {
  throw new Error(message)
}

describe("load", () => {
  scenario("is tried once; its error goes to its caller and changes no status", function* () {
    const storage = backend<number>({ load: () => Effect.fail(transient({ message: "gone" })) })
    const recorder = yield* Recorder.make(storage.storage)
    yield* recorder.ready
    expect(yield* Effect.flip(recorder.load(all))).toMatchObject({ _tag: "StorageError", message: "gone" })
    expect(storage.loads()).toBe(1)
    expect((yield* recorder.status)._tag).toBe("Running")
    recorder.unsafeSave(1)
    yield* closeAndAccount(recorder, storage, { accepted: [1] })
    expect(recorder.unsafeStats().retries).toBe(0)
  })

  for (const [name, load] of [
    ["a failure that is no StorageError", Effect.fail("boom")],
    ["a failure with nothing", Effect.fail(undefined)],
    ["a failure with null", Effect.fail(null)],
    ["a failure that another library calls a StorageError", Effect.fail({ _tag: "StorageError", kind: 5 })],
    ["one with an outcome too", Effect.fail({ _tag: "StorageError", kind: 5, outcome: "NotStored" })],
    [
      "one with a kind, and another outcome",
      Effect.fail({ _tag: "StorageError", kind: "Fatal", outcome: 5 })
    ],
    ["one of another name", Effect.fail({ _tag: "QueueError", kind: "Fatal", outcome: "NotStored" })],
    ["a defect", Effect.die(new Error("boom"))],
    ["an exception", Effect.sync(() => raise("boom"))],
    ["a storage that interrupts itself", Effect.interrupt]
  ] as const) {
    scenario(`${name} reaches the caller as a StorageError of kind Unknown, and no other`, function* () {
      const storage = backend<number>({ load: () => load })
      const recorder = yield* Recorder.make(storage.storage)
      const exit = yield* Effect.exit(recorder.load(all))
      expect(Exit.isFailure(exit) && Cause.failureOption(exit.cause)).toMatchObject(
        Option.some({ _tag: "StorageError", kind: "Unknown" })
      )
      recorder.unsafeSave(1)
      yield* closeAndAccount(recorder, storage, { accepted: [1] })
    })
  }

  scenario("comes after all saves before it have an outcome, so it waits while Degraded", function* () {
    const storage = backend<number>({ save: failingFirst(transient(), transient(), transient()) })
    const recorder = yield* Recorder.make(storage.storage)
    recorder.unsafeSave(1)
    yield* status(recorder, "Degraded")
    const load = yield* started(recorder.load(all))
    expect((yield* recorder.status)._tag).toBe("Degraded")
    expect(load.unsafePoll()).toBeNull()
    yield* TestClock.adjust("2 seconds")
    expect(yield* Fiber.join(load)).toEqual([1])
    yield* closeAndAccount(recorder, storage, { accepted: [1] })
  })

  scenario("is skipped when its waiter has gone", function* () {
    const storage = yield* stepped<number>()
    const recorder = yield* Recorder.make(storage.storage)
    recorder.unsafeSave(1)
    const call = yield* storage.next
    const load = yield* started(recorder.load(all))
    yield* Fiber.interrupt(load)
    yield* call.succeed
    yield* recorder.flush
    expect(storage.loads()).toBe(0)
    yield* closeAndAccount(recorder, storage, { accepted: [1] })
  })

  scenario(
    "is interrupted when its waiter goes while it runs, and is over before the next call",
    function* () {
      const interrupted = yield* Deferred.make<void>()
      const storage = backend<number>({
        load: () =>
          Effect.onInterrupt(Effect.never, () =>
            Effect.zipRight(Effect.sleep("1 second"), Deferred.succeed(interrupted, undefined))
          )
      })
      const recorder = yield* Recorder.make(storage.storage)
      const load = yield* started(recorder.load(all))
      recorder.unsafeSave(1)
      yield* Fiber.interrupt(load)
      yield* settled
      expect(storage.saves).toEqual([])
      yield* TestClock.adjust("1 second")
      yield* Deferred.await(interrupted)
      yield* closeAndAccount(recorder, storage, { accepted: [1] })
    }
  )

  scenario("takes at most loadTimeout once it is its turn, and fails typed", function* () {
    const storage = backend<number>({
      save: (call) => Effect.zipRight(Effect.sleep("5 seconds"), call.commit),
      load: () => Effect.never
    })
    const recorder = yield* Recorder.make(storage.storage, { loadTimeout: "2 seconds" })
    recorder.unsafeSave(1)
    const load = yield* started(recorder.load(all))
    yield* TestClock.adjust("5 seconds")
    expect(storage.loads()).toBe(1)
    yield* TestClock.adjust(1999)
    expect(load.unsafePoll()).toBeNull()
    yield* TestClock.adjust(1)
    const error = yield* Effect.flip(Fiber.join(load))
    expect(error).toMatchObject({ _tag: "StorageError", kind: "Transient" })
    expect(error.message).toContain("loadTimeout")
    expect((yield* recorder.status)._tag).toBe("Running")
    yield* closeAndAccount(recorder, storage, { accepted: [1] })
  })

  scenario("fails when the recorder has failed, and when it is closed while it waits", function* () {
    const storage = backend<number>({ save: () => Effect.fail(fatal({ message: "no such table" })) })
    const recorder = yield* Recorder.make(storage.storage)
    recorder.unsafeSave(1)
    const waiting = yield* started(recorder.load(all))
    const failure = { _tag: "RecorderFailed", cause: { _tag: "StorageError", message: "no such table" } }
    expect(yield* Effect.flip(Fiber.join(waiting))).toMatchObject(failure)
    expect(yield* Effect.flip(recorder.load(all))).toMatchObject(failure)
    yield* closeAndAccount(recorder, storage, { accepted: [1] })

    const hanging = yield* Recorder.make(backend<number>({ save: () => Effect.never }).storage)
    hanging.unsafeSave(1)
    const load = yield* started(hanging.load(all))
    const closing = yield* started(hanging.closeWithin("1 second"))
    yield* TestClock.adjust("2 seconds")
    expect(yield* Effect.flip(Fiber.join(load))).toMatchObject({ _tag: "RecorderClosed" })
    yield* Fiber.join(closing)
  })
})

describe("flush", () => {
  scenario("completes when every record accepted before it has an outcome", function* () {
    const storage = yield* stepped<number>()
    const recorder = yield* Recorder.make(storage.storage, { maxBatchSize: 2 })
    numbers(3).forEach(recorder.unsafeSave)
    const flush = yield* started(recorder.flush)
    recorder.unsafeSave(4)
    yield* Effect.flatMap(storage.next, (call) => call.succeed)
    yield* settled
    expect(flush.unsafePoll()).toBeNull()
    // Set aside is an outcome as well.
    yield* Effect.flatMap(storage.next, (call) => call.fail(poison()))
    yield* Fiber.join(flush)
    const last = yield* storage.next
    expect(last.batch).toEqual([4])
    expectBalance(recorder.unsafeStats())
    yield* last.succeed
    yield* closeAndAccount(recorder, storage, { accepted: numbers(4) })
  })

  scenario("overlapping flushes all complete, each after what it covers", function* () {
    const storage = yield* stepped<number>()
    const recorder = yield* Recorder.make(storage.storage)
    const flushes: Array<Fiber.RuntimeFiber<void, unknown>> = []
    for (const record of numbers(3)) {
      recorder.unsafeSave(record)
      flushes.push(yield* started(recorder.flush), yield* started(recorder.flush))
    }
    for (const record of numbers(3)) {
      const call = yield* storage.next
      expect(call.batch).toEqual([record])
      yield* settled
      expect(flushes.map((flush) => flush.unsafePoll() !== null)).toEqual(
        numbers(6).map((flush) => flush <= 2 * (record - 1))
      )
      yield* call.succeed
    }
    yield* Fiber.join(Fiber.all(flushes))
    yield* closeAndAccount(recorder, storage, { accepted: numbers(3) })
  })

  scenario("waits while Degraded", function* () {
    const storage = backend<number>({ save: failingFirst(transient(), transient()) })
    const recorder = yield* Recorder.make(storage.storage)
    recorder.unsafeSave(1)
    const flush = yield* started(recorder.flush)
    expect((yield* recorder.status)._tag).toBe("Degraded")
    expect(flush.unsafePoll()).toBeNull()
    yield* TestClock.adjust("1 second")
    yield* Fiber.join(flush)
    yield* closeAndAccount(recorder, storage, { accepted: [1] })
  })

  scenario("fails RecorderFailed when Failed, also one that waited", function* () {
    const storage = backend<number>({ save: () => Effect.fail(fatal()) })
    const recorder = yield* Recorder.make(storage.storage)
    recorder.unsafeSave(1)
    const waiting = yield* Effect.fork(recorder.flush)
    expect(yield* Effect.flip(Fiber.join(waiting))).toMatchObject({ _tag: "RecorderFailed" })
    expect(yield* Effect.flip(recorder.flush)).toMatchObject({ _tag: "RecorderFailed" })
    yield* closeAndAccount(recorder, storage, { accepted: [1] })
  })

  scenario("succeeds at once after close", function* () {
    const storage = backend<number>()
    const recorder = yield* Recorder.make(storage.storage)
    recorder.unsafeSave(1)
    yield* closeAndAccount(recorder, storage, { accepted: [1] })
    yield* recorder.flush
  })

  scenario("is a barrier also while Closing", function* () {
    const storage = yield* stepped<number>()
    const recorder = yield* Recorder.make(storage.storage)
    recorder.unsafeSave(1)
    const call = yield* storage.next
    const closing = yield* started(recorder.close)
    const flush = yield* started(recorder.flush)
    expect(flush.unsafePoll()).toBeNull()
    yield* call.succeed
    yield* Fiber.join(flush)
    expect(recorder.unsafeStats()).toMatchObject({ stored: 1, pending: 0 })
    expectAccount(yield* Fiber.join(closing), storage, { accepted: [1] })
  })

  scenario("interrupting one disturbs no other", function* () {
    const storage = yield* stepped<number>({ load: (found) => Effect.succeed(found) })
    const recorder = yield* Recorder.make(storage.storage)
    recorder.unsafeSave(1)
    const gone = yield* started(recorder.flush)
    const stays = yield* started(recorder.flush)
    yield* Fiber.interrupt(gone)
    yield* Effect.flatMap(storage.next, (call) => call.answer(refusing<number>(() => false)(call)))
    yield* Fiber.join(stays)
    yield* closeAndAccount(recorder, storage, { accepted: [1] })
  })
})
