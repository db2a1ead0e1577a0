/** A backend that is away: retries, and what they repeat. */
import { describe, expect } from "@effect/vitest"
import { Effect, Option, Random, Schedule, TestClock } from "effect"
import * as Recorder from "../../src/Recorder.js"
import { StorageError } from "../../src/Storage.js"
import { closeAndAccount, expectBalance, numbers } from "../support/recorder/account.js"
import { backend, failingFirst, stepped, transient } from "../support/recorder/backends.js"
import { status } from "../support/recorder/watching.js"
import { scenario, settled } from "../support/time/turn.js"

/** Retries after 100 ms each, for ever. */
const retry = Schedule.spaced("100 millis")

/** The jitter is taken from these numbers; 0.5 is none. */
const withJitter = (...numbers: [number, ...Array<number>]) => Effect.withRandom(Random.fixed(numbers))

describe("transient:", () => {
  scenario("the same batch is retried from 100 ms by factor 2, at most each 30 s, for ever", function* () {
    const failures = 12
    const storage = backend<number>({ save: failingFirst(...Array(failures).fill(transient())) })
    const recorder = yield* withJitter(0.5)(Recorder.make(storage.storage))
    numbers(3).forEach(recorder.unsafeSave)
    yield* TestClock.adjust("3 minutes")
    yield* recorder.flush
    const delays = [100, 200, 400, 800, 1600, 3200, 6400, 12_800, 25_600, 30_000, 30_000, 30_000]
    let at = 0
    expect(storage.saves.map((call) => call.at)).toEqual([0, ...delays.map((delay) => (at += delay))])
    expect(storage.batches()).toEqual(Array(failures + 1).fill([1, 2, 3]))
    yield* closeAndAccount(recorder, storage, { accepted: numbers(3) })
    expect(recorder.unsafeStats().retries).toBe(failures)
  })

  scenario("the default retry is jittered by a fifth to both sides", function* () {
    const storage = backend<number>({ save: failingFirst(transient(), transient()) })
    const recorder = yield* withJitter(0, 1)(Recorder.make(storage.storage))
    recorder.unsafeSave(1)
    yield* TestClock.adjust("1 second")
    expect(storage.saves.map((call) => call.at)).toEqual([0, 80, 80 + 240])
    yield* closeAndAccount(recorder, storage, { accepted: [1] })
  })

  scenario("each outage begins the schedule anew", function* () {
    const away = [1, 2, 4, 5]
    const storage = backend<number>({
      save: (call) => (away.includes(call.nth) ? Effect.fail(transient()) : call.commit)
    })
    const recorder = yield* withJitter(0.5)(Recorder.make(storage.storage))
    recorder.unsafeSave(1)
    yield* TestClock.adjust("300 millis")
    recorder.unsafeSave(2)
    yield* TestClock.adjust("300 millis")
    expect(storage.saves.map((call) => call.at)).toEqual([0, 100, 300, 300, 400, 600])
    yield* closeAndAccount(recorder, storage, { accepted: [1, 2] })
  })

  scenario("a storage that throws is retried like one that dies", function* () {
    const storage = backend<number>()
    let calls = 0
    const recorder = yield* Recorder.make(
      {
        ...storage.storage,
        save: (batch: ReadonlyArray<number>) => {
          if (calls++ === 0) throw new Error("no statement")
          return storage.storage.save(batch)
        }
      },
      { retry }
    )
    recorder.unsafeSave(1)
    yield* settled
    expect(yield* recorder.status).toMatchObject({ _tag: "Degraded", attempt: 1 })
    yield* TestClock.adjust("1 second")
    yield* closeAndAccount(recorder, storage, { accepted: [1] })
  })

  scenario("a stored part ends the outage: the schedule begins anew", function* () {
    const storage = backend<number>({
      save: (call) => {
        if (call.nth === 2) return Effect.zipRight(call.commitFirst(1), Effect.fail(transient({ stored: 1 })))
        return call.nth < 4 ? Effect.fail(transient()) : call.commit
      }
    })
    const recorder = yield* withJitter(0.5)(Recorder.make(storage.storage))
    numbers(2).forEach(recorder.unsafeSave)
    yield* TestClock.adjust("1 second")
    expect(storage.saves.map((call) => call.at)).toEqual([0, 100, 200, 400])
    yield* closeAndAccount(recorder, storage, { accepted: [1, 2] })
  })

  scenario("order is kept, later records wait behind", function* () {
    const storage = backend<number>({ save: failingFirst(transient(), transient(), transient()) })
    const recorder = yield* Recorder.make(storage.storage, { retry, maxBatchSize: 3 })
    numbers(4).forEach(recorder.unsafeSave)
    yield* TestClock.adjust("150 millis")
    recorder.unsafeSave(5)
    yield* TestClock.adjust("1 second")
    expect(storage.batches()).toEqual([
      [1, 2, 3],
      [1, 2, 3],
      [1, 2, 3],
      [1, 2, 3],
      [4, 5]
    ])
    yield* closeAndAccount(recorder, storage, { accepted: numbers(5) })
    expect(storage.held).toEqual(numbers(5))
  })

  scenario("status is Degraded with since, cause and attempt; one attempt is under way", function* () {
    const storage = yield* stepped<number>()
    const recorder = yield* Recorder.make(storage.storage, { retry })
    yield* TestClock.adjust("1 second")
    recorder.unsafeSave(1)
    const first = yield* storage.next
    expect(yield* recorder.status).toEqual({ _tag: "Running", cause: Option.none() })
    yield* TestClock.adjust("10 millis")
    yield* first.fail(transient({ message: "one" }))
    const cause = (message: string) =>
      expect.objectContaining({
        _tag: "Some",
        value: expect.objectContaining({ _tag: "StorageError", message })
      })
    expect(yield* status(recorder, "Degraded")).toEqual({
      _tag: "Degraded",
      since: 1010,
      attempt: 1,
      cause: cause("one")
    })
    yield* TestClock.adjust("100 millis")
    const second = yield* storage.next
    expect((yield* recorder.status)._tag).toBe("Degraded")
    yield* TestClock.adjust("1 second")
    expect(storage.saves).toHaveLength(2)
    yield* second.fail(transient({ message: "two" }))
    expect(yield* status(recorder, "Degraded", ({ attempt }) => attempt === 2)).toEqual({
      _tag: "Degraded",
      since: 1010,
      attempt: 2,
      cause: cause("two")
    })
    yield* TestClock.adjust("100 millis")
    yield* Effect.flatMap(storage.next, (call) => call.succeed)
    yield* status(recorder, "Running")
    yield* closeAndAccount(recorder, storage, { accepted: [1] })
    expect(recorder.unsafeStats()).toMatchObject({ retries: 2, saves: 1 })
  })

  for (const kind of ["Transient", "Poison", "Unknown", "Fatal"] as const) {
    scenario(`the stored prefix of a failure of kind ${kind} is not sent again`, function* () {
      const failure = new StorageError({ kind, outcome: "NotStored", stored: 3, message: "in the middle" })
      const storage = backend<number>({
        save: (call) =>
          call.nth === 1 ? Effect.zipRight(call.commitFirst(3), Effect.fail(failure)) : call.commit
      })
      const recorder = yield* Recorder.make(storage.storage, { retry, onFatal: "set-aside" })
      numbers(5).forEach(recorder.unsafeSave)
      yield* TestClock.adjust("1 second")
      const resent = storage.saves.slice(1).flatMap((call) => call.batch)
      expect(resent).toEqual(kind === "Fatal" ? [] : [4, 5])
      expect(recorder.unsafeStats()).toMatchObject({ stored: kind === "Fatal" ? 3 : 5 })
      yield* closeAndAccount(recorder, storage, { accepted: numbers(5) })
    })
  }

  scenario("a stored prefix that is the whole batch, or is nonsense, loses nothing", function* () {
    const stored = [2, -1, Number.NaN, 1e9, 0.5]
    const storage = backend<number>({
      save: (call) => {
        const count = stored[call.nth - 1]
        if (count === undefined) return call.commit
        const kept = call.commitFirst(count === 2 || count === 1e9 ? call.batch.length : 0)
        return Effect.zipRight(kept, Effect.fail(transient({ stored: count })))
      }
    })
    const recorder = yield* Recorder.make(storage.storage, { retry })
    numbers(2).forEach(recorder.unsafeSave)
    yield* TestClock.adjust("1 second")
    numbers(2, 3).forEach(recorder.unsafeSave)
    yield* TestClock.adjust("1 second")
    numbers(2, 5).forEach(recorder.unsafeSave)
    yield* TestClock.adjust("1 second")
    yield* closeAndAccount(recorder, storage, { accepted: numbers(6) })
    expect(storage.held).toEqual(numbers(6))
  })
})

describe("a storage without idempotence", () => {
  scenario(
    "may hold a record twice after a retry of an unknown outcome, and the account counts it once",
    function* () {
      const rows: Array<number> = []
      let calls = 0
      const recorder = yield* Recorder.make<number, never, void>(
        {
          save: (batch) =>
            Effect.suspend(() => {
              rows.push(...batch)
              return ++calls === 1 ? Effect.fail(transient({ outcome: "Unknown" })) : Effect.void
            }),
          load: () => Effect.void
        },
        { retry }
      )
      numbers(2).forEach(recorder.unsafeSave)
      yield* TestClock.adjust("1 second")
      const report = yield* recorder.close
      expect(rows).toEqual([1, 2, 1, 2])
      expect(report.stats).toMatchObject({ accepted: 2, stored: 2, duplicates: 0 })
      expectBalance(report.stats)
    }
  )

  scenario("one with it holds each record once, and counts those that were there already", function* () {
    const storage = backend<number>({
      save: (call) =>
        call.nth === 1
          ? Effect.zipRight(call.commitFirst(1), Effect.fail(transient({ outcome: "Unknown" })))
          : call.commit
    })
    const recorder = yield* Recorder.make(storage.storage, { retry })
    numbers(2).forEach(recorder.unsafeSave)
    yield* TestClock.adjust("1 second")
    yield* closeAndAccount(recorder, storage, { accepted: numbers(2) })
    expect(recorder.unsafeStats()).toMatchObject({ stored: 2, duplicates: 1 })
  })
})
