/** What stays with the recorder after it could not be stored: a bound of its own, and none of the room for others. */
import { describe, expect } from "@effect/vitest"
import { Effect, Fiber, Option, Stream, TestClock } from "effect"
import * as Recorder from "../../src/Recorder.js"
import { expectAccount, expectBalance, numbers } from "../support/recorder/account.js"
import { backend, poison, refusing, type SaveCall } from "../support/recorder/backends.js"
import { logs, metricValuesOf } from "../support/recorder/watching.js"
import { scenario, settled } from "../support/time/turn.js"

/** Negative records are bad, and named as that. */
const naming = (call: SaveCall<number>) => {
  const bad = call.batch.flatMap((record, index) => (record < 0 ? [{ index, cause: "negative" }] : []))
  return bad.length === 0 ? call.commit : Effect.fail(poison({ bad }))
}

const bad = (count: number, first = 1): ReadonlyArray<number> => numbers(count, first).map((n) => -n)

const policies = ["reject", "suspend", "drop-newest", "drop-oldest"] as const

const overLimit = "wait here (maxHeld)"

describe("records that are held take no room:", () => {
  for (const overflow of policies) {
    for (const [name, bound] of [
      ["count", { count: 50, overflow }],
      ["bytes", { bytes: 50, sizeOf: () => 1, overflow }]
    ] as const) {
      scenario(`after 50 set aside, 50 good ones are stored (${overflow}, by ${name})`, function* () {
        const storage = backend<number>({ save: naming })
        const recorder = yield* Recorder.make(storage.storage, { bound })
        bad(50).forEach(recorder.unsafeSave)
        yield* recorder.flush
        expect(recorder.unsafeStats()).toMatchObject({ setAside: 50, pending: 0, pendingBytes: 0 })
        for (const record of numbers(25)) expect(recorder.unsafeSave(record)).toBe(true)
        expect(yield* recorder.saveAll(numbers(25, 26))).toBe(true)
        yield* recorder.flush
        expect(storage.held).toEqual(numbers(50))
        const report = yield* recorder.close
        expectAccount(report, storage, { accepted: [...bad(50), ...numbers(50)] })
        expect(report.stats).toMatchObject({ stored: 50, setAside: 50, dropped: 0, refused: 0, released: 0 })
      })
    }

    scenario(`after 50 that the sink refused, 50 good ones are stored (${overflow})`, function* () {
      const storage = backend<number>({ save: naming })
      const recorder = yield* Recorder.make(storage.storage, {
        bound: { count: 50, overflow },
        deadLetters: () => Effect.fail("no room")
      })
      bad(50).forEach(recorder.unsafeSave)
      yield* TestClock.adjust("1 minute")
      expect(recorder.unsafeStats()).toMatchObject({ handedBack: 50, pending: 0 })
      expect(yield* recorder.saveAll(numbers(50))).toBe(true)
      yield* recorder.flush
      expect(storage.held).toEqual(numbers(50))
      const report = yield* recorder.close
      expectAccount(report, storage, { accepted: [...bad(50), ...numbers(50)] })
      expect(report.unsaved.map(({ reason }) => reason)).toEqual(Array(50).fill("SinkFailed"))
    })
  }

  scenario("redriven ones take room again, also beyond the bound", function* () {
    let mended = false
    const storage = backend<number>({
      save: (call) => (mended ? call.commit : naming(call))
    })
    const recorder = yield* Recorder.make(storage.storage, {
      maxBatchSize: 2,
      bound: { count: 2, overflow: "reject" }
    })
    for (const first of [1, 3]) {
      bad(2, first).forEach(recorder.unsafeSave)
      yield* recorder.flush
    }
    mended = true
    expect(yield* recorder.redrive).toBe(4)
    expect(recorder.unsafeStats()).toMatchObject({ pending: 4, setAside: 0 })
    expect(recorder.unsafeSave(9)).toBe(false)
    yield* recorder.flush
    expect(recorder.unsafeSave(10)).toBe(true)
    const report = yield* recorder.close
    expectAccount(report, storage, { accepted: [...bad(4), 10] })
  })
})

describe("beyond maxHeld", () => {
  scenario("the oldest are released: counted, and held by nothing any more", function* () {
    const { layer, lines } = logs()
    const storage = backend<number>({ save: naming })
    const recorder = yield* Effect.provide(
      Recorder.make(storage.storage, { name: "held-released", maxHeld: 3 }),
      layer
    )
    const seen = yield* Effect.fork(Stream.runCollect(recorder.statusChanges))
    yield* TestClock.adjust(10)
    bad(3).forEach(recorder.unsafeSave)
    yield* recorder.flush
    expect(recorder.unsafeStats()).toMatchObject({ setAside: 3, released: 0, gaps: [] })
    expect(yield* recorder.status).toEqual({ _tag: "Running", cause: Option.none() })
    bad(2, 4).forEach(recorder.unsafeSave)
    yield* recorder.flush
    yield* TestClock.adjust(7)
    recorder.unsafeSave(-6)
    yield* recorder.flush
    expectBalance(recorder.unsafeStats())
    expect(recorder.unsafeStats()).toMatchObject({ accepted: 6, setAside: 6, released: 3, handedBack: 0 })
    expect(recorder.unsafeStats().gaps).toEqual([{ from: 10, to: 17, count: 3, reason: "released" }])
    expect(yield* recorder.status).toEqual({ _tag: "Running", cause: Option.none(), released: 3 })
    yield* settled
    expect(lines.filter(({ text }) => text.includes(overLimit))).toEqual([
      {
        level: "WARN",
        text: "held-released: more than 3 records could not be stored and wait here (maxHeld): the oldest are being released from memory"
      }
    ])
    expect(yield* metricValuesOf("held-released")).toMatchObject({
      recorder_set_aside_total: 6,
      recorder_released_total: 3,
      recorder_pending: 0
    })
    const report = yield* recorder.close
    expect(report.setAside.map(({ record }) => record)).toEqual([-4, -5, -6])
    expect(report.unsaved).toEqual([])
    expect(report.stats).toMatchObject({ setAside: 6, released: 3, handedBack: 0, pending: 0 })
    // Three records were released, and one change of the status says so.
    expect([...(yield* Fiber.join(seen))]).toMatchObject([
      { _tag: "Running", cause: Option.none() },
      { _tag: "Running", released: 1 },
      { _tag: "Closing", released: 3 },
      { _tag: "Closed", cause: Option.none() }
    ])
  })

  scenario("redrive works on what is held, and never on what was released", function* () {
    let mended = false
    const storage = backend<number>({ save: (call) => (mended ? call.commit : naming(call)) })
    const recorder = yield* Recorder.make(storage.storage, { maxHeld: 2 })
    bad(5).forEach(recorder.unsafeSave)
    yield* recorder.flush
    mended = true
    expect(yield* recorder.redrive).toBe(2)
    expect(recorder.unsafeStats()).toMatchObject({ setAside: 3, released: 3, pending: 2 })
    yield* recorder.flush
    expect(storage.held).toEqual([-4, -5])
    const report = yield* recorder.close
    expect(report.setAside).toEqual([])
    expect(report.stats).toMatchObject({ accepted: 5, stored: 2, setAside: 3, released: 3, pending: 0 })
  })

  scenario("an interval of releases ends with a redrive, or after a minute without one", function* () {
    const { layer, lines } = logs()
    const storage = backend<number>({ save: naming })
    const recorder = yield* Effect.provide(Recorder.make(storage.storage, { maxHeld: 1 }), layer)
    const setAside = (records: ReadonlyArray<number>) =>
      Effect.zipRight(
        Effect.sync(() => records.forEach(recorder.unsafeSave)),
        recorder.flush
      )
    const minute = 60_000
    yield* setAside(bad(2))
    yield* TestClock.adjust(minute - 1)
    yield* setAside([-3])
    yield* TestClock.adjust(minute)
    yield* setAside([-4])
    yield* recorder.redrive
    yield* recorder.flush
    yield* setAside([-5])
    yield* settled
    const last = 2 * minute - 1
    expect(recorder.unsafeStats().gaps).toEqual([
      { from: 0, to: minute - 1, count: 2, reason: "released" },
      { from: last, to: last, count: 1, reason: "released" },
      { from: last, to: last, count: 1, reason: "released" }
    ])
    expect(lines.filter(({ text }) => text.includes(overLimit))).toHaveLength(3)
    expect((yield* recorder.close).stats).toMatchObject({ setAside: 5, released: 4 })
  })

  scenario("of 0 nothing is held", function* () {
    const storage = backend<number>({ save: refusing<number>((record) => record === 2) })
    const recorder = yield* Recorder.make(storage.storage, { maxHeld: 0 })
    numbers(3).forEach(recorder.unsafeSave)
    yield* recorder.flush
    expect(yield* recorder.redrive).toBe(0)
    const report = yield* recorder.close
    expect(report.setAside).toEqual([])
    expect(report.stats).toMatchObject({ stored: 2, setAside: 1, released: 1 })
  })

  scenario("by default 10,000 are held", function* () {
    const storage = backend<number>({ save: naming })
    const recorder = yield* Recorder.make(storage.storage)
    bad(12_000).forEach(recorder.unsafeSave)
    yield* recorder.flush
    expect(recorder.unsafeStats()).toMatchObject({ setAside: 12_000, released: 2000 })
    const report = yield* recorder.close
    expect(report.setAside.map(({ record }) => record)).toEqual(bad(10_000, 2001))
  })

  scenario("the oldest that the sink refused are set aside instead of handed back", function* () {
    const storage = backend<number>({ save: naming })
    const recorder = yield* Recorder.make(storage.storage, {
      name: "held-unsunk",
      maxHeld: 2,
      deadLetters: () => Effect.fail("no room")
    })
    bad(5).forEach(recorder.unsafeSave)
    yield* TestClock.adjust("10 seconds")
    expectBalance(recorder.unsafeStats())
    expect(recorder.unsafeStats()).toMatchObject({ setAside: 3, released: 3, handedBack: 2, pending: 0 })
    const report = yield* recorder.close
    expect(report.unsaved).toMatchObject([
      { record: -4, reason: "SinkFailed" },
      { record: -5, reason: "SinkFailed" }
    ])
    expect(report.setAside).toEqual([])
    expect(report.stats).toMatchObject({ setAside: 3, released: 3, handedBack: 2 })
    expect(yield* metricValuesOf("held-unsunk")).toMatchObject({
      recorder_handed_back_total: 5,
      recorder_released_total: 3
    })
  })

  scenario("what a sink takes is never released", function* () {
    const storage = backend<number>({ save: naming })
    const taken: Array<number> = []
    const recorder = yield* Recorder.make(storage.storage, {
      maxHeld: 0,
      deadLetters: ({ record }) => Effect.sync(() => void taken.push(record))
    })
    bad(5).forEach(recorder.unsafeSave)
    const report = yield* recorder.close
    expectAccount(report, storage, { accepted: bad(5), sunk: taken })
    expect(report.stats).toMatchObject({ setAside: 5, released: 0 })
  })

  scenario("the end of the scope logs how many were released", function* () {
    const { layer, lines } = logs()
    const storage = backend<number>({ save: naming })
    yield* Effect.scoped(
      Effect.gen(function* () {
        const recorder = yield* Effect.provide(Recorder.make(storage.storage, { maxHeld: 1 }), layer)
        bad(3).forEach(recorder.unsafeSave)
        yield* recorder.flush
      })
    )
    expect(lines.filter(({ level }) => level === "ERROR").map(({ text }) => text)).toEqual([
      "recorder: closed by its scope with 0 records unsaved (0 of unknown outcome) and 1 set aside, 2 released from memory before"
    ])
  })

  scenario("is a whole number from 0, checked by make", function* () {
    for (const maxHeld of [-1, 0.5, Number.NaN, Number.POSITIVE_INFINITY]) {
      const wrong = yield* Effect.flip(Recorder.make(backend<number>().storage, { maxHeld }))
      expect(wrong).toMatchObject({ _tag: "InvalidOptions", option: "maxHeld" })
    }
  })
})
