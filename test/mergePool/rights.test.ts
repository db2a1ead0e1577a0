/** What principals may see and merge, what quotas allow, and that what is refused changes nothing. */
import { describe, expect } from "@effect/vitest"
import { Effect, TestClock } from "effect"
import * as MergePool from "../../src/MergePool.js"
import { board, clientOf, followed, shownBy, strategies } from "../support/mergePool/served.js"
import { scenario, settled } from "../support/time/turn.js"

const all: ReadonlyArray<MergePool.Action> = ["open", "read", "write", "subscribe"]

/** All that a pool shows of its content, to compare. */
const contentOf = (pool: MergePool.PoolHandle) => Effect.all([pool.state(), pool.hash()])

describe("a call on behalf of a principal", () => {
  scenario("touches, subscribes and ends only with the right to it", function* () {
    const { pool } = yield* board({
      authorize: (principal) => ({ actions: [principal as MergePool.Action] }),
      quotas: { subscribers: 1 }
    })
    const forbidden = { _tag: "MergeError", reason: "Forbidden" }
    const read = { principal: "read" }
    expect(yield* Effect.flip(pool.touchAs(read))).toMatchObject(forbidden)
    expect(yield* Effect.flip(pool.subscribe("tab", read))).toMatchObject(forbidden)
    expect(yield* Effect.flip(pool.endAs(read))).toMatchObject(forbidden)
    expect([yield* pool.subscribers, (yield* pool.status)._tag]).toEqual([[], "Open"])
    yield* pool.touchAs({ principal: "write" })
    expect(yield* pool.subscribe("tab", { principal: "subscribe" })).toBe(true)
    const full = yield* Effect.flip(pool.subscribe("other", { principal: "subscribe" }))
    expect(full).toMatchObject({ reason: "QuotaExceeded", quota: { name: "subscribers", limit: 1 } })
    yield* pool.endAs({ principal: "admin" })
    expect(yield* Effect.flip(pool.touch)).toMatchObject({ reason: "Ended" })
  })
})

describe("a view", () => {
  scenario("shows its cells only, and nothing of others in any reply", function* () {
    const { pool } = yield* board({
      authorize: (principal) => ({
        actions: all,
        ...(principal === "eve" ? { view: ({ row }: MergePool.PoolCell) => !row.startsWith("secret") } : {})
      })
    })
    const ann = yield* clientOf(pool, "ann")
    const eve = yield* clientOf(pool, "eve")
    yield* ann.title("secret", "of ann")
    yield* ann.title("open", "to all")
    const member = yield* followed(pool, { as: eve.as })
    yield* ann.title("secret", "of ann, still")
    yield* ann.remove("secret")
    yield* ann.title("secret", "again")
    yield* TestClock.adjust(100)
    yield* settled
    expect(JSON.stringify(member.frames)).not.toContain("secret")
    expect(shownBy(member.frames)).toEqual(['open/title="to all"'])
    expect(JSON.stringify(yield* pool.state({ as: eve.as }))).not.toContain("secret")
    expect((yield* pool.get("secret", { as: eve.as }))._tag).toBe("None")
    expect(yield* Effect.flip(pool.hash({ as: eve.as }))).toMatchObject({ reason: "Forbidden" })
    const ask = { _tag: "Rows", leaves: [], rows: [["secret", "0"]] } as const
    expect(yield* Effect.flip(pool.diff(ask, { as: eve.as }))).toMatchObject({ reason: "Forbidden" })
    const before = yield* contentOf(pool)
    const error = yield* Effect.flip(eve.title("secret", "of eve"))
    expect(error).toMatchObject({ reason: "Forbidden", row: "secret" })
    expect(JSON.stringify(error)).not.toContain("again")
    expect(yield* Effect.flip(eve.remove("secret"))).toMatchObject({ reason: "Forbidden" })
    expect(yield* contentOf(pool)).toEqual(before)
  })

  scenario("that is revoked is followed by no frame of the older rights", function* () {
    let visible = "a"
    const { pool, pools } = yield* board({
      authorize: () => ({ actions: all, view: ({ row }) => row === visible })
    })
    const member = yield* followed(pool, { as: { principal: "ann", client: "c" } })
    const server = yield* clientOf(pool, "server")
    const titled = (key: string, value: string) =>
      Effect.flatMap(server.replica.edit(key, { title: { _tag: "Set", value } }), ({ patch }) =>
        pool.merge(patch)
      )
    yield* titled("a", "1")
    yield* titled("b", "1")
    yield* TestClock.adjust(100)
    yield* settled
    expect(shownBy(member.frames)).toEqual(['a/title="1"'])
    yield* titled("a", "2")
    visible = "b"
    yield* pools.revoke("ann")
    yield* TestClock.adjust(100)
    yield* settled
    expect(JSON.stringify(member.frames)).not.toContain('"2"')
    expect(shownBy(member.frames)).toEqual(['b/title="1"'])
    expect(yield* pools.stats).toMatchObject({ revocations: 1 })
  })

  scenario("of nothing ends a follow, and lets nothing be opened or merged", function* () {
    let grant: MergePool.Grant<MergePool.PoolCell> | undefined = { actions: all }
    const { pool, pools } = yield* board({ authorize: () => grant })
    const ann = yield* clientOf(pool, "ann")
    const member = yield* followed(pool, { as: ann.as })
    grant = undefined
    yield* pools.revoke("ann")
    expect(yield* member.end).toMatchObject({ reason: "Unauthorized" })
    expect(yield* Effect.flip(ann.title("a", "b"))).toMatchObject({ reason: "Forbidden" })
    expect(yield* Effect.flip(pools.open({ strategies, as: ann.as }))).toMatchObject({ reason: "Forbidden" })
    expect(yield* pool.state({ as: ann.as })).toMatchObject({ rows: [] })
  })
})

describe("a merge that is refused", () => {
  scenario("leaves state, clock and hash as they were, whatever was wrong", function* () {
    const { pool, pools } = yield* board()
    const ann = yield* clientOf(pool, "ann")
    const bob = yield* clientOf(pool, "bob")
    yield* ann.edit("a", { title: { _tag: "Set", value: "x" }, votes: { _tag: "Increment", by: 2 } })
    yield* ann.remove("b")
    yield* TestClock.adjust(60)
    const member = yield* followed(pool)
    const before = yield* contentOf(pool)
    const good = (yield* bob.replica.edit("c", { title: { _tag: "Set", value: "good" } })).patch.rows[0]!
    const ahead = yield* MergePool.replica(strategies, { client: bob.client })
    yield* ahead.stampAnew(120_000)
    const far = (yield* ahead.edit("a", { title: { _tag: "Set", value: "far" } })).patch.rows[0]!
    const own = bob.client
    const stamp = good[2][0]![1]
    const deep = JSON.parse(`${"[".repeat(2000)}${"]".repeat(2000)}`)
    const cell = (...parts: ReadonlyArray<unknown>) => ["c", "", [parts]]
    const wrong: ReadonlyArray<readonly [row: unknown, reason: string]> = [
      [far, "ClockAhead"],
      [(yield* ann.replica.edit("d", { votes: { _tag: "Increment", by: 1 } })).patch.rows[0], "Forbidden"],
      [cell("title", stamp, Number.NaN), "InvalidData"],
      [cell("title", stamp, "\0"), "InvalidData"],
      [cell("title", stamp, "\ud800"), "InvalidData"],
      [cell("title", stamp, deep), "InvalidData"],
      [cell("title", stamp, "x".repeat(2 ** 21)), "InvalidData"],
      [cell("title", stamp, () => 1), "InvalidData"],
      [cell("title", "2^53", 1), "InvalidData"],
      [cell("votes", "", [own, 2 ** 53, 1]), "InvalidData"],
      [cell("__proto__", stamp, 1), "InvalidData"],
      [cell("toString", stamp, 1), "InvalidData"],
      [["/".repeat(500), "", good[2]], "InvalidData"],
      [["", "", good[2]], "InvalidData"],
      [["\0", "", good[2]], "InvalidData"],
      [null, "InvalidData"],
      [[1, 2], "InvalidData"]
    ]
    for (const [row, reason] of wrong) {
      // It comes from clients, and may be anything.
      const patch = { horizon: "", rows: [good, row] } as MergePool.Patch
      const error = yield* Effect.flip(pool.merge(patch, { as: { principal: "bob", client: own } }))
      expect(error, JSON.stringify(row)?.slice(0, 100)).toMatchObject({ _tag: "MergeError", reason })
      expect(yield* contentOf(pool)).toEqual(before)
    }
    yield* TestClock.adjust(100)
    expect(member.frames.map(({ _tag }) => _tag)).toEqual(["Snapshot", "Synced"])
    expect((yield* pools.stats).refused).toBe(wrong.length)
    yield* bob.title("c", "others are not affected")
  })

  scenario("takes the client's id of another principal, or other strategies", function* () {
    const { pool } = yield* board()
    const ann = yield* clientOf(pool, "ann")
    yield* ann.title("a", "of ann")
    const { patch } = yield* ann.replica.edit("a", { title: { _tag: "Set", value: "forged" } })
    const merge = (as: MergePool.As, more: object = {}) => Effect.flip(pool.merge(patch, { as, ...more }))
    expect(yield* merge({ principal: "eve", client: ann.client })).toMatchObject({ reason: "Forbidden" })
    expect(yield* merge({ principal: "eve" })).toMatchObject({ reason: "InvalidData" })
    expect(yield* merge({ principal: "eve", client: "short" })).toMatchObject({ reason: "InvalidData" })
    const mismatch = yield* merge(ann.as, { fingerprint: "another" })
    expect(mismatch).toMatchObject({ reason: "StrategyMismatch", fingerprint: pool.fingerprint })
    yield* pool.merge(patch, { as: ann.as, fingerprint: ann.replica.fingerprint })
  })
})

describe("a quota", () => {
  scenario("of rows, bytes, merges, followers and pools refuses one more, and removals fit", function* () {
    const quotas = {
      stores: 1,
      records: 2,
      bytes: 400,
      subscribers: 1,
      operationsPerSecond: 6,
      valueBytes: 100
    }
    const { pool, pools } = yield* board({ quotas })
    const ann = yield* clientOf(pool, "ann")
    const bob = yield* clientOf(pool, "bob")
    const refusal = (name: string) => ({ reason: "QuotaExceeded", quota: { name } })
    yield* ann.title("a", "1")
    yield* ann.title("b", "1")
    const before = yield* contentOf(pool)
    expect(yield* Effect.flip(bob.title("c", "1"))).toMatchObject(refusal("records"))
    expect(yield* Effect.flip(bob.title("a", "x".repeat(200)))).toMatchObject({ reason: "InvalidData" })
    const labels = {
      _tag: "Add",
      members: ["x".repeat(60), "y".repeat(60), "z".repeat(60), "w".repeat(60)]
    } as const
    expect(yield* Effect.flip(bob.edit("a", { labels }))).toMatchObject(refusal("bytes"))
    expect(yield* contentOf(pool)).toEqual(before)
    yield* ann.remove("a")
    for (const n of [1, 2, 3]) yield* ann.title("b", `${n}`)
    expect(yield* Effect.flip(ann.title("b", "4"))).toMatchObject(refusal("operationsPerSecond"))
    yield* bob.title("b", "5")
    yield* TestClock.adjust(1000)
    yield* ann.title("b", "6")
    yield* followed(pool)
    const second = yield* followed(pool)
    expect(yield* second.end).toMatchObject({ _tag: "WatchRefused", reason: "Full" })
    expect(yield* Effect.flip(pools.open({ strategies }))).toMatchObject(refusal("stores"))
    expect((yield* pools.stats).quotaRefusals).toBe(5)
  })
})
