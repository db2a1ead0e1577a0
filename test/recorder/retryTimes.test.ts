/** When a save is tried again, to the millisecond, and what it costs that a record has no word for its trouble. */
import { describe, expect } from "@effect/vitest"
import { Effect, Fiber, Random, Schedule, TestClock } from "effect"
import * as Recorder from "../../src/Recorder.js"
import { closeAndAccount, numbers } from "../support/recorder/account.js"
import { backend, failingFirst, stepped, transient } from "../support/recorder/backends.js"
import { scenario, settled, started } from "../support/time/turn.js"

const times = (storage: { readonly saves: ReadonlyArray<{ readonly at: number }> }) =>
  storage.saves.map(({ at }) => Math.round(at))

describe("the attempts of a save", () => {
  scenario("come at exactly these times by default, each wait with a jitter of its own", function* () {
    const random = [0, 0.25, 0.5, 0.75, 1, 0.1, 0.9, 0.3, 0.7, 0.4, 0.6] as const
    const storage = backend<number>({ save: failingFirst(...random.map(() => transient())) })
    const recorder = yield* Effect.withRandom(Recorder.make(storage.storage), Random.fixed([...random]))
    recorder.unsafeSave(1)
    yield* TestClock.adjust("5 minutes")
    const waits = [80, 180, 400, 880, 1920, 2688, 7424, 11_776, 27_648, 28_800, 31_200]
    let at = 0
    expect(times(storage)).toEqual([0, ...waits.map((wait) => (at += wait))])
    yield* closeAndAccount(recorder, storage, { accepted: [1] })
  })

  scenario("are the same for the same random numbers, and wait 0.8 to 1.2 of the step", function* () {
    const play = (seed: string) =>
      Effect.gen(function* () {
        const begun = yield* Effect.clockWith((clock) => clock.currentTimeMillis)
        const storage = backend<number>({ save: failingFirst(...numbers(12).map(() => transient())) })
        const recorder = yield* Effect.withRandom(Recorder.make(storage.storage), Random.make(seed))
        recorder.unsafeSave(1)
        yield* TestClock.adjust("10 minutes")
        yield* closeAndAccount(recorder, storage, { accepted: [1] })
        const at = storage.saves.map((call) => call.at - begun)
        return at.slice(1).map((time, i) => Math.round(time - (at[i] as number)))
      })
    const waits = yield* play("a seed")
    expect(waits).toHaveLength(12)
    for (const [i, wait] of waits.entries()) {
      const step = Math.min(30_000, 100 * 2 ** i)
      expect(wait).toBeGreaterThanOrEqual(0.8 * step - 1)
      expect(wait).toBeLessThanOrEqual(1.2 * step + 1)
    }
    expect(yield* play("a seed")).toEqual(waits)
    expect(yield* play("another seed")).not.toEqual(waits)
  })

  for (const [name, retry, expected] of [
    ["spaced", Schedule.spaced("250 millis"), [0, 250, 500, 750, 1000, 1250]],
    ["exponential", Schedule.exponential("1 second", 3), [0, 1000, 4000, 13_000, 40_000, 121_000]],
    ["fibonacci", Schedule.fibonacci("1 second"), [0, 1000, 2000, 4000, 7000, 12_000]],
    ["linear", Schedule.linear("2 seconds"), [0, 2000, 6000, 12_000, 20_000, 30_000]],
    ["at once", Schedule.forever, [0, 0, 0, 0, 0, 0]],
    [
      "exponential with a cap",
      Schedule.union(Schedule.exponential("1 second"), Schedule.spaced("3 seconds")),
      [0, 1000, 3000, 6000, 9000, 12_000]
    ]
  ] as const) {
    scenario(`come at exactly the times of a given schedule: ${name}`, function* () {
      const storage = backend<number>({ save: failingFirst(...numbers(5).map(() => transient())) })
      const recorder = yield* Recorder.make(storage.storage, { retry })
      recorder.unsafeSave(1)
      yield* TestClock.adjust("3 minutes")
      expect(times(storage)).toEqual(expected)
      yield* closeAndAccount(recorder, storage, { accepted: [1] })
    })
  }

  scenario("end with a schedule that ends: the next one is the last", function* () {
    const storage = backend<number>({ save: () => Effect.fail(transient()) })
    const retry = Schedule.fromDelays("10 millis", "1 second", "1 minute")
    const recorder = yield* Recorder.make(storage.storage, { retry })
    recorder.unsafeSave(1)
    yield* TestClock.adjust("61010 millis")
    expect(times(storage)).toEqual([0, 10, 1010, 61_010])
    expect((yield* recorder.status)._tag).toBe("Failed")
    yield* TestClock.adjust("1 hour")
    expect(storage.saves).toHaveLength(4)
    yield* closeAndAccount(recorder, storage, { accepted: [1] })
  })

  scenario("wait from the failure on, not from the beginning of the attempt", function* () {
    const storage = backend<number>({
      save: (call) => (call.nth < 4 ? Effect.delay(Effect.fail(transient()), "70 millis") : call.commit)
    })
    const recorder = yield* Recorder.make(storage.storage, { retry: Schedule.spaced("100 millis") })
    recorder.unsafeSave(1)
    yield* TestClock.adjust("1 second")
    expect(times(storage)).toEqual([0, 170, 340, 510])
    yield* closeAndAccount(recorder, storage, { accepted: [1] })
  })

  scenario("are one at a time while Degraded, whatever is asked meanwhile", function* () {
    let running = 0
    let most = 0
    const storage = backend<number>({
      save: (call) =>
        Effect.acquireUseRelease(
          Effect.sync(() => {
            most = Math.max(most, ++running)
          }),
          () => Effect.delay(call.at < 12_000 ? Effect.fail(transient()) : call.commit, "400 millis"),
          () =>
            Effect.sync(() => {
              running--
            })
        )
    })
    const retry = Schedule.spaced("1 second")
    const recorder = yield* Recorder.make(storage.storage, { retry, maxBatchSize: 10 })
    recorder.unsafeSave(0)
    yield* settled
    let asked = 0
    const everything = Effect.suspend(() => {
      recorder.unsafeSave(++asked)
      return Effect.all(
        [
          recorder.save(++asked),
          recorder.saveAll([++asked, ++asked]),
          recorder.saveDurable(++asked),
          recorder.load(undefined),
          recorder.flush,
          recorder.redrive
        ],
        { concurrency: "unbounded" }
      )
    })
    const callers: Array<Fiber.RuntimeFiber<unknown, unknown>> = []
    for (const _ of numbers(12)) {
      callers.push(yield* started(everything))
      yield* TestClock.adjust("970 millis")
    }
    expect((yield* recorder.status)._tag).toBe("Degraded")
    expect(times(storage)).toEqual([0, 1400, 2800, 4200, 5600, 7000, 8400, 9800, 11_200])
    expect(storage.batches()).toEqual(storage.saves.map(() => [0]))
    yield* TestClock.adjust("1 minute")
    for (const caller of callers) yield* Fiber.join(caller)
    expect([most, running]).toEqual([1, 0])
    yield* closeAndAccount(recorder, storage, { accepted: numbers(asked + 1, 0) })
  })
})

describe("one bad record with an unlisted error code", () => {
  scenario("does not block the trail: 5 retries and a bisection later it is set aside", function* () {
    const bad = 100
    const storage = backend<number>({
      save: (call) =>
        call.batch.includes(bad) ? Effect.fail({ code: "ZZ999", message: "unlisted" }) : call.commit
    })
    const recorder = yield* Effect.withRandom(Recorder.make(storage.storage), Random.fixed([0.5]))
    // The trail: ten records each 100 ms, for 20 seconds.
    let next = 0
    const trail = yield* started(
      Effect.repeat(
        Effect.sync(() => {
          for (let i = 0; i < 10; i++) recorder.unsafeSave(next++)
        }),
        Schedule.intersect(Schedule.spaced("100 millis"), Schedule.recurs(199))
      )
    )
    yield* TestClock.adjust("1 second")
    expect((yield* recorder.status)._tag).toBe("Degraded")
    // First tried at 1,000 ms, then after 100, 200, 400, 800 and 1,600 ms.
    yield* TestClock.adjust("3099 millis")
    expect(recorder.unsafeStats()).toMatchObject({ stored: 100, setAside: 0 })
    yield* TestClock.adjust("1 millis")
    expect(recorder.unsafeStats()).toMatchObject({ stored: next - 1, setAside: 1, pending: 0 })
    expect((yield* recorder.status)._tag).toBe("Running")
    yield* TestClock.adjust("20 seconds")
    yield* Fiber.join(trail)
    const report = yield* closeAndAccount(recorder, storage, { accepted: numbers(2000, 0) })
    expect(report.setAside.map(({ record }) => record)).toEqual([bad])
    expect(storage.held).toEqual(numbers(2000, 0).filter((record) => record !== bad))
  })

  scenario("that is tried alone waits for the next one to come, and is set aside then", function* () {
    const storage = yield* stepped<number>()
    const recorder = yield* Recorder.make(storage.storage, { retry: Schedule.spaced("100 millis") })
    const unlisted = { code: "ZZ999" }
    recorder.unsafeSave(1)
    // However often it fails alone, nothing says that it is not the backend.
    for (const _ of numbers(30)) {
      yield* Effect.flatMap(storage.next, (call) => call.fail(unlisted))
      yield* TestClock.adjust("100 millis")
    }
    expect(recorder.unsafeStats()).toMatchObject({ pending: 1, setAside: 0 })
    recorder.unsafeSave(2)
    while (recorder.unsafeStats().pending > 0) {
      const call = yield* storage.next
      yield* call.batch.includes(1) ? call.fail(unlisted) : call.succeed
      yield* TestClock.adjust("100 millis")
    }
    const report = yield* closeAndAccount(recorder, storage, { accepted: [1, 2] })
    expect(report.setAside.map(({ record }) => record)).toEqual([1])
  })
})
