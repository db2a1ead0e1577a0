/** What a session leaves in permanent stores is removed with its end, whether or not they are in memory then. */
import { describe, expect } from "@effect/vitest"
import { Deferred, Effect, Fiber, TestClock } from "effect"
import * as Datastore from "../../src/Datastore.js"
import { StorageError } from "../../src/Storage.js"
import { shown, type Task, task } from "../support/datastore/stores.js"
import { scenario, started } from "../support/time/turn.js"

const opened = (backend: Datastore.Backend, ack: "memory" | "flushed", options: Datastore.Options = {}) =>
  Effect.gen(function* () {
    const stores = yield* Datastore.make(backend, options)
    const store = yield* stores.open<Task>({ id: "board", kind: "permanent", ack })
    const as = { principal: "ann", client: "tab" }
    return { stores, store, as, session: yield* stores.session(as) }
  })

/** The keys of `board` that a session has in a backend. */
const keysOf = (backend: Datastore.Backend, { id }: { readonly id: string }) =>
  backend.sessions.keysOf("board", id)

/** What a second brings is what follows at once: leases are looked at every 15 seconds. */
const soon = TestClock.adjust("1 second")

describe.each(["memory", "flushed"] as const)("a session with records in a store, ack %s", (ack) => {
  scenario("takes them with it though the store has left memory, and the store comes back", function* () {
    const backend = yield* Datastore.memory()
    const { as, session, store, stores } = yield* opened(backend, ack)
    yield* store.batch([Datastore.set(task("a")), Datastore.set(task("b"))], { as, session: session.id })
    yield* store.set(task("kept"))
    yield* TestClock.adjust("12 minutes")
    expect((yield* store.status)._tag).toBe("Unloaded")
    yield* session.goodbye
    yield* soon
    expect(yield* keysOf(backend, session)).toEqual([])
    expect((yield* stores.stats).stores).toBe(0)
    expect(yield* store.snapshot()).toMatchObject({ seq: 3, rows: [{ key: "kept" }] })
    expect(yield* store.set(task("a"))).toMatchObject({ seq: 4 })
    yield* store.flush
    expect(shown(yield* store.snapshot({ read: "latest" }))).toEqual(["a=4", "kept=2"])
  })

  scenario("has them removed by the next look when they cannot be removed at once", function* () {
    const memory = yield* Datastore.memory()
    const away = new StorageError({ kind: "Transient", outcome: "NotStored", message: "away" })
    let isAway = false
    const keys: typeof memory.sessions.keysOf = (store, id) =>
      Effect.suspend(() => (isAway ? Effect.fail(away) : memory.sessions.keysOf(store, id)))
    const backend = { ...memory, sessions: { ...memory.sessions, keysOf: keys } }
    const { as, session, store } = yield* opened(backend, ack)
    yield* store.set(task("a"), { as, session: session.id })
    yield* TestClock.adjust("12 minutes")
    isAway = true
    yield* session.goodbye
    yield* soon
    expect(yield* keysOf(memory, session)).toEqual(["a"])
    isAway = false
    yield* store.get("a")
    yield* TestClock.adjust("16 seconds")
    expect(yield* keysOf(memory, session)).toEqual([])
  })

  scenario("takes them with it while the store comes back", function* () {
    const memory = yield* Datastore.memory()
    const loaded = yield* Deferred.make<void>()
    let isSlow = false
    const backend: Datastore.Backend = {
      ...memory,
      open: (stored) =>
        Effect.map(memory.open(stored), (one) => ({
          ...one,
          load: Effect.tap(one.load, () => (isSlow ? Deferred.await(loaded) : Effect.void))
        }))
    }
    const { as, session, store } = yield* opened(backend, ack)
    yield* store.set(task("a"), { as, session: session.id })
    yield* TestClock.adjust("12 minutes")
    isSlow = true
    const writing = yield* started(store.set(task("b")))
    yield* session.goodbye
    yield* soon
    yield* Deferred.succeed(loaded, undefined)
    yield* Fiber.join(writing)
    yield* soon
    yield* store.flush
    expect((yield* store.snapshot({ read: "latest" })).rows.map(({ key }) => key)).toEqual(["b"])
    expect(yield* keysOf(memory, session)).toEqual([])
    expect((yield* store.status)._tag).toBe("Open")
  })
})

describe("a session with records in a store of several processes", () => {
  scenario("takes also those that were not read back when it ended", function* () {
    const memory = yield* Datastore.memory()
    const delivered = yield* Deferred.make<void>()
    let isLate = false
    const backend: Datastore.Backend = {
      ...memory,
      open: (stored) =>
        Effect.map(memory.open(stored), (one) => ({
          ...one,
          log: {
            ...one.log,
            read: (options) =>
              Effect.andThen(
                Effect.suspend(() => (isLate ? Deferred.await(delivered) : Effect.void)),
                one.log.read(options)
              )
          }
        }))
    }
    const { as, session, store } = yield* opened(backend, "flushed")
    isLate = true
    const writing = yield* started(store.set(task("a"), { as, session: session.id }))
    expect(yield* keysOf(backend, session)).toEqual(["a"])
    yield* session.goodbye
    yield* soon
    expect(yield* keysOf(backend, session)).toEqual([])
    yield* Deferred.succeed(delivered, undefined)
    expect(yield* Fiber.join(writing)).toMatchObject({ key: "a", seq: 1 })
    expect(yield* store.snapshot({ read: "latest" })).toEqual({ seq: 2, rows: [] })
  })
})
