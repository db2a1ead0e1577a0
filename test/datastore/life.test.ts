/** How a temporary store lives and ends, and which openers get it. */
import { describe, expect, it } from "@effect/vitest"
import { Duration, Effect, Option, Schema, TestClock } from "effect"
import type * as Datastore from "../../src/Datastore.js"
import {
  board,
  cursorOf,
  followed,
  heldBy,
  make,
  shown,
  type Task,
  task
} from "../support/datastore/stores.js"
import { passingClock } from "../support/time/passing.js"
import { scenario, settled } from "../support/time/turn.js"
import { jumps, wallClock } from "../support/time/wallClock.js"

const ttl = 1000

type Store = Datastore.StoreHandle<Task>

const calls: { readonly [name: string]: (store: Store) => Effect.Effect<unknown, unknown> } = {
  get: (store) => store.get("a"),
  snapshot: (store) => store.snapshot(),
  set: (store) => store.set(task("a")),
  patch: (store) => store.patch("a", { set: { text: "b" } }),
  delete: (store) => store.delete("a"),
  batch: (store) => store.batch([{ _tag: "Delete", key: "a" }]),
  touch: (store) => store.touch,
  subscribe: (store) => store.subscribe("ann")
}

describe("the end of a temporary store", () => {
  for (const [name, call] of Object.entries(calls)) {
    it.scoped(`is after its instant for ${name}, however late the timers are`, () =>
      Effect.gen(function* () {
        const { clock, pass } = yield* passingClock
        yield* Effect.gen(function* () {
          const stores = yield* make()
          const open = (id: string) =>
            Effect.tap(stores.open<Task>({ id, ttl }), (store) => store.set(task("a")))
          const early = yield* open("early")
          yield* pass(Duration.millis(1))
          const late = yield* open("late")
          yield* pass(Duration.millis(ttl - 1))
          // It is the instant of the first one, and a millisecond before that of the second.
          yield* call(early)
          yield* call(late)
          yield* pass(Duration.millis(1))
          expect(yield* Effect.flip(call(early))).toMatchObject({ _tag: "StoreEnded", reason: "Expired" })
          expect(yield* stores.get("early")).toEqual(Option.none())
          yield* call(late)
          expect(yield* stores.purgeExpired).toBe(1)
          expect(yield* stores.purgeExpired).toBe(0)
        }).pipe(Effect.withClock(clock))
      })
    )
  }

  it.scoped("is not put off by a touch or a write that comes late", () =>
    Effect.gen(function* () {
      const { clock, pass } = yield* passingClock
      yield* Effect.gen(function* () {
        for (const name of ["touch", "set", "delete"]) {
          const { store } = yield* board({}, { ttl, expiry: "sliding" })
          yield* pass(Duration.millis(ttl + 1))
          expect(yield* Effect.flip(calls[name]!(store))).toMatchObject({ reason: "Expired" })
        }
      }).pipe(Effect.withClock(clock))
    })
  )

  scenario("comes by itself a millisecond after its instant, once for each follower", function* () {
    const { store, stores } = yield* board({}, { ttl })
    const followers = yield* Effect.all([followed(store), followed(store, { as: { principal: "ann" } })])
    yield* TestClock.adjust(ttl)
    expect(followers.map(({ ends }) => ends())).toEqual([0, 0])
    yield* TestClock.adjust(1)
    for (const { end } of followers) expect(yield* end).toMatchObject({ reason: "Expired", id: "board" })
    expect(yield* Effect.flip(store.get("a"))).toMatchObject({ reason: "Expired" })
    yield* store.end
    yield* settled
    expect(yield* Effect.flip(store.get("a"))).toMatchObject({ reason: "Expired" })
    expect(followers.map(({ ends }) => ends())).toEqual([1, 1])
    expect(yield* stores.purgeExpired).toBe(1)
    expect((yield* stores.stats).subscribers).toBe(0)
  })

  scenario("is put off by writes and touch if it slides, and by no read and no refusal", function* () {
    const { store, stores } = yield* board({}, { ttl, expiry: "sliding" })
    yield* TestClock.adjust(ttl)
    expect(yield* store.touch).toBe(true)
    yield* TestClock.adjust(ttl)
    yield* store.set(task("a"))
    yield* TestClock.adjust(ttl)
    yield* Effect.flip(store.patch("none", {}))
    yield* store.snapshot()
    yield* stores.open<Task>({ id: "board", ttl, expiry: "sliding" })
    yield* TestClock.adjust(1)
    expect(yield* Effect.flip(store.touch)).toMatchObject({ reason: "Expired" })
  })

  scenario("is put off by nothing if it is fixed", function* () {
    const { store } = yield* board({}, { ttl })
    yield* TestClock.adjust(ttl)
    expect(yield* store.touch).toBe(false)
    yield* store.set(task("a"))
    yield* TestClock.adjust(1)
    expect(yield* Effect.flip(store.touch)).toMatchObject({ reason: "Expired" })
  })

  scenario("leaves a new life that is empty, has another epoch, no subscriber and no reply", function* () {
    const { store, stores } = yield* board({}, { ttl })
    const as = { principal: "ann", client: "1", n: 1 }
    yield* store.set(task("a"), { as })
    const before = cursorOf(yield* followed(store))
    const epoch = yield* store.epoch
    yield* store.subscribe("ann")
    yield* TestClock.adjust(ttl + 1)
    const next = yield* stores.open<Task>({ id: "board", ttl })
    expect(yield* next.epoch).not.toBe(epoch)
    expect(yield* next.snapshot()).toEqual({ seq: 0, rows: [] })
    expect(yield* next.subscribers).toEqual([])
    expect(yield* next.set(task("a"), { as })).toMatchObject({ seq: 1 })
    expect(yield* Effect.flip(store.set(task("b")))).toMatchObject({ reason: "Expired" })
    const { frames } = yield* followed(next, { after: before })
    expect(frames.map(({ _tag }) => _tag)).toEqual(["Snapshot", "Synced"])
  })

  it.scoped("does not come earlier or later when the wall clock is set by an hour", () =>
    Effect.gen(function* () {
      for (const [, ahead] of jumps) {
        const wall = yield* wallClock
        const { store } = yield* Effect.withClock(board({}, { ttl }), wall.clock)
        yield* store.set(task("a"), { ttl: 500 })
        wall.set(ahead)
        yield* TestClock.adjust(500)
        expect(Option.isSome(yield* store.get("a"))).toBe(true)
        yield* TestClock.adjust(1)
        expect(yield* store.get("a")).toEqual(Option.none())
        yield* TestClock.adjust(ttl - 501)
        yield* store.snapshot()
        yield* TestClock.adjust(1)
        expect(yield* Effect.flip(store.snapshot())).toMatchObject({ reason: "Expired" })
      }
    })
  )

  it.scoped("slides by time that has passed when the wall clock is set by an hour", () =>
    Effect.gen(function* () {
      for (const [, ahead] of jumps) {
        const wall = yield* wallClock
        const { store } = yield* Effect.withClock(board({}, { ttl, expiry: "sliding" }), wall.clock)
        yield* TestClock.adjust(ttl)
        wall.set(ahead)
        yield* store.set(task("a"))
        yield* TestClock.adjust(ttl)
        wall.set(0)
        expect(Option.isSome(yield* store.get("a"))).toBe(true)
        yield* TestClock.adjust(1)
        expect(yield* Effect.flip(store.snapshot())).toMatchObject({ reason: "Expired" })
      }
    })
  )

  scenario("comes by `end`, after everything that was committed", function* () {
    const { store, stores } = yield* board()
    const follower = yield* followed(store)
    store.unsafeSet(task("a"))
    store.unsafeSet(task("b"))
    yield* store.end
    expect(yield* follower.end).toMatchObject({ _tag: "StoreEnded", reason: "Ended" })
    expect(heldBy(follower.frames)).toEqual(["a=1", "b=2"])
    expect(store.unsafeSet(task("c"))).toBe(false)
    expect(yield* Effect.flip(store.set(task("c")))).toMatchObject({ reason: "Ended" })
    expect(yield* stores.get("board")).toEqual(Option.none())
    expect(yield* stores.purgeExpired).toBe(0)
  })
})

describe("a record with a ttl", () => {
  it.scoped("is over after its instant, for the first that asks, by a delete with its own seq", () =>
    Effect.gen(function* () {
      const { clock, pass } = yield* passingClock
      yield* Effect.gen(function* () {
        for (const ask of ["get", "snapshot", "expect", "set"] as const) {
          const { store } = yield* board()
          yield* store.set(task("a"), { ttl: 100 })
          yield* pass(Duration.millis(100))
          expect(Option.isSome(yield* store.get("a"))).toBe(true)
          yield* pass(Duration.millis(1))
          if (ask === "get") expect(yield* store.get("a")).toEqual(Option.none())
          if (ask === "snapshot") expect(yield* store.snapshot()).toEqual({ seq: 2, rows: [] })
          if (ask === "expect") {
            expect(yield* store.set(task("a"), { expect: "absent" })).toMatchObject({ seq: 3 })
          }
          if (ask === "set") expect(yield* store.set(task("a"))).toMatchObject({ seq: 3 })
        }
      }).pipe(Effect.withClock(clock))
    })
  )

  scenario("ends by itself, and followers get the delete", function* () {
    const { store } = yield* board()
    yield* store.set(task("a"), { ttl: 100 })
    const follower = yield* followed(store)
    yield* TestClock.adjust(101)
    expect(follower.frames.at(-1)).toMatchObject({ _tag: "Events", events: [{ _tag: "Delete", key: "a" }] })
  })

  scenario("that is written again lives as the newer write has it", function* () {
    const { store } = yield* board()
    yield* store.set(task("a"), { ttl: 100 })
    yield* store.set(task("b"), { ttl: 100 })
    yield* store.set(task("c"), { ttl: 100 })
    yield* TestClock.adjust(50)
    yield* store.set(task("a"))
    yield* store.set(task("b"), { ttl: 100 })
    yield* store.delete("c")
    yield* store.set(task("c"))
    yield* TestClock.adjust(51)
    expect(shown(yield* store.snapshot())).toEqual(["a=4", "b=5", "c=7"])
    yield* TestClock.adjust(50)
    expect(shown(yield* store.snapshot())).toEqual(["a=4", "c=7"])
  })
})

describe("an open store", () => {
  scenario("is what all get who open it alike, also at once", function* () {
    const stores = yield* make()
    for (const kind of ["temp", "permanent"]) {
      const all = yield* Effect.all(
        Array.from({ length: 5 }, () => stores.open<Task>({ id: kind, kind })),
        { concurrency: "unbounded" }
      )
      const epochs = yield* Effect.all(all.map(({ epoch }) => epoch))
      expect(new Set(epochs).size, kind).toBe(1)
    }
    expect((yield* stores.open()).id).toMatch(/^[0-9a-f]{24}$/)
    expect(yield* stores.stats).toMatchObject({ stores: 3 })
  })

  const Named = Schema.Struct({ id: Schema.String, name: Schema.String })
  const other: ReadonlyArray<readonly [option: string, over: object]> = [
    ["kind", { kind: "lobby" }],
    ["primary", { primary: "text" }],
    ["ttl", { ttl: 2000 }],
    ["expiry", { expiry: "sliding" }],
    ["schema", { schema: Named }],
    ["version", { version: 1 }]
  ]
  for (const [option, over] of other) {
    scenario(`is no store of another ${option}`, function* () {
      const { store, stores } = yield* board({}, { ttl })
      const refused = yield* Effect.flip(stores.open({ id: "board", ttl, ...over }))
      expect(refused).toMatchObject({ reason: "OpenMismatch", option })
      expect(refused.message).toContain(option)
      yield* store.set(task("a"))
    })
  }

  scenario("with ack flushed is none with ack memory, open or stored", function* () {
    const { store, stores } = yield* board({}, { kind: "permanent" })
    const again = stores.open<Task>({ id: "board", kind: "permanent", ack: "memory" })
    expect(yield* Effect.flip(again)).toMatchObject({ reason: "OpenMismatch", option: "ack" })
    yield* store.end
    expect(yield* Effect.flip(again)).toMatchObject({ reason: "OpenMismatch", option: "ack" })
    const renamed = stores.open({ id: "board", kind: "permanent", primary: "text" })
    expect(yield* Effect.flip(renamed)).toMatchObject({ reason: "OpenMismatch", option: "primary" })
  })
})
