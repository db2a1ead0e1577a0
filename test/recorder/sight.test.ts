/** What an operator sees of a recorder: its status and its stats. */
import { describe, expect } from "@effect/vitest"
import { Chunk, Deferred, Effect, Fiber, Schedule, Stream, TestClock } from "effect"
import * as Recorder from "../../src/Recorder.js"
import { closeAndAccount, expectBalance, numbers } from "../support/recorder/account.js"
import { backend, failingFirst, fatal, poison, stepped, transient } from "../support/recorder/backends.js"
import { status } from "../support/recorder/watching.js"
import { scenario, settled, started } from "../support/time/turn.js"

const retry = Schedule.spaced("100 millis")

const tags = (seen: Iterable<Recorder.Status>) => Array.from(seen, ({ _tag }) => _tag)

describe("status", () => {
  scenario("goes Starting, Running, Degraded, Running, Closing, Closed", function* () {
    const storage = backend<number>({ save: failingFirst(transient()) })
    const arrival = yield* Deferred.make<typeof storage.storage>()
    const recorder = yield* Recorder.makeDeferred(Deferred.await(arrival), { retry })
    const watcher = yield* started(Stream.runCollect(recorder.statusChanges))
    recorder.unsafeSave(1)
    yield* Deferred.succeed(arrival, storage.storage)
    yield* status(recorder, "Degraded")
    yield* TestClock.adjust("1 second")
    yield* closeAndAccount(recorder, storage, { accepted: [1] })
    expect(tags(yield* Fiber.join(watcher))).toEqual([
      "Starting",
      "Running",
      "Degraded",
      "Running",
      "Closing",
      "Closed"
    ])
  })

  scenario(
    "changes begin with the present one, for each watcher, and end with the terminal one",
    function* () {
      const storage = yield* stepped<number>()
      const recorder = yield* Recorder.make(storage.storage)
      yield* recorder.ready
      const early = yield* started(Stream.runCollect(recorder.statusChanges))
      recorder.unsafeSave(1)
      const closing = yield* started(recorder.close)
      const late = yield* started(Stream.runCollect(recorder.statusChanges))
      yield* Effect.flatMap(storage.next, (call) => call.succeed)
      yield* Fiber.join(closing)
      expect(tags(yield* Fiber.join(early))).toEqual(["Running", "Closing", "Closed"])
      expect(tags(yield* Fiber.join(late))).toEqual(["Closing", "Closed"])
      expect(tags(yield* Stream.runCollect(recorder.statusChanges))).toEqual(["Closed"])
    }
  )

  scenario("Failed is terminal too, and carries the cause", function* () {
    const storage = backend<number>({ save: () => Effect.fail(fatal({ message: "no such table" })) })
    const recorder = yield* Recorder.make(storage.storage)
    yield* recorder.ready
    const watcher = yield* started(Stream.runCollect(recorder.statusChanges))
    recorder.unsafeSave(1)
    const seen = Chunk.toReadonlyArray(yield* Fiber.join(watcher))
    expect(tags(seen)).toEqual(["Running", "Failed"])
    expect(seen[1]).toMatchObject({
      cause: { _tag: "Some", value: { _tag: "StorageError", message: "no such table" } }
    })
    expect(tags(yield* Stream.runCollect(recorder.statusChanges))).toEqual(["Failed"])
    yield* closeAndAccount(recorder, storage, { accepted: [1] })
  })

  scenario(
    "a watcher that reads late misses changes, never the terminal one; one that goes disturbs nobody",
    function* () {
      const storage = backend<number>({
        save: (call) => (call.nth % 2 === 1 ? Effect.fail(transient()) : call.commit)
      })
      const recorder = yield* Recorder.make(storage.storage, { retry })
      const gate = yield* Deferred.make<void>()
      const seen: Array<Recorder.Status> = []
      const slow = yield* started(
        Stream.runForEach(recorder.statusChanges, (next) =>
          Effect.zipRight(
            Deferred.await(gate),
            Effect.sync(() => seen.push(next))
          )
        )
      )
      const gone = yield* started(Stream.runDrain(recorder.statusChanges))
      yield* Fiber.interrupt(gone)
      for (const record of numbers(60)) {
        recorder.unsafeSave(record)
        yield* TestClock.adjust("100 millis")
      }
      yield* closeAndAccount(recorder, storage, { accepted: numbers(60) })
      yield* Deferred.succeed(gate, undefined)
      yield* Fiber.join(slow)
      expect(seen.length).toBeLessThan(100)
      expect(seen.at(-1)?._tag).toBe("Closed")
    }
  )
})

describe("stats", () => {
  scenario("unsafeStats is synchronous and holds the account at every instant", function* () {
    const storage = yield* stepped<number>()
    const recorder = yield* Recorder.make(storage.storage, { retry, maxBatchSize: 4 })
    const zero = { accepted: 0, pending: 0, stored: 0, duplicates: 0, setAside: 0, dropped: 0, handedBack: 0 }
    const rest = { refused: 0, released: 0, saves: 0, retries: 0, pendingBytes: 0, oldestAge: 0, gaps: [] }
    expect(recorder.unsafeStats()).toEqual({ ...zero, ...rest })
    const seen: Array<Recorder.Stats> = []
    const look = () => {
      seen.push(recorder.unsafeStats())
      expectBalance(recorder.unsafeStats())
    }
    numbers(6).forEach((record) => {
      recorder.unsafeSave(record)
      look()
    })
    const first = yield* storage.next
    look()
    yield* first.answer(Effect.zipRight(first.commitFirst(1), Effect.fail(transient({ stored: 1 }))))
    yield* settled
    look()
    yield* TestClock.adjust("100 millis")
    const second = yield* storage.next
    look()
    yield* second.fail(poison({ bad: [{ index: 0, cause: "bad" }] }))
    const third = yield* storage.next
    look()
    yield* third.succeed
    yield* Effect.flatMap(storage.next, (call) => call.succeed)
    yield* recorder.flush
    look()
    expect(
      seen.map(({ accepted, pending, setAside, stored }) => [accepted, stored, setAside, pending])
    ).toEqual([
      ...numbers(6).map((n) => [n, 0, 0, n]),
      [6, 0, 0, 6],
      [6, 1, 0, 5],
      [6, 1, 0, 5],
      [6, 1, 1, 4],
      [6, 5, 1, 0]
    ])
    expect(yield* recorder.stats).toMatchObject({ saves: 2, retries: 1 })
    yield* closeAndAccount(recorder, storage, { accepted: numbers(6) })
  })

  scenario("oldestAge is the age of the oldest pending record, in flight or queued", function* () {
    const storage = yield* stepped<number>()
    const recorder = yield* Recorder.make(storage.storage)
    yield* TestClock.adjust("1 second")
    expect(recorder.unsafeStats().oldestAge).toBe(0)
    recorder.unsafeSave(1)
    const first = yield* storage.next
    yield* TestClock.adjust("3 seconds")
    recorder.unsafeSave(2)
    yield* TestClock.adjust("2 seconds")
    expect(recorder.unsafeStats().oldestAge).toBe(5000)
    yield* first.succeed
    const second = yield* storage.next
    expect(recorder.unsafeStats().oldestAge).toBe(2000)
    yield* second.succeed
    yield* recorder.flush
    yield* TestClock.adjust("1 second")
    expect(recorder.unsafeStats().oldestAge).toBe(0)
    yield* closeAndAccount(recorder, storage, { accepted: [1, 2] })
  })

  scenario("are a snapshot: what is held does not change later", function* () {
    const recorder = yield* Recorder.make(backend<number>().storage, {
      bound: { count: 1, overflow: "drop-newest" }
    })
    numbers(3).forEach(recorder.unsafeSave)
    const before = recorder.unsafeStats()
    const copy = structuredClone(before)
    numbers(3).forEach(recorder.unsafeSave)
    yield* recorder.close
    expect(before).toEqual(copy)
  })
})
