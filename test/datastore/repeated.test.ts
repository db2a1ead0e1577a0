/** What a client gets that sends an operation again: the same reply, within the rights that it has then. */
import { describe, expect, it } from "@effect/vitest"
import { Effect, Fiber, TestClock } from "effect"
import * as Datastore from "../../src/Datastore.js"
import { StorageError } from "../../src/Storage.js"
import { board, type Task, task } from "../support/datastore/stores.js"
import { scenario } from "../support/time/turn.js"

const all: ReadonlyArray<Datastore.Action> = ["open", "read", "write", "subscribe"]
const ann = (n: number) => ({ as: { principal: "ann", client: "1", n } })

const kinds = [
  ["temp", {}],
  ["memory", { kind: "permanent", ack: "memory" }],
  ["flushed", { kind: "permanent", ack: "flushed" }]
] as const

describe.each(kinds)("an operation that is sent again (%s)", (_, opening) => {
  scenario("after the right to see its record was taken does not show it", function* () {
    let mayRead = true
    const { store, stores } = yield* board(
      { authorize: () => ({ actions: all, view: () => mayRead }) },
      opening
    )
    yield* store.set(task("a", "a secret"))
    const patch = () => store.patch("a", { set: { done: true } }, ann(1))
    const batch = () => store.batch([Datastore.patch<Task>("a", { set: { done: false } })], ann(2))
    const set = () => store.set(task("b", "ann's own"), ann(3))
    yield* patch()
    yield* batch()
    const own = yield* set()
    mayRead = false
    yield* stores.revoke("ann")
    const refused = yield* Effect.flip(patch())
    expect(refused).toMatchObject({ reason: "Forbidden", key: "a" })
    const again = yield* batch()
    expect(JSON.stringify([refused, again])).not.toContain("a secret")
    expect(again).toMatchObject({ revision: 3, rows: [{ _tag: "None" }] })
    expect(yield* set()).toEqual(own)
  })

  scenario("is answered alike where it has hidden the record itself", function* () {
    const { store } = yield* board(
      { authorize: () => ({ actions: all, view: ({ data }) => data.done !== true }) },
      opening
    )
    yield* store.set(task("a"))
    const patch = () => store.patch("a", { set: { done: true } }, ann(1))
    const first = yield* patch()
    expect(yield* patch()).toEqual(first)
  })
})

describe("an operation whose answer was lost", () => {
  it.scoped("is answered by what it has made, also when its record is gone since", () =>
    Effect.gen(function* () {
      const inner = yield* Datastore.memory()
      let isLost = false
      const backend: Datastore.Backend = {
        ...inner,
        save: (batch, token) => {
          if (!isLost) return inner.save(batch, token)
          isLost = false
          const remove: (typeof batch)[number] = {
            store: "board",
            name: "of another process",
            keys: ["a"],
            id: undefined,
            decide: () => ({ revisions: [[{ _tag: "Delete", key: "a" }]] })
          }
          const lost = new StorageError({ kind: "Transient", outcome: "Unknown", message: "cut" })
          return Effect.zipRight(
            Effect.zipRight(inner.save(batch, token), inner.save([remove], token)),
            Effect.fail(lost)
          )
        }
      }
      const stores = yield* Datastore.make(backend)
      const store = yield* stores.open<Task>({ id: "board", kind: "permanent" })
      yield* store.set(task("a"))
      isLost = true
      const patching = yield* Effect.fork(store.patch("a", { set: { text: "mended" } }))
      yield* TestClock.adjust("1 minute")
      expect(yield* Fiber.join(patching)).toEqual({ key: "a", data: task("a", "mended"), seq: 2 })
      expect((yield* store.snapshot()).rows).toEqual([])
    })
  )
})
