/** Permanent stores that have left memory: what handles do that are still held. */
import { setFlagsFromString } from "node:v8"
import { runInNewContext } from "node:vm"
import { describe, expect } from "@effect/vitest"
import { Effect, Option, Stream, TestClock } from "effect"
import * as Datastore from "../../src/Datastore.js"
import { StorageError } from "../../src/Storage.js"
import { board, followed, shown, type Task, task } from "../support/datastore/stores.js"
import { scenario, settled } from "../support/time/turn.js"

const all: ReadonlyArray<Datastore.Action> = ["open", "read", "write", "subscribe"]

/** Lets every store leave memory that nothing uses. */
const idle = TestClock.adjust("12 minutes")

setFlagsFromString("--expose-gc")
const collect: () => void = runInNewContext("gc")

describe.each(["memory", "flushed"] as const)("a handle whose store has left memory, ack %s", (ack) => {
  const opening = { kind: "permanent", ack } as const

  scenario("takes a write that nothing waits for, loads the store, and applies it first", function* () {
    const { store, stores } = yield* board({}, opening)
    yield* store.set(task("a"))
    yield* idle
    expect((yield* stores.stats).stores).toBe(0)
    expect([store.unsafeSet(task("b")), store.unsafeSet(task("c"))]).toEqual([true, true])
    yield* store.set(task("d"))
    expect(shown(yield* store.snapshot())).toEqual(["a=1", "b=2", "c=3", "d=4"])
  })

  scenario("shows what its store is doing, and waits for what was accepted", function* () {
    const stores = yield* Datastore.make(yield* Datastore.memory())
    const store = yield* stores.open<Task>({ id: "board", ...opening, start: "queued" })
    expect(yield* store.status).toEqual({ _tag: "Loading" })
    expect(store.unsafeSet(task("a"))).toBe(true)
    yield* store.flush
    expect(yield* store.status).toEqual({ _tag: "Open", unsaved: 0 })
    expect(store.unsafeSet(task("b"))).toBe(true)
    expect(yield* store.status).toEqual({ _tag: "Open", unsaved: 1 })
    yield* store.flush
    yield* idle
    expect(yield* store.status).toEqual({ _tag: "Unloaded" })
    yield* store.end
    expect(yield* store.status).toMatchObject({ _tag: "Ended", error: { reason: "Ended" } })
  })

  scenario("reports such a write when the store cannot be loaded, and goes on when it can", function* () {
    const memory = yield* Datastore.memory()
    let isAway = false
    const away = new StorageError({ kind: "Transient", outcome: "NotStored", message: "away" })
    const stores = yield* Datastore.make({
      ...memory,
      open: (stored) => (isAway ? Effect.fail(away) : memory.open(stored))
    })
    const store = yield* stores.open<Task>({ id: "board", ...opening })
    yield* store.set(task("a"))
    yield* idle
    isAway = true
    expect(store.unsafeSet(task("b"))).toBe(true)
    const [failure] = yield* Stream.runCollect(Stream.take(store.failures, 1))
    expect(failure).toMatchObject({
      operation: { steps: [{ _tag: "Set", data: task("b") }] },
      error: { _tag: "StoreEnded", reason: "Failed" }
    })
    isAway = false
    yield* store.set(task("c"))
    expect(shown(yield* store.snapshot())).toEqual(["a=1", "c=2"])
    expect((yield* stores.close).unsaved).toMatchObject([{ store: "board", steps: [{ data: task("b") }] }])
  })

  scenario("comes back though its opener may open it no more, and judges each call", function* () {
    let actions = all
    const { store } = yield* board(
      { authorize: () => ({ actions }), idleTimeout: "1 minute" },
      { ...opening, as: { principal: "ann" } }
    )
    yield* store.set(task("a"))
    actions = []
    yield* idle
    expect(yield* store.set(task("b"))).toMatchObject({ seq: 2 })
    yield* idle
    const refused = yield* Effect.flip(store.set(task("c"), { as: { principal: "bob" } }))
    expect(refused).toMatchObject({ reason: "Forbidden" })
  })

  scenario("counts for its first opener also when it has come back", function* () {
    const as = { principal: "ann" }
    const { store, stores } = yield* board({ quotas: { storesPerPrincipal: 1 } }, { ...opening, as })
    yield* store.set(task("a"))
    yield* idle
    // What is not in memory counts for no one.
    const other = yield* stores.open<Task>({ id: "other", as })
    yield* other.end
    yield* store.get("a")
    const refused = { _tag: "OpenError", reason: "QuotaExceeded" }
    expect(yield* Effect.flip(stores.open({ id: "third", as }))).toMatchObject(refused)
    yield* idle
    yield* store.get("a")
    expect(yield* Effect.flip(stores.open({ id: "third", as }))).toMatchObject(refused)
    yield* store.end
    yield* stores.open({ id: "third", as })
  })

  scenario("holds none of its records", function* () {
    const { store, stores } = yield* board({}, opening)
    // No row itself comes to this function, whose frame would hold it.
    yield* Effect.asVoid(store.set(task("a")))
    const held = yield* Effect.map(store.get("a"), (row) => new WeakRef(Option.getOrThrow(row)))
    // What was saved last may be held by what saves.
    const { session } = stores.leases.sessions.open({ client: "ann" })
    yield* Effect.asVoid(Effect.andThen(stores.flush, store.set(task("b"), { session: session.id })))
    yield* stores.flush
    const isHeld = Effect.promise(async () => {
      // What was looked at is held until the turn ends.
      await new Promise((resume) => setImmediate(resume))
      collect()
      return held.deref() !== undefined
    })
    expect(yield* isHeld).toBe(true)
    yield* idle
    yield* settled
    expect(yield* isHeld).toBe(false)
    expect(shown(yield* store.snapshot())).toEqual(["a=1", "b=2"])
  })
})

describe("an idle store", () => {
  scenario("leaves memory also while its backend hangs as it forgets what is old", function* () {
    const memory = yield* Datastore.memory()
    const backend: Datastore.Backend = {
      ...memory,
      open: (stored) => Effect.map(memory.open(stored), (opened) => ({ ...opened, tidy: Effect.never }))
    }
    const stores = yield* Datastore.make(backend, { janitorInterval: "5 minutes" })
    const used = yield* stores.open<Task>({ id: "used", kind: "permanent" })
    yield* followed(used)
    // What is remembered of a store is looked at after an hour.
    yield* TestClock.adjust("62 minutes")
    yield* stores.open<Task>({ id: "board", kind: "permanent" })
    expect((yield* stores.stats).stores).toBe(2)
    yield* TestClock.adjust("16 minutes")
    expect((yield* stores.stats).stores).toBe(1)
  })
})
