/**
 * Traps by name: mistakes that are easily made around a recorder, and what it makes of them. Those that need a
 * database or the host's own turns are in test/faults.
 */
import { describe, expect } from "@effect/vitest"
import { Deferred, Effect, Exit, Fiber, Option, Schedule, Scope, Stream, TestClock } from "effect"
import * as Recorder from "../src/Recorder.js"
import { closeAndAccount, expectAccount, expectBalance, numbers } from "./support/recorder/account.js"
import { backend, failingFirst, poison, refusing, transient } from "./support/recorder/backends.js"
import { scenario, settled, started } from "./support/time/turn.js"

const retry = Schedule.spaced("100 millis")

describe("trap: a storage acquired late, whose scope would close before the drain", () => {
  scenario("it arrives while the scope closes: drained first, released last", function* () {
    const events: Array<string> = []
    const storage = backend<number>({
      save: (call) => Effect.tap(call.commit, () => Effect.sync(() => events.push(`saved ${call.batch}`)))
    })
    const arrival = yield* Deferred.make<void>()
    const acquire = Effect.acquireRelease(Effect.as(Deferred.await(arrival), storage.storage), () =>
      Effect.sync(() => events.push("released"))
    )
    const scope = yield* Scope.make()
    const recorder = yield* Scope.extend(Recorder.makeDeferred(acquire), scope)
    numbers(3).forEach(recorder.unsafeSave)
    const ended = yield* started(Scope.close(scope, Exit.void))
    expect(events).toEqual([])
    yield* Deferred.succeed(arrival, undefined)
    yield* Fiber.join(ended)
    expect(events).toEqual(["saved 1,2,3", "released"])
    expect(recorder.unsafeStats()).toMatchObject({ accepted: 3, stored: 3, pending: 0 })
  })

  scenario("it never arrives: all is handed back at the deadline, and no storage", function* () {
    const reports: Array<Recorder.CloseReport<number>> = []
    const scope = yield* Scope.make()
    const recorder = yield* Scope.extend(
      Recorder.makeDeferred<number, never, unknown, never, never>(Effect.never, {
        closeDeadline: "1 second",
        onClosed: (report) => Effect.sync(() => void reports.push(report))
      }),
      scope
    )
    numbers(3).forEach(recorder.unsafeSave)
    const ended = yield* started(Scope.close(scope, Exit.void))
    yield* TestClock.adjust("1100 millis")
    yield* Fiber.join(ended)
    expect(reports).toHaveLength(1)
    expect(Option.isNone(reports[0]!.storage)).toBe(true)
    expectAccount(reports[0]!, { held: [], overlaps: () => 0 }, { accepted: numbers(3) })
  })
})

describe("trap: closeWithin against what cannot be interrupted:", () => {
  const stubborn = Effect.uninterruptible(Effect.never)

  for (const [name, save, outcome] of [
    ["a save that masks its interruption", () => stubborn, "Unknown"],
    ["a save that waits for a promise", () => Effect.promise(() => new Promise<never>(() => {})), "Unknown"],
    [
      "a save with a finalizer that hangs",
      () => Effect.ensuring(Effect.never, stubborn as Effect.Effect<never>),
      "Unknown"
    ]
  ] as const) {
    scenario(name, function* () {
      const storage = backend<number>({ save })
      const recorder = yield* Recorder.make(storage.storage, { maxBatchSize: 2 })
      numbers(3).forEach(recorder.unsafeSave)
      const closing = yield* started(recorder.closeWithin("2 seconds"))
      yield* TestClock.adjust(2100)
      const report = yield* Fiber.join(closing)
      expect(report.unsaved.map((left) => [left.record, left.outcome])).toEqual([
        [1, outcome],
        [2, outcome],
        [3, "NotStored"]
      ])
      expectAccount(report, storage, { accepted: numbers(3) })
    })
  }

  scenario("a dead-letter sink", function* () {
    const storage = backend<number>({ save: refusing((record) => record === 1) })
    const recorder = yield* Recorder.make(storage.storage, { deadLetters: () => stubborn })
    numbers(2).forEach(recorder.unsafeSave)
    const closing = yield* started(recorder.closeWithin("2 seconds"))
    yield* TestClock.adjust(2100)
    const report = yield* Fiber.join(closing)
    expect(report.storageBusy).toBe(true)
    expectAccount(report, storage, { accepted: numbers(2) })
  })

  scenario("an acquisition", function* () {
    const recorder = yield* Recorder.makeDeferred<number, never, unknown, never, never>(stubborn)
    numbers(2).forEach(recorder.unsafeSave)
    const closing = yield* started(recorder.closeWithin("2 seconds"))
    yield* TestClock.adjust(2100)
    const report = yield* Fiber.join(closing)
    expect(Option.isNone(report.storage)).toBe(true)
    expectAccount(report, { held: [], overlaps: () => 0 }, { accepted: numbers(2) })
  })

  scenario("a query, and a save behind it", function* () {
    const storage = backend<number>({ load: () => stubborn })
    const recorder = yield* Recorder.make(storage.storage)
    const asked = yield* started(Effect.flip(recorder.load(undefined)))
    recorder.unsafeSave(1)
    const closing = yield* started(recorder.closeWithin("2 seconds"))
    yield* TestClock.adjust(2100)
    const report = yield* Fiber.join(closing)
    expect((yield* Fiber.join(asked))._tag).toBe("RecorderClosed")
    expectAccount(report, storage, { accepted: [1] })
  })
})

describe("trap: a save made from within a save's callback", () => {
  scenario("in save: accepted, and stored by a later one", function* () {
    const storage = backend<number>({
      save: (call) =>
        Effect.tap(call.commit, () =>
          Effect.sync(() => {
            for (const n of call.batch) if (n < 4) expect(recorder.unsafeSave(n + 1)).toBe(true)
          })
        )
    })
    const recorder: Recorder.Recorder<number> = yield* Recorder.make(storage.storage)
    recorder.unsafeSave(1)
    yield* settled
    expect(storage.batches()).toEqual([[1], [2], [3], [4]])
    yield* closeAndAccount(recorder, storage, { accepted: numbers(4) })
  })

  scenario("in save, awaited: it waits for itself up to saveTimeout, and nothing is lost", function* () {
    let awaits = true
    const storage = backend<number>({
      save: (call) => (awaits ? Effect.zipRight(recorder.saveDurable(99), call.commit) : call.commit)
    })
    const recorder: Recorder.Recorder<number> = yield* Recorder.make(storage.storage, {
      retry,
      saveTimeout: "1 second"
    })
    recorder.unsafeSave(1)
    yield* TestClock.adjust("1 second")
    expect(yield* recorder.status).toMatchObject({ _tag: "Degraded", attempt: 1 })
    expect(recorder.unsafeStats()).toMatchObject({ accepted: 2, pending: 2 })
    awaits = false
    yield* TestClock.adjust("1 second")
    yield* closeAndAccount(recorder, storage, { accepted: [1, 99] })
    expect(storage.held).toEqual([1, 99])
  })

  scenario("in deadLetters: accepted, and stored by a later one", function* () {
    const sunk: Array<number> = []
    const storage = backend<number>({ save: refusing((record) => record < 10, poison()) })
    const recorder: Recorder.Recorder<number> = yield* Recorder.make(storage.storage, {
      // What cannot be stored leaves a trace in the same trail.
      deadLetters: ({ record }) =>
        Effect.sync(() => {
          sunk.push(record)
          expect(recorder.unsafeSave(100 + record)).toBe(true)
        })
    })
    ;[1, 20, 2, 21].forEach(recorder.unsafeSave)
    yield* recorder.flush
    yield* settled
    const accepted = [1, 20, 2, 21, 101, 102]
    yield* closeAndAccount(recorder, storage, { accepted, sunk })
    expect(sunk).toEqual([1, 2])
    expect(storage.held).toEqual([20, 21, 101, 102])
  })

  scenario("in deadLetters, awaited: the sink fails by its time limit, nothing is lost", function* () {
    // The record that the sink awaits stands behind the one that the sink is called for.
    const storage = backend<number>({ save: refusing((record) => record < 10, poison()) })
    let traces = 100
    const recorder: Recorder.Recorder<number> = yield* Recorder.make(storage.storage, {
      saveTimeout: "1 second",
      deadLetters: () => recorder.saveDurable(traces++)
    })
    ;[1, 20].forEach(recorder.unsafeSave)
    yield* TestClock.adjust("1 minute")
    expect(storage.held).toEqual([20, 100, 101, 102])
    const report = yield* closeAndAccount(recorder, storage, { accepted: [1, 20, 100, 101, 102] })
    expect(report.unsaved).toMatchObject([{ record: 1, reason: "SinkFailed" }])
  })

  scenario("in onClosed: refused, counted, and no harm to the report", function* () {
    const answers: Array<boolean> = []
    const reasons: Array<string> = []
    const scope = yield* Scope.make()
    const storage = backend<number>()
    const recorder: Recorder.Recorder<number> = yield* Scope.extend(
      Recorder.make(storage.storage, {
        onClosed: () =>
          Effect.gen(function* () {
            answers.push(recorder.unsafeSave(2), yield* recorder.save(3), yield* recorder.saveAll([4, 5]))
            reasons.push((yield* Effect.flip(recorder.saveDurable(6))).reason)
            yield* recorder.flush
          }).pipe(Effect.orDie)
      }),
      scope
    )
    recorder.unsafeSave(1)
    yield* Scope.close(scope, Exit.void)
    expect([answers, reasons]).toEqual([[false, false, false], ["Refused"]])
    expect(recorder.unsafeStats()).toMatchObject({ accepted: 1, stored: 1, refused: 5 })
    expectAccount(yield* recorder.close, storage, { accepted: [1] })
  })

  scenario("in a listener of statusChanges: each change leaves its record, the last ones none", function* () {
    const told: Array<readonly [tag: string, taken: boolean]> = []
    const storage = backend<string>({ save: failingFirst(transient()) })
    const recorder = yield* Recorder.make(storage.storage, { retry })
    const listener = yield* started(
      Stream.runForEach(recorder.statusChanges, ({ _tag }) =>
        Effect.sync(() => told.push([_tag, recorder.unsafeSave(`${told.length} ${_tag}`)]))
      )
    )
    yield* TestClock.adjust("1 second")
    yield* recorder.flush
    const report = yield* recorder.close
    yield* Fiber.join(listener)
    expect(told).toEqual([
      ["Running", true],
      ["Degraded", true],
      ["Running", true],
      ["Closing", false],
      ["Closed", false]
    ])
    expect(storage.held).toEqual(["0 Running", "1 Degraded", "2 Running"])
    expectBalance(report.stats)
    expect(recorder.unsafeStats()).toMatchObject({ accepted: 3, stored: 3, refused: 2 })
  })
})
