/** What processes with other schemas write to a store is never taken for what this one's schema has. */
import { describe, expect } from "@effect/vitest"
import { Effect, Schema, TestClock } from "effect"
import * as Datastore from "../../src/Datastore.js"
import { cursorOf, followed, type Task, task } from "../support/datastore/stores.js"
import { scenario } from "../support/time/turn.js"

const Text = Schema.Struct({ id: Schema.String, text: Schema.String })
const permanent = { id: "board", kind: "permanent" } as const

/** Two processes on one store: one with a schema, one without. */
const two = (options: Partial<Datastore.OpenOptions<Task, Task>> = {}) =>
  Effect.gen(function* () {
    const backend = yield* Datastore.memory()
    const others = yield* Datastore.make(backend, { name: "theirs" })
    const other = yield* others.open<{ id: string; text: unknown }>(permanent)
    const stores = yield* Datastore.make(backend, { name: "ours" })
    return { stores, store: yield* stores.open({ ...permanent, schema: Text, ...options }), other }
  })

const failed = (key: string) => ({
  _tag: "StoreEnded",
  reason: "Failed",
  cause: { reason: "Undecodable", key }
})

describe("a row that another process writes, and that the schema does not have,", () => {
  scenario("ends the store for all that read it, and names its key", function* () {
    const { other, store, stores } = yield* two()
    yield* store.set(task("good"))
    const follower = yield* followed(store)
    yield* other.set({ id: "bad", text: 5 })
    yield* TestClock.adjust(0)
    expect(yield* follower.end).toMatchObject(failed("bad"))
    expect(follower.frames.some((frame) => JSON.stringify(frame).includes("bad"))).toBe(false)
    expect(yield* Effect.flip(store.get("good"))).toMatchObject(failed("bad"))
    expect(yield* Effect.flip(store.snapshot())).toMatchObject(failed("bad"))
    expect(yield* Effect.flip(store.set(task("a")))).toMatchObject(failed("bad"))
    const again = stores.open({ ...permanent, schema: Text })
    expect(yield* Effect.flip(again)).toMatchObject({ reason: "Undecodable", key: "bad" })
    expect(yield* other.set({ id: "bad", text: "mended" })).toMatchObject({ seq: 3 })
    expect((yield* (yield* again).snapshot()).rows.length).toBe(2)
  })

  scenario("fails those that wait for the latest", function* () {
    const { other, store } = yield* two()
    yield* other.set({ id: "bad", text: 5 })
    expect(yield* Effect.flip(store.snapshot({ read: "latest" }))).toMatchObject(failed("bad"))
  })

  scenario("and that migrate throws at, does so too", function* () {
    const migrate = (): unknown => {
      throw new Error("cannot")
    }
    const { other, store } = yield* two({ version: 1, migrate })
    const follower = yield* followed(store)
    yield* other.set({ id: "bad", text: "older" })
    yield* TestClock.adjust(0)
    expect(yield* follower.end).toMatchObject(failed("bad"))
    expect(yield* Effect.flip(store.snapshot())).toMatchObject(failed("bad"))
  })
})

describe.each(["memory", "flushed"] as const)("a follow of a store, ack %s", (ack) => {
  scenario("fails alone when what it is to read on is not as the schema has it", function* () {
    const backend = yield* Datastore.memory()
    const before = yield* Datastore.make(backend, { name: "catalog" })
    const plain = yield* before.open<{ id: string; text: unknown }>({ ...permanent, ack })
    yield* plain.set({ id: "a", text: "one" })
    const cursor = cursorOf(yield* followed(plain))
    yield* plain.set({ id: "a", text: 5 })
    yield* plain.set({ id: "a", text: "mended" })
    yield* before.close
    const stores = yield* Datastore.make(backend, { name: "catalog" })
    const store = yield* stores.open({ ...permanent, ack, schema: Text })
    const live = yield* followed(store)
    const resumed = yield* followed(store, { after: cursor })
    expect(yield* resumed.end).toMatchObject({
      _tag: "ChangeLogError",
      reason: "Invalid",
      cause: { reason: "Undecodable", key: "a" }
    })
    yield* store.set(task("b"))
    yield* TestClock.adjust(0)
    yield* store.flush
    yield* TestClock.adjust(0)
    expect(live.frames.at(-1)).toMatchObject({ _tag: "Events", events: [{ key: "b" }] })
    expect((yield* store.snapshot()).rows.map(({ data }) => data.text)).toEqual(["mended", "a text"])
  })
})
