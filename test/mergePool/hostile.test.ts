/** Clients that send what they like, over an exchange with a pool: others are not affected, and go on. */
import { describe, expect } from "@effect/vitest"
import { Clock, Effect, TestClock } from "effect"
import { maxAhead } from "../../src/internal/mergePool/clock.js"
import { makeStamp, maxCounter } from "../../src/internal/mergePool/stamp.js"
import * as MergePool from "../../src/MergePool.js"
import { type Exchanged, exchanged } from "../support/mergePool/exchanged.js"
import { opened, shownIn, ticked } from "../support/mergePool/permanent.js"
import { board, clientOf } from "../support/mergePool/served.js"
import { scenario, settled } from "../support/time/turn.js"
import { remove, title, vote } from "./pools.js"

const count = ({ tags }: Exchanged, tag: string): number => tags.filter((each) => each === tag).length

const permanently = (opening: Partial<MergePool.OpenOptions>) =>
  Effect.flatMap(MergePool.memory(), (backend) => opened(backend, opening))

const tick = Effect.andThen(TestClock.adjust(50), settled)

const places = {
  temporary: board(),
  "permanent, ack memory": permanently({ ack: "memory" }),
  "permanent, ack flushed": permanently({ ack: "flushed" })
}

describe.each(Object.entries(places))("a hostile client of a pool that is %s", (_, opening) => {
  scenario("is refused a merge of a million cells at once, and what others wrote stays", function* () {
    const { pool } = yield* opening
    const ann = yield* clientOf(pool, "ann")
    const eve = yield* clientOf(pool, "eve")
    yield* ticked(ann.title("a", "of ann"))
    const before = yield* Effect.all([pool.state(), pool.hash()])
    const [row] = (yield* eve.replica.edit("b", { title: { _tag: "Set", value: "x" } })).patch.rows
    const [key, reset, [cell]] = row!
    let reads = 0
    const value = {
      get text() {
        reads++
        return "x"
      }
    }
    const unread: MergePool.CellPatch = [cell![0], cell![1], value]
    const wide = { horizon: "", rows: [[key, reset, new Array(1_000_000).fill(unread)] as const] }
    const long = { horizon: "", rows: new Array(1_000_000).fill([key, reset, [cell]]) }
    for (const patch of [wide, long]) {
      const error = yield* Effect.flip(pool.merge(patch, { as: eve.as }))
      expect(error).toMatchObject({ reason: "InvalidData", message: expect.stringContaining("in parts") })
      expect(yield* Effect.all([pool.state(), pool.hash()])).toEqual(before)
    }
    // It is refused before its cells are looked at.
    expect(reads).toBe(0)
    yield* ticked(ann.title("a", "goes on"))
    expect(yield* shownIn(pool, "a")).toEqual({ title: "goes on" })
  })
})

describe("a hostile client", () => {
  scenario(
    "floods, and is refused beyond its rate; another one's edits arrive in the next tick",
    function* () {
      const { pool } = yield* board({ quotas: { operationsPerSecond: 10 } })
      const eve = yield* exchanged(pool, "eve")
      const ann = yield* exchanged(pool, "ann")
      yield* eve.connect()
      yield* ann.connect()
      yield* tick
      for (let n = 0; n < 200; n++) yield* eve.edit(vote("eve"))
      yield* ann.edit(title("ann", "arrives"))
      yield* tick
      yield* tick
      const refused = eve.actions.flatMap((each) => (each._tag === "Refused" ? [each.reason] : []))
      expect(refused).toEqual(new Array(190).fill("QuotaExceeded"))
      expect(eve.client.unsent()).toEqual([])
      expect(ann.shown()).toEqual({ eve: { votes: 10 }, ann: { title: "arrives" } })
      expect(eve.shown()).toEqual(ann.shown())
    }
  )

  scenario("stamps as far ahead as may be; others go on in a millisecond, and send no more", function* () {
    const backend = yield* MergePool.memory()
    for (const { pool } of [yield* board(), yield* opened(backend, { ack: "memory" })]) {
      const eve = yield* clientOf(pool, "eve")
      const ann = yield* exchanged(pool, "ann")
      yield* ann.connect()
      yield* tick
      const now = yield* Clock.currentTimeMillis
      const ahead = makeStamp(now + maxAhead, maxCounter, eve.client)
      yield* pool.merge({ horizon: "", rows: [["a", "", [["title", ahead, "ahead"]]]] }, { as: eve.as })
      yield* settled
      expect(ann.shown()).toEqual({ a: { title: "ahead" } })
      ann.tags.length = 0
      // What would go on for ever ends.
      ann.alter = (text) => (count(ann, "Merge") > 10 ? "{" : text)
      yield* Effect.forkScoped(
        Effect.forEach([title("a", "one"), title("a", "two"), vote("a")], ann.edit, { discard: true })
      )
      yield* settled
      expect(yield* shownIn(pool, "a")).toEqual({ title: "ahead" })
      yield* TestClock.adjust(1)
      expect(yield* shownIn(pool, "a")).toEqual({ title: "two", votes: 1 })
      expect(ann.client.unsent()).toEqual([])
      expect([count(ann, "Merge"), count(ann, "Rejected")]).toEqual([3, 0])
    }
  })

  scenario("uses what others have written: their stamps, parts and ids are refused", function* () {
    const { pool } = yield* board()
    const ann = yield* exchanged(pool, "ann")
    yield* ann.connect()
    yield* ann.edit(vote("a", 5))
    yield* tick
    const eve = yield* exchanged(pool, "eve")
    yield* eve.connect()
    yield* tick
    eve.alter = (text) => text.replaceAll(eve.client.client, ann.client.client)
    yield* eve.edit(vote("a", 100))
    yield* eve.edit(title("a", "forged"))
    yield* settled
    expect(eve.actions.flatMap((each) => (each._tag === "Refused" ? [each.reason] : []))).toEqual([
      "Forbidden",
      "Forbidden"
    ])
    // As another principal it cannot use the id at all.
    yield* eve.connect({ as: { principal: "eve", client: ann.client.client } })
    yield* tick
    yield* eve.edit(vote("a", 100))
    yield* tick
    expect(eve.actions.filter(({ _tag }) => _tag === "Refused")).toHaveLength(3)
    expect(ann.shown()).toEqual({ a: { votes: 5 } })
    expect(eve.shown()).toEqual(ann.shown())
  })
})

describe("keys and values that are unusual", () => {
  scenario("arrive as they were written, and go as they came", function* () {
    const { pool } = yield* board()
    const ann = yield* exchanged(pool, "ann")
    const bob = yield* exchanged(pool, "bob")
    yield* ann.connect()
    yield* bob.connect()
    const keys = ["a/b", "a~1b", "__proto__", "toString", "é\u0301", "\u{1f600}"]
    for (const key of keys) yield* ann.edit(title(key, key))
    yield* ann.edit({ _tag: "Row", key: "zero", fields: { bid: { _tag: "Set", value: -0 } } })
    yield* ann.edit({
      _tag: "Row",
      key: "data",
      fields: { labels: { _tag: "Add", members: [JSON.parse('{"__proto__":1}'), -0, 0] } }
    })
    yield* tick
    yield* tick
    for (const key of keys) expect(bob.client.get(key)).toEqual(new Map([["title", key]]))
    expect(bob.client.get("zero")?.get("bid")).toBe(0)
    expect(JSON.stringify(bob.client.get("data")?.get("labels"))).toBe('[0,{"__proto__":1}]')
    expect(bob.client.hash()).toBe(yield* pool.hash())
    for (const key of [...keys, "zero", "data"]) yield* bob.edit(remove(key))
    yield* tick
    yield* tick
    expect([ann.shown(), bob.shown()]).toEqual([{}, {}])
    expect((yield* pool.get("a/b"))._tag).toBe("None")
  })

  scenario("that are none are refused where they are made, and nothing is sent", function* () {
    const { pool } = yield* board()
    const ann = yield* exchanged(pool, "ann")
    yield* ann.connect()
    yield* tick
    ann.tags.length = 0
    const deep = JSON.parse(`${"[".repeat(2_000)}${"]".repeat(2_000)}`)
    const wrong = [Number.NaN, "\0", "\ud800", deep, "x".repeat(2 ** 21), 2n, undefined]
    for (const value of wrong) {
      const edit: MergePool.Edit = { _tag: "Row", key: "a", fields: { title: { _tag: "Set", value } } }
      expect(ann.client.edit(edit, 0)).toMatchObject({ _tag: "Refused", reason: "InvalidData" })
    }
    for (const key of ["", "\0", "\ud800", "k".repeat(513)]) {
      expect(ann.client.edit(title(key, "x"), 0)).toMatchObject({ _tag: "Refused", reason: "InvalidData" })
    }
    for (const by of [2 ** 53, 0.5, Number.NaN]) {
      expect(ann.client.edit(vote("a", by), 0)).toMatchObject({ _tag: "Refused", reason: "InvalidData" })
    }
    expect(ann.tags).toEqual([])
    expect(ann.shown()).toEqual({})
  })
})
