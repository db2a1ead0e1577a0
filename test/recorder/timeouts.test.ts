/** Saves that hang. */
import { describe, expect } from "@effect/vitest"
import { Deferred, Effect, Fiber, Schedule, TestClock } from "effect"
import * as Recorder from "../../src/Recorder.js"
import { closeAndAccount, expectAccount, numbers } from "../support/recorder/account.js"
import { backend, refusing, type SaveCall, transient } from "../support/recorder/backends.js"
import { scenario, started } from "../support/time/turn.js"

const retry = Schedule.spaced("100 millis")

/** Hangs in the first calls, then commits. */
const hanging =
  (calls: number, hang: (call: SaveCall<number>) => Effect.Effect<never>) => (call: SaveCall<number>) =>
    call.nth <= calls ? hang(call) : call.commit

describe("saveTimeout", () => {
  for (const [name, options, seconds] of [
    ["30 seconds by default", {}, 30],
    ["or what was chosen", { saveTimeout: "2 seconds" }, 2]
  ] as const) {
    scenario(
      `a save that hangs is interrupted after it (${name}), as transient with unknown outcome`,
      function* () {
        const interrupted = yield* Deferred.make<void>()
        const storage = backend<number>({
          save: hanging(1, () =>
            Effect.onInterrupt(Effect.never, () => Deferred.succeed(interrupted, undefined))
          )
        })
        const recorder = yield* Recorder.make(storage.storage, { ...options, retry })
        recorder.unsafeSave(1)
        yield* TestClock.adjust(seconds * 1000 - 1)
        expect(yield* Deferred.isDone(interrupted)).toBe(false)
        expect((yield* recorder.status)._tag).toBe("Running")
        yield* TestClock.adjust(1)
        yield* Deferred.await(interrupted)
        const degraded = yield* recorder.status
        expect(degraded).toMatchObject({
          _tag: "Degraded",
          attempt: 1,
          cause: { _tag: "Some", value: { _tag: "StorageError", kind: "Transient", outcome: "Unknown" } }
        })
        yield* TestClock.adjust("100 millis")
        yield* closeAndAccount(recorder, storage, { accepted: [1] })
        expect(storage.saves.map(({ at }) => at)).toEqual([0, seconds * 1000 + 100])
      }
    )
  }

  scenario("the interrupted save is awaited before the retry: saves never overlap", function* () {
    const storage = backend<number>({
      save: hanging(2, () => Effect.onInterrupt(Effect.never, () => Effect.sleep("5 seconds")))
    })
    const recorder = yield* Recorder.make(storage.storage, { retry, saveTimeout: "1 second" })
    numbers(3).forEach(recorder.unsafeSave)
    yield* TestClock.adjust("20 seconds")
    expect(storage.saves.map(({ at }) => at)).toEqual([0, 6100, 12_200])
    yield* closeAndAccount(recorder, storage, { accepted: numbers(3) })
  })

  scenario("holds for each attempt exactly, whatever ran before it", function* () {
    const slow = (call: SaveCall<number>) => Effect.zipRight(Effect.sleep("300 millis"), call.commit)
    const storage = backend<number>({
      save: (call) =>
        call.nth % 3 === 0 ? Effect.never : call.nth === 5 ? Effect.fail(transient()) : slow(call),
      load: (found) => Effect.delay(Effect.succeed(found), "450 millis")
    })
    const recorder = yield* Recorder.make(storage.storage, {
      retry,
      maxBatchSize: 1,
      saveTimeout: "700 millis"
    })
    numbers(4).forEach(recorder.unsafeSave)
    const load = yield* started(recorder.load(undefined))
    recorder.unsafeSave(5)
    yield* TestClock.adjust("10 seconds")
    expect(yield* Fiber.join(load)).toEqual(numbers(4))
    // Two of 300 ms; 700 ms in vain and 100 ms of waiting; 300; a failure and 100; in vain; ... and a load of 450 ms.
    expect(storage.saves.map(({ at }) => at)).toEqual([0, 300, 600, 1400, 1700, 1800, 2600, 3350])
    yield* closeAndAccount(recorder, storage, { accepted: numbers(5) })
  })

  scenario(
    "a save that commits while it is interrupted is stored once, by a storage that knows its ids",
    function* () {
      const storage = backend<number>({
        save: hanging(1, (call) => Effect.onInterrupt(Effect.never, () => call.commit))
      })
      const recorder = yield* Recorder.make(storage.storage, { retry, saveTimeout: "1 second" })
      numbers(3).forEach(recorder.unsafeSave)
      yield* TestClock.adjust("2 seconds")
      yield* closeAndAccount(recorder, storage, { accepted: numbers(3) })
      expect(recorder.unsafeStats()).toMatchObject({ stored: 3, duplicates: 3 })
    }
  )

  scenario(
    "a save that succeeds in spite of its interruption counts as unknown and is repeated",
    function* () {
      const storage = backend<number>({
        save: (call) =>
          call.nth === 1
            ? Effect.uninterruptible(Effect.zipRight(Effect.sleep("3 seconds"), call.commit))
            : call.commit
      })
      const recorder = yield* Recorder.make(storage.storage, { retry, saveTimeout: "1 second" })
      numbers(2).forEach(recorder.unsafeSave)
      yield* TestClock.adjust("4 seconds")
      const report = yield* closeAndAccount(recorder, storage, { accepted: numbers(2) })
      expect(storage.held).toEqual(numbers(2))
      expect(report.stats).toMatchObject({ stored: 2 })
    }
  )

  scenario("a backend that hangs for ever is tried for ever, and the records wait", function* () {
    const storage = backend<number>({ save: () => Effect.never })
    const recorder = yield* Recorder.make(storage.storage, { retry, saveTimeout: "1 second" })
    numbers(2).forEach(recorder.unsafeSave)
    yield* TestClock.adjust("10999 millis")
    // It may be the size: after three attempts the batch is halved, and its records are waited for one by one.
    expect(storage.saves.slice(0, 3).map(({ at }) => at)).toEqual([0, 1100, 2200])
    expect(storage.batches().slice(0, 7)).toEqual([[1, 2], [1, 2], [1, 2], [1], [1], [1], [2]])
    const gaps = storage.saves.slice(1).map(({ at }, n) => at - (storage.saves[n]?.at ?? 0))
    expect(new Set(gaps)).toEqual(new Set([1000, 1100]))
    expect(recorder.unsafeStats()).toMatchObject({ pending: 2, setAside: 0 })
    const closing = yield* started(recorder.closeWithin("1 second"))
    yield* TestClock.adjust("2 seconds")
    const report = yield* Fiber.join(closing)
    expectAccount(report, storage, { accepted: numbers(2) })
    expect(report.unsaved.map(({ outcome }) => outcome)).toEqual(["Unknown", "Unknown"])
  })

  scenario("holds for each save of a bisection on its own", function* () {
    const slow = Effect.sleep("900 millis")
    const storage = backend<number>({
      save: (call) => Effect.zipRight(slow, refusing<number>((record) => record === 3)(call))
    })
    const recorder = yield* Recorder.make(storage.storage, { retry, saveTimeout: "1 second" })
    numbers(8).forEach(recorder.unsafeSave)
    yield* TestClock.adjust("10 seconds")
    expect(storage.saves.length * 900).toBeGreaterThan(3000)
    const report = yield* closeAndAccount(recorder, storage, { accepted: numbers(8) })
    expect(report.stats).toMatchObject({ stored: 7, setAside: 1, retries: 0 })
  })

  scenario("holds for the saves of a bisection that follows unknown failures", function* () {
    const storage = backend<number>({
      save: (call) => {
        if (call.nth === 7) return Effect.never
        return call.nth < 7 ? Effect.die(new Error("no word for it")) : call.commit
      }
    })
    const recorder = yield* Recorder.make(storage.storage, { retry, saveTimeout: "1 second" })
    numbers(2).forEach(recorder.unsafeSave)
    yield* TestClock.adjust("3 seconds")
    expect(storage.batches().slice(6)).toEqual([[1], [1], [2]])
    yield* closeAndAccount(recorder, storage, { accepted: numbers(2) })
  })
})
