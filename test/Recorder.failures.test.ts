/** What happens to the records when saves fail. */
import { describe, expect } from "@effect/vitest"
import { Context, Effect, Exit, Fiber, Option, Random, Schedule, Scope, TestClock, Tracer } from "effect"
import * as Recorder from "../src/Recorder.js"
import { StorageError } from "../src/Storage.js"
import { closeAndAccount, expectBalance, numbers } from "./support/account.js"
import {
  backend,
  failingFirst,
  fatal,
  poison,
  refusing,
  type SaveCall,
  stepped,
  transient
} from "./support/backends.js"
import { scenario, settled, started } from "./support/turn.js"
import { status } from "./support/watching.js"

const unknown = new Error("what?")

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
    expect(yield* recorder.status).toEqual({ _tag: "Running" })
    yield* TestClock.adjust("10 millis")
    yield* first.fail(transient({ message: "one" }))
    const cause = (message: string) => expect.objectContaining({ _tag: "StorageError", message })
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

  scenario("one with it holds each record once, and says how many were there already", function* () {
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

  scenario("one that passes within 5 retries isolates nobody", function* () {
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

describe("fatal:", () => {
  scenario("stop is the default: Failed, later saves refused, the rest handed back by close", function* () {
    const storage = backend<number>({
      save: (call) => (call.nth === 1 ? call.commit : Effect.fail(fatal({ message: "no such table" })))
    })
    const recorder = yield* Recorder.make(storage.storage, { maxBatchSize: 2 })
    numbers(5).forEach(recorder.unsafeSave)
    const failed = yield* status(recorder, "Failed")
    expect(failed.cause).toMatchObject({ _tag: "StorageError", message: "no such table" })
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
    for (const { cause } of report.unsaved) expect(Option.getOrThrow(cause)).toBe(failed.cause)
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
    expect(yield* recorder.status).toMatchObject({ _tag: "Failed", cause: { message: "away" } })
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
    const recorder = yield* Recorder.makeDelayed(Effect.as(look, storage.storage)).pipe(
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
