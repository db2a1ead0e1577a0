/** Batches that are too large or too slow, of which smaller ones pass. */
import { describe, expect } from "@effect/vitest"
import { Effect, Schedule, TestClock } from "effect"
import * as Recorder from "../../src/Recorder.js"
import { StorageError } from "../../src/Storage.js"
import { closeAndAccount, numbers } from "../support/recorder/account.js"
import { backend } from "../support/recorder/backends.js"
import { scenario } from "../support/time/turn.js"

const tooSlow = new StorageError({
  kind: "Transient",
  outcome: "NotStored",
  blame: "size",
  message: "the statement took too long"
})

const limited = (most: number) =>
  backend<number>({
    save: (call) => (call.batch.length > most ? Effect.fail(tooSlow) : call.commit)
  })

const sizes = (batches: ReadonlyArray<ReadonlyArray<number>>) => batches.map(({ length }) => length)

describe("a batch that is too slow", () => {
  scenario("a size that passed is kept to for a minute, and doubled then", function* () {
    const storage = limited(30)
    const recorder = yield* Recorder.make(storage.storage, { maxBatchSize: 100 })
    numbers(200).forEach(recorder.unsafeSave)
    yield* recorder.flush
    // The first batch finds out, the second one knows.
    expect(sizes(storage.batches())).toEqual([100, 50, 25, 25, 50, 25, 25, 25, 25, 25, 25])
    yield* TestClock.adjust("61 seconds")
    numbers(100, 201).forEach(recorder.unsafeSave)
    yield* recorder.flush
    expect(sizes(storage.batches()).slice(11)).toEqual([50, 25, 25, 50, 25, 25])
    const report = yield* closeAndAccount(recorder, storage, { accepted: numbers(300) })
    expect(report.stats).toMatchObject({ stored: 300, setAside: 0, retries: 0 })
  })

  scenario("for saveTimeout is halved after three attempts, and the next one after one", function* () {
    const storage = backend<number>({
      save: (call) => Effect.delay(call.commit, call.batch.length > 10 ? "2 seconds" : "100 millis")
    })
    const recorder = yield* Recorder.make(storage.storage, {
      saveTimeout: "1 second",
      retry: Schedule.spaced("100 millis"),
      maxBatchSize: 16
    })
    numbers(32).forEach(recorder.unsafeSave)
    yield* TestClock.adjust("10 seconds")
    expect(sizes(storage.batches())).toEqual([16, 16, 16, 8, 8, 16, 8, 8])
    yield* closeAndAccount(recorder, storage, { accepted: numbers(32) })
  })
})
