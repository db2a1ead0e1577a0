/**
 * Trap: a producer that never yields. On the host's own turns and clock: whether others get their turn is what is
 * asked here.
 */
import { describe, expect, it } from "@effect/vitest"
import { Deferred, Effect, Fiber, Logger } from "effect"
import * as Recorder from "../../src/Recorder.js"
import { memory } from "../../src/Storage.js"
import { numbers } from "../support/recorder/account.js"

const quiet = Effect.provide(Logger.remove(Logger.defaultLogger))

/** What else runs in the process. Completes when it has had ten turns. */
const bystander = Effect.zipRight(Effect.sleep(1), Effect.yieldNow()).pipe(Effect.repeatN(9))

/** Ends with the present turn of the host. */
const turn = Effect.async<void>((resume) => {
  const immediate = setImmediate(() => resume(Effect.void))
  return Effect.sync(() => clearImmediate(immediate))
})

/** Go on until they are interrupted. */
const producers: { readonly [name: string]: (save: () => void) => Effect.Effect<void> } = {
  // The runtime of fibers takes it off the thread after so many steps, and the host's turn ends when it has done so
  // 2,048 times. With the default of 2,048 steps this takes seconds.
  "a fiber that never yields": (save) =>
    Effect.whileLoop({ while: () => true, body: () => Effect.sync(save), step: () => {} }).pipe(
      Effect.withMaxOpsBeforeYield(64)
    ),
  "one that saves from every turn": (save) => Effect.forever(Effect.zipRight(Effect.sync(save), turn)),
  "one that saves a thousand from every turn": (save) =>
    Effect.forever(
      Effect.zipRight(
        Effect.sync(() => {
          for (let i = 0; i < 1000; i++) save()
        }),
        turn
      )
    )
}

describe("trap: a producer that never yields:", () => {
  it.scopedLive("a synchronous loop: everything is accepted, and stored in order after it", () =>
    Effect.gen(function* () {
      const recorder = yield* Recorder.make(memory<number>())
      const before = yield* Effect.fork(recorder.load(undefined))
      yield* Effect.yieldNow()
      let accepted = 0
      for (let n = 0; n < 500_000; n++) if (recorder.unsafeSave(n)) accepted++
      expect(accepted).toBe(500_000)
      expect(yield* Fiber.join(before)).toEqual([])
      const all = yield* recorder.load(undefined)
      expect(all.length).toBe(500_000)
      expect(all.findIndex((n, i) => n !== i)).toBe(-1)
      const { stats } = yield* recorder.close
      expect(stats).toMatchObject({ accepted: 500_000, stored: 500_000, pending: 0 })
    }).pipe(quiet)
  )

  for (const [name, producer] of Object.entries(producers)) {
    it.scopedLive(
      `${name}: queries, receipts and other fibers still get their turn`,
      () =>
        Effect.gen(function* () {
          const storage = memory<number>()
          const recorder = yield* Recorder.make(storage)
          let next = 0
          const fiber = yield* Effect.forkDaemon(producer(() => recorder.unsafeSave(next++)))
          yield* Effect.addFinalizer(() => Fiber.interrupt(fiber))
          yield* Effect.yieldNow()
          const before = next
          const others = yield* Effect.fork(bystander)
          const asks = [recorder.load(undefined), recorder.flush, recorder.saveDurable(-1)] as const
          const [found] = yield* Effect.all(asks, { concurrency: "unbounded" })
          expect(found.length, "a query sees every save made before it").toBeGreaterThanOrEqual(before)
          // Others run meanwhile.
          yield* Fiber.join(others)
          expect(next, "the producer goes on").toBeGreaterThan(before)
          yield* Fiber.interrupt(fiber)
          const { stats } = yield* recorder.close
          expect(stats).toMatchObject({ accepted: next + 1, stored: next + 1, pending: 0 })
          expect(storage.records.length).toBe(next + 1)
        }).pipe(quiet),
      60_000
    )
  }

  it.scopedLive("a storage whose saves are synchronous: others get a turn between two batches", () =>
    Effect.gen(function* () {
      // The worker waits for the end of the turn after each batch.
      const begun = yield* Deferred.make<void>()
      const batches: Array<number> = []
      const recorder = yield* Recorder.make<number, never, void>({
        save: (batch) =>
          Effect.sync(() => {
            Deferred.unsafeDone(begun, Effect.void)
            batches.push(batch.length)
          }),
        load: () => Effect.void
      })
      for (const n of numbers(99_000)) recorder.unsafeSave(n)
      yield* Deferred.await(begun)
      let turns = 0
      while (recorder.unsafeStats().pending > 0) {
        yield* turn
        turns++
      }
      expect(batches).toEqual(Array(99).fill(1000))
      expect(turns).toBeGreaterThanOrEqual(98)
    })
  )
})
