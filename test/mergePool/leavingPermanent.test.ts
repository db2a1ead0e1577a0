/** Rows of permanent pools that end with the session of their last writer, whatever process it was a client of. */
import { describe, expect } from "@effect/vitest"
import { Deferred, Effect, Exit, Fiber, Scope, TestClock } from "effect"
import * as Datastore from "../../src/Datastore.js"
import { millisOf } from "../../src/internal/mergePool/stamp.js"
import * as MergePool from "../../src/MergePool.js"
import { StorageError } from "../../src/Storage.js"
import { acks, opened, shownIn, ticked } from "../support/mergePool/permanent.js"
import { followed, strategies } from "../support/mergePool/served.js"
import { scenario, started } from "../support/time/turn.js"
import { titles } from "./pools.js"

type Catalog = Effect.Effect.Success<ReturnType<typeof opened>>

/** A client with a session, which is connected as long as the scope lives. */
const memberOf = ({ pool, pools }: Catalog, principal: string) =>
  Effect.gen(function* () {
    const replica = yield* MergePool.replica(strategies)
    const as = { principal, client: replica.client }
    const session = yield* pools.session(as)
    const send = (key: string, edits: { readonly [name: string]: MergePool.FieldEdit }) =>
      Effect.gen(function* () {
        const { n, patch } = yield* replica.edit(key, edits)
        yield* pool.merge(patch, { as, session: session.id })
        yield* replica.confirm(n)
        return patch
      })
    const edit = (key: string, edits: { readonly [name: string]: MergePool.FieldEdit }) =>
      ticked(send(key, edits))
    return {
      as,
      session,
      send,
      edit,
      title: (key: string, value: string) => edit(key, { title: { _tag: "Set", value } }),
      vote: (key: string) => edit(key, { votes: { _tag: "Increment", by: 1 } }),
      /** Ends its session, and waits for what follows. */
      leave: Effect.andThen(session.goodbye, TestClock.adjust(200))
    }
  })

/** A catalog of a process that goes without a goodbye, with all of its sessions. */
const aside = <A, E>(effect: Effect.Effect<A, E, Scope.Scope>) =>
  Effect.gen(function* () {
    const scope = yield* Scope.make()
    return [yield* Scope.extend(effect, scope), scope, Scope.close(scope, Exit.void)] as const
  })

const keysOf = (backend: MergePool.Backend, { id }: { readonly id: string }) =>
  Effect.map(backend.sessions.keysOf("board", `pool/${id}`), (keys) => [...keys].sort())

const leasesOver = (backend: MergePool.Backend) => Effect.map(backend.sessions.ended(10), (all) => all.length)

const away = new StorageError({ kind: "Transient", outcome: "NotStored", message: "the network is down" })

/** A backend that extends no leases once its process is cut off. */
const cuttable = (backend: MergePool.Backend) => {
  let isCut = false
  const extend: MergePool.Backend["sessions"]["extend"] = (leases) =>
    Effect.suspend(() => (isCut ? Effect.fail(away) : backend.sessions.extend(leases)))
  return {
    backend: { ...backend, sessions: { ...backend.sessions, extend } },
    cut: () => {
      isCut = true
    }
  }
}

describe.each(acks)("a permanent pool that removes what clients leave, ack %s", (ack) => {
  const opening = { ack, onLeave: "remove" } as const

  scenario("removes the rows of a session with its end, for good", function* () {
    const backend = yield* MergePool.memory()
    const [here, , close] = yield* aside(opened(backend, opening))
    const ann = yield* memberOf(here, "ann")
    const bob = yield* memberOf(here, "bob")
    const patch = yield* ann.title("a", "ann")
    yield* ann.vote("a")
    yield* ann.title("b", "ann")
    yield* bob.title("c", "bob")
    expect(yield* keysOf(backend, ann.session)).toEqual(["a/title", "a/votes", "b/title"])
    yield* ann.leave
    expect([yield* shownIn(here.pool, "a"), yield* shownIn(here.pool, "b")]).toEqual([{}, {}])
    expect(yield* shownIn(here.pool, "c")).toEqual({ title: "bob" })
    expect(yield* keysOf(backend, ann.session)).toEqual([])
    // Who holds it still cannot bring it back.
    yield* ticked(here.pool.merge(patch))
    expect(yield* shownIn(here.pool, "a")).toEqual({})
    yield* close
    const next = yield* opened(backend, opening)
    expect(yield* shownIn(next.pool, "a")).toEqual({})
    yield* ticked(next.pool.merge(patch))
    expect(yield* shownIn(next.pool, "a")).toEqual({})
  })

  scenario("keeps them for the grace of a lost connection, and when it is resumed", function* () {
    const backend = yield* MergePool.memory()
    const here = yield* opened(backend, opening)
    const [ann, , drop] = yield* aside(memberOf(here, "ann"))
    yield* ann.title("a", "ann")
    yield* drop
    yield* TestClock.adjust("29 seconds")
    const [, , dropAgain] = yield* aside(here.pools.session({ ...ann.as, resume: ann.session }))
    yield* TestClock.adjust("5 minutes")
    expect(yield* shownIn(here.pool, "a")).toEqual({ title: "ann" })
    yield* dropAgain
    yield* TestClock.adjust("29 seconds")
    expect(yield* shownIn(here.pool, "a")).toEqual({ title: "ann" })
    yield* TestClock.adjust("2 seconds")
    expect(yield* shownIn(here.pool, "a")).toEqual({})
    yield* TestClock.adjust("3 minutes")
    expect(yield* leasesOver(backend)).toBe(0)
  })

  scenario("leaves a row to its last writer, with all of its cells", function* () {
    const backend = yield* MergePool.memory()
    const here = yield* opened(backend, opening)
    const ann = yield* memberOf(here, "ann")
    const bob = yield* memberOf(here, "bob")
    for (const key of ["a", "b"]) {
      yield* ann.title(key, "ann")
      yield* ann.vote(key)
    }
    yield* bob.vote("a")
    const { patch } = yield* (yield* MergePool.replica(strategies)).edit("b", {
      labels: { _tag: "Add", members: ["server"] }
    })
    yield* ticked(here.pool.merge(patch))
    yield* here.pool.flush
    expect([yield* keysOf(backend, ann.session), yield* keysOf(backend, bob.session)]).toEqual([
      [],
      ["a/title", "a/votes"]
    ])
    yield* ann.leave
    expect(yield* shownIn(here.pool, "a")).toEqual({ title: "ann", votes: 2 })
    expect(yield* shownIn(here.pool, "b")).toEqual({ title: "ann", votes: 1, labels: ["server"] })
    yield* bob.leave
    expect(yield* shownIn(here.pool, "a")).toEqual({})
    expect(yield* shownIn(here.pool, "b")).toEqual({ title: "ann", votes: 1, labels: ["server"] })
  })

  scenario("removes what was merged just before the end of its session", function* () {
    const backend = yield* MergePool.memory()
    const here = yield* opened(backend, opening)
    const ann = yield* memberOf(here, "ann")
    yield* ann.title("a", "ann")
    // The second one waits for the end of the tick.
    const late = yield* started(
      Effect.forEach(["b", "late"], (key) => ann.send(key, { title: { _tag: "Set", value: "ann" } }), {
        concurrency: "unbounded"
      })
    )
    yield* ann.leave
    yield* Fiber.join(late)
    expect([yield* shownIn(here.pool, "a"), yield* shownIn(here.pool, "late")]).toEqual([{}, {}])
    yield* here.pool.flush
    expect(yield* keysOf(backend, ann.session)).toEqual([])
  })

  scenario("removes what was stamped by a clock that is ahead", function* () {
    const backend = yield* MergePool.memory()
    const here = yield* opened(backend, opening)
    const ann = yield* memberOf(here, "ann")
    yield* TestClock.adjust("2 minutes")
    yield* ticked(here.pool.merge(titles(["a"], "ahead", 170_000), { session: ann.session.id }))
    expect(yield* shownIn(here.pool, "a")).toEqual({ title: "ahead" })
    yield* ann.leave
    expect(yield* shownIn(here.pool, "a")).toEqual({})
    const { rows } = yield* here.pool.state()
    const [reset] = rows.map(([, reset]) => reset)
    expect(millisOf(reset!)).toBeGreaterThanOrEqual(170_000)
  })

  scenario(
    "removes what an earlier process has left, when its lease is over, though looks for it die",
    function* () {
      const memory = yield* MergePool.memory()
      let looks = 0
      const ended: MergePool.Backend["sessions"]["ended"] = (limit) =>
        Effect.suspend(() =>
          looks++ % 3 === 1 ? Effect.die("it has a fault") : memory.sessions.ended(limit)
        )
      const backend: MergePool.Backend = { ...memory, sessions: { ...memory.sessions, ended } }
      const [gone, scope, close] = yield* aside(opened(backend, opening))
      const ann = yield* Scope.extend(memberOf(gone, "ann"), scope)
      const patch = yield* ann.title("a", "ann")
      yield* ticked(gone.pool.merge(titles(["kept"], "of the server", 1)))
      yield* close
      const [here, , closeHere] = yield* aside(opened(backend, opening))
      yield* TestClock.adjust("30 seconds")
      expect(yield* shownIn(here.pool, "a")).toEqual({ title: "ann" })
      yield* TestClock.adjust("2 minutes")
      expect(yield* shownIn(here.pool, "a")).toEqual({})
      expect(yield* shownIn(here.pool, "kept")).toEqual({ title: "of the server" })
      yield* ticked(here.pool.merge(patch))
      expect([yield* shownIn(here.pool, "a"), yield* leasesOver(memory)]).toEqual([{}, 0])
      yield* closeHere
      expect(yield* shownIn((yield* opened(backend, opening)).pool, "a")).toEqual({})
    }
  )

  scenario(
    "removes as soon as it is opened what has ended meanwhile, and stores leave it alone",
    function* () {
      const backend = yield* MergePool.memory()
      const [gone, scope, close] = yield* aside(opened(backend, opening))
      const ann = yield* Scope.extend(memberOf(gone, "ann"), scope)
      yield* ann.title("a", "ann")
      yield* close
      yield* Datastore.make(backend)
      const other = yield* MergePool.make(backend, { name: "others" })
      yield* TestClock.adjust("5 minutes")
      expect(yield* keysOf(backend, ann.session)).toEqual(["a/title"])
      yield* other.close
      const here = yield* opened(backend, opening)
      // The first read shows nothing of it.
      expect(yield* shownIn(here.pool, "a")).toEqual({})
      const { rows } = yield* here.pool.state()
      expect(rows).toMatchObject([["a", expect.stringMatching(/./), []]])
    }
  )

  scenario("is opened after 5 seconds where the backend does not say what has ended", function* () {
    const memory = yield* MergePool.memory()
    const [gone, scope, close] = yield* aside(opened(memory, opening))
    const ann = yield* Scope.extend(memberOf(gone, "ann"), scope)
    yield* ann.title("a", "ann")
    yield* close
    const sessions = { ...memory.sessions, ended: () => Effect.never }
    const late = yield* started(opened({ ...memory, sessions }, opening))
    yield* TestClock.adjust("4 seconds")
    expect(late.unsafePoll()).toBeNull()
    yield* TestClock.adjust("1 second")
    expect(late.unsafePoll()).not.toBeNull()
    const { pool } = yield* late
    expect(yield* shownIn(pool, "a")).toEqual({ title: "ann" })
  })

  scenario("knows whose its rows are when it has left memory meanwhile", function* () {
    const backend = yield* MergePool.memory()
    const often = { idleTimeout: "2 seconds", janitorInterval: "1 second" } as const
    const here = yield* opened(backend, opening, often)
    const ann = yield* memberOf(here, "ann")
    yield* ann.title("a", "ann")
    yield* TestClock.adjust("5 seconds")
    expect((yield* here.pool.status)._tag).toBe("Unloaded")
    expect(yield* shownIn(here.pool, "a")).toEqual({ title: "ann" })
    yield* ann.leave
    expect(yield* shownIn(here.pool, "a")).toEqual({})
    const bob = yield* memberOf(here, "bob")
    yield* bob.title("b", "bob")
    yield* TestClock.adjust("5 seconds")
    expect((yield* here.pool.status)._tag).toBe("Unloaded")
    yield* bob.leave
    yield* here.pool.ready
    yield* TestClock.adjust(200)
    expect(yield* shownIn(here.pool, "b")).toEqual({})
  })

  scenario("keeps the session of cells from which old removals are forgotten", function* () {
    const backend = yield* MergePool.memory()
    const here = yield* opened(backend, opening, { janitorInterval: "62 minutes", idleTimeout: "1 day" })
    const ann = yield* memberOf(here, "ann")
    yield* ann.edit("a", { labels: { _tag: "Add", members: ["x", "y"] } })
    yield* ann.edit("a", { labels: { _tag: "Remove", members: ["y"] } })
    yield* TestClock.adjust("63 minutes")
    expect((yield* here.pools.stats).removals).toBe(0)
    yield* here.pool.flush
    expect(yield* keysOf(backend, ann.session)).toEqual(["a/labels"])
    yield* ann.leave
    expect(yield* shownIn(here.pool, "a")).toEqual({})
  })

  scenario("takes no merge of a client without a session of its own, and no lease for it", function* () {
    const backend = yield* MergePool.memory()
    const asked: Array<string> = []
    const extend: MergePool.Backend["sessions"]["extend"] = (leases) => {
      for (const { id } of leases) asked.push(id)
      return backend.sessions.extend(leases)
    }
    const { pool } = yield* opened({ ...backend, sessions: { ...backend.sessions, extend } }, opening)
    const replica = yield* MergePool.replica(strategies)
    const as = { principal: "ann", client: replica.client }
    const { patch } = yield* replica.edit("a", { title: { _tag: "Set", value: "one" } })
    for (const options of [{ as }, { as, session: "no such one" }]) {
      expect(yield* Effect.flip(ticked(pool.merge(patch, options)))).toMatchObject({ reason: "NoSession" })
    }
    expect(asked).toEqual([])
  })

  scenario("refuses a merge whose lease cannot be taken, and takes it later", function* () {
    const memory = yield* MergePool.memory()
    const { backend, cut } = cuttable(memory)
    const here = yield* opened(backend, opening)
    const ann = yield* memberOf(here, "ann")
    cut()
    const refused = yield* Effect.flip(ann.title("a", "ann"))
    expect(refused).toMatchObject({ _tag: "MergeError", reason: "Unavailable", outcome: "NotStored" })
    expect(yield* shownIn(here.pool, "a")).toEqual({})
  })
})

describe("several processes with one pool that removes what clients leave", () => {
  const opening = { ack: "flushed", onLeave: "remove" } as const

  scenario("leave a row to who has written it while its removal was under way", function* () {
    const memory = yield* MergePool.memory()
    const gate = yield* Deferred.make<void>()
    const keysOf: MergePool.Backend["sessions"]["keysOf"] = (store, session) =>
      Effect.zipLeft(memory.sessions.keysOf(store, session), Deferred.await(gate))
    const backend = { ...memory, sessions: { ...memory.sessions, keysOf } }
    const here = yield* opened(backend, opening)
    const there = yield* opened(memory, opening, { name: "there" })
    const ann = yield* memberOf(here, "ann")
    const bob = yield* memberOf(there, "bob")
    yield* ann.title("a", "ann")
    yield* ann.title("b", "ann")
    yield* ann.leave
    yield* bob.vote("a")
    yield* Deferred.succeed(gate, undefined)
    yield* TestClock.adjust(200)
    expect(yield* shownIn(there.pool, "a")).toEqual({ title: "ann", votes: 1 })
    expect(yield* shownIn(there.pool, "b")).toEqual({})
  })

  scenario("remove once what one of them has left that is cut off", function* () {
    const memory = yield* MergePool.memory()
    const { backend, cut } = cuttable(memory)
    const dead = yield* opened(backend, opening, { name: "dead" })
    const here = yield* opened(memory, opening, { name: "here" })
    const there = yield* opened(memory, opening, { name: "there" })
    const ann = yield* memberOf(dead, "ann")
    const bob = yield* memberOf(here, "bob")
    const patch = yield* ann.title("a", "ann")
    yield* ann.title("b", "ann")
    yield* ann.title("c", "ann")
    yield* bob.title("c", "bob")
    const { frames } = yield* followed(there.pool)
    const before = frames.length
    cut()
    yield* TestClock.adjust("60 seconds")
    expect(yield* shownIn(there.pool, "a")).toEqual({ title: "ann" })
    yield* TestClock.adjust("3 minutes")
    for (const { pool } of [dead, here, there]) {
      expect([yield* shownIn(pool, "a"), yield* shownIn(pool, "b")]).toEqual([{}, {}])
      expect(yield* shownIn(pool, "c")).toEqual({ title: "bob" })
    }
    const seen = frames.slice(before).map(({ _tag }) => _tag)
    expect(seen.filter((tag) => tag !== "Progress")).toEqual(["Events"])
    yield* ticked(there.pool.merge(patch))
    expect(yield* shownIn(here.pool, "a")).toEqual({})
    yield* bob.leave
    expect(yield* shownIn(there.pool, "c")).toEqual({})
  })
})
