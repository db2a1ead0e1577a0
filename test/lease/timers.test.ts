/** Timers around their deadlines: by an access, by the fiber, with a wall clock that jumps, with faults. */
import { describe, expect, it } from "@effect/vitest"
import { Duration, Effect, Exit, Logger, Scope, TestClock } from "effect"
import * as Timers from "../../src/internal/lease/timers.js"
import { passingClock } from "../support/time/passing.js"
import { manual, settled, withTurn } from "../support/time/turn.js"
import { jumps, wallClock } from "../support/time/wallClock.js"

/** Timers with a diary of what has fired. */
const diary = Effect.map(Timers.make, (timers) => {
  const fired: Array<string> = []
  const schedule = (deadline: number, name: string) => timers.schedule(deadline, () => fired.push(name))
  return { timers, fired, schedule }
})

describe("a timer", () => {
  it.scoped("is not due before and at its deadline, and fires 1 ms after it by an access", () =>
    Effect.gen(function* () {
      // No fiber runs in between: the access comes first.
      const { clock, pass } = yield* passingClock
      const { fired, schedule, timers } = yield* Effect.withClock(diary, clock)
      schedule(100, "a")
      yield* pass(Duration.millis(99))
      expect([timers.runDue(), fired]).toEqual([0, []])
      yield* pass(Duration.millis(1))
      expect([timers.runDue(), fired]).toEqual([0, []])
      yield* pass(Duration.millis(1))
      expect([timers.runDue(), fired, timers.size()]).toEqual([1, ["a"], 0])
    })
  )

  it.scoped("is not due before and at its deadline, and fires 1 ms after it by the fiber", () =>
    Effect.gen(function* () {
      const { fired, schedule } = yield* diary
      schedule(100, "a")
      yield* TestClock.adjust(99)
      expect(fired).toEqual([])
      yield* TestClock.adjust(1)
      expect(fired).toEqual([])
      yield* TestClock.adjust(1)
      expect(fired).toEqual(["a"])
    })
  )

  it.scoped("fires once, whether an access or the fiber comes first", () =>
    Effect.gen(function* () {
      const { fired, schedule, timers } = yield* diary
      schedule(10, "a")
      yield* TestClock.adjust(11)
      expect([timers.runDue(), fired]).toEqual([0, ["a"]])
      const b = schedule(20, "b")
      yield* TestClock.adjust(10)
      timers.runDue()
      expect(timers.move(b, 500)).toBe(false)
      yield* TestClock.adjust(1_000)
      expect(fired).toEqual(["a", "b"])
    })
  )

  it.scoped("fires with a deadline beyond what hosts can wait for", () =>
    Effect.gen(function* () {
      const { fired, schedule } = yield* diary
      const year = 365 * 24 * 3_600_000
      schedule(year, "a")
      // The host's clock never wakes what sleeps longer than this.
      yield* settled
      expect(Math.max(...(yield* TestClock.sleeps()))).toBeLessThan(2 ** 31)
      yield* TestClock.adjust(year)
      expect(fired).toEqual([])
      yield* TestClock.adjust(1)
      expect(fired).toEqual(["a"])
    })
  )

  it.scoped("fires by the fiber at its new deadline only, when it was moved", () =>
    Effect.gen(function* () {
      const { fired, schedule, timers } = yield* diary
      const later = schedule(100, "later")
      const earlier = schedule(1_000, "earlier")
      yield* TestClock.adjust(50)
      expect([timers.move(later, 200), timers.move(earlier, 60)]).toEqual([true, true])
      yield* TestClock.adjust(11)
      expect(fired).toEqual(["earlier"])
      yield* TestClock.adjust(139)
      expect([timers.runDue(), fired]).toEqual([0, ["earlier"]])
      yield* TestClock.adjust(1)
      expect(fired).toEqual(["earlier", "later"])
    })
  )

  it.scoped("does not fire when it was cancelled, and does not come back", () =>
    Effect.gen(function* () {
      const { fired, schedule, timers } = yield* diary
      const a = schedule(10, "a")
      schedule(10, "b")
      timers.cancel(a)
      timers.cancel(a)
      expect([timers.move(a, 20), timers.size()]).toEqual([false, 1])
      yield* TestClock.adjust(100)
      expect(fired).toEqual(["b"])
    })
  )

  it.scoped("of other timers is neither moved nor cancelled", () =>
    Effect.gen(function* () {
      const one = yield* diary
      const other = yield* diary
      const timer = one.schedule(10, "a")
      other.schedule(10, "b")
      expect(other.timers.move(timer, 50)).toBe(false)
      other.timers.cancel(timer)
      yield* TestClock.adjust(11)
      expect([one.fired, other.fired]).toEqual([["a"], ["b"]])
    })
  )

  it.scoped.each(jumps)("keeps its moment when the wall clock is set %s", ([, ahead]) =>
    Effect.gen(function* () {
      const wall = yield* wallClock
      const { fired, schedule, timers } = yield* Effect.withClock(diary, wall.clock)
      schedule(timers.now() + 100, "a")
      yield* TestClock.adjust(50)
      wall.set(ahead)
      yield* TestClock.adjust(50)
      expect([timers.runDue(), fired]).toEqual([0, []])
      yield* TestClock.adjust(1)
      expect(fired).toEqual(["a"])
    })
  )
})

describe("timers", () => {
  it.scoped("fire by their deadlines, equal ones in the order in which these were given", () =>
    Effect.gen(function* () {
      const { fired, schedule, timers } = yield* diary
      const moved = schedule(5, "moved")
      schedule(20, "b")
      schedule(10, "a")
      schedule(20, "c")
      timers.move(moved, 20)
      yield* TestClock.adjust(21)
      expect(fired).toEqual(["a", "b", "c", "moved"])
    })
  )

  it.scoped(
    "fire what is scheduled by one that fires: what is due by the same pass, the rest in its time",
    () =>
      Effect.gen(function* () {
        const { fired, schedule, timers } = yield* diary
        timers.schedule(10, () => {
          schedule(5, "past")
          schedule(30, "future")
        })
        yield* TestClock.adjust(11)
        expect(fired).toEqual(["past"])
        yield* TestClock.adjust(20)
        expect(fired).toEqual(["past", "future"])
      })
  )

  it.scoped("fire all although one throws, which is logged", () =>
    Effect.gen(function* () {
      const lines: Array<unknown> = []
      const logger = Logger.make(({ message }) => void lines.push(message))
      yield* Effect.gen(function* () {
        const { fired, schedule, timers } = yield* diary
        timers.schedule(10, () => {
          throw "broken"
        })
        schedule(10, "b")
        yield* TestClock.adjust(11)
        schedule(20, "c")
        yield* TestClock.adjust(10)
        expect(fired).toEqual(["b", "c"])
        timers.schedule(0, () => {
          throw "broken in an access"
        })
        expect(timers.runDue()).toBe(1)
        yield* settled
      }).pipe(Effect.provide(Logger.replace(Logger.defaultLogger, logger)))
      const message = "1 of what ended or was due threw, the rest was done; the first fault:"
      expect(lines).toEqual([
        [message, "broken"],
        [message, "broken in an access"]
      ])
    })
  )

  it.scoped("that are due in thousands leave the turn to others in between", () => {
    const turn = manual()
    return withTurn(turn)(
      Effect.gen(function* () {
        const { fired, schedule, timers } = yield* diary
        for (let id = 0; id < 450; id++) schedule(10, `${id}`)
        yield* TestClock.adjust(11)
        expect(fired.length).toBe(200)
        yield* turn.end
        expect(fired.length).toBe(400)
        yield* turn.end
        expect([fired.length, timers.size()]).toEqual([450, 0])
      })
    )
  })

  it.effect("log what was thrown just before their scope closed", () =>
    Effect.gen(function* () {
      const lines: Array<unknown> = []
      const logger = Logger.make(({ message }) => void lines.push(message))
      yield* Effect.scoped(
        Effect.map(Timers.make, (timers) =>
          timers.supervise(() => {
            throw "broken"
          })
        )
      ).pipe(Effect.provide(Logger.replace(Logger.defaultLogger, logger)))
      const message = "1 of what ended or was due threw, the rest was done; the first fault:"
      expect(lines).toEqual([[message, "broken"]])
    })
  )

  it.effect("fire no more when their scope has closed", () =>
    Effect.gen(function* () {
      const scope = yield* Scope.make()
      const { fired, schedule, timers } = yield* Scope.extend(diary, scope)
      const timer = schedule(10, "a")
      yield* Scope.close(scope, Exit.void)
      schedule(10, "b")
      yield* TestClock.adjust(100)
      expect([timers.runDue(), timers.move(timer, 200), timers.size(), fired]).toEqual([0, false, 0, []])
    })
  )
})
