/** A storage that comes late, after failures, or never. */
import { describe, expect } from "@effect/vitest"
import {
  Context,
  Deferred,
  Effect,
  Exit,
  Fiber,
  Option,
  Random,
  Runtime,
  Schedule,
  Scope,
  TestClock
} from "effect"
import * as Recorder from "../../src/Recorder.js"
import { InvalidOptions, type Storage } from "../../src/Storage.js"
import { closeAndAccount, expectAccount, expectBalance, numbers } from "../support/recorder/account.js"
import { backend, fatal, transient } from "../support/recorder/backends.js"
import { status } from "../support/recorder/watching.js"
import { scenario, settled, started } from "../support/time/turn.js"

const retry = Schedule.spaced("100 millis")

/** Fails with these causes, one per attempt, then gives the storage. Notes the times of the attempts. */
const failingWith = <S>(storage: S, failures: ReadonlyArray<Effect.Effect<never, unknown>>) => {
  const at: Array<number> = []
  const acquire = Effect.clockWith((clock) =>
    Effect.suspend((): Effect.Effect<S, unknown> => {
      at.push(clock.unsafeCurrentTimeMillis())
      return failures[at.length - 1] ?? Effect.succeed(storage)
    })
  )
  return { acquire, at }
}

describe("make", () => {
  scenario("returns at once: the app's start waits for nothing", function* () {
    const runtime = yield* Effect.runtime<Scope.Scope>()
    // Nothing in it can wait: it runs synchronously.
    const recorder = Runtime.runSync(runtime)(
      Recorder.makeDeferred<number, never, void, never, never>(Effect.never)
    )
    expect(yield* recorder.status).toEqual({ _tag: "Starting", attempt: 0, cause: Option.none() })
    const closing = yield* started(recorder.closeWithin(0))
    yield* TestClock.adjust("100 millis")
    yield* Fiber.join(closing)
  })
})

describe("acquire", () => {
  scenario("that fails is retried like a save; Starting names attempt and cause", function* () {
    const storage = backend<number>()
    const failures = numbers(4).map((n) => Effect.fail(transient({ message: `no ${n}` })))
    const { acquire, at } = failingWith(storage.storage, failures)
    const recorder = yield* Effect.withRandom(Recorder.makeDeferred(acquire), Random.fixed([0.5]))
    recorder.unsafeSave(1)
    for (const attempt of numbers(4)) {
      const starting = yield* status(recorder, "Starting", (seen) => seen.attempt === attempt)
      expect(Option.getOrThrow(starting.cause)).toMatchObject({ message: `no ${attempt}` })
      yield* TestClock.adjust(100 * 2 ** (attempt - 1))
    }
    yield* recorder.ready
    expect(at).toEqual([0, 100, 300, 700, 1500])
    expect(yield* recorder.status).toEqual({ _tag: "Running", cause: Option.none() })
    yield* closeAndAccount(recorder, storage, { accepted: [1] })
  })

  scenario("that dies or fails with anything is retried too", function* () {
    const storage = backend<number>()
    const { acquire, at } = failingWith(storage.storage, [
      Effect.die(new Error("defect")),
      Effect.fail("a string"),
      Effect.interrupt
    ])
    const recorder = yield* Recorder.makeDeferred(acquire, { retry })
    recorder.unsafeSave(1)
    yield* TestClock.adjust("1 second")
    expect(at).toEqual([0, 100, 200, 300])
    yield* closeAndAccount(recorder, storage, { accepted: [1] })
  })

  for (const [name, options, failure, seconds] of [
    ["a fatal failure", {}, fatal({ message: "wrong password" }), 0],
    ["wrong options of the storage", {}, new InvalidOptions({ option: "wrong password", message: "" }), 0],
    [
      "a finite schedule",
      { retry: Schedule.intersect(retry, Schedule.recurs(2)) },
      transient({ message: "wrong password" }),
      1
    ]
  ] as const) {
    scenario(
      `${name} ends it: queries and receipts fail, saves are refused, close hands all back`,
      function* () {
        const storage = backend<number>()
        const { acquire, at } = failingWith(storage.storage, Array(9).fill(Effect.fail(failure)))
        const recorder = yield* Recorder.makeDeferred(acquire, options)
        numbers(2).forEach(recorder.unsafeSave)
        const receipt = yield* Effect.fork(recorder.saveDurable(3))
        const load = yield* Effect.fork(recorder.load(undefined))
        const flush = yield* Effect.fork(recorder.flush)
        const ready = yield* Effect.fork(recorder.ready)
        yield* TestClock.adjust(seconds * 1000)
        const failed = yield* recorder.status
        expect(failed).toMatchObject({
          _tag: "Failed",
          cause: { _tag: "Some", value: { _tag: "StorageError" } }
        })
        expect(at).toHaveLength(seconds === 0 ? 1 : 3)
        for (const waiting of [load, flush, ready]) {
          const error = yield* Effect.flip(Fiber.join<unknown, unknown>(waiting))
          expect(error).toMatchObject({
            _tag: "RecorderFailed",
            cause: { _tag: "StorageError" },
            message: expect.stringContaining("wrong password")
          })
        }
        expect(yield* Effect.flip(Fiber.join(receipt))).toMatchObject({ reason: "HandedBack" })
        expect(recorder.unsafeSave(4)).toBe(false)
        expect(yield* recorder.save(5)).toBe(false)
        expect(yield* Effect.flip(recorder.saveDurable(6))).toMatchObject({ reason: "Refused" })
        expect(yield* Effect.flip(recorder.load(undefined))).toMatchObject({ _tag: "RecorderFailed" })
        expect(recorder.unsafeStats()).toMatchObject({ accepted: 3, pending: 3, refused: 3 })
        const report = yield* closeAndAccount(recorder, storage, { accepted: numbers(3) })
        expect(report.storage).toEqual(Option.none())
        expect(report.unsaved.map(({ outcome, reason, record }) => [record, reason, outcome])).toEqual(
          numbers(3).map((record) => [record, "Failed", "NotStored"])
        )
        expect(storage.saves).toEqual([])
      }
    )
  }

  scenario("may never resolve: a deadline hands all back, without a storage", function* () {
    const recorder = yield* Recorder.makeDeferred<number, string, number, never, never>(Effect.never)
    numbers(3).forEach(recorder.unsafeSave)
    const load = yield* started(recorder.load("query"))
    const ready = yield* started(recorder.ready)
    yield* TestClock.adjust("10 seconds")
    expect(yield* recorder.status).toMatchObject({ _tag: "Starting", attempt: 0 })
    const closing = yield* started(recorder.closeWithin("1 second"))
    expect((yield* recorder.status)._tag).toBe("Closing")
    yield* TestClock.adjust("1100 millis")
    const report = yield* Fiber.join(closing)
    expect(yield* Effect.flip(Fiber.join(load))).toMatchObject({ _tag: "RecorderClosed" })
    expect(yield* Effect.flip(Fiber.join(ready))).toMatchObject({ _tag: "RecorderClosed" })
    expect(report).toMatchObject({ storage: Option.none(), storageBusy: false })
    expectAccount(report, backend<number>(), { accepted: numbers(3) })
  })

  scenario(
    "that ignores its interruption is left behind by a deadline; what it opens is closed with the scope",
    function* () {
      const scope = yield* Scope.make()
      const arrival = yield* Deferred.make<void>()
      const events: Array<string> = []
      const acquire = Effect.acquireRelease(
        Effect.map(Deferred.await(arrival), () => {
          events.push("opened")
          return backend<number>().storage
        }),
        () => Effect.sync(() => void events.push("released"))
      )
      const recorder = yield* Scope.extend(Recorder.makeDeferred(acquire), scope)
      recorder.unsafeSave(1)
      const closing = yield* started(recorder.closeWithin("1 second"))
      yield* TestClock.adjust("1100 millis")
      const report = yield* Fiber.join(closing)
      expect(report).toMatchObject({ storage: Option.none(), storageBusy: true })
      expectAccount(report, backend<number>(), { accepted: [1] })
      yield* Deferred.succeed(arrival, undefined)
      yield* settled
      yield* Scope.close(scope, Exit.void)
      expect(events).toEqual(["opened", "released"])
    }
  )

  scenario("may need a Scope and services; the scopes of failed attempts are closed", function* () {
    class Config extends Context.Tag("test/Config")<Config, { readonly url: string }>() {}
    const events: Array<string> = []
    const storage = backend<number>()
    let attempts = 0
    const acquire = Effect.gen(function* () {
      const { url } = yield* Config
      const attempt = ++attempts
      yield* Effect.acquireRelease(
        Effect.sync(() => events.push(`open ${url} ${attempt}`)),
        () => Effect.sync(() => events.push(`close ${attempt}`))
      )
      if (attempt < 3) return yield* Effect.fail(transient())
      return storage.storage
    })
    const scope = yield* Scope.make()
    const recorder = yield* Recorder.makeDeferred(acquire, { retry }).pipe(
      Effect.provideService(Config, { url: "db" }),
      Scope.extend(scope)
    )
    yield* settled
    // Closed before the next attempt, not only with the recorder.
    expect(events).toEqual(["open db 1", "close 1"])
    yield* TestClock.adjust("1 second")
    yield* recorder.ready
    recorder.unsafeSave(1)
    yield* closeAndAccount(recorder, storage, { accepted: [1] })
    expect(events).toEqual(["open db 1", "close 1", "open db 2", "close 2", "open db 3"])
    yield* Scope.close(scope, Exit.void)
    expect(events.at(-1)).toBe("close 3")
  })
})

describe("before the storage is there", () => {
  scenario("100,000 saves are accepted, and stored in order when it comes", function* () {
    const storage = backend<number>({ maxBatch: 700 })
    const arrival = yield* Deferred.make<typeof storage.storage>()
    const recorder = yield* Recorder.makeDeferred(Deferred.await(arrival))
    yield* settled
    const records = numbers(100_000)
    yield* Effect.sync(() => records.forEach(recorder.unsafeSave))
    expect(recorder.unsafeStats()).toMatchObject({ accepted: 100_000, pending: 100_000, stored: 0 })
    yield* Deferred.succeed(arrival, storage.storage)
    const report = yield* closeAndAccount(recorder, storage, { accepted: records })
    expect(storage.held).toEqual(records)
    expect(Math.max(...storage.saves.map(({ batch }) => batch.length))).toBe(700)
    expect(report.stats.stored).toBe(100_000)
  })

  scenario("a close waits for it, drains, and gives it back", function* () {
    const storage = backend<number>()
    const arrival = yield* Deferred.make<Storage<number>, never>()
    const recorder = yield* Recorder.makeDeferred(Deferred.await(arrival))
    numbers(3).forEach(recorder.unsafeSave)
    const receipt = yield* started(recorder.saveDurable(4))
    const closing = yield* started(recorder.close)
    yield* TestClock.adjust("5 seconds")
    expect(closing.unsafePoll()).toBeNull()
    expectBalance(recorder.unsafeStats())
    yield* Deferred.succeed(arrival, storage.storage)
    yield* Fiber.join(receipt)
    const report = yield* Fiber.join(closing)
    expect(report.storage).toEqual(Option.some(storage.storage))
    expectAccount(report, storage, { accepted: numbers(4) })
  })

  scenario("Closing names why it is not there", function* () {
    const storage = backend<number>()
    const { acquire } = failingWith(
      storage.storage,
      Array(3).fill(Effect.fail(transient({ message: "away" })))
    )
    const recorder = yield* Recorder.makeDeferred(acquire, { retry })
    recorder.unsafeSave(1)
    yield* status(recorder, "Starting", ({ attempt }) => attempt === 1)
    const closing = yield* started(recorder.close)
    expect(yield* recorder.status).toMatchObject({
      _tag: "Closing",
      cause: Option.some(expect.objectContaining({ message: "away" }))
    })
    yield* TestClock.adjust("1 second")
    expectAccount(yield* Fiber.join(closing), storage, { accepted: [1] })
  })

  scenario("ready waits for Running", function* () {
    const storage = backend<number>()
    const arrival = yield* Deferred.make<typeof storage.storage>()
    const recorder = yield* Recorder.makeDeferred(Deferred.await(arrival))
    const ready = yield* started(recorder.ready)
    expect(ready.unsafePoll()).toBeNull()
    yield* Deferred.succeed(arrival, storage.storage)
    yield* Fiber.join(ready)
    expect((yield* recorder.status)._tag).toBe("Running")
    yield* recorder.close
    yield* recorder.ready
  })
})
