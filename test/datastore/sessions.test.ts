/** Records that belong to a session end with it. */
import { describe, expect, it } from "@effect/vitest"
import { Duration, Effect, Exit, Option, Scope, TestClock } from "effect"
import * as Datastore from "../../src/Datastore.js"
import { board, followed, shown, task } from "../support/datastore/stores.js"
import { passingClock } from "../support/time/passing.js"
import { scenario } from "../support/time/turn.js"

const grace = 30_000

const kinds: ReadonlyArray<readonly [name: string, opening: Datastore.OpenOptions<never, never>]> = [
  ["a temporary store", {}],
  ["a permanent store with ack memory", { kind: "permanent", ack: "memory" }]
]

for (const [name, opening] of kinds) {
  const open = board({}, { ...(opening as object), ttl: 10 * grace })

  describe(`the session of records in ${name}`, () => {
    scenario("takes them with it in one revision, and leaves the others", function* () {
      const { store, stores } = yield* open
      const { sessions } = stores.leases
      const { session } = sessions.open({ client: "ann" })
      for (const id of ["a", "b", "c"]) yield* store.set(task(id), { session: session.id })
      yield* store.set(task("d"))
      yield* stores.flush
      const follower = yield* followed(store)
      sessions.goodbye(session.id, session.generation)
      expect(yield* store.snapshot()).toMatchObject({ seq: 5, rows: [{ key: "d" }] })
      yield* stores.flush
      yield* TestClock.adjust(0)
      expect(follower.frames.at(-1)).toMatchObject({
        _tag: "Events",
        revision: { seq: 5 },
        events: ["a", "b", "c"].map((key) => ({ _tag: "Delete", key }))
      })
    })

    scenario("goes on when it is resumed at the last millisecond of its grace", function* () {
      const { store, stores } = yield* open
      const { sessions } = stores.leases
      const { secret, session } = sessions.open({ client: "ann" })
      yield* store.set(task("a"), { session: session.id })
      sessions.disconnected(session.id, 1)
      yield* TestClock.adjust(grace)
      expect(sessions.resume(session.id, secret)).toMatchObject({ _tag: "Resumed" })
      // The older connection is closed late.
      sessions.disconnected(session.id, 1)
      sessions.goodbye(session.id, 1)
      yield* TestClock.adjust(2 * grace)
      expect(shown(yield* store.snapshot())).toEqual(["a=1"])
      sessions.disconnected(session.id, 2)
      yield* TestClock.adjust(grace)
      expect(shown(yield* store.snapshot())).toEqual(["a=1"])
      yield* TestClock.adjust(1)
      expect(yield* store.snapshot()).toEqual({ seq: 2, rows: [] })
    })

    scenario("is that of the last writer", function* () {
      const { store, stores } = yield* open
      const { sessions } = stores.leases
      const ann = sessions.open({ client: "ann" }).session
      const bob = sessions.open({ client: "bob" }).session
      for (const id of ["a", "b", "c"]) yield* store.set(task(id), { session: ann.id })
      yield* store.set(task("a", "by bob"), { session: bob.id })
      yield* store.patch("b", { set: { text: "by the server" } })
      yield* store.delete("c")
      yield* store.set(task("c"))
      sessions.goodbye(ann.id, 1)
      expect(shown(yield* store.snapshot())).toEqual(["a=4", "b=5", "c=7"])
      sessions.goodbye(bob.id, 1)
      expect(shown(yield* store.snapshot())).toEqual(["b=5", "c=7"])
    })

    scenario("must be open, and its client's own", function* () {
      const { store, stores } = yield* open
      const { session } = stores.leases.sessions.open({ client: "ann" })
      const refused = { _tag: "WriteError", reason: "InvalidOperation" }
      expect(yield* Effect.flip(store.set(task("a"), { session: "unknown" }))).toMatchObject(refused)
      const as = { principal: "p", client: "bob" }
      expect(yield* Effect.flip(store.set(task("a"), { session: session.id, as }))).toMatchObject(refused)
      const nameless = { principal: "p" }
      yield* store.set(task("a"), { session: session.id, as: { ...nameless, client: "ann" } })
      stores.leases.sessions.goodbye(session.id, 1)
      expect(yield* Effect.flip(store.set(task("a"), { session: session.id }))).toMatchObject(refused)
      expect(yield* store.snapshot()).toEqual({ seq: 2, rows: [] })
    })
  })
}

describe("a permanent store with ack flushed", () => {
  const opening = { kind: "permanent" } as const

  scenario(
    "ends the records of a session in one revision, but for those written by others since",
    function* () {
      const { store, stores } = yield* board({}, opening)
      const { sessions } = stores.leases
      const { session } = sessions.open({ client: "ann" })
      for (const id of ["a", "b", "c"]) yield* store.set(task(id), { session: session.id })
      yield* store.set(task("c", "of the server"))
      sessions.goodbye(session.id, 1)
      yield* stores.flush
      yield* TestClock.adjust(0)
      expect(yield* store.snapshot({ read: "latest" })).toMatchObject({ seq: 5, rows: [{ key: "c" }] })
    }
  )

  scenario("shows no record after its instant, and ends it by a revision of its own", function* () {
    const { store, stores } = yield* board({}, opening)
    yield* store.set(task("a"), { ttl: 1000 })
    yield* TestClock.adjust(1000)
    expect(shown(yield* store.snapshot())).toEqual(["a=1"])
    yield* TestClock.adjust(1)
    yield* stores.flush
    yield* TestClock.adjust(0)
    expect(yield* store.snapshot()).toEqual({ seq: 2, rows: [] })
    expect(yield* store.set(task("a"), { expect: "absent", ttl: 1000 })).toMatchObject({ seq: 3 })
  })

  it.scoped("shows no record after its instant, however late the timers are", () =>
    Effect.gen(function* () {
      const { clock, pass } = yield* passingClock
      yield* Effect.gen(function* () {
        const { store } = yield* board({}, opening)
        yield* store.set(task("a"), { ttl: 1000 })
        yield* store.set(task("b"))
        yield* pass(Duration.millis(1000))
        expect(shown(yield* store.snapshot())).toEqual(["a=1", "b=2"])
        yield* pass(Duration.millis(1))
        expect(yield* store.get("a")).toEqual(Option.none())
        expect(shown(yield* store.snapshot())).toEqual(["b=2"])
      }).pipe(Effect.withClock(clock))
    })
  )
})

describe("a connection of a session", () => {
  it.scoped("begins the grace with the end of its scope, and goes on by its secret", () =>
    Effect.gen(function* () {
      const stores = yield* Effect.flatMap(Datastore.memory(), (backend) => Datastore.make(backend))
      const store = yield* stores.open<{ id: string }>({ id: "presence" })
      const as = { principal: "ann", client: "tab" }
      const first = yield* Scope.make()
      const { id, secret } = yield* Scope.extend(stores.session(as), first)
      yield* store.set({ id: "ann" }, { as, session: id })
      const other = { principal: "bob", client: "tab" }
      expect(yield* Effect.flip(store.set({ id: "bob" }, { as: other, session: id }))).toMatchObject({
        reason: "InvalidOperation"
      })
      yield* Scope.close(first, Exit.void)
      yield* TestClock.adjust("30 seconds")
      const again = yield* stores.session({ ...as, resume: { id, secret } })
      yield* TestClock.adjust("1 minute")
      expect((yield* store.snapshot()).rows.map(({ key }) => key)).toEqual(["ann"])
      yield* again.goodbye
      expect((yield* store.snapshot()).rows).toEqual([])
      const refused = yield* Effect.flip(stores.session({ ...as, resume: { id, secret } }))
      expect(refused).toMatchObject({ reason: "Unknown" })
    })
  )
})
