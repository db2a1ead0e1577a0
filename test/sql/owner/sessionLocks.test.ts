/**
 * Owners that hold a lock of their doorbell's session, on a real Postgres: the lease is an hour here, so that only the
 * lock can let another one take over.
 */
import { describe, expect, it } from "@effect/vitest"
import { Duration, Effect, Exit, Scope, Stream } from "effect"
import * as PgDoorbell from "../../../src/sql/PgDoorbell.js"
import { databaseUrls } from "../../support/postgres/databases.js"
import { pgPlace, until } from "./places.js"

const a = { who: "process a", lease: "1 hour" } as const
const b = { who: "process b", lease: "1 hour" } as const

const up = ({ states }: PgDoorbell.PgDoorbell) =>
  Stream.runHead(Stream.filter(states, ({ _tag }) => _tag === "Up"))

for (const { name, url } of databaseUrls()) {
  /** A place, and doorbells whose sessions can be ended. */
  const withDoorbells = Effect.gen(function* () {
    const place = yield* pgPlace(url)
    const { sql } = place.database
    const [found] = yield* sql("SELECT current_schema() AS name")
    const sessionName = (n: number) => `${String(found?.name)} ${n}`
    let made = 0
    const open = Effect.gen(function* () {
      const doorbell = yield* PgDoorbell.make({ url, applicationName: sessionName(++made) })
      yield* up(doorbell)
      return doorbell
    })
    const kill = (n: number) =>
      sql(
        `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = '${sessionName(n)}'`
      )
    const locks = Effect.map(
      sql(
        `SELECT 1 FROM pg_locks l JOIN pg_stat_activity s USING (pid) WHERE l.locktype = 'advisory' AND s.application_name LIKE '${String(found?.name)}%'`
      ),
      (rows) => rows.length
    )
    const isLocked = Effect.map(sql("SELECT locked FROM t_owners"), ([row]) => row?.locked === true)
    return { ...place, open, kill, locks, isLocked }
  })

  describe(`an owner with a lock of its session, ${name}`, () => {
    it.scopedLive("is taken over within two seconds when its session is gone and it does nothing more", () =>
      Effect.gen(function* () {
        const { isLocked, kill, open, start } = yield* withDoorbells
        const [one, other] = yield* Effect.all([start(yield* open), start(yield* open)])
        const former = yield* one.acquire("x", a)
        expect(yield* isLocked).toBe(true)
        expect(yield* Effect.flip(other.acquire("x", b))).toMatchObject({ reason: "Owned" })
        yield* one.freeze
        yield* kill(1)
        const [took, owner] = yield* Effect.timed(other.acquire("x", { ...b, wait: "10 seconds" }))
        expect(owner.generation).toBe(former.generation + 1)
        expect(Duration.toMillis(took)).toBeLessThan(2_000)
        expect(yield* isLocked).toBe(true)
      })
    )

    it.scopedLive("takes the lock of its next session, and is refused to others all the while", () =>
      Effect.gen(function* () {
        const { kill, open, start } = yield* withDoorbells
        const doorbell = yield* open
        const [one, other] = yield* Effect.all([start(doorbell), start(yield* open)])
        const owner = yield* one.acquire("x", a)
        for (let round = 0; round < 3; round++) {
          yield* kill(1)
          // At once by its lease alone, then by both.
          yield* until(one, "UPDATE", "false")
          expect(yield* Effect.flip(other.acquire("x", b))).toMatchObject({ reason: "Owned" })
          yield* until(one, "UPDATE", "true")
          expect(yield* Effect.flip(other.acquire("x", b))).toMatchObject({ reason: "Owned" })
        }
        expect([owner.isLost(), owner.unsafeIsHeld()]).toEqual([false, true])
      })
    )

    it.scopedLive("that loses the database too asks for it with pauses", () =>
      Effect.gen(function* () {
        const { kill, open, start } = yield* withDoorbells
        const one = yield* start(yield* open)
        yield* one.acquire("x", a)
        yield* one.disconnect
        const before = one.count()
        yield* kill(1)
        // When its session is gone, and when there is another one.
        yield* until(one, "UPDATE", "false")
        yield* until(one, "UPDATE", "false")
        expect(one.count() - before).toBeLessThanOrEqual(3)
      })
    )

    it.scopedLive("frees the lock when it is released, and when it learns that it is lost", () =>
      Effect.gen(function* () {
        const { expire, isLocked, kill, locks, open, start } = yield* withDoorbells
        const doorbells = yield* Effect.all([open, open])
        const [one, other] = yield* Effect.all([start(doorbells[0]), start(doorbells[1])])
        const released = yield* one.acquire("x", a)
        yield* released.release
        const former = yield* one.acquire("x", a)
        expect(yield* locks).toBe(1)
        yield* expire
        // The former owner's session is there still: the lease of this one is all it has.
        const owner = yield* other.acquire("x", b)
        expect(yield* isLocked).toBe(false)
        expect(yield* Effect.flip(one.save(former, () => Effect.void))).toMatchObject({ reason: "Lost" })
        // It takes the lock in its next session, when it extends its lease.
        yield* kill(2)
        yield* until(other, "UPDATE", "true")
        expect(yield* locks).toBe(1)
        yield* owner.release
        expect(yield* locks).toBe(0)
      })
    )

    it.scopedLive("is alone among those that share a doorbell", () =>
      Effect.gen(function* () {
        const { locks, open, start } = yield* withDoorbells
        const doorbell = yield* open
        const [one, other] = yield* Effect.all([start(doorbell), start(doorbell)])
        const scope = yield* Scope.make()
        yield* Scope.extend(one.acquire("x", a), scope)
        yield* Effect.flip(other.acquire("x", b))
        expect(yield* Effect.flip(other.acquire("x", b))).toMatchObject({ reason: "Owned" })
        expect(yield* locks).toBe(1)
        yield* Scope.close(scope, Exit.void)
        expect(yield* other.acquire("x", b)).toMatchObject({ generation: 2 })
      })
    )

    it.scopedLive(
      "is refused to one without a doorbell, and has a lease alone while its doorbell is down",
      () =>
        Effect.gen(function* () {
          const { isLocked, open, start } = yield* withDoorbells
          const other = yield* start()
          const scope = yield* Scope.make()
          const doorbell = yield* Scope.extend(open, scope)
          const one = yield* start(doorbell)
          const owner = yield* one.acquire("x", a)
          expect(yield* Effect.flip(other.acquire("x", b))).toMatchObject({ reason: "Owned" })
          yield* Scope.close(scope, Exit.void)
          yield* owner.release
          yield* one.acquire("x", a)
          expect(yield* isLocked).toBe(false)
          expect(yield* Effect.flip(other.acquire("x", b))).toMatchObject({ reason: "Owned" })
        })
    )
  })
}
