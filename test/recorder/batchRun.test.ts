/** How one batch is saved, step by step, where a recorder's own tests do not look. */
import { describe, expect } from "@effect/vitest"
import { Clock, Effect, Fiber, Option, Schedule, TestClock } from "effect"
import * as Recorder from "../../src/Recorder.js"
import { StorageError } from "../../src/Storage.js"
import { closeAndAccount, numbers } from "../support/recorder/account.js"
import { backend, refusing, transient } from "../support/recorder/backends.js"
import { scenario, settled, started } from "../support/time/turn.js"

const even = (n: number): boolean => n % 2 === 0

/** Unlisted errors for a batch that holds one of these. */
const unlisted = (bad: (record: number) => boolean) =>
  backend<number>({
    save: (call) => (call.batch.some(bad) ? Effect.die(new Error("unlisted")) : call.commit)
  })

describe("the dead-letter sink", () => {
  scenario("rests between its tries also when that is longer than a save may take", function* () {
    const storage = backend<number>({ save: refusing<number>(even) })
    const tries: Array<number> = []
    const recorder = yield* Recorder.make(storage.storage, {
      saveTimeout: 20,
      deadLetters: () =>
        Effect.flatMap(Clock.currentTimeMillis, (now) => {
          tries.push(now)
          return Effect.fail("full")
        })
    })
    numbers(2).forEach(recorder.unsafeSave)
    yield* TestClock.adjust("1 second")
    expect(tries).toEqual([0, 100, 300])
    yield* closeAndAccount(recorder, storage, { accepted: numbers(2) })
  })
})

describe("failures of unknown kind", () => {
  scenario("of a lone record wait for a second one, and then hold up no other", function* () {
    const storage = unlisted((n) => n === 1)
    const recorder = yield* Recorder.make(storage.storage)
    recorder.unsafeSave(1)
    yield* TestClock.adjust("2 minutes")
    expect(recorder.unsafeStats()).toMatchObject({ pending: 1, setAside: 0 })
    expect(storage.saves.length).toBeGreaterThan(6)
    recorder.unsafeSave(2)
    yield* TestClock.adjust("1 minute")
    expect(recorder.unsafeStats()).toMatchObject({ pending: 0, setAside: 1, stored: 1 })
    yield* closeAndAccount(recorder, storage, { accepted: numbers(2) })
  })

  scenario("of several records that are a batch of their own do so too", function* () {
    const storage = unlisted((n) => n < 4)
    const recorder = yield* Recorder.make(storage.storage, { maxBatchSize: 2 })
    numbers(3).forEach(recorder.unsafeSave)
    yield* TestClock.adjust("2 minutes")
    expect(recorder.unsafeStats()).toMatchObject({ pending: 3, setAside: 0 })
    recorder.unsafeSave(4)
    yield* TestClock.adjust("10 minutes")
    expect(recorder.unsafeStats()).toMatchObject({ pending: 0, setAside: 3, stored: 1 })
    expect(Math.max(...storage.batches().map((batch) => batch.length))).toBe(2)
    yield* closeAndAccount(recorder, storage, { accepted: numbers(4) })
  })

  // Compared: the lone one is tried, then the newcomer, whose success accuses it, so that it is tried once more.
  for (const [name, arrives, expected] of [
    [
      "one that waits already at once, behind the last retry",
      0,
      [0, 1, 2, 3, 4, 5].map((second) => `${second * 1000}: 1`).concat("5000: 1", "5000: 2", "5000: 1")
    ],
    [
      "one that comes during a wait when that is over, and not before",
      7300,
      [0, 1, 2, 3, 4, 5, 6, 7, 8].map((second) => `${second * 1000}: 1`).concat("8000: 2", "8000: 1")
    ]
  ] as const) {
    scenario(`compare with ${name}`, function* () {
      const storage = unlisted((n) => n === 1)
      const recorder = yield* Recorder.make(storage.storage, {
        maxBatchSize: 1,
        retry: Schedule.spaced("1 second")
      })
      recorder.unsafeSave(1)
      yield* TestClock.adjust(arrives)
      recorder.unsafeSave(2)
      yield* TestClock.adjust("1 minute")
      expect(storage.saves.map(({ at, batch }) => `${at}: ${batch}`)).toEqual(expected)
      yield* closeAndAccount(recorder, storage, { accepted: numbers(2) })
    })
  }

  scenario("take no newcomers in from behind a query, until its caller has gone", function* () {
    const storage = unlisted((n) => n === 1)
    const recorder = yield* Recorder.make(storage.storage)
    recorder.unsafeSave(1)
    const query = yield* started(recorder.load(undefined))
    recorder.unsafeSave(2)
    yield* TestClock.adjust("2 minutes")
    expect(storage.batches().flat()).not.toContain(2)
    expect(recorder.unsafeStats()).toMatchObject({ pending: 2, setAside: 0 })
    yield* Fiber.interrupt(query)
    yield* TestClock.adjust("1 minute")
    expect(recorder.unsafeStats()).toMatchObject({ pending: 0, setAside: 1, stored: 1 })
    yield* closeAndAccount(recorder, storage, { accepted: numbers(2) })
  })

  scenario(
    "take newcomers in whose receipts are resolved, also behind records that were dropped",
    function* () {
      const storage = backend<number>({
        save: (call) => (call.batch.includes(1) ? Effect.die(new Error("no word for it")) : call.commit)
      })
      const recorder = yield* Recorder.make(storage.storage, {
        bound: { count: 2, overflow: "drop-oldest" },
        deadLetters: () => Effect.void
      })
      recorder.unsafeSave(1)
      yield* settled
      recorder.unsafeSave(2)
      const newcomer = yield* started(recorder.saveDurable(3))
      yield* TestClock.adjust("2 minutes")
      yield* Fiber.join(newcomer)
      const next = yield* Effect.forEach([4, 5], (record) => Effect.fork(recorder.saveDurable(record)))
      yield* Fiber.join(Fiber.all(next))
      yield* closeAndAccount(recorder, storage, { accepted: numbers(5), dropped: [2], sunk: [1] })
    }
  )

  scenario("set nothing aside when they began or ended in the midst of a bisection", function* () {
    for (const [from, to] of [
      [1, 9],
      [8, 12],
      [9, 30]
    ] as const) {
      const storage = backend<number>({
        save: (call) => {
          const away = call.nth >= from && call.nth <= to
          return away || call.batch.includes(5) ? Effect.die(new Error("unlisted")) : call.commit
        }
      })
      const recorder = yield* Recorder.make(storage.storage)
      numbers(9).forEach(recorder.unsafeSave)
      yield* TestClock.adjust("2 minutes")
      recorder.unsafeSave(10)
      yield* TestClock.adjust("10 minutes")
      expect(recorder.unsafeStats()).toMatchObject({ pending: 0, setAside: 1, stored: 9 })
      const report = yield* closeAndAccount(recorder, storage, { accepted: numbers(10) })
      expect(report.setAside.map(({ record }) => record)).toEqual([5])
    }
  })
})

describe("a redrive", () => {
  scenario("keeps what was known of the outcome, and its records are dropped by no policy", function* () {
    const storage = backend<number>({
      save: (call) =>
        call.nth === 1
          ? Effect.zipRight(
              call.commit,
              Effect.fail(new StorageError({ kind: "Poison", outcome: "Unknown", message: "lost" }))
            )
          : call.nth === 2
            ? Effect.fail(transient())
            : Effect.never
    })
    const recorder = yield* Recorder.make(storage.storage, { bound: { count: 2, overflow: "drop-oldest" } })
    recorder.unsafeSave(1)
    yield* settled
    expect(recorder.unsafeStats()).toMatchObject({ setAside: 1, pending: 0 })
    expect(yield* recorder.redrive).toBe(1)
    expect(recorder.unsafeStats()).toMatchObject({ setAside: 0, pending: 1 })
    numbers(3, 2).forEach(recorder.unsafeSave)
    expect(recorder.unsafeStats()).toMatchObject({ accepted: 4, dropped: 2, pending: 2 })
    yield* settled
    const closing = yield* started(recorder.closeWithin(10))
    yield* TestClock.adjust("1 second")
    const { unsaved } = yield* Fiber.join(closing)
    expect(unsaved.map(({ outcome, record }) => [record, outcome])).toEqual([
      [1, "Unknown"],
      [4, "NotStored"]
    ])
    expect(unsaved.map(({ cause }) => Option.isSome(cause))).toEqual([true, true])
  })

  scenario("that has not begun is handed back with what was known", function* () {
    const lost = new StorageError({ kind: "Poison", outcome: "Unknown", message: "lost" })
    const storage = backend<number>({
      save: (call) => (call.nth === 1 ? Effect.zipRight(call.commit, Effect.fail(lost)) : Effect.never)
    })
    const recorder = yield* Recorder.make(storage.storage)
    recorder.unsafeSave(1)
    yield* settled
    recorder.unsafeSave(2)
    yield* settled
    recorder.unsafeSave(3)
    yield* recorder.redrive
    const closing = yield* started(recorder.closeWithin(10))
    yield* TestClock.adjust("1 second")
    expect((yield* Fiber.join(closing)).unsaved.map(({ outcome, record }) => [record, outcome])).toEqual([
      [2, "Unknown"],
      [1, "Unknown"],
      [3, "NotStored"]
    ])
  })

  scenario("is seen by a load after it, and covered by a flush", function* () {
    let mended = false
    const storage = backend<number>({
      save: (call) => (mended ? call.commit : refusing<number>(even)(call))
    })
    const recorder = yield* Recorder.make(storage.storage, { maxBatchSize: 2, linger: "1 hour" })
    numbers(8).forEach(recorder.unsafeSave)
    yield* recorder.flush
    expect(recorder.unsafeStats().setAside).toBe(4)
    mended = true
    expect(yield* recorder.redrive).toBe(4)
    yield* settled
    expect(recorder.unsafeStats()).toMatchObject({ stored: 8, setAside: 0, pending: 0 })
    recorder.unsafeSave(9)
    expect(yield* recorder.load(undefined)).toEqual([1, 3, 5, 7, 2, 4, 6, 8, 9])
    expect(storage.batches().slice(-3)).toEqual([[2, 4], [6, 8], [9]])
    yield* closeAndAccount(recorder, storage, { accepted: numbers(9) })
  })
})
