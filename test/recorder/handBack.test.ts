/** Handing back very many records, and telling very many waiters: nobody else on the event loop waits for it. */
import { describe, expect, it } from "@effect/vitest"
import { Effect, Fiber, TestClock } from "effect"
import * as Recorder from "../../src/Recorder.js"
import { StorageError } from "../../src/Storage.js"
import { expectAccount, expectBalance, numbers } from "../support/recorder/account.js"
import { backend, fatal } from "../support/recorder/backends.js"
import { manual, scenario, settled, started, withTurn } from "../support/time/turn.js"

const hanging = () => backend<number>({ save: () => Effect.never })

/** How many of these fibers have ended. */
const ended = (fibers: ReadonlyArray<Fiber.RuntimeFiber<unknown, unknown>>): number =>
  fibers.filter((fiber) => fiber.unsafePoll() !== null).length

/** So many savers that wait for an outcome, or for room. */
const waiting = <E>(count: number, save: (record: number) => Effect.Effect<unknown, E>) =>
  Effect.zipLeft(
    Effect.forEach(numbers(count), (record) => Effect.fork(Effect.exit(save(record)))),
    settled
  )

describe("a hand-back of very many", () => {
  scenario("gives every record, in order, with what is known of it", function* () {
    const storage = hanging()
    const recorder = yield* Recorder.make(storage.storage, { maxBatchSize: 700 })
    numbers(20_000).forEach(recorder.unsafeSave)
    yield* settled
    const closing = yield* started(recorder.closeWithin("1 second"))
    yield* TestClock.adjust("1 second")
    const report = yield* Fiber.join(closing)
    expect(report.stats).toMatchObject({ accepted: 20_000, handedBack: 20_000, pending: 0 })
    expect(report.unsaved).toHaveLength(20_000)
    expect(report.unsaved.map(({ record }) => record)).toEqual(numbers(20_000))
    expect(report.unsaved[699]).toMatchObject({ reason: "Deadline", outcome: "Unknown" })
    expect(report.unsaved[700]).toMatchObject({ reason: "Deadline", outcome: "NotStored" })
    expectAccount(report, storage, { accepted: numbers(20_000) })
    // It fits the next recorder.
    const next = backend<number>()
    const other = yield* Recorder.make(next.storage)
    expect(yield* other.saveAll(report.unsaved.map(({ record }) => record))).toBe(true)
    yield* other.flush
    expect(next.held).toEqual(numbers(20_000))
  })

  scenario("of a recorder that has failed, and at the end of its scope", function* () {
    const storage = backend<number>({ save: () => Effect.fail(fatal()) })
    const failed = yield* Recorder.make(storage.storage)
    numbers(20_000).forEach(failed.unsafeSave)
    yield* settled
    expect((yield* failed.status)._tag).toBe("Failed")
    expectBalance(failed.unsafeStats())
    const report = yield* failed.close
    expectAccount(report, storage, { accepted: numbers(20_000) })
    expect(report.unsaved[19_999]).toMatchObject({ record: 20_000, reason: "Failed" })

    const reports: Array<Recorder.CloseReport<number>> = []
    const scoped = hanging()
    const ending = yield* started(
      Effect.scoped(
        Effect.flatMap(
          Recorder.make(scoped.storage, {
            closeDeadline: "1 second",
            onClosed: (given) => Effect.sync(() => void reports.push(given))
          }),
          (recorder) =>
            Effect.zipRight(
              Effect.sync(() => numbers(20_000).forEach(recorder.unsafeSave)),
              settled
            )
        )
      )
    )
    yield* TestClock.adjust("1 second")
    yield* Fiber.join(ending)
    expectAccount(reports[0]!, scoped, { accepted: numbers(20_000) })
  })

  scenario("keeps what is known of those that are saved again", function* () {
    let mended = false
    const refuse = (batch: ReadonlyArray<number>) =>
      Effect.fail(
        new StorageError({
          kind: "Poison",
          outcome: "Unknown",
          message: "bad",
          bad: batch.map((record, index) => ({ index, cause: record }))
        })
      )
    const storage = backend<number>({ save: ({ batch }) => (mended ? Effect.never : refuse(batch)) })
    const recorder = yield* Recorder.make(storage.storage, { maxBatchSize: 10 })
    numbers(30).forEach(recorder.unsafeSave)
    yield* recorder.flush
    mended = true
    expect(yield* recorder.redrive).toBe(30)
    numbers(12_000, 31).forEach(recorder.unsafeSave)
    yield* settled
    const closing = yield* started(recorder.closeWithin(0))
    yield* TestClock.adjust(100)
    const report = yield* Fiber.join(closing)
    expect(report.unsaved.map(({ record }) => record)).toEqual(numbers(12_030))
    const unknown = report.unsaved.filter(({ outcome }) => outcome === "Unknown")
    expect(unknown.map(({ record }) => record)).toEqual(numbers(30))
    expectAccount(report, storage, { accepted: numbers(12_030) })
  })
})

describe("very many waiters", () => {
  it.scoped("of a close are resumed in slices; the report waits for none of them", () => {
    const turn = manual()
    return withTurn(turn)(
      Effect.gen(function* () {
        const recorder = yield* Recorder.make(hanging().storage, { maxBatchSize: 400 })
        const savers = yield* waiting(500, recorder.saveDurable)
        yield* turn.end
        const closing = yield* started(recorder.closeWithin("1 second"))
        yield* TestClock.adjust("1 second")
        const report = yield* Fiber.join(closing)
        expect(report.stats).toMatchObject({ accepted: 500, handedBack: 500, pending: 0 })
        expect(ended(savers)).toBe(200)
        yield* turn.end
        expect(ended(savers)).toBe(400)
        expect(recorder.unsafeStats()).toEqual(report.stats)
        yield* turn.end
        expect(ended(savers)).toBe(500)
        const reasons = yield* Effect.forEach(savers, (saver) =>
          Effect.flatMap(Fiber.join(saver), (exit) => Effect.flip(exit))
        )
        expect(reasons.map(({ reason }) => reason)).toEqual(
          numbers(500).map((record) => (record <= 400 ? "OutcomeUnknown" : "HandedBack"))
        )
      })
    )
  })

  it.scoped("of a failure are resumed in slices, each once, also when it is closed meanwhile", () => {
    const turn = manual()
    return withTurn(turn)(
      Effect.gen(function* () {
        const recorder = yield* Recorder.make(backend<number>({ save: () => Effect.fail(fatal()) }).storage)
        const savers = yield* waiting(500, recorder.saveDurable)
        yield* turn.end
        expect((yield* recorder.status)._tag).toBe("Failed")
        expect(ended(savers)).toBe(200)
        const report = yield* recorder.close
        expect(report.unsaved).toHaveLength(500)
        expect(ended(savers)).toBe(400)
        yield* turn.end
        expect(ended(savers)).toBe(500)
      })
    )
  })

  it.scoped("for room are refused at once, and resumed in slices", () => {
    const turn = manual()
    return withTurn(turn)(
      Effect.gen(function* () {
        const recorder = yield* Recorder.make(hanging().storage, { bound: { count: 1, overflow: "suspend" } })
        recorder.unsafeSave(0)
        const savers = yield* waiting(500, recorder.save)
        yield* turn.end
        const closing = yield* started(recorder.closeWithin("1 second"))
        expect(recorder.unsafeStats().refused).toBe(500)
        expect(ended(savers)).toBe(200)
        yield* turn.end
        yield* turn.end
        expect(ended(savers)).toBe(500)
        yield* TestClock.adjust("1 second")
        expect((yield* Fiber.join(closing)).stats).toMatchObject({
          accepted: 1,
          refused: 500,
          handedBack: 1
        })
      })
    )
  })

  it.scoped("for an answer are resumed in slices", () => {
    const turn = manual()
    return withTurn(turn)(
      Effect.gen(function* () {
        const recorder = yield* Recorder.make(hanging().storage)
        recorder.unsafeSave(0)
        yield* turn.end
        const loads = yield* waiting(500, () => recorder.load(undefined))
        const closing = yield* started(recorder.closeWithin("1 second"))
        yield* TestClock.adjust("1 second")
        yield* Fiber.join(closing)
        expect(ended(loads)).toBe(200)
        yield* turn.end
        yield* turn.end
        expect(ended(loads)).toBe(500)
      })
    )
  })
})
