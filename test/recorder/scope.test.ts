/** The base contract of the end: by `close`, and by the end of the scope. */
import { describe, expect } from "@effect/vitest"
import { Effect, Exit, Fiber, Option, Scope, TestClock } from "effect"
import * as Recorder from "../../src/Recorder.js"
import type * as Storage from "../../src/Storage.js"
import { closeAndAccount, expectAccount, numbers } from "../support/recorder/account.js"
import { backend, failingFirst, stepped, transient } from "../support/recorder/backends.js"
import { microtasks, scenario, started, withTurn } from "../support/time/turn.js"

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
    const recorder = yield* Recorder.makeDeferred(acquire)
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
    const reports: Array<Recorder.CloseReport<number>> = []
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
    scenario(`${name} and passes onClosed what was not written`, function* () {
      const { make, scope } = yield* inScope
      const storage = backend<number>({ save: (call) => (call.nth === 1 ? call.commit : Effect.never) })
      const reports: Array<Recorder.CloseReport<number>> = []
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

  scenario("logs nothing when close was called before", function* () {
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
