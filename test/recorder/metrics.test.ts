/** The metrics of a recorder, by their exported names. */
import { describe, expect } from "@effect/vitest"
import { Effect, Fiber, Schedule, TestClock } from "effect"
import * as Recorder from "../../src/Recorder.js"
import { closeAndAccount, numbers } from "../support/recorder/account.js"
import { backend, fatal, refusing, stepped, transient } from "../support/recorder/backends.js"
import { metricsOf, metricValuesOf, status } from "../support/recorder/watching.js"
import { scenario, started } from "../support/time/turn.js"

const retry = Schedule.spaced("100 millis")

const raise = (message: string): never => {
  throw new Error(message)
}

describe("metrics", () => {
  scenario("by name and tag: the counters of the account, refused, duplicates, retries", function* () {
    const storage = backend<number>({
      save: (call) =>
        call.nth === 1
          ? Effect.zipRight(call.commitFirst(2), Effect.fail(transient({ outcome: "Unknown" })))
          : call.batch.includes(13)
            ? Effect.never
            : refusing<number>((record) => record === 3)(call)
    })
    const recorder = yield* Recorder.make(storage.storage, {
      name: "metrics-account",
      retry,
      bound: { count: 5, overflow: "drop-newest", sizeOf: (record) => (record === 99 ? raise("no size") : 1) }
    })
    numbers(7).forEach(recorder.unsafeSave)
    yield* TestClock.adjust("1 second")
    yield* recorder.flush
    expect(recorder.unsafeSave(99)).toBe(false)
    recorder.unsafeSave(13)
    const closing = yield* started(recorder.closeWithin("1 second"))
    yield* TestClock.adjust("1100 millis")
    const { stats } = yield* Fiber.join(closing)
    expect(stats).toMatchObject({
      accepted: 8,
      stored: 4,
      setAside: 1,
      dropped: 2,
      handedBack: 1,
      refused: 1
    })
    expect(yield* metricValuesOf("metrics-account")).toMatchObject({
      recorder_accepted_total: 8,
      recorder_stored_total: 4,
      recorder_duplicates_total: 2,
      recorder_set_aside_total: 1,
      recorder_dropped_total: 2,
      recorder_handed_back_total: 1,
      recorder_refused_total: 1,
      recorder_retries_total: 1,
      recorder_pending: 0
    })
  })

  scenario(
    "the size of a save is that of the part that it held, and receipts are told of their own part",
    function* () {
      // 3 is known stored when the save of 3 and 4 fails; the save before it held 2 alone.
      const storage = backend<number>({
        save: (call) =>
          call.batch.length === 2 && call.batch[0] === 3 && call.nth < 7
            ? Effect.zipRight(call.commitFirst(1), Effect.fail(transient({ stored: 1 })))
            : refusing<number>((record) => record === 1)(call)
      })
      const recorder = yield* Recorder.make(storage.storage, { name: "metrics-parts", retry })
      const [one, two, three, four] = yield* Effect.forEach([1, 2, 3, 4] as const, (record) =>
        Effect.fork(recorder.saveDurable(record))
      )
      yield* Effect.forEach([one!, two!, three!], Fiber.await)
      expect(recorder.unsafeStats()).toMatchObject({ stored: 2, setAside: 1, pending: 1 })
      yield* TestClock.adjust("1 second")
      yield* Fiber.join(four!)
      expect((yield* metricsOf("metrics-parts")).recorder_batch_size).toMatchObject({
        count: 2,
        sum: 2,
        max: 1
      })
      yield* closeAndAccount(recorder, storage, { accepted: numbers(4) })
    }
  )

  scenario("two recorders do not share them", function* () {
    const recorders = yield* Effect.forEach(["metrics-one", "metrics-two"], (name) =>
      Recorder.make(backend<number>().storage, { name })
    )
    recorders[0]!.unsafeSave(1)
    numbers(2).forEach(recorders[1]!.unsafeSave)
    yield* Effect.forEach(recorders, (recorder) => recorder.close)
    expect(yield* metricValuesOf("metrics-one")).toMatchObject({ recorder_stored_total: 1 })
    expect(yield* metricValuesOf("metrics-two")).toMatchObject({ recorder_stored_total: 2 })
  })

  scenario("pending is seen while the storage has not come up", function* () {
    const recorder = yield* Recorder.makeDeferred(Effect.never, { name: "metrics-late" })
    for (const record of numbers(3)) expect(recorder.unsafeSave(record)).toBe(true)
    yield* TestClock.adjust("5 seconds")
    expect(yield* metricValuesOf("metrics-late")).toMatchObject({ recorder_pending: 3 })
    const closing = yield* started(recorder.closeWithin(0))
    yield* TestClock.adjust(100)
    expect((yield* Fiber.join(closing)).unsaved).toHaveLength(3)
  })

  scenario("pending and oldest age are seen while a save hangs, and fall when it is over", function* () {
    const storage = yield* stepped<number>()
    const recorder = yield* Recorder.make(storage.storage, { name: "metrics-hang" })
    numbers(3).forEach(recorder.unsafeSave)
    const call = yield* storage.next
    yield* TestClock.adjust("5 seconds")
    const hanging = yield* metricValuesOf("metrics-hang")
    expect(hanging).toMatchObject({ recorder_pending: 3, recorder_accepted_total: 3 })
    expect(hanging.recorder_oldest_pending_age_millis).toBeGreaterThanOrEqual(4000)
    yield* call.succeed
    yield* TestClock.adjust("1 second")
    expect(yield* metricValuesOf("metrics-hang")).toMatchObject({
      recorder_pending: 0,
      recorder_oldest_pending_age_millis: 0
    })
    yield* closeAndAccount(recorder, storage, { accepted: numbers(3) })
  })

  scenario("batch size and save duration are histograms of the acknowledged saves", function* () {
    const storage = backend<number>({
      save: (call) =>
        call.nth === 2
          ? Effect.fail(transient())
          : Effect.zipRight(Effect.sleep(call.nth === 1 ? 7 : 40), call.commit)
    })
    const recorder = yield* Recorder.make(storage.storage, { name: "metrics-saves", retry, maxBatchSize: 60 })
    yield* Effect.sync(() => numbers(90).forEach(recorder.unsafeSave))
    yield* TestClock.adjust("1 second")
    yield* closeAndAccount(recorder, storage, { accepted: numbers(90) })
    const found = yield* metricsOf("metrics-saves")
    expect(found.recorder_batch_size).toMatchObject({ count: 2, min: 30, max: 60, sum: 90 })
    expect(found.recorder_save_duration_millis).toMatchObject({ count: 2, min: 7, max: 40, sum: 47 })
  })

  scenario("refused shows what a failed or closed recorder refuses", function* () {
    const storage = backend<number>({ save: () => Effect.fail(fatal()) })
    const recorder = yield* Recorder.make(storage.storage, { name: "metrics-refused" })
    recorder.unsafeSave(1)
    yield* status(recorder, "Failed")
    expect(recorder.unsafeSave(2)).toBe(false)
    expect(yield* metricValuesOf("metrics-refused")).toMatchObject({ recorder_refused_total: 1 })
    yield* recorder.close
    expect(yield* recorder.saveAll([3, 4])).toBe(false)
    expect(yield* metricValuesOf("metrics-refused")).toMatchObject({ recorder_refused_total: 3 })
  })
})
