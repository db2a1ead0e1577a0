/** What is too large is refused to its writer, and keeps no one else from the store. */
import { describe, expect } from "@effect/vitest"
import { Effect, TestClock } from "effect"
import * as Datastore from "../../src/Datastore.js"
import { board, type Task, task } from "../support/datastore/stores.js"
import { scenario } from "../support/time/turn.js"

const mebibytes = (n: number): string => "x".repeat(n * 2 ** 20)

const kinds = [
  ["temp", {}],
  ["memory", { kind: "permanent", ack: "memory" }],
  ["flushed", { kind: "permanent", ack: "flushed" }]
] as const

const tooLarge = { _tag: "WriteError", reason: "TooLarge" }

const as = (n: number) => ({ as: { principal: "ann", client: "tab", n } })

describe.each(kinds)("a write that is too large for a store (%s)", (_, opening) => {
  scenario("changes nothing, and others go on", function* () {
    const { store, stores } = yield* board({}, opening)
    expect(yield* Effect.flip(store.set(task("a", mebibytes(9)), as(1)))).toMatchObject(tooLarge)
    const steps = Array.from({ length: 10 }, (_, i) => Datastore.set(task(`${i}`, mebibytes(1))))
    expect(yield* Effect.flip(store.batch(steps))).toMatchObject(tooLarge)
    expect(store.unsafeSet(task("a", mebibytes(9)))).toBe(false)
    expect(yield* store.snapshot()).toEqual({ seq: 0, rows: [] })
    expect(yield* store.set(task("b", mebibytes(7)))).toMatchObject({ seq: 1 })
    expect(yield* store.set(task("c"))).toMatchObject({ seq: 2 })
    const closed = yield* stores.close
    expect(closed.unsaved).toEqual([])
  })
})

describe("patches that make a record of a store too large", () => {
  scenario("are refused before they are answered (ack memory)", function* () {
    const { store } = yield* board({}, { kind: "permanent", ack: "memory" })
    yield* store.set(task("a", mebibytes(5)))
    const more = { set: { more: mebibytes(5) } as Partial<Task> }
    expect(yield* Effect.flip(store.patch("a", more))).toMatchObject(tooLarge)
    for (const id of ["0", "1", "2"]) yield* store.set(task(id, mebibytes(3)))
    const steps = ["0", "1", "2"].map((id) => Datastore.patch<Task>(id, { set: { done: true } }))
    expect(yield* Effect.flip(store.batch(steps))).toMatchObject(tooLarge)
    yield* store.flush
    expect(yield* store.status).toEqual({ _tag: "Open", unsaved: 0 })
    expect((yield* store.snapshot()).rows.map(({ key, seq }) => [key, seq])).toEqual([
      ["a", 1],
      ["0", 2],
      ["1", 3],
      ["2", 4]
    ])
  })

  scenario("fail alone (ack flushed)", function* () {
    const { store } = yield* board({}, { kind: "permanent", ack: "flushed" })
    yield* store.set(task("a", mebibytes(5)))
    const [refused, other] = yield* Effect.all(
      [Effect.flip(store.patch("a", { set: { more: mebibytes(5) } as Partial<Task> })), store.set(task("b"))],
      { concurrency: "unbounded" }
    )
    expect([refused, other]).toMatchObject([{ _tag: "WriteError" }, { seq: 2 }])
    expect(yield* store.status).toEqual({ _tag: "Open", unsaved: 0 })
  })
})

describe.each(kinds)("a session with more records than a log takes at once", (kind, opening) => {
  scenario(`takes all of them out of a store (${kind})`, function* () {
    const { store, stores } = yield* board({}, opening)
    const { id, goodbye } = yield* stores.session({ client: "ann" })
    for (let n = 0; n < 70; n++) {
      const steps = Array.from({ length: 1000 }, (_, i) => Datastore.set(task(`${n}/${i}`)))
      yield* store.batch(steps, { session: id })
    }
    yield* store.set(task("kept"))
    yield* goodbye
    yield* TestClock.adjust("1 second")
    yield* stores.flush
    yield* TestClock.adjust("1 second")
    expect((yield* store.snapshot()).rows.map(({ key }) => key)).toEqual(["kept"])
    expect(yield* store.set(task("after"))).toMatchObject({ key: "after" })
    yield* stores.flush
    expect((yield* store.status)._tag).toBe("Open")
  })
})
