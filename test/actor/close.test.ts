/** The end of an actor: what is finished, what is handed back, who is told, and that nothing stays behind. */
import { describe, expect, it } from "@effect/vitest"
import { Clock, Deferred, Effect, Exit, Fiber, Option, Scope, Supervisor, TestClock } from "effect"
import { type Diary, gated, keeper, read, write } from "../support/actor/diary.js"
import { manual, microtasks, scenario, settled, started, withTurn } from "../support/time/turn.js"

const stopped = { _tag: "ActorStopped", reason: "Closed" }

describe("close", () => {
  scenario("R13: finishes what was accepted and gives the resource back, still usable", function* () {
    const lines: Array<string> = []
    const gate = yield* Deferred.make<void>()
    const actor = yield* keeper(lines, { maxBatchSize: 2, onBatch: gated(gate) })
    yield* actor.offerAll([1, 2, 3])
    const asked = yield* started(actor.ask(read("question")))
    actor.unsafeOffer(4)
    const closing = yield* started(actor.close)
    expect(actor.unsafeStatus()).toEqual({ _tag: "Closing", cause: Option.none() })
    expect(actor.unsafeOffer(5)).toBe(false)
    expect(yield* actor.offer(5)).toBe(false)
    expect(yield* Effect.flip(actor.ask(read("late")))).toMatchObject(stopped)
    const flushing = yield* started(actor.flush)
    expect(flushing.unsafePoll()).toBeNull()
    yield* Deferred.succeed(gate, undefined)
    const rest = yield* Fiber.join(closing)
    yield* Fiber.join(flushing)
    expect(yield* Fiber.join(asked)).toEqual(["batch 1 2", "batch 3"])
    expect(rest).toMatchObject({ current: [], queued: [], busy: false, cause: Option.none() })
    yield* read("after")(Option.getOrThrow(rest.resource))
    expect(lines).toEqual(["batch 1 2", "batch 3", "question", "batch 4", "after"])
    expect(actor.unsafeStatus()).toEqual({ _tag: "Closed", cause: Option.none() })
    expect(yield* Effect.flip(actor.flush)).toMatchObject(stopped)
    expect(actor.unsafeOffer(6)).toBe(false)
  })

  scenario("of an idle actor ends it at once, also when nothing ever came", function* () {
    const actor = yield* keeper([])
    yield* actor.ready
    expect(yield* actor.close).toMatchObject({ queued: [] })
    const fresh = yield* keeper([])
    expect(Option.isSome((yield* fresh.close).resource)).toBe(true)
  })

  scenario("R14: gives all closers one report, and makes it once", function* () {
    const gate = yield* Deferred.make<void>()
    let reports = 0
    const actor = yield* keeper([], {
      onBatch: gated(gate),
      report: (rest) => {
        reports++
        return rest
      }
    })
    actor.unsafeOffer(1)
    const first = yield* started(actor.close)
    const second = yield* started(actor.close)
    const third = yield* started(actor.closeWithin("1 hour"))
    yield* Deferred.succeed(gate, undefined)
    const report = yield* Fiber.join(first)
    expect(yield* Fiber.join(second)).toBe(report)
    expect(yield* Fiber.join(third)).toBe(report)
    expect(yield* actor.close).toBe(report)
    expect(yield* actor.closeWithin(0)).toBe(report)
    expect(reports).toBe(1)
  })

  scenario("goes on when its closer is interrupted, and so does the deadline", function* () {
    const actor = yield* keeper([], { onBatch: () => Effect.never })
    actor.unsafeOffer(1)
    yield* settled
    yield* Fiber.interrupt(yield* started(actor.close))
    expect(actor.unsafeStatus()).toMatchObject({ _tag: "Closing" })
    yield* Fiber.interrupt(yield* started(actor.closeWithin(100)))
    const waiting = yield* started(actor.close)
    yield* TestClock.adjust(200)
    expect((yield* Fiber.join(waiting)).current).toEqual([1])
  })

  scenario("refuses the offers that wait for room", function* () {
    const gate = yield* Deferred.make<void>()
    const actor = yield* keeper([], { onBatch: gated(gate), bound: { count: 1, overflow: "suspend" } })
    actor.unsafeOffer(1)
    const waiting = yield* started(actor.offerAll([2]))
    const closing = yield* started(actor.close)
    expect(yield* Fiber.join(waiting)).toBe(false)
    yield* Deferred.succeed(gate, undefined)
    expect((yield* Fiber.join(closing)).queued).toEqual([])
  })

  scenario("waits for a resource that is still to come", function* () {
    const lines: Array<string> = []
    const acquired = yield* Deferred.make<Diary>()
    const actor = yield* keeper(lines, { acquire: Deferred.await(acquired) })
    actor.unsafeOffer(1)
    const closing = yield* started(actor.close)
    yield* TestClock.adjust("1 minute")
    expect(closing.unsafePoll()).toBeNull()
    yield* Deferred.succeed(acquired, { lines })
    expect((yield* Fiber.join(closing)).queued).toEqual([])
    expect(lines).toEqual(["batch 1"])
  })
})

describe("a deadline", () => {
  /** How long closing took on the test's clock. */
  const timed = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
    Effect.gen(function* () {
      const from = yield* Clock.currentTimeMillis
      const result = yield* effect
      return [result, (yield* Clock.currentTimeMillis) - from] as const
    })

  scenario("R15: interrupts the step under way and hands everything back in order", function* () {
    const interrupted = yield* Deferred.make<void>()
    const actor = yield* keeper([], {
      maxBatchSize: 2,
      onBatch: () => Effect.onInterrupt(Effect.never, () => Deferred.succeed(interrupted, undefined))
    })
    yield* actor.offerAll([1, 2, 3, 4, 5])
    const asked = yield* started(Effect.flip(actor.ask(read("never"))))
    actor.unsafeOffer(6)
    const closing = yield* started(timed(actor.closeWithin(1000)))
    yield* TestClock.adjust(999)
    expect(closing.unsafePoll()).toBeNull()
    yield* TestClock.adjust(101)
    const [rest, took] = yield* Fiber.join(closing)
    yield* Deferred.await(interrupted)
    expect(rest).toMatchObject({ current: [1, 2], queued: [3, 4, 5, 6], busy: false, cause: Option.none() })
    expect(Option.isSome(rest.resource)).toBe(true)
    expect(yield* Fiber.join(asked)).toMatchObject(stopped)
    expect(took).toBeLessThanOrEqual(1100)
  })

  scenario("R16: leaves behind a step that ignores its interruption, and reports it", function* () {
    const lines: Array<string> = []
    const gate = yield* Deferred.make<void>()
    const actor = yield* keeper(lines, {
      onBatch: (diary, batch) =>
        Effect.uninterruptible(Effect.zipRight(Deferred.await(gate), write(diary, batch)))
    })
    actor.unsafeOffer(1)
    yield* settled
    actor.unsafeOffer(2)
    const closing = yield* started(timed(actor.closeWithin(1000)))
    yield* TestClock.adjust(1099)
    const [rest, took] = yield* Fiber.join(closing)
    expect(rest).toMatchObject({ current: [1], queued: [2], busy: true })
    expect(took).toBeLessThanOrEqual(1100)
    expect(actor.unsafeStatus()).toEqual({ _tag: "Closed", cause: Option.none() })
    // It ends at last, which changes nothing any more.
    yield* Deferred.succeed(gate, undefined)
    yield* settled
    expect(lines).toEqual(["batch 1"])
    expect(actor.unsafeStatus()).toEqual({ _tag: "Closed", cause: Option.none() })
    expect(yield* actor.close).toBe(rest)
  })

  scenario("ends a question that hangs, with an answer", function* () {
    const actor = yield* keeper([])
    const hangs = yield* started(Effect.flip(actor.ask(() => Effect.never)))
    const ignores = yield* keeper([])
    const ignored = yield* started(Effect.flip(ignores.ask(() => Effect.uninterruptible(Effect.never))))
    const closing = yield* started(Effect.all([actor.closeWithin(10), ignores.closeWithin(10)]))
    yield* TestClock.adjust(110)
    expect((yield* Fiber.join(closing)).map(({ busy }) => busy)).toEqual([false, true])
    expect(yield* Fiber.join(hangs)).toMatchObject(stopped)
    expect(yield* Fiber.join(ignored)).toMatchObject(stopped)
  })

  scenario("ends the wait for a resource that never comes", function* () {
    for (const acquire of [Effect.never, Effect.uninterruptible(Effect.never)]) {
      const actor = yield* keeper([], { acquire })
      actor.unsafeOffer(1)
      const ready = yield* started(Effect.flip(actor.ready))
      const asked = yield* started(Effect.flip(actor.ask(read("never"))))
      const closing = yield* started(actor.closeWithin(100))
      yield* TestClock.adjust(200)
      expect(yield* Fiber.join(closing)).toMatchObject({ resource: Option.none(), queued: [1] })
      expect(yield* Fiber.join(ready)).toMatchObject(stopped)
      expect(yield* Fiber.join(asked)).toMatchObject(stopped)
    }
  })

  scenario("comes also during a close without one; the earliest wins", function* () {
    const actor = yield* keeper([], { onBatch: () => Effect.never })
    actor.unsafeOffer(1)
    const waiting = yield* started(timed(actor.close))
    const late = yield* started(actor.closeWithin("1 hour"))
    const early = yield* started(actor.closeWithin("3 seconds"))
    const later = yield* started(actor.closeWithin("10 seconds"))
    yield* TestClock.adjust("3100 millis")
    const [rest, took] = yield* Fiber.join(waiting)
    expect(took).toBeLessThanOrEqual(3100)
    for (const closer of [late, early, later]) expect(yield* Fiber.join(closer)).toBe(rest)
  })

  scenario("of none ends it at once, whatever it was doing", function* () {
    const fresh = yield* keeper([], { acquire: Effect.never })
    for (const actor of [fresh, yield* keeper([], { onBatch: () => Effect.never })]) {
      actor.unsafeOffer(1)
      const closing = yield* started(actor.closeWithin(0))
      yield* TestClock.adjust(100)
      const { current, queued } = yield* Fiber.join(closing)
      expect([...current, ...queued]).toEqual([1])
    }
  })

  scenario("that is not reached cuts nothing short", function* () {
    const lines: Array<string> = []
    const actor = yield* keeper(lines, { onBatch: (diary, batch) => Effect.delay(write(diary, batch), 500) })
    actor.unsafeOffer(1)
    const closing = yield* started(actor.closeWithin(1000))
    yield* TestClock.adjust(500)
    expect((yield* Fiber.join(closing)).current).toEqual([])
    expect(lines).toEqual(["batch 1"])
  })
})

describe("the scope", () => {
  scenario("R17: closes the actor first and the resource after it", function* () {
    const lines: Array<string> = []
    const scope = yield* Scope.make()
    const acquire = Effect.acquireRelease(Effect.succeed({ lines }), () =>
      Effect.sync(() => {
        lines.push("released")
      })
    )
    yield* Scope.extend(
      Effect.gen(function* () {
        yield* Effect.addFinalizer(() => Effect.sync(() => lines.push("made before")))
        const actor = yield* keeper(lines, {
          acquire: Effect.delay(acquire, 10) as never,
          closeDeadline: "10 seconds",
          onBatch: (diary, batch) => Effect.delay(write(diary, batch), 100)
        })
        yield* Effect.addFinalizer(() => Effect.sync(() => lines.push("made after")))
        actor.unsafeOffer(1)
        actor.unsafeOffer(2)
      }),
      scope
    )
    const ending = yield* started(Scope.close(scope, Exit.void))
    yield* TestClock.adjust(110)
    yield* Fiber.join(ending)
    expect(lines).toEqual(["made after", "batch 1 2", "released", "made before"])
  })

  scenario("keeps a resource that was handed back until it ends itself", function* () {
    const lines: Array<string> = []
    const scope = yield* Scope.make()
    const acquire = Effect.acquireRelease(Effect.succeed({ lines }), () =>
      Effect.sync(() => {
        lines.push("released")
      })
    )
    const actor = yield* Scope.extend(keeper(lines, { acquire: acquire as never }), scope)
    const rest = yield* actor.close
    yield* read("used")(Option.getOrThrow(rest.resource))
    yield* Scope.close(scope, Exit.void)
    expect(lines).toEqual(["used", "released"])
  })

  scenario("waits for its deadline and reports what is left, if no close has reported it", function* () {
    const told: Array<ReadonlyArray<number>> = []
    const over = (closes: boolean) =>
      Effect.gen(function* () {
        const scope = yield* Scope.make()
        const actor = yield* Scope.extend(
          keeper([], {
            onBatch: () => Effect.never,
            closeDeadline: "5 seconds",
            onScopeClosed: ({ current, queued }) => Effect.sync(() => told.push([...current, ...queued]))
          }),
          scope
        )
        actor.unsafeOffer(1)
        yield* settled
        actor.unsafeOffer(2)
        if (closes)
          yield* started(actor.closeWithin(0)).pipe(
            Effect.zipLeft(TestClock.adjust(100)),
            Effect.flatMap(Fiber.join)
          )
        const ending = yield* started(Scope.close(scope, Exit.void))
        if (!closes) yield* TestClock.adjust(4999)
        expect(ending.unsafePoll() === null).toBe(!closes)
        yield* TestClock.adjust(101)
        yield* Fiber.join(ending)
      })
    yield* over(false)
    expect(told).toEqual([[1, 2]])
    yield* over(true)
    expect(told).toEqual([[1, 2]])
  })

  scenario("that is closed already closes the actor as it is made", function* () {
    const scope = yield* Scope.make()
    yield* Scope.close(scope, Exit.void)
    const actor = yield* Scope.extend(keeper([]), scope)
    expect(actor.unsafeOffer(1)).toBe(false)
    expect(actor.unsafeStatus()).toEqual({ _tag: "Closed", cause: Option.none() })
  })

  scenario("waits 10 seconds by default", function* () {
    const scope = yield* Scope.make()
    const actor = yield* Scope.extend(
      keeper([], { onBatch: () => Effect.never, closeDeadline: undefined }),
      scope
    )
    actor.unsafeOffer(1)
    const ending = yield* started(Scope.close(scope, Exit.void))
    yield* TestClock.adjust(9999)
    expect(ending.unsafePoll()).toBeNull()
    yield* TestClock.adjust(101)
    yield* Fiber.join(ending)
  })
})

describe("nothing stays behind", () => {
  /** Runs an effect and gives the fibers that are alive after it. */
  const alive = <E, R>(effect: Effect.Effect<unknown, E, R>) =>
    Effect.gen(function* () {
      const supervisor = yield* Supervisor.track
      yield* Effect.supervised(effect, supervisor)
      yield* settled
      return yield* supervisor.value
    })

  const ends: ReadonlyArray<readonly [string, Effect.Effect<unknown, unknown, Scope.Scope>]> = [
    ["an idle actor", Effect.flatMap(keeper([]), (actor) => actor.close)],
    [
      "one that had work, questions and a linger",
      Effect.gen(function* () {
        const actor = yield* keeper([], { linger: 10, limit: () => 5000 })
        actor.unsafeOffer(1)
        yield* actor.ask(read("question"), { limit: "1 hour" })
        actor.unsafeOffer(2)
        yield* Effect.zipRight(actor.closeWithin("1 hour"), actor.close)
      })
    ],
    [
      "one that failed",
      Effect.gen(function* () {
        const actor = yield* keeper([], { onBatch: () => Effect.die("dead") })
        actor.unsafeOffer(1)
        yield* Effect.flip(actor.flush)
        yield* actor.close
      })
    ],
    [
      "one whose step overran",
      Effect.gen(function* () {
        let tries = 0
        const actor = yield* keeper([], {
          onBatch: () => (tries++ === 0 ? Effect.never : Effect.void),
          limit: () => 100
        })
        actor.unsafeOffer(1)
        yield* started(actor.flush).pipe(Effect.zipLeft(TestClock.adjust(100)), Effect.flatMap(Fiber.join))
        yield* actor.close
      })
    ],
    [
      "one ended by its deadline",
      Effect.gen(function* () {
        const actor = yield* keeper([], { onBatch: () => Effect.never })
        actor.unsafeOffer(1)
        yield* started(actor.closeWithin(10)).pipe(
          Effect.zipLeft(TestClock.adjust(60)),
          Effect.flatMap(Fiber.join)
        )
      })
    ]
  ]
  for (const [name, effect] of ends) {
    scenario(`R18: after the close of ${name}: no fiber`, function* () {
      const left = yield* alive(Effect.scoped(effect))
      expect(left).toEqual([])
    })
  }

  it.effect("after a make that was interrupted, wherever", () =>
    Effect.gen(function* () {
      // The maker yields after so many operations: so its interruption meets `make` in many places.
      for (let operations = 10; operations < 24; operations++) {
        for (let yields = 0; yields < 15; yields++) {
          const left = yield* alive(
            Effect.gen(function* () {
              const made = Effect.scoped(Effect.zipRight(keeper([], { acquire: Effect.never }), Effect.never))
              const making = yield* Effect.fork(Effect.withMaxOpsBeforeYield(made, operations))
              for (let i = 0; i < yields; i++) yield* Effect.yieldNow()
              yield* Fiber.interrupt(making)
            })
          )
          expect(left, `${operations} operations, ${yields} yields`).toEqual([])
        }
      }
    }).pipe(withTurn(microtasks))
  )

  scenario("R18: while an actor idles: no alarm is set", function* () {
    const actor = yield* keeper([])
    actor.unsafeOffer(1)
    yield* actor.ask(() => Effect.sleep(10)).pipe(started)
    yield* TestClock.adjust("5 seconds")
    expect(yield* TestClock.sleeps()).toHaveLength(0)
  })

  it.scoped("a drain that waits for the end of its turn is handed back at the deadline", () => {
    const turn = manual()
    return Effect.gen(function* () {
      const actor = yield* keeper([])
      yield* settled
      actor.unsafeOffer(1)
      const closing = yield* started(actor.closeWithin(20))
      yield* TestClock.adjust(120)
      expect((yield* Fiber.join(closing)).queued).toEqual([1])
      yield* turn.end
      expect(actor.unsafeStatus()).toEqual({ _tag: "Closed", cause: Option.none() })
    }).pipe(withTurn(turn))
  })
})
