/** Failures that no retry mends, and what an actor takes over from its maker. */
import { describe, expect } from "@effect/vitest"
import { Context, Effect, Exit, Fiber, Option, Schedule, Scope, TestClock, Tracer } from "effect"
import * as Recorder from "../../src/Recorder.js"
import { closeAndAccount, expectBalance, numbers } from "../support/recorder/account.js"
import { backend, fatal, refusing, transient } from "../support/recorder/backends.js"
import { status } from "../support/recorder/watching.js"
import { scenario, settled } from "../support/time/turn.js"

const unknown = new Error("what?")

/** Retries after 100 ms each, for ever. */
const retry = Schedule.spaced("100 millis")

describe("fatal:", () => {
  scenario("stop is the default: Failed, later saves refused, the rest handed back by close", function* () {
    const storage = backend<number>({
      save: (call) => (call.nth === 1 ? call.commit : Effect.fail(fatal({ message: "no such table" })))
    })
    const recorder = yield* Recorder.make(storage.storage, { maxBatchSize: 2 })
    numbers(5).forEach(recorder.unsafeSave)
    const failed = yield* status(recorder, "Failed")
    expect(Option.getOrThrow(failed.cause)).toMatchObject({ _tag: "StorageError", message: "no such table" })
    expect(storage.saves).toHaveLength(2)
    expect(recorder.unsafeSave(6)).toBe(false)
    expect(recorder.unsafeStats()).toMatchObject({ accepted: 5, stored: 2, pending: 3, refused: 1 })
    expectBalance(recorder.unsafeStats())
    const report = yield* closeAndAccount(recorder, storage, { accepted: numbers(5) })
    expect(report.unsaved.map(({ record, reason, outcome }) => [record, reason, outcome])).toEqual([
      [3, "Failed", "NotStored"],
      [4, "Failed", "NotStored"],
      [5, "Failed", "NotStored"]
    ])
    for (const { cause } of report.unsaved)
      expect(Option.getOrThrow(cause)).toBe(Option.getOrThrow(failed.cause))
    expect(Option.isSome(report.storage)).toBe(true)
  })

  scenario("set-aside takes the batch out and goes on", function* () {
    const storage = backend<number>({
      save: (call) => (call.nth === 1 ? Effect.fail(fatal()) : call.commit)
    })
    const recorder = yield* Recorder.make(storage.storage, { maxBatchSize: 2, onFatal: "set-aside" })
    numbers(4).forEach(recorder.unsafeSave)
    yield* recorder.flush
    expect((yield* recorder.status)._tag).toBe("Running")
    const report = yield* closeAndAccount(recorder, storage, { accepted: numbers(4) })
    expect(report.setAside).toMatchObject([
      { record: 1, cause: { kind: "Fatal" } },
      { record: 2, cause: { kind: "Fatal" } }
    ])
    expect(storage.held).toEqual([3, 4])
  })

  scenario("a finite schedule that ends counts as fatal: stop", function* () {
    const storage = backend<number>({ save: () => Effect.fail(transient({ message: "away" })) })
    const recorder = yield* Recorder.make(storage.storage, {
      retry: Schedule.intersect(Schedule.spaced("100 millis"), Schedule.recurs(3))
    })
    numbers(2).forEach(recorder.unsafeSave)
    yield* TestClock.adjust("299 millis")
    expect((yield* recorder.status)._tag).toBe("Degraded")
    yield* TestClock.adjust("1 millis")
    expect(yield* recorder.status).toMatchObject({
      _tag: "Failed",
      cause: { _tag: "Some", value: { message: "away" } }
    })
    expect(storage.saves.map(({ at }) => at)).toEqual([0, 100, 200, 300])
    const report = yield* closeAndAccount(recorder, storage, { accepted: numbers(2) })
    expect(report.unsaved).toMatchObject([{ reason: "Failed" }, { reason: "Failed" }])
  })

  scenario("a finite schedule that ends counts as fatal: set-aside, and Running again", function* () {
    const storage = backend<number>({
      save: (call) => (call.batch.includes(1) ? Effect.fail(transient({ outcome: "Unknown" })) : call.commit)
    })
    const recorder = yield* Recorder.make(storage.storage, {
      retry: Schedule.intersect(Schedule.spaced("100 millis"), Schedule.recurs(3)),
      onFatal: "set-aside",
      maxBatchSize: 2
    })
    numbers(3).forEach(recorder.unsafeSave)
    yield* TestClock.adjust("1 second")
    expect(storage.batches()).toEqual([...Array(4).fill([1, 2]), [3]])
    // The backend has answered since.
    expect((yield* recorder.status)._tag).toBe("Running")
    const report = yield* closeAndAccount(recorder, storage, { accepted: numbers(3) })
    expect(report.setAside).toMatchObject([
      { record: 1, outcome: "Unknown" },
      { record: 2, outcome: "Unknown" }
    ])
  })

  scenario("an unknown failure is bisected when a finite schedule ends", function* () {
    const storage = backend<number>({ save: refusing((record) => record === 2, unknown) })
    const recorder = yield* Recorder.make(storage.storage, {
      retry: Schedule.intersect(Schedule.spaced("100 millis"), Schedule.recurs(2))
    })
    numbers(4).forEach(recorder.unsafeSave)
    yield* TestClock.adjust("1 second")
    const report = yield* closeAndAccount(recorder, storage, { accepted: numbers(4) })
    expect(storage.saves[2]!.at).toBe(200)
    expect(report.setAside.map(({ record }) => record)).toEqual([2])
  })
})

describe("the maker's surroundings", () => {
  class Transaction extends Context.Tag("@effect/sql/SqlClient/TransactionConnection")<
    Transaction,
    string
  >() {}
  class Other extends Context.Tag("test/Other")<Other, string>() {}

  scenario("the actor runs without its maker's transaction and parent span", function* () {
    const seen: Array<ReadonlyArray<unknown>> = []
    const look = Effect.flatMap(Effect.context<never>(), (context) =>
      Effect.sync(() => {
        const known = [
          Context.getOption(context, Tracer.ParentSpan),
          Context.getOption(context, Transaction),
          Context.getOption(context, Other)
        ]
        seen.push(known.map((found: Option.Option<unknown>) => Option.getOrUndefined(found)))
      })
    )
    const storage = backend<number>({ save: (call) => Effect.zipRight(look, call.commit) })
    const recorder = yield* Recorder.makeDeferred(Effect.as(look, storage.storage)).pipe(
      Effect.withSpan("maker"),
      Effect.provideService(Transaction, "open"),
      Effect.provideService(Other, "kept")
    )
    recorder.unsafeSave(1)
    yield* recorder.save(2).pipe(Effect.withSpan("saver"), Effect.provideService(Transaction, "another"))
    yield* closeAndAccount(recorder, storage, { accepted: [1, 2] })
    // `acquire` has its services; a save has none.
    expect(seen).toEqual([
      [undefined, undefined, "kept"],
      [undefined, undefined, undefined]
    ])
  })

  scenario(
    "a recorder outlives the fiber that made it, and its saves can be interrupted wherever it was made",
    function* () {
      const storage = backend<number>({ save: (call) => (call.nth === 1 ? Effect.never : call.commit) })
      const scope = yield* Effect.scope
      const maker = yield* Effect.fork(
        Effect.uninterruptible(Recorder.make(storage.storage, { retry, saveTimeout: "1 second" })).pipe(
          Effect.provideService(Scope.Scope, scope)
        )
      )
      const recorder = yield* Fiber.join(maker)
      recorder.unsafeSave(1)
      yield* settled
      yield* TestClock.adjust("1100 millis")
      expect(storage.saves).toHaveLength(2)
      yield* closeAndAccount(recorder, storage, { accepted: [1] })
      expect(Exit.isSuccess(yield* Fiber.await(maker))).toBe(true)
    }
  )
})
