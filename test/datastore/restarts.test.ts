/** Followers that come back after a restart, or to another process: within the rights that they have there. */
import { describe, expect } from "@effect/vitest"
import { Effect, Exit, Scope } from "effect"
import * as Datastore from "../../src/Datastore.js"
import { cursorOf, followed, heldBy, type Task, task } from "../support/datastore/stores.js"
import { scenario } from "../support/time/turn.js"

const all: ReadonlyArray<Datastore.Action> = ["open", "read", "write", "subscribe"]
const ann = { principal: "ann", client: "1" }

/** Opens the board of a catalog that can be stopped. */
const started = (
  backend: Datastore.Backend,
  ack: "memory" | "flushed",
  authorize: Datastore.Options["authorize"]
) =>
  Effect.gen(function* () {
    const scope = yield* Scope.make()
    const stores = yield* Scope.extend(Datastore.make(backend, { authorize }), scope)
    const store = yield* stores.open<Task>({ id: "board", kind: "permanent", ack })
    return { stores, store, stop: Scope.close(scope, Exit.void) }
  })

const tagsOf = ({ frames }: { readonly frames: ReadonlyArray<{ readonly _tag: string }> }) =>
  frames.map(({ _tag }) => _tag)

describe.each(["memory", "flushed"] as const)("a cursor from before a restart, ack %s", (ack) => {
  scenario("begins anew within the rights of now", function* () {
    let visible = "a"
    const authorize: Datastore.Authorize<Datastore.Row<Datastore.JsonObject>> = () => ({
      actions: all,
      view: ({ key }) => key === visible
    })
    const backend = yield* Datastore.memory()
    const before = yield* started(backend, ack, authorize)
    yield* before.store.set(task("b"))
    yield* before.store.set(task("a"))
    const after = cursorOf(yield* followed(before.store, { as: ann }))
    yield* before.stop
    visible = "b"
    const { store } = yield* started(backend, ack, authorize)
    yield* store.set(task("c"))
    const { frames } = yield* followed(store, { as: ann, after })
    expect([tagsOf({ frames }), heldBy(frames)]).toEqual([["Snapshot", "Synced"], ["b=1"]])
    // One that is given now is good.
    const now = cursorOf({ frames } as never)
    yield* store.set(task("b"))
    expect(tagsOf(yield* followed(store, { as: ann, after: now }))).toEqual(["Events", "Synced"])
  })

  scenario("of the server itself goes on where it was", function* () {
    const backend = yield* Datastore.memory()
    const before = yield* started(backend, ack, () => undefined)
    yield* before.store.set(task("a"))
    const after = cursorOf(yield* followed(before.store))
    yield* before.stop
    const { store } = yield* started(backend, ack, () => undefined)
    yield* store.set(task("b"))
    expect(tagsOf(yield* followed(store, { after }))).toEqual(["Events", "Synced"])
    expect(after.epoch).not.toBe(yield* store.epoch)
  })

  scenario("where there are no rights goes on where it was", function* () {
    const backend = yield* Datastore.memory()
    const before = yield* started(backend, ack, undefined)
    yield* before.store.set(task("a"))
    const after = cursorOf(yield* followed(before.store, { as: ann }))
    yield* before.stop
    const { store } = yield* started(backend, ack, undefined)
    yield* store.set(task("b"))
    expect(tagsOf(yield* followed(store, { as: ann, after }))).toEqual(["Events", "Synced"])
    expect(after.epoch).toBe(yield* store.epoch)
  })
})

describe("a store that several processes write", () => {
  scenario("takes no cursor that another process has given within its rights", function* () {
    const backend = yield* Datastore.memory()
    const one = yield* started(backend, "flushed", () => ({ actions: all }))
    const other = yield* started(backend, "flushed", () => ({ actions: all, view: ({ key }) => key !== "a" }))
    yield* one.store.set(task("a"))
    yield* one.store.set(task("b"))
    const after = cursorOf(yield* followed(one.store, { as: ann }))
    yield* one.store.set(task("c"))
    yield* other.store.get("c", { read: "latest" })
    const { frames } = yield* followed(other.store, { as: ann, after })
    expect([tagsOf({ frames }), heldBy(frames)]).toEqual([
      ["Snapshot", "Synced"],
      ["b=2", "c=3"]
    ])
  })

  scenario("gives a follower whose rights were raised one snapshot, and then changes again", function* () {
    const { store, stores } = yield* started(yield* Datastore.memory(), "flushed", () => ({ actions: all }))
    yield* store.set(task("a"))
    const before = yield* followed(store, { as: ann })
    yield* stores.revoke("ann")
    const first = yield* followed(store, { as: ann, after: cursorOf(before) })
    expect(tagsOf(first)).toEqual(["Snapshot", "Synced"])
    yield* store.set(task("b"))
    const after = cursorOf(first)
    yield* store.set(task("c"))
    expect(tagsOf(yield* followed(store, { as: ann, after }))).toEqual(["Events", "Synced"])
  })
})
