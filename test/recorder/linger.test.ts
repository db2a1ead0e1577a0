/** How long records wait for others: by the load, for a fixed time, or not at all. All of it in virtual time. */
import { describe, expect } from "@effect/vitest"
import { Effect, Exit, Runtime, Scope, TestClock } from "effect"
import fc from "fast-check"
import * as Recorder from "../../src/Recorder.js"
import { lawTimeout } from "../support/laws/ensure.js"
import { holdsEffect } from "../support/laws/laws.js"
import { closeAndAccount, numbers } from "../support/recorder/account.js"
import { type Backend, backend, stepped } from "../support/recorder/backends.js"
import { scenario, settled, started } from "../support/time/turn.js"
import { runtimeIn, type VirtualTime, virtualTime } from "../support/time/virtualTime.js"

/** Small saves, one a millisecond, until the next one lingers. */
const underLoad = (recorder: Recorder.Recorder<number, never>, first = 1) =>
  Effect.forEach(numbers(9, first), (n) => {
    recorder.unsafeSave(n)
    return TestClock.adjust(1)
  })

const lastBatch = <R>({ batches }: Backend<R>) => batches().at(-1)

describe("by default", () => {
  scenario("a record waits up to 10 ms for others while small saves follow each other closely", function* () {
    const storage = backend<number>()
    const recorder = yield* Recorder.make(storage.storage)
    yield* underLoad(recorder)
    expect(storage.saves).toHaveLength(9)
    recorder.unsafeSave(10)
    yield* TestClock.adjust(6)
    recorder.unsafeSave(11)
    yield* TestClock.adjust(3)
    expect(storage.saves).toHaveLength(9)
    yield* TestClock.adjust(1)
    expect(lastBatch(storage)).toEqual([10, 11])
    yield* TestClock.adjust(1)
    recorder.unsafeSave(12)
    yield* TestClock.adjust(9)
    expect(storage.saves).toHaveLength(10)
    yield* TestClock.adjust(1)
    expect(lastBatch(storage)).toEqual([12])
    yield* closeAndAccount(recorder, storage, { accepted: numbers(12) })
  })

  scenario("a record or a burst after a pause is saved in its turn", function* () {
    const storage = backend<number>()
    const recorder = yield* Recorder.make(storage.storage)
    yield* underLoad(recorder)
    yield* TestClock.adjust(9)
    recorder.unsafeSave(10)
    yield* settled
    expect(lastBatch(storage)).toEqual([10])
    yield* underLoad(recorder, 11)
    yield* TestClock.adjust(50)
    yield* recorder.saveAll(numbers(50, 20))
    yield* settled
    expect(lastBatch(storage)).toEqual(numbers(50, 20))
    // A second one behind it is no load yet.
    yield* TestClock.adjust(1)
    recorder.unsafeSave(70)
    yield* settled
    expect(lastBatch(storage)).toEqual([70])
    yield* closeAndAccount(recorder, storage, { accepted: numbers(70) })
  })

  scenario("on a clock that stands nothing waits, however many saves there are", function* () {
    const storage = backend<number>()
    const recorder = yield* Recorder.make(storage.storage)
    yield* underLoad(recorder)
    for (const n of numbers(30, 10)) {
      recorder.unsafeSave(n)
      yield* settled
      // The first one is behind a save by a millisecond.
      if (n === 10) yield* TestClock.adjust(10)
      else expect(lastBatch(storage)).toEqual([n])
    }
    yield* closeAndAccount(recorder, storage, { accepted: numbers(39) })
  })

  scenario("a hundred records wait for no more, in one turn or one after the other", function* () {
    const storage = backend<number>()
    const recorder = yield* Recorder.make(storage.storage)
    yield* underLoad(recorder)
    yield* recorder.saveAll(numbers(60, 10))
    yield* TestClock.adjust(1)
    numbers(39, 70).forEach(recorder.unsafeSave)
    yield* settled
    expect(storage.saves).toHaveLength(9)
    recorder.unsafeSave(109)
    yield* settled
    expect(lastBatch(storage)).toEqual(numbers(100, 10))
    yield* TestClock.adjust(1)
    yield* recorder.saveAll(numbers(250, 110))
    yield* settled
    expect(lastBatch(storage)).toEqual(numbers(250, 110))
    yield* closeAndAccount(recorder, storage, { accepted: numbers(359) })
  })

  for (const [what, bound] of [
    ["a count", { count: 8, overflow: "drop-oldest" }],
    ["bytes", { bytes: 80, sizeOf: () => 10, overflow: "drop-oldest" }]
  ] as const) {
    scenario(`nothing waits while half of a bound by ${what} is reached`, function* () {
      const storage = backend<number>()
      const recorder = yield* Recorder.make(storage.storage, { bound })
      yield* underLoad(recorder)
      numbers(3, 10).forEach(recorder.unsafeSave)
      yield* settled
      expect(storage.saves).toHaveLength(9)
      recorder.unsafeSave(13)
      yield* settled
      expect(lastBatch(storage)).toEqual(numbers(4, 10))
      yield* closeAndAccount(recorder, storage, { accepted: numbers(13) })
    })
  }
})

describe("a linger", () => {
  const crowds = [
    ["a count", { count: 10, overflow: "suspend" }, [4, 10]],
    ["bytes", { bytes: 10, sizeOf: (n: number) => (n > 100 ? 7 : 1), overflow: "suspend" }, [4, 1]]
  ] as const
  for (const [what, bound, [few, more]] of crowds) {
    scenario(`holds up no saver that waits for room: a bound by ${what}`, function* () {
      const storage = yield* stepped<number>()
      const recorder = yield* Recorder.make(storage.storage, { linger: "1 hour", bound, maxBatchSize: 100 })
      yield* recorder.saveAll(numbers(10))
      const out = yield* storage.next
      const first = yield* started(recorder.saveAll(numbers(few, 20)))
      const second = yield* started(recorder.saveAll(numbers(more, 200)))
      yield* out.succeed
      const next = yield* storage.next
      expect(next.batch).toEqual(numbers(few, 20))
      yield* next.succeed
      yield* settled
      expect([first.unsafePoll(), second.unsafePoll()]).toEqual([Exit.succeed(true), Exit.succeed(true)])
      const closing = yield* started(recorder.close)
      yield* Effect.flatMap(storage.next, (last) => last.succeed)
      yield* closing.await
      expect(storage.held).toEqual([...numbers(10), ...numbers(few, 20), ...numbers(more, 200)])
    })
  }

  for (const linger of ["adaptive", "1 hour"] as const) {
    scenario(`of ${linger} holds up no receipt, query, flush or close`, function* () {
      const storage = backend<number>()
      const recorder = yield* Recorder.make(storage.storage, { linger })
      const load = (n: number) => (linger === "adaptive" ? underLoad(recorder, n) : Effect.void)
      const waits = (n: number) =>
        Effect.gen(function* () {
          yield* load(n)
          recorder.unsafeSave(n + 9)
          yield* settled
          expect(storage.held).not.toContain(n + 9)
        })
      yield* waits(1)
      yield* recorder.saveDurable(11)
      expect(storage.held.slice(-2)).toEqual([10, 11])
      yield* waits(12)
      expect(yield* recorder.load((n) => n > 20)).toEqual([21])
      yield* waits(22)
      yield* recorder.flush
      expect(storage.held.at(-1)).toBe(31)
      yield* waits(32)
      yield* recorder.close
      expect(storage.held.at(-1)).toBe(41)
    })
  }

  scenario("does not begin again for a receipt behind a full batch", function* () {
    const storage = yield* stepped<number>()
    const recorder = yield* Recorder.make(storage.storage, { linger: "1 hour", maxBatchSize: 3 })
    const succeed = Effect.flatMap(storage.next, ({ succeed }) => succeed)
    numbers(10).forEach(recorder.unsafeSave)
    const first = yield* storage.next
    const receipt = yield* started(recorder.saveDurable(11))
    yield* first.succeed
    yield* Effect.repeatN(succeed, 1)
    yield* settled
    expect(storage.batches().slice(1)).toEqual([numbers(3, 4), numbers(3, 7), numbers(2, 10)])
    yield* succeed
    yield* receipt
    yield* closeAndAccount(recorder, storage, { accepted: numbers(11) })
  })

  scenario("begins anew behind a batch that hurried, and ends when it should", function* () {
    const storage = backend<number>()
    const recorder = yield* Recorder.make(storage.storage, { linger: 50 })
    recorder.unsafeSave(1)
    yield* TestClock.adjust(30)
    yield* recorder.flush
    recorder.unsafeSave(2)
    yield* TestClock.adjust(49)
    expect(storage.batches()).toEqual([[1]])
    yield* TestClock.adjust(1)
    expect(storage.batches()).toEqual([[1], [2]])
    yield* closeAndAccount(recorder, storage, { accepted: numbers(2) })
  })

  scenario("of 0 is none, under any load", function* () {
    const storage = backend<number>()
    const recorder = yield* Recorder.make(storage.storage, { linger: 0 })
    for (const n of numbers(40)) {
      recorder.unsafeSave(n)
      yield* settled
      expect(lastBatch(storage)).toEqual([n])
      yield* TestClock.adjust(1)
    }
    yield* closeAndAccount(recorder, storage, { accepted: numbers(40) })
  })
})

interface Arrival {
  readonly gap: number
  readonly count: number
  readonly durable: boolean
}

interface World {
  readonly time: VirtualTime
  readonly storage: Backend<number>
  readonly recorder: Recorder.Recorder<number, never>
  /** When each record came. */
  readonly came: Array<number>
  readonly save: (arrival: Arrival) => Promise<void>
  readonly end: () => Promise<void>
}

const worldOf = async (linger: Recorder.Options<number>["linger"]): Promise<World> => {
  const time = virtualTime()
  const runtime = runtimeIn(time)
  const storage = backend<number>()
  const scope = Runtime.runSync(runtime)(Scope.make())
  const recorder = Runtime.runSync(runtime)(Scope.extend(Recorder.make(storage.storage, { linger }), scope))
  await time.settle()
  const came: Array<number> = []
  let now = 0
  return {
    time,
    storage,
    recorder,
    came,
    save: async ({ count, durable, gap }) => {
      await time.advance(gap)
      now += gap
      for (let n = 0; n < count; n++) {
        if (durable) Runtime.runFork(runtime)(recorder.saveDurable(came.length))
        else recorder.unsafeSave(came.length)
        came.push(now)
      }
      await time.settle()
    },
    end: async () => {
      const closing = Runtime.runPromise(runtime)(Scope.close(scope, Exit.void))
      await time.settle()
      await closing
    }
  }
}

const arrivals = (durable: fc.Arbitrary<boolean>) =>
  fc.array(
    fc.record({
      gap: fc.oneof(
        { weight: 6, arbitrary: fc.nat({ max: 9 }) },
        { weight: 1, arbitrary: fc.nat({ max: 40 }) }
      ),
      count: fc.integer({ min: 1, max: 3 }),
      durable
    }),
    { minLength: 10, maxLength: 60, size: "max" }
  )

describe(
  "in any stream of records",
  () => {
    scenario(
      "an adaptive linger keeps none longer than 10 ms, none after a pause, and no receipt at all",
      function* () {
        const rarely = fc.nat({ max: 15 }).map((n) => n === 0)
        yield* holdsEffect(arrivals(rarely), 25, (given) =>
          Effect.promise(async () => {
            const world = await worldOf(undefined)
            for (const arrival of given) await world.save(arrival)
            await world.time.advance(10)
            const began = [Number.NEGATIVE_INFINITY]
            for (const { at, batch } of world.storage.saves) {
              const first = world.came[batch[0] as number] as number
              const waited = at - first
              expect(waited).toBeLessThanOrEqual(10)
              if (first - (began.at(-1) as number) >= 10) expect(waited).toBe(0)
              began.push(at)
            }
            let n = 0
            for (const { count, durable } of given) {
              if (durable) {
                const save = world.storage.saves.find(({ batch }) => batch.includes(n))
                expect(save?.at).toBe(world.came[n])
              }
              n += count
            }
            expect(world.storage.held).toHaveLength(n)
            await world.end()
          })
        )
      }
    )

    scenario("a fixed linger is kept to the millisecond, and no record prolongs it", function* () {
      const sample = fc.tuple(fc.integer({ min: 1, max: 30 }), arrivals(fc.constant(false)))
      yield* holdsEffect(sample, 25, ([linger, given]) =>
        Effect.promise(async () => {
          const world = await worldOf(linger)
          for (const arrival of given) await world.save(arrival)
          await world.time.advance(linger)
          let next = 0
          for (const { at, batch } of world.storage.saves) {
            expect(batch[0]).toBe(next)
            expect(at).toBe((world.came[next] as number) + linger)
            next += batch.length
          }
          expect(next).toBe(world.came.length)
          await world.end()
        })
      )
    })
  },
  lawTimeout
)
