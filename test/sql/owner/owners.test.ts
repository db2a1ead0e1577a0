/**
 * The exclusive owner of a name, on real databases. The clock of the process is the test clock: an owner extends its lease
 * when a test lets time pass, and the lease runs out when the test moves its end in the database.
 */
import { describe, expect, it } from "@effect/vitest"
import { Deferred, Duration, Effect, Exit, Fiber, Scope, TestClock } from "effect"
import { plain } from "../../../src/sql/internal/dialect.js"
import { OwnError } from "../../../src/sql/internal/owner/errors.js"
import { jumps, wallClock } from "../../support/time/wallClock.js"
import { places, until } from "./places.js"

const a = { who: "process a" } as const
const b = { who: "process b" } as const

/** A lease that is not extended while a test lets time pass until a database has answered. */
const long = "1000 hours"

const count = plain("INSERT INTO writes VALUES (1)")

for (const [database, place] of places) {
  describe(`an owner, ${database}`, () => {
    it.scoped("is alone: another one is refused, and learns who it is and until when", () =>
      Effect.gen(function* () {
        const { left, start } = yield* place
        const [one, other] = yield* Effect.all([start(), start()])
        const owner = yield* one.acquire("x", a)
        expect(owner.unsafeIsHeld()).toBe(true)
        const refused = yield* Effect.flip(other.acquire("x", b))
        expect(refused).toBeInstanceOf(OwnError)
        expect(refused).toMatchObject({ reason: "Owned", who: "process a" })
        expect(refused.message).toContain('"x" is owned by process a until ')
        const millis = yield* left
        expect(millis).toBeGreaterThan(0)
        expect(millis).toBeLessThanOrEqual(10_000)
        // Another name is another owner's, and the same process is no exception.
        yield* other.acquire("y", b)
        expect(yield* Effect.flip(one.acquire("x", a))).toMatchObject({ reason: "Owned" })
      })
    )

    it.scoped("lets the next one take over at once when it is released, and when its scope ends", () =>
      Effect.gen(function* () {
        const { start } = yield* place
        const [one, other] = yield* Effect.all([start(), start()])
        const first = yield* one.acquire("x", a)
        yield* first.release
        expect(first.unsafeIsHeld()).toBe(false)
        expect(first.isLost()).toBe(false)
        const scope = yield* Scope.make()
        const second = yield* Scope.extend(other.acquire("x", b), scope)
        yield* Scope.close(scope, Exit.void)
        const third = yield* one.acquire("x", a)
        expect([first, second, third].map(({ generation }) => generation)).toEqual([1, 2, 3])
        expect(new Set([first.token, second.token, third.token]).size).toBe(3)
      })
    )

    it.scoped("is alone among many that begin at once", () =>
      Effect.gen(function* () {
        const { start } = yield* place
        const processes = yield* Effect.all([start(), start(), start()])
        const tries = yield* Effect.forEach(
          [...processes, ...processes],
          (one) => Effect.exit(one.acquire("x", a)),
          { concurrency: "unbounded" }
        )
        expect(tries.filter(Exit.isSuccess).length).toBe(1)
      })
    )

    it.scoped("is taken over when its lease has run out, and saves nothing from then on", () =>
      Effect.gen(function* () {
        const { database, expire, start } = yield* place
        const [one, other] = yield* Effect.all([start(), start()])
        yield* database.sql("CREATE TABLE writes (n int)")
        const former = yield* one.acquire("x", a)
        yield* one.save(former, (run) => run(count))
        yield* expire
        // No other has taken over: it is the owner still.
        yield* one.save(former, (run) => run(count))
        const owner = yield* other.acquire("x", b)
        expect(owner.generation).toBe(former.generation + 1)
        expect(former.isLost()).toBe(false)
        const refused = yield* Effect.flip(one.save(former, (run) => run(count)))
        expect(refused).toMatchObject({ _tag: "OwnError", reason: "Lost" })
        expect(former.isLost()).toBe(true)
        expect(former.unsafeIsHeld()).toBe(false)
        expect(yield* Effect.flip(former.lost)).toMatchObject({ reason: "Lost" })
        yield* other.save(owner, (run) => run(count))
        expect((yield* database.sql("SELECT n FROM writes")).length).toBe(3)
      })
    )

    it.scoped("that is taken over releases nothing of the one after it", () =>
      Effect.gen(function* () {
        const { expire, start } = yield* place
        const [one, other] = yield* Effect.all([start(), start()])
        const former = yield* one.acquire("x", a)
        yield* expire
        yield* other.acquire("x", b)
        yield* former.release
        expect(yield* Effect.flip(one.acquire("x", a))).toMatchObject({ reason: "Owned", who: "process b" })
      })
    )

    it.scoped("extends its lease when a third of it is over", () =>
      Effect.gen(function* () {
        const { expire, left, start } = yield* place
        const [one, other] = yield* Effect.all([start(), start()])
        const owner = yield* one.acquire("x", { ...a, lease: "30 seconds" })
        yield* expire
        yield* TestClock.adjust("9 seconds")
        expect(yield* left).toBeLessThan(0)
        yield* TestClock.adjust("1 second")
        yield* until(one, "UPDATE")
        expect(yield* left).toBeGreaterThan(10_000)
        expect(yield* Effect.flip(other.acquire("x", b))).toMatchObject({ reason: "Owned" })
        expect(owner.unsafeIsHeld()).toBe(true)
      })
    )

    it.scoped("learns that it is lost when it extends its lease", () =>
      Effect.gen(function* () {
        const { expire, start } = yield* place
        const [one, other] = yield* Effect.all([start(), start()])
        const former = yield* one.acquire("x", a)
        yield* expire
        const owner = yield* other.acquire("x", b)
        yield* TestClock.adjust("4 seconds")
        expect(yield* Effect.flip(former.lost)).toMatchObject({ reason: "Lost" })
        expect([former.isLost(), owner.isLost()]).toEqual([true, false])
      })
    )

    it.scoped("does not count on a lease that it could not extend", () =>
      Effect.gen(function* () {
        const { start } = yield* place
        const one = yield* start()
        const owner = yield* one.acquire("x", a)
        yield* one.freeze
        yield* TestClock.adjust("8999 millis")
        expect(owner.unsafeIsHeld()).toBe(true)
        yield* TestClock.adjust("1 millis")
        expect(owner.unsafeIsHeld()).toBe(false)
        expect(owner.isLost()).toBe(false)
        // Its end does not wait for a database that does not answer.
        const ending = yield* Effect.fork(owner.release)
        yield* TestClock.adjust("1 second")
        yield* Fiber.join(ending)
      })
    )

    it.scoped("is not taken over while it saves: the save is there before, and no other comes after", () =>
      Effect.gen(function* () {
        const { database, expire, start } = yield* place
        const [one, other] = yield* Effect.all([start(), start()])
        yield* database.sql("CREATE TABLE writes (n int)")
        const former = yield* one.acquire("x", { ...a, lease: long })
        yield* expire
        const [proved, go] = yield* Effect.all([Deferred.make<void>(), Deferred.make<void>()])
        const saving = yield* Effect.fork(
          one.save(former, (run) =>
            Effect.andThen(
              Deferred.succeed(proved, undefined),
              Effect.andThen(Deferred.await(go), run(count))
            )
          )
        )
        yield* Deferred.await(proved)
        const taking = yield* Effect.fork(other.acquire("x", { ...b, wait: Duration.infinity }))
        // It has looked, was refused, and looks again.
        const looked = until(other, '"over"')
        yield* looked
        yield* passing(Effect.raceFirst(looked, Fiber.await(taking)))
        expect(taking.unsafePoll()).toBeNull()
        yield* Deferred.succeed(go, undefined)
        yield* Fiber.join(saving)
        const owner = yield* Fiber.join(yield* Effect.fork(passing(Fiber.join(taking))))
        expect(owner.generation).toBe(2)
        expect((yield* database.sql("SELECT n FROM writes")).length).toBe(1)
        expect(yield* Effect.flip(one.save(former, (run) => run(count)))).toMatchObject({ reason: "Lost" })
      })
    )

    it.scoped("is waited for, and the wait can be interrupted", () =>
      Effect.gen(function* () {
        const { start } = yield* place
        const [one, other] = yield* Effect.all([start(), start()])
        const owner = yield* one.acquire("x", a)
        const forever = yield* Effect.fork(other.acquire("x", { ...b, wait: Duration.infinity }))
        yield* until(other, "SELECT")
        yield* Fiber.interrupt(forever)
        const brief = yield* Effect.fork(Effect.flip(other.acquire("x", { ...b, wait: "1 second" })))
        expect(yield* passing(Fiber.join(brief))).toMatchObject({ reason: "Owned" })
        const next = yield* Effect.fork(other.acquire("x", { ...b, wait: Duration.infinity }))
        yield* until(other, "SELECT")
        yield* owner.release
        expect(yield* passing(Fiber.join(next))).toMatchObject({ generation: 2 })
      })
    )

    it.scoped("is refused while the database is away, and one that waits goes on", () =>
      Effect.gen(function* () {
        const { database, start } = yield* place
        const one = yield* start()
        yield* one.disconnect
        const refused = yield* Effect.flip(one.acquire("x", a))
        expect(refused).toMatchObject({ reason: "Unavailable", cause: { message: "the database is away" } })
        const waiting = yield* Effect.fork(one.acquire("x", { ...a, lease: long, wait: Duration.infinity }))
        yield* until(one, "SELECT")
        yield* one.reconnect
        const owner = yield* passing(Fiber.join(waiting))
        // What it holds is held while it cannot be extended, and extended when it can.
        yield* one.disconnect
        yield* TestClock.adjust("334 hours")
        yield* until(one, "UPDATE")
        expect([owner.isLost(), owner.unsafeIsHeld()]).toEqual([false, true])
        yield* TestClock.adjust("567 hours")
        expect([owner.isLost(), owner.unsafeIsHeld()]).toEqual([false, false])
        yield* one.reconnect
        yield* TestClock.adjust("100 hours")
        yield* Effect.repeat(until(one, "UPDATE"), { until: () => owner.unsafeIsHeld() })
        yield* database.sql("DROP TABLE t_owners")
        const fatal = yield* Effect.flip(one.acquire("y", a))
        expect(fatal).toMatchObject({ reason: "Unavailable" })
      })
    )

    for (const [jump, ahead] of jumps) {
      it.scoped(`goes by the clock of the database: that of a process is set ${jump}`, () =>
        Effect.gen(function* () {
          const { expire, left, start } = yield* place
          const [one, other] = yield* Effect.all([start(), start()])
          const wall = yield* wallClock
          wall.set(ahead)
          const owner = yield* Effect.withClock(one.acquire("x", a), wall.clock)
          wall.set(2 * ahead)
          expect(owner.unsafeIsHeld()).toBe(true)
          const millis = yield* left
          expect(millis).toBeGreaterThan(0)
          expect(millis).toBeLessThanOrEqual(10_000)
          const refused = yield* Effect.flip(Effect.withClock(other.acquire("x", b), wall.clock))
          expect(refused).toMatchObject({ reason: "Owned" })
          yield* expire
          yield* Effect.withClock(other.acquire("x", b), wall.clock)
        })
      )
    }
  })
}

/** Lets time pass until an effect has ended, which waits for a database in between. */
const passing = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.raceFirst(
    effect,
    Effect.forever(
      Effect.andThen(
        TestClock.adjust("200 millis"),
        Effect.promise(() => new Promise(setImmediate))
      )
    )
  )
