/** What is pending: unbounded by default, or bounded, and what happens over the bound. */
import { describe, expect } from "@effect/vitest"
import { Deferred, Effect, Fiber, TestClock } from "effect"
import * as Recorder from "../../src/Recorder.js"
import { closeAndAccount, expectAccount, expectBalance, numbers } from "../support/recorder/account.js"
import { backend, poison, type SteppedBackend, stepped } from "../support/recorder/backends.js"
import { logs, status } from "../support/recorder/watching.js"
import { manual, scenario, settled, started, withTurn } from "../support/time/turn.js"

/** A recorder whose backend never comes: what it accepts stays in its queue. */
const starting = <R>(options: Recorder.Options<R> = {}) =>
  Effect.tap(Recorder.makeDeferred<R, never, void, never, never>(Effect.never, options), () => settled)

/** Ends a recorder that will never drain. */
const giveUp = <R>(recorder: Recorder.Recorder<R, never, unknown>) =>
  Effect.gen(function* () {
    const closing = yield* started(recorder.closeWithin(0))
    yield* TestClock.adjust("100 millis")
    return yield* Fiber.join(closing)
  })

const succeedNext = <R>(storage: SteppedBackend<R>) => Effect.flatMap(storage.next, (call) => call.succeed)

const raise = (message: string): never => {
  throw new Error(message)
}

describe("unbounded", () => {
  scenario("warns once per doubling above 100,000 pending", function* () {
    const { layer, lines } = logs()
    const recorder = yield* Effect.provide(starting<number>({ name: "audit" }), layer)
    const warnings = () => lines.filter(({ level }) => level === "WARN").map(({ text }) => text)
    const save = (count: number) => Effect.sync(() => void numbers(count).forEach(recorder.unsafeSave))
    yield* save(99_000)
    yield* settled
    expect(warnings()).toEqual([])
    yield* save(2000)
    yield* settled
    expect(warnings()).toHaveLength(1)
    expect(warnings()[0]).toMatch(/^audit: 10\d,?\d{3} records are pending/)
    yield* save(90_000)
    yield* settled
    expect(warnings()).toHaveLength(1)
    yield* save(220_000)
    yield* settled
    expect(warnings()).toHaveLength(3)
    expect(recorder.unsafeStats()).toMatchObject({ accepted: 411_000, pending: 411_000, refused: 0 })
    const report = yield* giveUp(recorder)
    expectBalance(report.stats)
    expect(report.unsaved).toHaveLength(411_000)
  })
})

describe("a bound", () => {
  scenario("by count counts all pending records, in flight too", function* () {
    const storage = yield* stepped<number>()
    const recorder = yield* Recorder.make(storage.storage, { bound: { count: 3, overflow: "reject" } })
    expect(numbers(2).map(recorder.unsafeSave)).toEqual([true, true])
    const first = yield* storage.next
    expect(numbers(2, 3).map(recorder.unsafeSave)).toEqual([true, false])
    expect(yield* recorder.save(5)).toBe(false)
    yield* first.succeed
    const second = yield* storage.next
    expect(numbers(3, 6).map(recorder.unsafeSave)).toEqual([true, true, false])
    yield* second.succeed
    yield* succeedNext(storage)
    yield* closeAndAccount(recorder, storage, { accepted: [1, 2, 3, 6, 7] })
    expect(recorder.unsafeStats().refused).toBe(3)
  })

  scenario("by bytes counts the sizes of all pending records, in flight too", function* () {
    const storage = yield* stepped<string>()
    const recorder = yield* Recorder.make(storage.storage, {
      bound: { bytes: 10, sizeOf: (record: string) => record.length, overflow: "reject" }
    })
    expect(recorder.unsafeSave("aaaa")).toBe(true)
    const first = yield* storage.next
    expect(recorder.unsafeSave("bbbb")).toBe(true)
    expect(recorder.unsafeSave("ccc")).toBe(false)
    expect(recorder.unsafeSave("dd")).toBe(true)
    expect(recorder.unsafeStats()).toMatchObject({ pendingBytes: 10, pending: 3, refused: 1 })
    yield* first.succeed
    const second = yield* storage.next
    expect(recorder.unsafeStats().pendingBytes).toBe(6)
    expect(recorder.unsafeSave("eeeee")).toBe(false)
    yield* second.succeed
    yield* closeAndAccount(recorder, storage, { accepted: ["aaaa", "bbbb", "dd"] })
    expect(recorder.unsafeStats().pendingBytes).toBe(0)
  })

  scenario("that is reached ends a linger: no offer waits for room that only a save can make", function* () {
    const storage = backend<number>()
    const recorder = yield* Recorder.make(storage.storage, {
      linger: "1 hour",
      bound: { bytes: 9, sizeOf: (size) => size, overflow: "suspend" }
    })
    expect(yield* recorder.saveAll([1, 2])).toBe(true)
    yield* settled
    expect(storage.batches()).toEqual([])
    expect(yield* recorder.save(7)).toBe(true)
    expect(storage.batches()).toEqual([[1, 2]])
    yield* closeAndAccount(recorder, storage, { accepted: [1, 2, 7] })
  })

  scenario("by count and by bytes holds both", function* () {
    const recorder = yield* starting<string>({
      bound: { count: 2, bytes: 5, sizeOf: (record) => record.length, overflow: "reject" }
    })
    expect(["aaa", "bbb", "c", "d"].map(recorder.unsafeSave)).toEqual([true, false, true, false])
    yield* giveUp(recorder)
  })

  for (const [name, sizeOf] of [
    ["throws", () => raise("no size")],
    ["gives no number", () => Number.NaN],
    ["gives a negative one", () => -1],
    ["gives an infinite one", () => Number.POSITIVE_INFINITY]
  ] as const) {
    for (const overflow of ["reject", "suspend", "drop-newest", "drop-oldest"] as const) {
      scenario(`a sizeOf that ${name} refuses the record (${overflow})`, function* () {
        const storage = backend<string>()
        const recorder = yield* Recorder.make(storage.storage, {
          bound: { bytes: 100, sizeOf: (record: string) => (record === "bad" ? sizeOf() : 1), overflow }
        })
        expect(recorder.unsafeSave("bad")).toBe(false)
        expect(yield* recorder.save("bad")).toBe(false)
        expect(yield* recorder.saveAll(["good", "bad"])).toBe(false)
        expect(yield* Effect.flip(recorder.saveDurable("bad"))).toMatchObject({ reason: "Refused" })
        expect(recorder.unsafeSave("fine")).toBe(true)
        expect(recorder.unsafeStats()).toMatchObject({ accepted: 1, refused: 5 })
        yield* closeAndAccount(recorder, storage, { accepted: ["fine"] })
      })
    }
  }

  scenario("loads and flushes do not count", function* () {
    const storage = yield* stepped<number>()
    const recorder = yield* Recorder.make(storage.storage, { bound: { count: 1, overflow: "reject" } })
    recorder.unsafeSave(1)
    const call = yield* storage.next
    const both = Effect.zip(recorder.load(undefined), recorder.flush, { concurrent: true })
    const asked = yield* started(Effect.forEach(numbers(20), () => both, { concurrency: "unbounded" }))
    expect(recorder.unsafeStats()).toMatchObject({ pending: 1, refused: 0 })
    yield* call.succeed
    expect(yield* Fiber.join(asked)).toHaveLength(20)
    expect(recorder.unsafeSave(2)).toBe(true)
    yield* succeedNext(storage)
    yield* closeAndAccount(recorder, storage, { accepted: [1, 2] })
  })
})

describe("reject", () => {
  scenario("saveAll refuses what cannot be iterated, and counts it", function* () {
    const storage = backend<number>()
    const recorder = yield* Recorder.make(storage.storage)
    const through = Recorder.mapInput(recorder, (record: number) => record)
    for (const each of [null, undefined]) {
      const nothing = each as never
      expect(yield* recorder.saveAll(nothing)).toBe(false)
      expect(yield* through.saveAll(nothing)).toBe(false)
    }
    expect(recorder.unsafeStats()).toMatchObject({ accepted: 0, refused: 4 })
    yield* closeAndAccount(recorder, storage, { accepted: [] })
  })

  scenario("is returned to the caller: false, counted, outside the account", function* () {
    const storage = yield* stepped<number>()
    const recorder = yield* Recorder.make(storage.storage, { bound: { count: 1, overflow: "reject" } })
    recorder.unsafeSave(1)
    expect(recorder.unsafeSave(2)).toBe(false)
    expect(yield* recorder.save(3)).toBe(false)
    expect(yield* recorder.saveAll([4, 5])).toBe(false)
    expect(yield* Effect.flip(recorder.saveDurable(6))).toMatchObject({ reason: "Refused" })
    yield* succeedNext(storage)
    yield* closeAndAccount(recorder, storage, { accepted: [1] })
    expect(recorder.unsafeStats()).toMatchObject({ accepted: 1, refused: 5, dropped: 0, gaps: [] })
  })
})

describe("suspend", () => {
  const bound = { count: 2, overflow: "suspend" } as const

  scenario("waiting savers enter first in, first out", function* () {
    const storage = yield* stepped<number>()
    const recorder = yield* Recorder.make(storage.storage, { bound, maxBatchSize: 1 })
    yield* recorder.saveAll([1, 2])
    const three = yield* started(recorder.save(3))
    const fourAndFive = yield* started(recorder.saveAll([4, 5]))
    const six = yield* started(recorder.saveDurable(6))
    expect([three, fourAndFive, six].map((fiber) => fiber.unsafePoll())).toEqual([null, null, null])
    yield* succeedNext(storage)
    expect(yield* Fiber.join(three)).toBe(true)
    yield* succeedNext(storage)
    yield* settled
    // There is room for one, and two stand before the last.
    expect([fourAndFive.unsafePoll(), six.unsafePoll()]).toEqual([null, null])
    yield* succeedNext(storage)
    expect(yield* Fiber.join(fourAndFive)).toBe(true)
    yield* succeedNext(storage)
    yield* succeedNext(storage)
    yield* succeedNext(storage)
    yield* Fiber.join(six)
    yield* closeAndAccount(recorder, storage, { accepted: numbers(6) })
    expect(storage.held).toEqual(numbers(6))
    expect(recorder.unsafeStats().refused).toBe(0)
  })

  scenario("unsafeSave is false over the bound, and while one waits", function* () {
    const storage = yield* stepped<number>()
    const recorder = yield* Recorder.make(storage.storage, { bound, maxBatchSize: 1 })
    expect(numbers(3).map(recorder.unsafeSave)).toEqual([true, true, false])
    const pair = yield* started(recorder.saveAll([4, 5]))
    yield* succeedNext(storage)
    const second = yield* storage.next
    // One place is free, but it is the pair's.
    expect(recorder.unsafeStats().pending).toBe(1)
    expect(recorder.unsafeSave(6)).toBe(false)
    const seven = yield* started(recorder.save(7))
    expect(seven.unsafePoll()).toBeNull()
    yield* second.succeed
    expect(yield* Fiber.join(pair)).toBe(true)
    yield* succeedNext(storage)
    expect(yield* Fiber.join(seven)).toBe(true)
    yield* succeedNext(storage)
    yield* succeedNext(storage)
    yield* recorder.flush
    expect(recorder.unsafeSave(8)).toBe(true)
    yield* succeedNext(storage)
    yield* closeAndAccount(recorder, storage, { accepted: [1, 2, 4, 5, 7, 8] })
  })

  scenario("a saver that goes away while it waits was not accepted, and lets the next one in", function* () {
    const storage = yield* stepped<number>()
    const recorder = yield* Recorder.make(storage.storage, { bound, maxBatchSize: 1 })
    yield* recorder.saveAll([1, 2])
    const pair = yield* started(recorder.saveAll([3, 4]))
    const durable = yield* started(recorder.saveDurable(5))
    yield* succeedNext(storage)
    yield* settled
    yield* Fiber.interrupt(pair)
    expect(recorder.unsafeStats()).toMatchObject({ accepted: 3, pending: 2, refused: 2 })
    yield* succeedNext(storage)
    yield* succeedNext(storage)
    yield* Fiber.join(durable)
    yield* closeAndAccount(recorder, storage, { accepted: [1, 2, 5] })
  })

  scenario("a durable saver that goes away while it waits was not accepted", function* () {
    const storage = yield* stepped<number>()
    const recorder = yield* Recorder.make(storage.storage, { bound })
    yield* recorder.saveAll([1, 2])
    const call = yield* storage.next
    const waits = yield* started(recorder.saveDurable(3))
    yield* Fiber.interrupt(waits)
    yield* call.succeed
    yield* recorder.flush
    expect(recorder.unsafeStats()).toMatchObject({ accepted: 2, refused: 1, stored: 2 })
    yield* closeAndAccount(recorder, storage, { accepted: [1, 2] })
  })

  scenario("what can never fit is refused at once, what waits at close is refused then", function* () {
    const storage = yield* stepped<number>()
    const recorder = yield* Recorder.make(storage.storage, { bound })
    expect(yield* recorder.saveAll([1, 2, 3])).toBe(false)
    yield* recorder.saveAll([4, 5])
    const waiting = yield* started(recorder.save(6))
    const durable = yield* started(recorder.saveDurable(7))
    const closing = yield* started(recorder.close)
    expect(yield* Fiber.join(waiting)).toBe(false)
    expect(yield* Effect.flip(Fiber.join(durable))).toMatchObject({ reason: "Refused" })
    yield* succeedNext(storage)
    expectAccount(yield* Fiber.join(closing), storage, { accepted: [4, 5] })
    expect(recorder.unsafeStats().refused).toBe(5)
  })
})

describe("pending", () => {
  scenario(
    "a batch that waits for its dead letters still takes its room, a decided record does not",
    function* () {
      const gate = yield* Deferred.make<void>()
      const storage = backend<number>({
        save: (call) =>
          call.batch.includes(2) ? Effect.fail(poison({ bad: [{ index: 1, cause: "two" }] })) : call.commit
      })
      const recorder = yield* Recorder.make(storage.storage, {
        bound: { count: 3, overflow: "reject" },
        deadLetters: () => Deferred.await(gate)
      })
      numbers(3).forEach(recorder.unsafeSave)
      yield* settled
      expect(recorder.unsafeSave(4)).toBe(false)
      yield* Deferred.succeed(gate, undefined)
      yield* recorder.flush
      expect(recorder.unsafeSave(5)).toBe(true)
      yield* status(recorder, "Running")
      yield* closeAndAccount(recorder, storage, { accepted: [1, 2, 3, 5], sunk: [2] })
    }
  )
})

describe("a steady producer", () => {
  scenario("starves no query: it is answered after the batches before it", function* () {
    const storage = backend<number>({
      save: (call) =>
        // Each save brings as many new records as it takes.
        Effect.zipRight(recorder.saveAll(call.batch.map((record) => record + 10)), call.commit)
    })
    const recorder: Recorder.Recorder<
      number,
      ((n: number) => boolean) | undefined,
      ReadonlyArray<number>
    > = yield* Recorder.make(storage.storage, { maxBatchSize: 10 })
    // Eleven records that multiply for ever.
    yield* Effect.sync(() => numbers(11).forEach(recorder.unsafeSave))
    const found = yield* recorder.load(undefined)
    expect(found.length).toBeLessThanOrEqual(30)
    yield* recorder.flush
    const report = yield* recorder.close
    expectBalance(report.stats)
    expect(report.stats.pending).toBe(0)
  })

  scenario("starves no fiber: a storage that answers at once gets one batch a turn", function* () {
    const turn = manual()
    const storage = backend<number>()
    const recorder = yield* withTurn(turn)(Recorder.make(storage.storage, { maxBatchSize: 10 }))
    yield* turn.end
    yield* Effect.sync(() => numbers(50).forEach(recorder.unsafeSave))
    for (const batches of numbers(5)) {
      yield* turn.end
      expect(storage.saves).toHaveLength(batches)
    }
    const closing = yield* started(recorder.close)
    yield* turn.end
    expectAccount(yield* Fiber.join(closing), storage, { accepted: numbers(50) })
  })
})
