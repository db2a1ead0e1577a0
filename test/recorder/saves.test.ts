/** What the saving calls promise: save, saveAll and saveDurable. */
import { describe, expect } from "@effect/vitest"
import { Effect, Fiber, Option, TestClock } from "effect"
import * as Recorder from "../../src/Recorder.js"
import { closeAndAccount, expectAccount, expectBalance, numbers } from "../support/recorder/account.js"
import { backend, fatal, poison, stepped, transient } from "../support/recorder/backends.js"
import { manual, scenario, settled, started, withTurn } from "../support/time/turn.js"

/** Waits for a receipt and gives the reason why the record was not stored. */
const reason = (receipt: Effect.Effect<void, Recorder.NotStored>) =>
  Effect.map(Effect.flip(receipt), (error) => error.reason)

describe("save and saveAll", () => {
  scenario("save accepts without waiting; false is refused: counted, outside the account", function* () {
    const storage = yield* stepped<number>()
    const recorder = yield* Recorder.make(storage.storage)
    expect(yield* recorder.save(1)).toBe(true)
    const call = yield* storage.next
    expect(yield* recorder.save(2)).toBe(true)
    const closing = yield* started(recorder.close)
    expect(yield* recorder.save(3)).toBe(false)
    expect(recorder.unsafeStats()).toMatchObject({ accepted: 2, pending: 2, refused: 1 })
    expectBalance(recorder.unsafeStats())
    yield* call.succeed
    yield* Effect.flatMap(storage.next, (next) => next.succeed)
    expectAccount(yield* Fiber.join(closing), storage, { accepted: [1, 2] })
  })

  scenario("saveAll accepts all in order, and may span batches", function* () {
    const storage = backend<number>()
    const recorder = yield* Recorder.make(storage.storage, { maxBatchSize: 10 })
    recorder.unsafeSave(1)
    expect(yield* recorder.saveAll(new Set(numbers(24, 2)))).toBe(true)
    recorder.unsafeSave(26)
    expect(yield* recorder.saveAll([])).toBe(true)
    yield* closeAndAccount(recorder, storage, { accepted: numbers(26) })
    expect(storage.batches()).toEqual([numbers(10), numbers(10, 11), numbers(6, 21)])
  })

  scenario("saveAll accepts all or none", function* () {
    const storage = yield* stepped<number>()
    const recorder = yield* Recorder.make(storage.storage, { bound: { count: 5, overflow: "reject" } })
    expect(yield* recorder.saveAll(numbers(3))).toBe(true)
    expect(yield* recorder.saveAll(numbers(3, 4))).toBe(false)
    expect(yield* recorder.saveAll(numbers(2, 4))).toBe(true)
    expect(recorder.unsafeStats()).toMatchObject({ accepted: 5, refused: 3 })
    yield* Effect.flatMap(storage.next, (call) => call.succeed)
    yield* closeAndAccount(recorder, storage, { accepted: numbers(5) })
    expect(storage.held).toEqual(numbers(5))
  })

  scenario("a save made from within a save is accepted, and stored by a later one", function* () {
    const storage = backend<number>({
      save: (call) =>
        Effect.zipRight(
          Effect.sync(() => {
            if (call.batch[0]! < 5) recorder.unsafeSave(call.batch[0]! + 1)
          }),
          call.commit
        )
    })
    const recorder: Recorder.Recorder<number> = yield* Recorder.make(storage.storage)
    recorder.unsafeSave(1)
    yield* settled
    expect(storage.batches()).toEqual([[1], [2], [3], [4], [5]])
    yield* closeAndAccount(recorder, storage, { accepted: numbers(5) })
  })
})

describe("saveDurable", () => {
  scenario("completes after the commit that holds the record, not before", function* () {
    const storage = yield* stepped<number>()
    const recorder = yield* Recorder.make(storage.storage, { maxBatchSize: 2 })
    const receipts = yield* Effect.forEach(numbers(3), (record) => Effect.fork(recorder.saveDurable(record)))
    const first = yield* storage.next
    yield* settled
    expect(receipts.map((receipt) => receipt.unsafePoll())).toEqual([null, null, null])
    yield* first.succeed
    yield* Fiber.join(receipts[0]!)
    yield* Fiber.join(receipts[1]!)
    const second = yield* storage.next
    yield* settled
    expect(receipts[2]!.unsafePoll()).toBeNull()
    expect(storage.held).toEqual([1, 2])
    yield* second.succeed
    yield* Fiber.join(receipts[2]!)
    yield* closeAndAccount(recorder, storage, { accepted: numbers(3) })
  })

  scenario("is group-committed: 64 saves of one turn cost one commit", function* () {
    const turn = manual()
    const storage = backend<number>()
    const recorder = yield* withTurn(turn)(Recorder.make(storage.storage))
    yield* turn.end
    const receipts = yield* started(
      Effect.forEach(numbers(64), recorder.saveDurable, { concurrency: "unbounded", discard: true })
    )
    expect(storage.saves).toEqual([])
    yield* turn.end
    yield* Fiber.join(receipts)
    expect(storage.saves).toHaveLength(1)
    const closing = yield* started(recorder.close)
    yield* turn.end
    expectAccount(yield* Fiber.join(closing), storage, { accepted: numbers(64) })
  })

  scenario("stored through an acknowledged prefix completes with that prefix", function* () {
    const storage = yield* stepped<number>()
    const recorder = yield* Recorder.make(storage.storage)
    const receipts = yield* Effect.forEach(numbers(4), (record) => Effect.fork(recorder.saveDurable(record)))
    const call = yield* storage.next
    yield* call.answer(Effect.zipRight(call.commitFirst(2), Effect.fail(transient({ stored: 2 }))))
    yield* Fiber.join(receipts[0]!)
    yield* Fiber.join(receipts[1]!)
    expect(receipts[2]!.unsafePoll()).toBeNull()
    yield* TestClock.adjust("1 second")
    const retry = yield* storage.next
    expect(retry.batch).toEqual([3, 4])
    yield* retry.succeed
    yield* Fiber.join(Fiber.all(receipts.slice(2)))
    yield* closeAndAccount(recorder, storage, { accepted: numbers(4) })
  })

  scenario("interrupting a waiter never withdraws its record", function* () {
    const storage = yield* stepped<number>()
    const recorder = yield* Recorder.make(storage.storage)
    const inFlight = yield* Effect.fork(recorder.saveDurable(1))
    const call = yield* storage.next
    const queued = yield* started(recorder.saveDurable(2))
    const other = yield* started(recorder.saveDurable(3))
    yield* Fiber.interrupt(inFlight)
    yield* Fiber.interrupt(queued)
    yield* call.succeed
    const next = yield* storage.next
    expect(next.batch).toEqual([2, 3])
    yield* next.succeed
    yield* Fiber.join(other)
    yield* closeAndAccount(recorder, storage, { accepted: numbers(3) })
    expect(storage.held).toEqual(numbers(3))
  })

  scenario("a mandatory save is one with the caller's time-out: the record may appear later", function* () {
    const storage = yield* stepped<number>()
    const recorder = yield* Recorder.make(storage.storage)
    const request = yield* Effect.fork(
      recorder.saveDurable(1).pipe(Effect.timeoutOption("2 seconds"), Effect.map(Option.isSome))
    )
    const call = yield* storage.next
    yield* TestClock.adjust("2 seconds")
    expect(yield* Fiber.join(request)).toBe(false)
    expect(recorder.unsafeStats()).toMatchObject({ accepted: 1, pending: 1 })
    yield* call.succeed
    yield* closeAndAccount(recorder, storage, { accepted: [1] })
    expect(storage.held).toEqual([1])
  })

  describe("fails at the moment the outcome is decided:", () => {
    scenario("Refused, at once, when it is not accepted", function* () {
      const storage = yield* stepped<number>()
      const recorder = yield* Recorder.make(storage.storage, { bound: { count: 1, overflow: "reject" } })
      recorder.unsafeSave(1)
      const call = yield* storage.next
      expect(yield* reason(recorder.saveDurable(2))).toBe("Refused")
      yield* call.succeed
      yield* closeAndAccount(recorder, storage, { accepted: [1] })
      expect(yield* reason(recorder.saveDurable(3))).toBe("Refused")
      expect(recorder.unsafeStats().refused).toBe(2)
    })

    scenario("Dropped, when the policy gives the record up", function* () {
      const storage = yield* stepped<number>()
      const recorder = yield* Recorder.make(storage.storage, { bound: { count: 2, overflow: "drop-oldest" } })
      recorder.unsafeSave(1)
      const call = yield* storage.next
      const receipt = yield* started(recorder.saveDurable(2))
      expect(receipt.unsafePoll()).toBeNull()
      expect(recorder.unsafeSave(3)).toBe(true)
      expect(yield* reason(Fiber.join(receipt))).toBe("Dropped")
      yield* call.succeed
      yield* Effect.flatMap(storage.next, (next) => next.succeed)
      yield* closeAndAccount(recorder, storage, { accepted: numbers(3), dropped: [2] })
    })

    scenario("SetAside, while the rest of its batch is not stored yet", function* () {
      const storage = yield* stepped<number>()
      const recorder = yield* Recorder.make(storage.storage)
      const receipts = yield* Effect.forEach(numbers(3), (record) =>
        Effect.fork(recorder.saveDurable(record))
      )
      const call = yield* storage.next
      const cause = new Error("no such colour")
      yield* call.fail(poison({ bad: [{ index: 1, cause }] }))
      const error = yield* Effect.flip(Fiber.join(receipts[1]!))
      expect(error).toMatchObject({ _tag: "NotStored", reason: "SetAside" })
      expect(error.message).toContain("no such colour")
      expect(receipts[0]!.unsafePoll()).toBeNull()
      yield* Effect.flatMap(storage.next, (first) => first.succeed)
      yield* Effect.flatMap(storage.next, (last) => last.succeed)
      yield* Fiber.join(receipts[0]!)
      yield* Fiber.join(receipts[2]!)
      yield* closeAndAccount(recorder, storage, { accepted: numbers(3) })
    })

    scenario(
      "HandedBack and OutcomeUnknown, when the recorder fails, before anybody closes it",
      function* () {
        const storage = yield* stepped<number>()
        const recorder = yield* Recorder.make(storage.storage, {
          maxBatchSize: 1,
          retry: Recorder.defaultRetry
        })
        const unknown = yield* started(recorder.saveDurable(1))
        const queued = yield* started(recorder.saveDurable(2))
        yield* Effect.flatMap(storage.next, (call) => call.fail(transient({ outcome: "Unknown" })))
        yield* TestClock.adjust("1 second")
        yield* Effect.flatMap(storage.next, (call) => call.fail(fatal()))
        expect(yield* reason(Fiber.join(unknown))).toBe("OutcomeUnknown")
        expect(yield* reason(Fiber.join(queued))).toBe("HandedBack")
        expect((yield* recorder.status)._tag).toBe("Failed")
        const report = yield* closeAndAccount(recorder, storage, { accepted: [1, 2] })
        expect(report.unsaved.map(({ outcome }) => outcome)).toEqual(["Unknown", "NotStored"])
      }
    )

    scenario("HandedBack and OutcomeUnknown, when a deadline ends the close", function* () {
      const storage = backend<number>({ save: () => Effect.never })
      const recorder = yield* Recorder.make(storage.storage, { maxBatchSize: 1 })
      const inFlight = yield* started(recorder.saveDurable(1))
      const queued = yield* started(recorder.saveDurable(2))
      const closing = yield* started(recorder.closeWithin("1 second"))
      expect([inFlight.unsafePoll(), queued.unsafePoll()]).toEqual([null, null])
      yield* TestClock.adjust("2 seconds")
      expect(yield* reason(Fiber.join(inFlight))).toBe("OutcomeUnknown")
      expect(yield* reason(Fiber.join(queued))).toBe("HandedBack")
      expectAccount(yield* Fiber.join(closing), storage, { accepted: [1, 2] })
    })
  })
})
