/** The base contract: one test or more for each row of its table; the rows on bulks and on the end stand beside. */
import { describe, expect, it } from "@effect/vitest"
import { Deferred, Effect, Fiber, type Scope, TestClock } from "effect"
import * as Recorder from "../../src/Recorder.js"
import * as Storage from "../../src/Storage.js"
import { closeAndAccount, expectAccount, expectBalance, numbers } from "../support/recorder/account.js"
import { backend, stepped, transient } from "../support/recorder/backends.js"
import { manual, scenario, settled, started, withTurn } from "../support/time/turn.js"

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

  scenario("makeDeferred returns at once; what came before the storage is served in order", function* () {
    const storage = backend<number>()
    const arrival = yield* Deferred.make<typeof storage.storage>()
    const recorder = yield* Recorder.makeDeferred(Deferred.await(arrival))
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
    const recorder = yield* Recorder.makeDeferred(Deferred.await(arrival))
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

it("needs no scope of its own to be typed: Record and Query are the backend's own types", () => {
  const audit: Effect.Effect<
    Recorder.Recorder<Date, RegExp, number>,
    Recorder.InvalidOptions,
    Scope.Scope
  > = Recorder.make<Date, RegExp, number>({ save: () => Effect.void, load: () => Effect.succeed(1) })
  expect(Effect.isEffect(audit)).toBe(true)
})
