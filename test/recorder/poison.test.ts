/** Records that a backend refuses, known or only suspected, and how they are found. */
import { describe, expect } from "@effect/vitest"
import { Effect, Fiber, Schedule, TestClock } from "effect"
import * as Recorder from "../../src/Recorder.js"
import { StorageError } from "../../src/Storage.js"
import { closeAndAccount, numbers } from "../support/recorder/account.js"
import {
  backend,
  failingFirst,
  poison,
  refusing,
  type SaveCall,
  transient
} from "../support/recorder/backends.js"
import { scenario, started } from "../support/time/turn.js"

const unknown = new Error("what?")

/** Retries after 100 ms each, for ever. */
const retry = Schedule.spaced("100 millis")

describe("poison:", () => {
  for (const bad of [1, 2, 250, 499, 500, 501, 777, 999, 1000]) {
    scenario(
      `record ${bad} of 1,000 is found by at most 22 saves; the others are stored in order`,
      function* () {
        const storage = backend<number>({ save: refusing((record) => record === bad) })
        const recorder = yield* Recorder.make(storage.storage)
        yield* Effect.sync(() => numbers(1000).forEach(recorder.unsafeSave))
        yield* recorder.flush
        expect(storage.saves.length).toBeLessThanOrEqual(22)
        expect(storage.held).toEqual(numbers(1000).filter((record) => record !== bad))
        expect((yield* recorder.status)._tag).toBe("Running")
        const report = yield* closeAndAccount(recorder, storage, { accepted: numbers(1000) })
        expect(report.setAside.map(({ record }) => record)).toEqual([bad])
        expect(report.stats).toMatchObject({ stored: 999, setAside: 1 })
      }
    )
  }

  scenario("several bad records, next to each other and at both ends, are set aside in order", function* () {
    const bad = [1, 2, 17, 50, 51, 100]
    const storage = backend<number>({ save: refusing((record) => bad.includes(record)) })
    const recorder = yield* Recorder.make(storage.storage)
    numbers(100).forEach(recorder.unsafeSave)
    yield* recorder.flush
    recorder.unsafeSave(101)
    const report = yield* closeAndAccount(recorder, storage, { accepted: numbers(101) })
    expect(report.setAside.map(({ record }) => record)).toEqual(bad)
    expect(storage.held).toEqual(numbers(101).filter((record) => !bad.includes(record)))
  })

  scenario("a batch of bad records only is set aside whole", function* () {
    const storage = backend<number>({ save: refusing(() => true) })
    const recorder = yield* Recorder.make(storage.storage)
    numbers(7).forEach(recorder.unsafeSave)
    const report = yield* closeAndAccount(recorder, storage, { accepted: numbers(7) })
    expect(report.setAside.map(({ record }) => record)).toEqual(numbers(7))
  })

  scenario("positions named by the storage are isolated without a search", function* () {
    const bad = [3, 4, 9]
    const causes = new Map(bad.map((record) => [record, new Error(`no ${record}`)]))
    const storage = backend<number>({
      save: (call) => {
        const named = call.batch.flatMap((record, index) =>
          causes.has(record) ? [{ index, cause: causes.get(record) }] : []
        )
        return named.length === 0 ? call.commit : Effect.fail(poison({ bad: named }))
      }
    })
    const recorder = yield* Recorder.make(storage.storage)
    numbers(10).forEach(recorder.unsafeSave)
    const report = yield* closeAndAccount(recorder, storage, { accepted: numbers(10) })
    expect(storage.batches()).toEqual([numbers(10), [1, 2], [5, 6, 7, 8], [10]])
    expect(report.setAside).toEqual(
      bad.map((record) => ({
        record,
        outcome: "NotStored",
        at: 0,
        cause: expect.objectContaining({
          _tag: "StorageError",
          kind: "Poison",
          message: `no ${record}`,
          cause: causes.get(record)
        })
      }))
    )
  })

  scenario("positions that make no sense cost a search, never a record", function* () {
    const nonsense = [-1, 99, 0.5, Number.NaN].map((index) => ({ index, cause: "nonsense" }))
    const storage = backend<number>({
      save: refusing((record) => record === 5, poison({ bad: nonsense }))
    })
    const recorder = yield* Recorder.make(storage.storage)
    numbers(8).forEach(recorder.unsafeSave)
    const report = yield* closeAndAccount(recorder, storage, { accepted: numbers(8) })
    expect(report.setAside.map(({ record }) => record)).toEqual([5])
  })

  scenario("an outage in the midst of the search delays it, and changes nothing of its result", function* () {
    const away = [2, 3, 6, 9]
    const storage = backend<number>({
      save: (call) =>
        away.includes(call.nth)
          ? Effect.fail(transient())
          : refusing<number>((record) => record === 11 || record === 30)(call)
    })
    const recorder = yield* Recorder.make(storage.storage, { retry })
    numbers(32).forEach(recorder.unsafeSave)
    yield* TestClock.adjust("1 second")
    const report = yield* closeAndAccount(recorder, storage, { accepted: numbers(32) })
    expect(report.setAside.map(({ record }) => record)).toEqual([11, 30])
    expect(storage.held).toEqual(numbers(32).filter((record) => record !== 11 && record !== 30))
  })
})

describe("unknown:", () => {
  const failsWith = (bad: (record: number) => boolean, failure: Effect.Effect<never, unknown>) => {
    const save = (call: SaveCall<number>) => (call.batch.some(bad) ? failure : call.commit)
    return backend<number>({ save })
  }

  for (const [name, failure] of [
    ["a failure that is no StorageError", Effect.fail(unknown)],
    ["one that only bears the name of a StorageError", Effect.fail({ _tag: "StorageError", message: "?" })],
    ["a defect", Effect.die(unknown)],
    ["a storage that interrupts itself", Effect.interrupt],
    [
      "a StorageError of kind Unknown",
      Effect.fail(new StorageError({ kind: "Unknown", outcome: "Unknown", message: "?" }))
    ]
  ] as const) {
    scenario(`${name} is retried 5 times like transient, then bisected`, function* () {
      const storage = failsWith((record) => record === 6, failure)
      const recorder = yield* Recorder.make(storage.storage, { retry })
      numbers(8).forEach(recorder.unsafeSave)
      yield* TestClock.adjust("499 millis")
      expect(storage.batches()).toEqual(Array(5).fill(numbers(8)))
      expect((yield* recorder.status)._tag).toBe("Degraded")
      yield* TestClock.adjust("10 seconds")
      expect(storage.saves.slice(0, 6).map(({ at }) => at)).toEqual([0, 100, 200, 300, 400, 500])
      expect(storage.batches()[6]!.length).toBeLessThan(8)
      expect((yield* recorder.status)._tag).toBe("Running")
      const report = yield* closeAndAccount(recorder, storage, { accepted: numbers(8) })
      expect(report.setAside).toMatchObject([{ record: 6, outcome: "Unknown", cause: { kind: "Unknown" } }])
      expect(storage.held).toEqual([1, 2, 3, 4, 5, 7, 8])
    })
  }

  scenario("one that passes within 5 retries isolates no record", function* () {
    const storage = backend<number>({ save: failingFirst(...Array(5).fill(unknown)) })
    const recorder = yield* Recorder.make(storage.storage, { retry })
    numbers(8).forEach(recorder.unsafeSave)
    yield* TestClock.adjust("1 second")
    expect(storage.batches()).toEqual(Array(6).fill(numbers(8)))
    yield* closeAndAccount(recorder, storage, { accepted: numbers(8) })
  })

  scenario("when none can be stored it was no matter of data: transient again", function* () {
    let away = true
    const storage = failsWith(
      () => away,
      Effect.suspend(() => Effect.fail(unknown))
    )
    const recorder = yield* Recorder.make(storage.storage, { retry })
    numbers(8).forEach(recorder.unsafeSave)
    yield* TestClock.adjust("20 seconds")
    expect(yield* recorder.status).toMatchObject({ _tag: "Degraded", since: 0 })
    expect(recorder.unsafeStats()).toMatchObject({ pending: 8, setAside: 0 })
    away = false
    yield* TestClock.adjust("1 second")
    const report = yield* closeAndAccount(recorder, storage, { accepted: numbers(8) })
    expect(report.setAside).toEqual([])
    expect(storage.held).toEqual(numbers(8))
  })

  scenario("a lone record waits for a second to compare with", function* () {
    const storage = failsWith((record) => record === 1, Effect.fail(unknown))
    const recorder = yield* Recorder.make(storage.storage, { retry })
    recorder.unsafeSave(1)
    const flush = yield* started(recorder.flush)
    yield* TestClock.adjust("20 seconds")
    expect(recorder.unsafeStats()).toMatchObject({ pending: 1, setAside: 0 })
    expect((yield* recorder.status)._tag).toBe("Degraded")
    recorder.unsafeSave(2)
    yield* TestClock.adjust("10 seconds")
    yield* Fiber.join(flush)
    const report = yield* closeAndAccount(recorder, storage, { accepted: [1, 2] })
    expect(report.setAside.map(({ record }) => record)).toEqual([1])
    expect(storage.held).toEqual([2])
  })
})
