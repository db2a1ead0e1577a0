/** The wall clock is set while a recorder works: every duration stays what it was, and every instant is that of the wall. */
import { describe, expect } from "@effect/vitest"
import { Effect, Fiber, Option, Schedule, TestClock } from "effect"
import * as Recorder from "../../src/Recorder.js"
import { closeAndAccount, numbers } from "../support/recorder/account.js"
import { backend, failingFirst, poison, refusing, stepped, transient } from "../support/recorder/backends.js"
import { scenario, settled, started } from "../support/time/turn.js"
import { jumps, wallClock } from "../support/time/wallClock.js"

const forAMinute = Schedule.spaced("10 seconds").pipe(Schedule.upTo("1 minute"))

/** A recorder that has the wall clock of this test. */
const setUp = <R>(
  storage: Parameters<typeof Recorder.make<R, never, unknown>>[0],
  options: Recorder.Options<R>
) =>
  Effect.gen(function* () {
    const wall = yield* wallClock
    const recorder = yield* Effect.withClock(Recorder.make(storage, options), wall.clock)
    yield* settled
    return { recorder, set: wall.set }
  })

for (const [jump, ahead] of jumps) {
  describe(`a wall clock set ${jump}`, () => {
    scenario("leaves a linger as long as it is, to the millisecond", function* () {
      const storage = backend<number>()
      const { recorder, set } = yield* setUp(storage.storage, { linger: 50 })
      recorder.unsafeSave(1)
      yield* TestClock.adjust(20)
      set(ahead)
      recorder.unsafeSave(2)
      yield* TestClock.adjust(29)
      expect(storage.batches()).toEqual([])
      yield* TestClock.adjust(1)
      expect(storage.batches()).toEqual([[1, 2]])
      // Set before the first record of a batch, and again after it.
      recorder.unsafeSave(3)
      set(0)
      yield* TestClock.adjust(49)
      expect(storage.batches()).toHaveLength(1)
      yield* TestClock.adjust(1)
      expect(storage.batches()).toEqual([[1, 2], [3]])
      yield* closeAndAccount(recorder, storage, { accepted: numbers(3) })
    })

    scenario("does not change the age of the oldest record, in flight or queued", function* () {
      const storage = yield* stepped<number>()
      const { recorder, set } = yield* setUp(storage.storage, {})
      recorder.unsafeSave(1)
      const call = yield* storage.next
      yield* TestClock.adjust(3000)
      recorder.unsafeSave(2)
      set(ahead)
      yield* TestClock.adjust(2000)
      expect(recorder.unsafeStats().oldestAge).toBe(5000)
      yield* call.succeed
      yield* Effect.flatMap(storage.next, (second) => {
        expect(recorder.unsafeStats().oldestAge).toBe(2000)
        return second.succeed
      })
      yield* closeAndAccount(recorder, storage, { accepted: numbers(2) })
    })

    scenario("ends no retry schedule earlier or later", function* () {
      const storage = backend<number>({ save: () => Effect.fail(transient()) })
      const { recorder, set } = yield* setUp(storage.storage, { retry: forAMinute })
      recorder.unsafeSave(1)
      yield* TestClock.adjust("15 seconds")
      set(ahead)
      yield* TestClock.adjust("44 seconds")
      expect((yield* recorder.status)._tag).toBe("Degraded")
      expect(storage.saves).toHaveLength(6)
      yield* TestClock.adjust("2 seconds")
      expect((yield* recorder.status)._tag).toBe("Failed")
      yield* closeAndAccount(recorder, storage, { accepted: [1] })
    })

    scenario("nor that of the acquisition", function* () {
      const wall = yield* wallClock
      let tries = 0
      const acquire = Effect.suspend(() => {
        tries++
        return Effect.fail(transient())
      })
      const made = Recorder.makeDeferred(acquire, { retry: forAMinute })
      const recorder = yield* Effect.withClock(made, wall.clock)
      yield* TestClock.adjust("15 seconds")
      wall.set(ahead)
      yield* TestClock.adjust("44 seconds")
      expect([tries, (yield* recorder.status)._tag]).toEqual([6, "Starting"])
      yield* TestClock.adjust("2 seconds")
      expect((yield* recorder.status)._tag).toBe("Failed")
    })

    scenario("leaves the pauses between retries, saveTimeout and deadlines alone", function* () {
      const storage = backend<number>({
        save: (call) => (call.nth < 3 ? failingFirst(transient(), transient())(call) : Effect.never)
      })
      const { recorder, set } = yield* setUp(storage.storage, {
        retry: Schedule.spaced("1 second"),
        saveTimeout: "2 seconds"
      })
      recorder.unsafeSave(1)
      yield* TestClock.adjust(500)
      set(ahead)
      yield* TestClock.adjust(500)
      set(0)
      yield* TestClock.adjust(1500)
      set(ahead)
      yield* TestClock.adjust(1500)
      // Pauses at 0 and 1,000; a time-out from 2,000 to 4,000, and a pause behind it.
      expect(storage.saves.map(({ nth }) => nth)).toEqual([1, 2, 3])
      yield* TestClock.adjust(1000)
      expect(storage.saves).toHaveLength(4)
      const closing = yield* started(recorder.closeWithin("1 second"))
      set(-ahead)
      yield* TestClock.adjust(1099)
      expect((yield* Fiber.join(closing)).unsaved).toHaveLength(1)
    })

    scenario("ends no interval of releases", function* () {
      const storage = backend<number>({ save: refusing<number>(() => true) })
      const { recorder, set } = yield* setUp(storage.storage, { maxHeld: 0 })
      const lose = (record: number) => {
        recorder.unsafeSave(record)
        return recorder.flush
      }
      yield* lose(1)
      set(ahead)
      yield* TestClock.adjust("59 seconds")
      yield* lose(2)
      expect(recorder.unsafeStats().gaps).toHaveLength(1)
      yield* TestClock.adjust("60 seconds")
      yield* lose(3)
      expect(recorder.unsafeStats().gaps.map(({ count }) => count)).toEqual([2, 1])
    })

    scenario("is what people are shown: set aside, degraded since, gaps", function* () {
      const storage = backend<number>({
        save: (call) =>
          call.nth === 2 ? Effect.fail(transient()) : refusing<number>((n) => n === 1, poison())(call)
      })
      const { recorder, set } = yield* setUp(storage.storage, {
        retry: Schedule.spaced("1 second"),
        bound: { count: 1, overflow: "drop-newest" }
      })
      yield* TestClock.adjust(5)
      set(ahead)
      recorder.unsafeSave(1)
      yield* recorder.flush
      recorder.unsafeSave(2)
      recorder.unsafeSave(3)
      yield* settled
      const at = 5 + ahead
      expect(yield* recorder.status).toMatchObject({ _tag: "Degraded", since: at })
      expect(recorder.unsafeStats().gaps).toMatchObject([{ from: at, to: at }])
      yield* TestClock.adjust("1 second")
      const report = yield* recorder.close
      expect(report.setAside).toMatchObject([{ record: 1, at }])
      expect(Option.isSome(report.storage)).toBe(true)
    })
  })
}
