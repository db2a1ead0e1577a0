/** Limits refuse the one that passes them, and nothing else; who follows is counted, and leaves nothing behind. */
import { describe, expect } from "@effect/vitest"
import { Deferred, Effect, Fiber, TestClock } from "effect"
import * as Datastore from "../../src/Datastore.js"
import { withLogs } from "../support/datastore/backends.js"
import { board, followed, make, task } from "../support/datastore/stores.js"
import { scenario, settled, started } from "../support/time/turn.js"

const exceeded = (name: string, limit: number) => ({ reason: "QuotaExceeded", quota: { name, limit } })

describe("the quota", () => {
  scenario("of stores refuses one more, of a principal and of all, until one has ended", function* () {
    const stores = yield* make({ quotas: { stores: 3, storesPerPrincipal: 1 } })
    const as = { principal: "ann" }
    const first = yield* stores.open({ id: "a", as })
    expect(yield* Effect.flip(stores.open({ id: "b", as }))).toMatchObject(exceeded("storesPerPrincipal", 1))
    yield* stores.open({ id: "a", as })
    yield* stores.open({ id: "b", as: { principal: "bob" } })
    yield* stores.open({ id: "c" })
    expect(yield* Effect.flip(stores.open({ id: "d" }))).toMatchObject(exceeded("stores", 3))
    yield* first.end
    yield* stores.open({ id: "d", as })
    expect(yield* stores.stats).toMatchObject({ stores: 3, quotaRefusals: 2 })
  })

  scenario("of stores holds for those that are opened at once", function* () {
    const memory = yield* Datastore.memory()
    const loaded = yield* Deferred.make<void>()
    const open: Datastore.Backend["open"] = (stored) =>
      Effect.andThen(Deferred.await(loaded), memory.open(stored))
    const stores = yield* Datastore.make({ ...memory, open }, { quotas: { stores: 2 } })
    const opening = yield* started(
      Effect.all(
        Array.from({ length: 5 }, (_, i) => Effect.either(stores.open({ id: `${i}`, kind: "permanent" }))),
        { concurrency: "unbounded" }
      )
    )
    yield* Deferred.succeed(loaded, undefined)
    const all = yield* Fiber.join(opening)
    expect(all.filter(({ _tag }) => _tag === "Right").length).toBe(2)
    expect((yield* stores.stats).stores).toBe(2)
  })

  for (const opening of [{}, { kind: "permanent" }, { kind: "permanent", ack: "memory" }] as const) {
    const name = `${"kind" in opening ? "permanent" : "temporary"} store${"ack" in opening ? " in memory" : ""}`

    scenario(`of records refuses one more in a ${name}, and takes deletes and replacements`, function* () {
      const { store, stores } = yield* board({ quotas: { records: 2 } }, opening)
      yield* store.set(task("a"))
      yield* store.set(task("b"))
      expect(yield* Effect.flip(store.set(task("c")))).toMatchObject(exceeded("records", 2))
      yield* store.set(task("a", "again"))
      yield* store.batch([Datastore.remove("a"), Datastore.set(task("c"))])
      const swapped = store.batch([Datastore.set(task("d")), Datastore.set(task("e")), Datastore.remove("b")])
      expect(yield* Effect.flip(swapped)).toMatchObject(exceeded("records", 2))
      yield* store.delete("b")
      yield* store.set(task("d"))
      expect((yield* store.snapshot()).rows.map(({ key }) => key)).toEqual(["c", "d"])
      expect((yield* stores.stats).quotaRefusals).toBe(2)
    })

    scenario(`of bytes refuses what is too much in a ${name}, and takes what shrinks`, function* () {
      const size = JSON.stringify(task("a", "x".repeat(80))).length
      const { store } = yield* board({ quotas: { bytes: 2 * size, valueBytes: size } }, opening)
      yield* store.set(task("a", "x".repeat(80)))
      yield* store.set(task("b", "x".repeat(80)))
      const large = yield* Effect.flip(store.set(task("a", "x".repeat(81))))
      expect(large).toMatchObject(exceeded("valueBytes", size))
      expect(yield* Effect.flip(store.set(task("c")))).toMatchObject(exceeded("bytes", 2 * size))
      expect(yield* Effect.flip(store.patch("b", { set: { done: true } }))).toMatchObject(
        exceeded("valueBytes", size)
      )
      yield* store.set(task("a", "x"))
      yield* store.set(task("c"))
      yield* store.delete("b")
      yield* store.set(task("d", "x".repeat(80)))
      expect((yield* store.snapshot()).rows.length).toBe(3)
    })
  }

  scenario("of bytes counts what was stored before", function* () {
    const backend = yield* Datastore.memory()
    const size = JSON.stringify(task("a")).length
    for (const ack of ["memory", "flushed"] as const) {
      for (const isFirst of [true, false]) {
        const stores = yield* Datastore.make(backend, { quotas: { bytes: size } })
        const store = yield* stores.open({ id: ack, kind: "permanent", ack })
        const set = store.set({ ...task(isFirst ? "a" : "b") })
        if (isFirst) yield* set
        else expect(yield* Effect.flip(set)).toMatchObject(exceeded("bytes", size))
        yield* stores.close
      }
    }
  })

  scenario("of the rate refuses one principal for a while, also its deletes, and no other", function* () {
    const { store } = yield* board({ quotas: { operationsPerSecond: 2 } })
    const as = { principal: "ann" }
    yield* store.set(task("a"), { as })
    yield* store.set(task("b"), { as })
    expect(yield* Effect.flip(store.delete("a", { as }))).toMatchObject(exceeded("operationsPerSecond", 2))
    yield* store.set(task("c"), { as: { principal: "bob" } })
    yield* store.set(task("d"))
    yield* TestClock.adjust(500)
    yield* store.delete("a", { as })
    expect(yield* Effect.flip(store.delete("b", { as }))).toMatchObject({ reason: "QuotaExceeded" })
  })

  scenario("of subscribers refuses one more follow, until one leaves", function* () {
    const { store, stores } = yield* board({ quotas: { subscribers: 2 } })
    const ann = { as: { principal: "ann", client: "ann" } }
    const first = yield* followed(store, ann)
    const second = yield* followed(store)
    const refused = yield* followed(store, { as: { principal: "bob", client: "bob" } })
    const error = yield* refused.end
    expect(error).toMatchObject({ reason: "Full" })
    expect(error.message).toContain("subscribers")
    yield* stores.unsubscribeAll("ann")
    yield* first.end
    yield* followed(store)
    yield* store.set(task("a"))
    yield* settled
    expect(second.frames.at(-1)).toMatchObject({ _tag: "Events" })
  })
})

describe("the quota of subscribers", () => {
  scenario("counts clients that are subscribed by name, by themselves", function* () {
    const { store, stores } = yield* board({ quotas: { subscribers: 2 } })
    for (const client of ["ann", "bob"]) expect(yield* store.subscribe(client)).toBe(true)
    const refused = yield* Effect.flip(store.subscribe("cy"))
    expect(refused).toMatchObject({
      _tag: "WriteError",
      reason: "QuotaExceeded",
      quota: { name: "subscribers", limit: 2 }
    })
    expect((yield* stores.stats).quotaRefusals).toBe(1)
    expect(yield* store.subscribe("ann")).toBe(false)
    yield* store.unsubscribe("ann")
    expect(yield* store.subscribe("cy")).toBe(true)
    expect(yield* store.subscribers).toEqual(["bob", "cy"])
  })
})

describe("the subscribers of a store", () => {
  scenario("are a set of clients, and leave nothing behind", function* () {
    const { store, stores } = yield* board()
    expect(yield* store.subscribe("ann")).toBe(true)
    expect(yield* store.subscribe("ann")).toBe(false)
    const follower = yield* followed(store, { as: { principal: "p", client: "bob" } })
    yield* followed(store, { as: { principal: "p", client: "bob" } })
    expect(yield* store.subscribers).toEqual(["ann", "bob"])
    expect(yield* store.unsubscribe("bob")).toBe(true)
    expect(yield* store.unsubscribe("bob")).toBe(false)
    expect(yield* follower.end).toMatchObject({ _tag: "WatchEnded", reason: "Closed" })
    expect(yield* stores.unsubscribeAll("ann")).toBe(1)
    expect(yield* stores.unsubscribeAll("ann")).toBe(0)
    expect(yield* store.subscribers).toEqual([])
    expect((yield* stores.stats).subscribers).toBe(0)
    yield* followed(store, { as: { principal: "p", client: "bob" } })
    expect(yield* store.subscribers).toEqual(["bob"])
  })

  scenario("that are ended everywhere are ended in every store, and no others are", function* () {
    const stores = yield* make()
    const all = yield* Effect.forEach(["a", "b", "c"], (id) => stores.open({ id }))
    const as = (client: string) => ({ as: { principal: "p", client } })
    const leaving = yield* Effect.forEach(all, (store) => followed(store, as("ann")))
    const staying = yield* Effect.forEach(all, (store) => followed(store, as("bob")))
    expect(yield* stores.unsubscribeAll("ann")).toBe(3)
    for (const { end } of leaving) yield* end
    yield* settled
    expect(staying.map(({ ends }) => ends())).toEqual([0, 0, 0])
    expect((yield* stores.stats).subscribers).toBe(3)
  })

  scenario("are ended also while they are being opened", function* () {
    const memory = yield* Datastore.memory()
    const asked = yield* Deferred.make<void>()
    const never = yield* Deferred.make<never>()
    const backend = withLogs(memory, () => ({
      snapshot: () => Effect.andThen(Deferred.succeed(asked, undefined), Deferred.await(never))
    }))
    const stores = yield* Datastore.make(backend)
    const store = yield* stores.open({ id: "board", kind: "permanent" })
    const opening = yield* started(followed(store, { as: { principal: "p", client: "ann" } }))
    yield* Deferred.await(asked)
    expect(yield* stores.unsubscribeAll("ann")).toBe(1)
    const { end, frames } = yield* Fiber.join(opening)
    expect(yield* end).toMatchObject({ reason: "Closed" })
    expect(frames).toEqual([])
    expect((yield* stores.stats).subscribers).toBe(0)
  })
})
