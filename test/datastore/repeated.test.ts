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

describe("a reply that is given again", () => {
  for (const [name, opening] of kinds) {
    scenario(`takes nothing of the rate, and is counted as repeated (${name})`, function* () {
      const { store, stores } = yield* board({ quotas: { operationsPerSecond: 3 } }, opening)
      const set = (n: number) => store.set(task(`${n}`), ann(n))
      const first = yield* set(1)
      // Both are sent before the first has an answer.
      yield* Effect.all([set(2), set(2)], { concurrency: "unbounded" })
      yield* set(3)
      expect(yield* Effect.flip(set(4))).toMatchObject({ reason: "QuotaExceeded" })
      for (let i = 0; i < 5; i++) expect(yield* set(1)).toEqual(first)
      expect(yield* stores.stats).toMatchObject({ applied: 3, repeated: 6, refused: 1 })
    })
  }

  scenario(
    "takes nothing of the rate while the first is on its way, though nothing of it is left",
    function* () {
      const { store, stores } = yield* board({ quotas: { operationsPerSecond: 1 } }, kinds[2][1])
      const set = (text: string) => Effect.merge(store.set(task("a", text), ann(1)))
      const answers = yield* Effect.all([set("one"), set("one"), set("one"), set("two")], {
        concurrency: "unbounded"
      })
      const row = { key: "a", seq: 1, data: { text: "one" } }
      expect(answers).toMatchObject([row, row, row, { reason: "QuotaExceeded" }])
      expect(yield* stores.stats).toMatchObject({ applied: 1, repeated: 2, refused: 1 })
    }
  )

  scenario("takes nothing of the rate where another process has given it first", function* () {
    const backend = yield* Datastore.memory()
    const one = yield* Datastore.make(backend)
    const other = yield* Datastore.make(backend, { quotas: { operationsPerSecond: 1 } })
    const opening = { id: "board", kind: "permanent" } as const
    const theirs = yield* other.open<Task>(opening)
    const mine = yield* one.open<Task>(opening)
    const first = yield* mine.set(task("a"), ann(1))
    expect(yield* theirs.set(task("a"), ann(1))).toEqual(first)
    yield* theirs.set(task("b"), ann(2))
    expect(yield* other.stats).toMatchObject({ applied: 1, repeated: 1 })
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
