/** The base contract: one test or more for each row of its table. */
import { describe, expect, it } from "@effect/vitest"
import { Deferred, Effect, Exit, Fiber, Option, Scope, TestClock } from "effect"
import * as Recorder from "../src/Recorder.js"
import * as Storage from "../src/Storage.js"
import { closeAndAccount, expectAccount, expectBalance, numbers } from "./support/account.js"
import { backend, failingFirst, stepped, transient } from "./support/backends.js"
import { manual, microtasks, scenario, settled, started, withTurn } from "./support/turn.js"

describe("a storage", () => {
  scenario("ten lines are enough for a backend of one's own types", function* () {
    type Line = { readonly text: string }
    const lines: Array<Line> = []
    const storage: Storage.Storage<Line, "longest", Line | undefined> = {
      save: (batch) => Effect.sync(() => void lines.push(...batch)),
      load: () => Effect.sync(() => lines.slice().sort((a, b) => b.text.length - a.text.length)[0])
    }
    const recorder = yield* Recorder.make(storage)
    recorder.unsafeSave({ text: "short" })
    recorder.unsafeSave({ text: "longer" })
    expect(yield* recorder.load("longest")).toEqual({ text: "longer" })
  })

  scenario("save and load never overlap on one actor", function* () {
    const slow = Effect.sleep("10 millis")
    const storage = backend<number>({
      save: (call) => Effect.zipRight(slow, call.commit),
      load: (found) => Effect.as(slow, found)
    })
    const recorder = yield* Recorder.make(storage.storage)
    const loads: Array<Fiber.RuntimeFiber<ReadonlyArray<number>, unknown>> = []
    for (const record of numbers(20)) {
      recorder.unsafeSave(record)
      if (record % 3 === 0) loads.push(yield* started(recorder.load(undefined)))
      if (record % 4 === 0) yield* TestClock.adjust("7 millis")
    }
    yield* TestClock.adjust("1 second")
    const answers = yield* Fiber.join(Fiber.all(loads))
    expect(answers.map((found) => found.length)).toEqual([3, 6, 9, 12, 15, 18])
    yield* closeAndAccount(recorder, storage, { accepted: numbers(20) })
  })

  scenario("a batch array belongs to the storage and is never reused", function* () {
    const kept: Array<ReadonlyArray<number>> = []
    const contents: Array<ReadonlyArray<number>> = []
    const held: Array<number> = []
    const recorder = yield* Recorder.make<number, never, void>({
      save: (batch) =>
        Effect.suspend(() => {
          kept.push(batch)
          contents.push(batch.slice())
          // Its own array: it may take it apart. The first time, it has to give up in the middle.
          const own = batch as Array<number>
          if (kept.length === 1) own.length = 1
          if (kept.length === 1) return Effect.fail(transient())
          held.push(...own.splice(0))
          return Effect.void
        }),
      load: () => Effect.void
    })
    for (const record of numbers(3)) recorder.unsafeSave(record)
    yield* settled
    recorder.unsafeSave(4)
    yield* TestClock.adjust("1 second")
    yield* recorder.flush
    // Fails when a retry hands out the array of the attempt before it.
    expect(contents).toEqual([[1, 2, 3], [1, 2, 3], [4]])
    expect(new Set(kept).size).toBe(3)
    expect(held).toEqual([1, 2, 3, 4])
    expect(kept).toEqual([[1], [], []])
    expect(recorder.unsafeStats()).toMatchObject({ accepted: 4, stored: 4, pending: 0 })
  })
})

describe("make", () => {
  scenario("returns at once; records wait in an unbounded queue", function* () {
    const storage = yield* stepped<number>()
    const recorder = yield* Recorder.make(storage.storage)
    expect(storage.saves).toEqual([])
    for (const record of numbers(5000)) expect(recorder.unsafeSave(record)).toBe(true)
    expect(recorder.unsafeStats()).toMatchObject({ accepted: 5000, pending: 5000 })
    const closing = yield* Effect.fork(recorder.close)
    for (let call = 0; call < 5; call++) yield* Effect.flatMap(storage.next, (open) => open.succeed)
    expectAccount(yield* Fiber.join(closing), storage, { accepted: numbers(5000) })
    expect(storage.held).toEqual(numbers(5000))
  })

  scenario("makeDelayed returns at once; what came before the storage is served in order", function* () {
    const storage = backend<number>()
    const arrival = yield* Deferred.make<typeof storage.storage>()
    const recorder = yield* Recorder.makeDelayed(Deferred.await(arrival))
    recorder.unsafeSave(1)
    const first = yield* started(recorder.load(undefined))
    recorder.unsafeSave(2)
    const second = yield* started(recorder.load(undefined))
    recorder.unsafeSave(3)
    expect(storage.saves).toEqual([])
    yield* Deferred.succeed(arrival, storage.storage)
    expect(yield* Fiber.join(first)).toEqual([1])
    expect(yield* Fiber.join(second)).toEqual([1, 2])
    yield* closeAndAccount(recorder, storage, { accepted: numbers(3) })
    expect(storage.batches()).toEqual([[1], [2], [3]])
  })
})

describe("unsafeSave", () => {
  scenario("is synchronous and waits for nothing, in the order of its calls", function* () {
    const turn = manual()
    const storage = backend<number>()
    const recorder = yield* withTurn(turn)(Recorder.make(storage.storage))
    yield* turn.end
    // One synchronous piece: no fiber could run in between.
    const answers = yield* Effect.sync(() => numbers(100).map((record) => recorder.unsafeSave(record)))
    expect(answers).toEqual(Array(100).fill(true))
    expect(storage.saves).toEqual([])
    yield* turn.end
    expect(storage.held).toEqual(numbers(100))
    const closing = yield* started(recorder.close)
    yield* turn.end
    yield* Fiber.join(closing)
  })

  scenario("keeps a record by reference, whatever it is", function* () {
    const storage = Storage.memory<unknown>()
    const recorder = yield* Recorder.make(storage)
    const records = [
      {},
      [],
      null,
      undefined,
      0,
      "",
      Number.NaN,
      () => 1,
      Symbol("x"),
      new Error("e"),
      Effect.void
    ]
    for (const record of records) expect(recorder.unsafeSave(record)).toBe(true)
    yield* recorder.flush
    expect(storage.records).toHaveLength(records.length)
    for (const [index, record] of records.entries()) expect(storage.records[index]).toBe(record)
  })

  scenario("never throws: not while starting, closing, closed or failed", function* () {
    const storage = backend<number>({ save: () => Effect.die(new Error("storage")) })
    const arrival = yield* Deferred.make<typeof storage.storage, Storage.StorageError>()
    const recorder = yield* Recorder.makeDelayed(Deferred.await(arrival))
    expect(recorder.unsafeSave(1)).toBe(true)
    const closing = yield* started(recorder.closeWithin("1 second"))
    expect(recorder.unsafeSave(2)).toBe(false)
    yield* TestClock.adjust("1 second")
    yield* Fiber.join(closing)
    expect(recorder.unsafeSave(3)).toBe(false)
    expectBalance(recorder.unsafeStats())
    expect(recorder.unsafeStats()).toMatchObject({ accepted: 1, handedBack: 1, refused: 2 })
  })
})

describe("a bulk", () => {
  scenario("calls save once with everything that is ready, in order", function* () {
    const storage = backend<number>()
    const recorder = yield* Recorder.make(storage.storage)
    yield* Effect.sync(() => numbers(999).forEach(recorder.unsafeSave))
    yield* closeAndAccount(recorder, storage, { accepted: numbers(999) })
    expect(storage.batches()).toEqual([numbers(999)])
  })

  scenario("takes what came during the last save", function* () {
    const storage = yield* stepped<number>()
    const recorder = yield* Recorder.make(storage.storage)
    recorder.unsafeSave(1)
    const first = yield* storage.next
    recorder.unsafeSave(2)
    yield* settled
    recorder.unsafeSave(3)
    yield* first.succeed
    const second = yield* storage.next
    expect(second.batch).toEqual([2, 3])
    yield* second.succeed
    yield* closeAndAccount(recorder, storage, { accepted: numbers(3) })
  })

  scenario("ends at the next query or flush", function* () {
    const storage = backend<number>()
    const recorder = yield* Recorder.make(storage.storage)
    recorder.unsafeSave(1)
    recorder.unsafeSave(2)
    const load = yield* started(recorder.load(undefined))
    recorder.unsafeSave(3)
    const flush = yield* started(recorder.flush)
    recorder.unsafeSave(4)
    expect(yield* Fiber.join(load)).toEqual([1, 2])
    yield* Fiber.join(flush)
    yield* closeAndAccount(recorder, storage, { accepted: numbers(4) })
    expect(storage.batches()).toEqual([[1, 2], [3], [4]])
  })

  for (const [name, options, maxBatch, sizes] of [
    ["holds at most 1,000 records by default", {}, undefined, [1000, 1000, 500]],
    ["holds at most maxBatchSize records", { maxBatchSize: 1200 }, undefined, [1200, 1200, 100]],
    ["holds at most as many as a storage names that can take fewer", {}, 700, [700, 700, 700, 400]],
    ["is not made larger by a storage that can take more", { maxBatchSize: 900 }, 5000, [900, 900, 700]]
  ] as const) {
    scenario(name, function* () {
      const storage = backend<number>(maxBatch === undefined ? {} : { maxBatch })
      const recorder = yield* Recorder.make(storage.storage, options)
      yield* Effect.sync(() => numbers(2500).forEach(recorder.unsafeSave))
      yield* closeAndAccount(recorder, storage, { accepted: numbers(2500) })
      expect(storage.batches().map((batch) => batch.length)).toEqual(sizes)
      expect(storage.held).toEqual(numbers(2500))
    })
  }
})

describe("the drain", () => {
  scenario("starts at the end of the turn, so that the requests of one turn share a batch", function* () {
    const turn = manual()
    const storage = backend<number>()
    const recorder = yield* withTurn(turn)(Recorder.make(storage.storage))
    yield* turn.end
    for (const request of numbers(10)) {
      // Each request is a fiber of its own, and they take several microtasks.
      const fiber = yield* Effect.fork(recorder.save(request))
      yield* Fiber.join(fiber)
    }
    yield* settled
    expect(storage.saves).toEqual([])
    yield* turn.end
    expect(storage.batches()).toEqual([numbers(10)])
    const closing = yield* started(recorder.close)
    yield* turn.end
    expectAccount(yield* Fiber.join(closing), storage, { accepted: numbers(10) })
  })

  scenario("linger waits longer for more records", function* () {
    const storage = backend<number>()
    const recorder = yield* Recorder.make(storage.storage, { linger: "100 millis" })
    recorder.unsafeSave(1)
    yield* TestClock.adjust("60 millis")
    recorder.unsafeSave(2)
    yield* TestClock.adjust("39 millis")
    expect(storage.saves).toEqual([])
    yield* TestClock.adjust("1 millis")
    expect(storage.batches()).toEqual([[1, 2]])
    recorder.unsafeSave(3)
    yield* TestClock.adjust("99 millis")
    expect(storage.saves).toHaveLength(1)
    yield* TestClock.adjust("1 millis")
    expect(storage.batches()).toEqual([[1, 2], [3]])
    yield* closeAndAccount(recorder, storage, { accepted: numbers(3) })
  })

  scenario("linger ends early for a full batch, a query, a flush and a close", function* () {
    const storage = backend<number>()
    const recorder = yield* Recorder.make(storage.storage, { linger: "1 hour", maxBatchSize: 3 })
    numbers(2).forEach(recorder.unsafeSave)
    yield* settled
    expect(storage.saves).toEqual([])
    recorder.unsafeSave(3)
    yield* settled
    expect(storage.batches()).toEqual([[1, 2, 3]])
    recorder.unsafeSave(4)
    yield* settled
    expect(yield* recorder.load((record) => record > 3)).toEqual([4])
    recorder.unsafeSave(5)
    yield* settled
    yield* recorder.flush
    recorder.unsafeSave(6)
    yield* settled
    yield* closeAndAccount(recorder, storage, { accepted: numbers(6) })
    expect(storage.batches()).toEqual([[1, 2, 3], [4], [5], [6]])
  })
})

describe("load", () => {
  scenario("sees every save made before it and none made after", function* () {
    const storage = yield* stepped<number>()
    const recorder = yield* Recorder.make(storage.storage)
    const load = (record: number) =>
      Effect.gen(function* () {
        recorder.unsafeSave(record)
        return yield* recorder.load(undefined)
      })
    const loads = yield* Effect.forEach(numbers(3), (record) => Effect.fork(load(record)))
    yield* settled
    recorder.unsafeSave(4)
    for (const record of numbers(3)) {
      const call = yield* storage.next
      expect(call.batch).toEqual([record])
      yield* call.succeed
      expect(yield* Fiber.join(loads[record - 1]!)).toEqual(numbers(record))
    }
    const last = yield* storage.next
    yield* last.succeed
    yield* closeAndAccount(recorder, storage, { accepted: numbers(4) })
  })

  scenario("consecutive loads are separate calls", function* () {
    const storage = backend<number>()
    const recorder = yield* Recorder.make(storage.storage)
    numbers(3).forEach(recorder.unsafeSave)
    const is = (wanted: number) => (record: number) => record === wanted
    const answers = yield* Effect.all([recorder.load(is(1)), recorder.load(is(1)), recorder.load(is(2))], {
      concurrency: "unbounded"
    })
    expect(answers).toEqual([[1], [1], [2]])
    expect(storage.loads()).toBe(3)
    yield* closeAndAccount(recorder, storage, { accepted: numbers(3) })
  })

  scenario("a caller that goes away does not disturb what follows", function* () {
    const storage = yield* stepped<number>({
      load: (found) => (found.length < 2 ? Effect.never : Effect.succeed(found))
    })
    const recorder = yield* Recorder.make(storage.storage)
    recorder.unsafeSave(1)
    const running = yield* started(recorder.load(undefined))
    const waiting = yield* started(recorder.load(undefined))
    recorder.unsafeSave(2)
    const patient = yield* Effect.fork(recorder.load(undefined))
    yield* Effect.flatMap(storage.next, (call) => call.succeed)
    yield* settled
    expect(storage.loads()).toBe(1)
    yield* Fiber.interrupt(waiting)
    yield* Fiber.interrupt(running)
    yield* Effect.flatMap(storage.next, (call) => call.succeed)
    expect(yield* Fiber.join(patient)).toEqual([1, 2])
    // The one that waited was never put to the storage.
    expect(storage.loads()).toBe(2)
    yield* closeAndAccount(recorder, storage, { accepted: numbers(2) })
  })
})

describe("close", () => {
  scenario("stops accepting, finishes saves, queries and receipts, and gives the storage back", function* () {
    const storage = yield* stepped<number>()
    const recorder = yield* Recorder.make(storage.storage)
    recorder.unsafeSave(1)
    const receipt = yield* started(recorder.saveDurable(2))
    const load = yield* started(recorder.load(undefined))
    recorder.unsafeSave(3)
    const closing = yield* started(recorder.close)
    expect(recorder.unsafeSave(4)).toBe(false)
    expect((yield* recorder.status)._tag).toBe("Closing")
    yield* Effect.flatMap(storage.next, (call) => call.succeed)
    yield* Fiber.join(receipt)
    expect(yield* Fiber.join(load)).toEqual([1, 2])
    yield* Effect.flatMap(storage.next, (call) => call.succeed)
    const report = yield* Fiber.join(closing)
    expectAccount(report, storage, { accepted: numbers(3) })
    expect(report).toMatchObject({ storageBusy: false, unsaved: [], setAside: [] })
    expect(report.stats).toMatchObject({ accepted: 3, stored: 3, refused: 1 })
    expect((yield* recorder.status)._tag).toBe("Closed")
  })

  scenario("the storage handed back is still usable", function* () {
    const open = { now: false }
    const storage = backend<number>()
    const acquire = Effect.acquireRelease(
      Effect.sync(() => {
        open.now = true
        return storage.storage
      }),
      () => Effect.sync(() => (open.now = false))
    )
    const recorder = yield* Recorder.makeDelayed(acquire)
    recorder.unsafeSave(1)
    const report = yield* closeAndAccount(recorder, storage, { accepted: [1] })
    const own = Option.getOrThrow(report.storage)
    expect(own).toBe(storage.storage)
    expect(open.now).toBe(true)
    yield* own.save([2])
    expect(yield* own.load(undefined)).toEqual([1, 2])
    const again = yield* Recorder.make(own)
    again.unsafeSave(3)
    yield* again.close
    expect(storage.held).toEqual([1, 2, 3])
  })

  scenario("afterwards saves are refused, queries fail, flush succeeds", function* () {
    const storage = backend<number>()
    const recorder = yield* Recorder.make(storage.storage)
    recorder.unsafeSave(1)
    const report = yield* recorder.close
    expect(recorder.unsafeSave(2)).toBe(false)
    expect(yield* recorder.save(3)).toBe(false)
    expect(yield* recorder.saveAll([4, 5])).toBe(false)
    expect(yield* Effect.flip(recorder.saveDurable(6))).toMatchObject({
      _tag: "NotStored",
      reason: "Refused"
    })
    expect(yield* Effect.flip(recorder.load(undefined))).toMatchObject({ _tag: "RecorderClosed" })
    yield* recorder.flush
    expect(yield* recorder.redrive).toBe(0)
    expect(yield* recorder.stats).toMatchObject({ accepted: 1, stored: 1, refused: 5 })
    expect(yield* recorder.close).toBe(report)
    expect(yield* recorder.closeWithin("1 second")).toBe(report)
    expect(storage.saves).toHaveLength(1)
  })
})

describe("a scope that closes without close", () => {
  const inScope = Effect.map(Scope.make(), (scope) => ({
    scope,
    make: <R>(storage: Storage.Storage<R, never, unknown>, options: Recorder.Options<R> = {}) =>
      Recorder.make(storage, options).pipe(Scope.extend(scope), withTurn(microtasks))
  }))

  scenario("drains just the same", function* () {
    const { make, scope } = yield* inScope
    const storage = backend<number>({ save: failingFirst(transient(), transient()) })
    const reports: Array<Recorder.Closed<number>> = []
    const recorder = yield* make<number>(storage.storage, {
      onClosed: (report) => Effect.sync(() => void reports.push(report))
    })
    numbers(1500).forEach(recorder.unsafeSave)
    const ended = yield* Effect.fork(Scope.close(scope, Exit.void))
    yield* TestClock.adjust("5 seconds")
    yield* Fiber.join(ended)
    expect(reports).toHaveLength(1)
    expectAccount(reports[0]!, storage, { accepted: numbers(1500) })
    expect(recorder.unsafeSave(0)).toBe(false)
  })

  for (const [name, options, seconds] of [
    ["gives up after 10 seconds", {}, 10],
    ["gives up after closeDeadline", { closeDeadline: "3 seconds" }, 3]
  ] as const) {
    scenario(`${name} and tells onClosed what was not written`, function* () {
      const { make, scope } = yield* inScope
      const storage = backend<number>({ save: (call) => (call.nth === 1 ? call.commit : Effect.never) })
      const reports: Array<Recorder.Closed<number>> = []
      const recorder = yield* make<number>(storage.storage, {
        ...options,
        maxBatchSize: 2,
        onClosed: (report) => Effect.sync(() => void reports.push(report))
      })
      numbers(5).forEach(recorder.unsafeSave)
      const ended = yield* Effect.fork(Scope.close(scope, Exit.void))
      yield* TestClock.adjust(seconds * 1000 - 1)
      expect(ended.unsafePoll()).toBeNull()
      expect(reports).toEqual([])
      yield* TestClock.adjust("101 millis")
      yield* Fiber.join(ended)
      expect(reports).toHaveLength(1)
      const [report] = reports
      expectAccount(report!, storage, { accepted: numbers(5) })
      expect(report!.unsaved.map(({ record, reason, outcome }) => [record, reason, outcome])).toEqual([
        [3, "Deadline", "Unknown"],
        [4, "Deadline", "Unknown"],
        [5, "Deadline", "NotStored"]
      ])
    })
  }

  scenario("says nothing when somebody had called close", function* () {
    const { make, scope } = yield* inScope
    const storage = backend<number>()
    const reports: Array<unknown> = []
    const recorder = yield* make<number>(storage.storage, {
      onClosed: (report) => Effect.sync(() => void reports.push(report))
    })
    recorder.unsafeSave(1)
    yield* closeAndAccount(recorder, storage, { accepted: [1] })
    yield* Scope.close(scope, Exit.void)
    expect(reports).toEqual([])
  })
})

it("needs no scope of its own to be typed: Record and Query are the backend's own types", () => {
  const audit: Effect.Effect<
    Recorder.Recorder<Date, RegExp, number>,
    Recorder.InvalidOptions,
    Scope.Scope
  > = Recorder.make<Date, RegExp, number>({ save: () => Effect.void, load: () => Effect.succeed(1) })
  expect(Effect.isEffect(audit)).toBe(true)
})
