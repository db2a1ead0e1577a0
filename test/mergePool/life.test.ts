/** How pools are opened, how long they live, and what leaves with a client. */
import { setFlagsFromString } from "node:v8"
import { runInNewContext } from "node:vm"
import { describe, expect } from "@effect/vitest"
import { Effect, Exit, Fiber, Option, Scope, TestClock } from "effect"
import type { Revision } from "../../src/ChangeLog.js"
import * as Datastore from "../../src/Datastore.js"
import { makeStamp } from "../../src/internal/mergePool/stamp.js"
import * as MergePool from "../../src/MergePool.js"
import {
  board,
  clientOf,
  cursorOf,
  followed,
  keysOf,
  make,
  shownBy,
  strategies
} from "../support/mergePool/served.js"
import { scenario, settled } from "../support/time/turn.js"
import { keysFrom, titles } from "./pools.js"

describe("a pool", () => {
  scenario("that is open is returned if it is what is asked for, and otherwise refused", function* () {
    const { pool, pools } = yield* board()
    const ann = yield* clientOf(pool, "ann")
    yield* ann.title("a", "kept")
    const again = yield* pools.open({ id: "board", strategies })
    expect(yield* again.hash()).toBe(yield* pool.hash())
    const others: ReadonlyArray<MergePool.OpenOptions> = [
      { strategies: { ...strategies, title: MergePool.max } },
      { strategies, ttl: 5 },
      { strategies, expiry: "sliding" },
      { strategies, kind: "other" },
      { strategies, onLeave: "remove" }
    ]
    for (const other of others) {
      const error = yield* Effect.flip(pools.open({ id: "board", ...other }))
      expect(error).toMatchObject({ reason: "OpenMismatch", option: Object.keys(other).at(-1) })
    }
    const wrong = yield* Effect.flip(pools.open({ strategies: {} }))
    expect(wrong).toMatchObject({ reason: "InvalidOptions", option: "strategies" })
  })

  scenario("expires after its time, and is new and empty then", function* () {
    const { pool, pools } = yield* board({}, { ttl: 1000 })
    const ann = yield* clientOf(pool, "ann")
    yield* ann.title("a", "old")
    const epoch = yield* pool.epoch
    yield* TestClock.adjust(1000)
    expect(yield* pool.touch).toBe(false)
    yield* TestClock.adjust(1)
    const calls: ReadonlyArray<Effect.Effect<unknown, MergePool.MergeError | MergePool.ReadFailed>> = [
      pool.touch,
      pool.get("a"),
      pool.state(),
      pool.hash(),
      pool.subscribe("ann")
    ]
    for (const call of calls) {
      expect(yield* Effect.flip(call)).toMatchObject({ _tag: "StoreEnded", reason: "Expired" })
    }
    expect(yield* pools.purgeExpired).toBe(1)
    expect(yield* pools.get("board")).toEqual(Option.none())
    const next = yield* pools.open({ id: "board", strategies, ttl: 1000 })
    expect(yield* next.get("a")).toEqual(Option.none())
    expect(yield* next.epoch).not.toBe(epoch)
  })

  scenario(
    "with sliding expiry lives on by merges and touch, and not by those that are refused",
    function* () {
      const { pool } = yield* board({}, { ttl: 1000, expiry: "sliding" })
      const ann = yield* clientOf(pool, "ann")
      yield* TestClock.adjust(800)
      yield* ann.title("a", "one")
      yield* TestClock.adjust(800)
      expect(yield* pool.touch).toBe(true)
      yield* TestClock.adjust(800)
      yield* Effect.flip(pool.merge({ horizon: "", rows: [["a", "no stamp", []]] }))
      yield* TestClock.adjust(201)
      expect(yield* Effect.flip(pool.touch)).toMatchObject({ reason: "Expired" })
    }
  )

  scenario("leaves no subscription of a client behind", function* () {
    const { pool, pools } = yield* board()
    const member = yield* followed(pool, { as: { principal: "ann", client: "c" } })
    expect(yield* pool.subscribe("d")).toBe(true)
    expect(yield* pool.subscribe("d")).toBe(false)
    expect(new Set(yield* pool.subscribers)).toEqual(new Set(["c", "d"]))
    expect(yield* pool.unsubscribe("c")).toBe(true)
    expect(yield* member.end).toMatchObject({ reason: "Closed" })
    expect(yield* pools.unsubscribeAll("d")).toBe(1)
    expect(yield* pool.subscribers).toEqual([])
  })

  scenario("gives its last value to a catalog that its scope closes", function* () {
    const scope = yield* Scope.make()
    const { pool } = yield* Scope.extend(board(), scope)
    const ann = yield* clientOf(pool, "ann")
    const member = yield* followed(pool)
    yield* ann.title("a", "one")
    yield* ann.title("a", "two")
    yield* Scope.close(scope, Exit.void)
    expect(yield* member.end).toMatchObject({ _tag: "StoreEnded", reason: "Closed" })
    expect(shownBy(member.frames)).toEqual(['a/title="two"'])
  })
})

describe("what a client leaves", () => {
  scenario("is removed with its session, but for what others have written since", function* () {
    const stores = yield* Effect.flatMap(Datastore.memory(), (backend) => Datastore.make(backend))
    const pools = yield* make({ leases: stores.leases })
    const pool = yield* pools.open({ strategies, onLeave: "remove" })
    const bare = yield* clientOf(pool, "ann")
    expect(yield* Effect.flip(bare.title("a", "none"))).toMatchObject({ reason: "NoSession" })
    const joined = (principal: string) =>
      Effect.gen(function* () {
        const { client } = yield* MergePool.replica(strategies)
        const session = yield* stores.session({ client, principal })
        const replica = yield* MergePool.replica(strategies, { client })
        const send = (key: string, value: string) =>
          Effect.flatMap(replica.edit(key, { title: { _tag: "Set", value } }), ({ patch }) =>
            pool.merge(patch, { as: { principal, client }, session: session.id })
          )
        return { session, send, client }
      })
    const ann = yield* joined("ann")
    const bob = yield* joined("bob")
    yield* ann.send("ann", "here")
    yield* ann.send("shared", "by ann")
    yield* bob.send("bob", "here")
    yield* TestClock.adjust(1)
    yield* bob.send("shared", "by bob")
    const foreign = { as: { principal: "bob", client: bob.client }, session: ann.session.id }
    const none = { horizon: "", rows: [] }
    expect(yield* Effect.flip(pool.merge(none, foreign))).toMatchObject({ reason: "NoSession" })
    const member = yield* followed(pool)
    yield* ann.session.goodbye
    yield* TestClock.adjust(100)
    yield* settled
    expect(shownBy(member.frames)).toEqual(['bob/title="here"', 'shared/title="by bob"'])
    yield* bob.session.goodbye
    yield* TestClock.adjust(100)
    yield* settled
    expect(shownBy(member.frames)).toEqual([])
    expect((yield* pools.stats).removals).toBeGreaterThan(0)
  })

  scenario("is forgotten after an hour, with its keys, and nothing older comes back", function* () {
    const { pool, pools } = yield* board({ ttl: "1 day", janitorInterval: "10 minutes" })
    const ann = yield* clientOf(pool, "ann")
    const bob = yield* clientOf(pool, "bob")
    yield* TestClock.adjust(1000)
    yield* ann.title("gone", "soon")
    const late = yield* bob.replica.edit("gone", { votes: { _tag: "Increment", by: 1 } })
    yield* TestClock.adjust(1000)
    yield* ann.remove("gone")
    yield* ann.title("stays", "here")
    yield* TestClock.adjust("59 minutes")
    expect((yield* pools.stats).removals).toBeGreaterThan(0)
    yield* TestClock.adjust("11 minutes")
    expect(yield* pools.stats).toMatchObject({ removals: 0 })
    const member = yield* followed(pool)
    expect(keysOf(member.frames)).toEqual(["/", "stays/title"])
    const error = yield* Effect.flip(pool.merge(late.patch, { as: bob.as }))
    expect(error).toMatchObject({ reason: "TooOld", cells: [{ row: "gone", field: "votes" }] })
    const tooOld = yield* bob.replica.receive(yield* pool.state())
    expect(tooOld).toMatchObject([{ n: 1 }])
    expect(yield* bob.replica.unsent).toEqual([])
    expect(yield* bob.replica.get("gone")).toEqual(Option.none())
    expect(yield* bob.replica.get("stays")).toEqual(Option.some(new Map([["title", "here"]])))
  })
})

describe("the changes of a pool", () => {
  scenario(
    "are kept for an hour: a member resumes after them, and begins with a snapshot later",
    function* () {
      const { pool } = yield* board({}, { ttl: "1 day" })
      const ann = yield* clientOf(pool, "ann")
      const first = yield* followed(pool)
      yield* ann.title("a", "first")
      yield* TestClock.adjust("59 minutes")
      yield* ann.title("a", "second")
      yield* TestClock.adjust(100)
      const resumed = (options: MergePool.FollowOptions) =>
        Effect.map(followed(pool, options), ({ frames }) => frames.map(({ _tag }) => _tag))
      const after = cursorOf({ ...first, frames: first.frames.slice(0, 2) })
      expect(yield* resumed({ after })).toEqual(["Events", "Events", "Synced"])
      yield* TestClock.adjust("3 minutes")
      expect(yield* resumed({ after })).toEqual(["Snapshot", "Synced"])
      expect(yield* resumed({ after: cursorOf(first) })).toEqual(["Synced"])
      expect(shownBy(first.frames)).toEqual(['a/title="second"'])
    }
  )
})

describe("that rows were forgotten", () => {
  scenario(
    "is kept for an hour, unless it is much and nothing else is kept",
    function* () {
      const pools = yield* make({ janitorInterval: "10 minutes" })
      const { client } = yield* MergePool.replica(strategies)
      const removed = makeStamp(2, 0, client)
      const opened = (count: number) =>
        Effect.gen(function* () {
          const pool = yield* pools.open({ strategies, ttl: "1 day" })
          const keys = keysFrom(0, count)
          yield* pool.merge(titles(keys, "soon gone", 1))
          const member = yield* followed(pool)
          yield* pool.merge({ horizon: "", rows: keys.map((key) => [key, removed, []] as const) })
          return { pool, member }
        })
      const [few, many, busy] = [yield* opened(10), yield* opened(10_001), yield* opened(10_001)]
      yield* TestClock.adjust("1 minute")
      const cursors = [few, many, busy].map(({ member }) => cursorOf(member))
      yield* TestClock.adjust("49 minutes")
      yield* busy.pool.merge(titles(["other"], "written", 100_000))
      yield* TestClock.adjust("31 minutes")
      const tags = ({ pool }: typeof few, after: Revision | undefined) =>
        Effect.map(followed(pool, { after }), ({ frames }) => frames.map(({ _tag }) => _tag))
      expect(yield* tags(few, cursors[0])).toEqual(["Events", "Synced"])
      expect(yield* tags(many, cursors[1])).toEqual(["Snapshot", "Synced"])
      expect((yield* tags(busy, cursors[2]))[0]).toBe("Events")
      for (const each of [few, many]) {
        expect(keysOf(each.member.frames)).toEqual(["/"])
        const after = cursorOf(each.member)
        yield* each.pool.merge(titles(["new"], "written", 4_000_000))
        yield* TestClock.adjust(100)
        expect(yield* tags(each, after)).toEqual(["Events", "Synced"])
      }
      // It merges 20,000 rows.
    },
    60_000
  )
})

setFlagsFromString("--expose-gc")
const collect: () => void = runInNewContext("gc")

describe("a session that lives on", () => {
  scenario("holds no pool that has ended, and removes nothing then", function* () {
    const pools = yield* make()
    const { client } = yield* MergePool.replica(strategies)
    const session = yield* pools.session({ client, principal: "ann" })
    const open = Effect.gen(function* () {
      const own = MergePool.custom<string>({
        name: "own",
        join: (a, b) => (a === b ? a : `${a}${b}`),
        encode: (value) => value,
        decode: String
      })
      const fields = { own }
      const pool = yield* pools.open({ strategies: fields, onLeave: "remove" })
      const replica = yield* MergePool.replica(fields, { client })
      const { patch } = yield* replica.edit("here", { own: { _tag: "Set", value: "ann" } })
      yield* pool.merge(patch, { as: { principal: "ann", client }, session: session.id })
      yield* pool.end
      // What only the pool holds.
      return new WeakRef(own)
    })
    const ended = yield* Effect.forEach(Array.from({ length: 5 }), () => open)
    yield* TestClock.adjust(100)
    yield* settled
    yield* Effect.promise(() => new Promise((resolve) => setImmediate(resolve)))
    collect()
    expect(ended.filter((each) => each.deref() !== undefined).length).toBeLessThanOrEqual(1)
    yield* session.goodbye
    yield* TestClock.adjust(100)
    expect((yield* pools.stats).pools).toBe(0)
  })
})

describe("an opening beside the close of its catalog", () => {
  scenario("leaves no pool open, wherever the close comes between", function* () {
    for (let step = 0; step < 40; step++) {
      const pools = yield* make()
      // It gives way often enough for the close to come between any two of its parts.
      const opening = yield* Effect.fork(
        Effect.withMaxOpsBeforeYield(Effect.either(pools.open({ id: "board", strategies })), 12)
      )
      for (let i = 0; i < step; i++) yield* Effect.yieldNow()
      yield* pools.close
      yield* Fiber.join(opening)
      expect([step, (yield* pools.stats).pools]).toEqual([step, 0])
    }
  })
})
