/** How a recorder ends, and what it gives back. */
import { describe, expect } from "@effect/vitest"
import { Deferred, Effect, Exit, Fiber, Option, Random, Schedule, Scope, TestClock } from "effect"
import * as Recorder from "../../src/Recorder.js"
import { closeAndAccount, expectAccount, numbers } from "../support/recorder/account.js"
import { backend, failingFirst, fatal, stepped, transient } from "../support/recorder/backends.js"
import { status } from "../support/recorder/watching.js"
import { scenario, started } from "../support/time/turn.js"

const retry = Schedule.spaced("100 millis")

const unsaved = (report: Recorder.CloseReport<number, never>) =>
  report.unsaved.map(({ outcome, reason, record }) => [record, reason, outcome])

describe("close", () => {
  scenario("waits as long as the retry schedule does; the status Closing names the cause", function* () {
    const storage = backend<number>({ save: failingFirst(...Array(11).fill(transient({ message: "away" }))) })
    const recorder = yield* Effect.withRandom(Recorder.make(storage.storage), Random.fixed([0.5]))
    numbers(3).forEach(recorder.unsafeSave)
    const closing = yield* started(recorder.close)
    yield* TestClock.adjust("1 minute")
    expect(closing.unsafePoll()).toBeNull()
    expect(yield* recorder.status).toMatchObject({
      _tag: "Closing",
      cause: Option.some(expect.objectContaining({ _tag: "StorageError", message: "away" }))
    })
    yield* TestClock.adjust("1 minute")
    const report = yield* Fiber.join(closing)
    expectAccount(report, storage, { accepted: numbers(3) })
    expect(unsaved(report)).toEqual([])
  })

  scenario("Closing names what is in the way from its beginning", function* () {
    const storage = backend<number>({ save: failingFirst(transient({ message: "away" })) })
    const recorder = yield* Recorder.make(storage.storage, { retry })
    recorder.unsafeSave(1)
    yield* status(recorder, "Degraded")
    const closing = yield* started(recorder.close)
    expect(yield* recorder.status).toMatchObject({
      _tag: "Closing",
      cause: Option.some(expect.objectContaining({ message: "away" }))
    })
    yield* TestClock.adjust("1 second")
    expectAccount(yield* Fiber.join(closing), storage, { accepted: [1] })
  })

  scenario(
    "Closing names no cause while nothing is in the way, and none any more once the storage is back",
    function* () {
      const storage = yield* stepped<number>()
      const recorder = yield* Recorder.make(storage.storage, { retry, maxBatchSize: 1 })
      numbers(2).forEach(recorder.unsafeSave)
      const first = yield* storage.next
      const closing = yield* started(recorder.close)
      expect(yield* recorder.status).toEqual({ _tag: "Closing", cause: Option.none() })
      yield* first.fail(transient({ message: "away" }))
      yield* status(recorder, "Closing", ({ cause }) => Option.isSome(cause))
      yield* TestClock.adjust("100 millis")
      yield* Effect.flatMap(storage.next, (call) => call.succeed)
      yield* status(recorder, "Closing", ({ cause }) => Option.isNone(cause))
      yield* Effect.flatMap(storage.next, (call) => call.succeed)
      expectAccount(yield* Fiber.join(closing), storage, { accepted: numbers(2) })
    }
  )

  scenario("of an idle recorder is done at once", function* () {
    const storage = backend<number>()
    const recorder = yield* Recorder.make(storage.storage)
    yield* recorder.ready
    const report = yield* closeAndAccount(recorder, storage, { accepted: [] })
    expect(report).toMatchObject({ storageBusy: false, unsaved: [], setAside: [] })
  })

  scenario("cannot be undone; interrupting a closer abandons only its wait", function* () {
    const storage = yield* stepped<number>()
    const recorder = yield* Recorder.make(storage.storage)
    recorder.unsafeSave(1)
    const call = yield* storage.next
    const first = yield* started(recorder.close)
    yield* Fiber.interrupt(first)
    expect((yield* recorder.status)._tag).toBe("Closing")
    expect(recorder.unsafeSave(2)).toBe(false)
    yield* call.succeed
    yield* status(recorder, "Closed")
    expectAccount(yield* recorder.close, storage, { accepted: [1] })
  })

  scenario("all closers share one result", function* () {
    const storage = yield* stepped<number>()
    const recorder = yield* Recorder.make(storage.storage)
    recorder.unsafeSave(1)
    const closers = [
      yield* started(recorder.close),
      yield* started(recorder.closeWithin("1 hour")),
      yield* started(recorder.close)
    ]
    yield* Effect.flatMap(storage.next, (call) => call.succeed)
    const reports = yield* Fiber.join(Fiber.all(closers))
    expect(new Set(reports).size).toBe(1)
    expect(yield* recorder.close).toBe(reports[0])
    expectAccount(reports[0]!, storage, { accepted: [1] })
  })

  scenario("of a failed recorder hands everything back, also when it failed while closing", function* () {
    const storage = yield* stepped<number>()
    const recorder = yield* Recorder.make(storage.storage, { maxBatchSize: 1 })
    numbers(3).forEach(recorder.unsafeSave)
    yield* Effect.flatMap(storage.next, (call) => call.succeed)
    const call = yield* storage.next
    const closing = yield* started(recorder.close)
    yield* call.fail(fatal({ message: "no such table" }))
    const report = yield* Fiber.join(closing)
    expectAccount(report, storage, { accepted: numbers(3) })
    expect(unsaved(report)).toEqual([
      [2, "Failed", "NotStored"],
      [3, "Failed", "NotStored"]
    ])
    expect(Option.getOrThrow(report.unsaved[0]!.cause)).toMatchObject({ message: "no such table" })
  })

  scenario("what it hands back fits saveAll of a new recorder", function* () {
    const away = backend<number>({ save: () => Effect.fail(transient()) })
    const first = yield* Recorder.make(away.storage, { maxBatchSize: 2 })
    numbers(5).forEach(first.unsafeSave)
    const closing = yield* started(first.closeWithin("1 second"))
    yield* TestClock.adjust("2 seconds")
    const report = yield* Fiber.join(closing)
    expectAccount(report, away, { accepted: numbers(5) })
    const storage = backend<number>()
    const second = yield* Recorder.make(storage.storage)
    expect(yield* second.saveAll(report.unsaved.map(({ record }) => record))).toBe(true)
    yield* closeAndAccount(second, storage, { accepted: numbers(5) })
    expect(storage.held).toEqual(numbers(5))
  })
})

describe("the storage handed back", () => {
  scenario("lives until the caller's scope ends, also one that was acquired late", function* () {
    const events: Array<string> = []
    const scope = yield* Scope.make()
    const storage = backend<number>({
      save: (call) =>
        Effect.zipRight(
          Effect.sync(() => void events.push(`saved ${call.batch}`)),
          call.commit
        )
    })
    const arrival = yield* Deferred.make<void>()
    const acquire = Effect.acquireRelease(Effect.as(Deferred.await(arrival), storage.storage), () =>
      Effect.sync(() => void events.push("released"))
    )
    const note = (event: string) =>
      Scope.addFinalizer(
        scope,
        Effect.sync(() => void events.push(event))
      )
    yield* note("scope: first")
    const recorder = yield* Scope.extend(Recorder.makeDeferred(acquire), scope)
    yield* note("scope: last")
    recorder.unsafeSave(1)
    yield* Deferred.succeed(arrival, undefined)
    yield* recorder.flush
    recorder.unsafeSave(2)
    // The drain comes before the release, and both in the order of the scope.
    yield* Scope.close(scope, Exit.void)
    expect(events).toEqual(["saved 1", "scope: last", "saved 2", "released", "scope: first"])
  })

  scenario("is not released by close", function* () {
    let released = false
    const scope = yield* Scope.make()
    const storage = backend<number>()
    const acquire = Effect.acquireRelease(Effect.succeed(storage.storage), () =>
      Effect.sync(() => {
        released = true
      })
    )
    const recorder = yield* Scope.extend(Recorder.makeDeferred(acquire), scope)
    recorder.unsafeSave(1)
    const report = yield* recorder.close
    expect(released).toBe(false)
    yield* Option.getOrThrow(report.storage).save([2])
    yield* Scope.close(scope, Exit.void)
    expect(released).toBe(true)
  })
})
