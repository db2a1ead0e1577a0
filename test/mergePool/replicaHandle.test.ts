/** Replicas as programs hold them: edits without a server, what waits to be sent, and what a peer finds by hashes. */
import { describe, expect } from "@effect/vitest"
import { Effect, Option, Random, TestClock } from "effect"
import { hashState } from "../../src/internal/mergePool/hashedState.js"
import { nodeSums } from "../../src/internal/mergePool/hashTree.js"
import { merge } from "../../src/internal/mergePool/merging.js"
import { isClient } from "../../src/internal/mergePool/stamp.js"
import { makeState } from "../../src/internal/mergePool/state.js"
import * as MergePool from "../../src/MergePool.js"
import { defined, few } from "../support/mergePool/pools.js"
import { board, clientOf, make, strategies } from "../support/mergePool/served.js"
import { scenario } from "../support/time/turn.js"

const titled = (value: string) => ({ title: { _tag: "Set", value } }) as const

const merging =
  (pool: MergePool.PoolHandle, { client }: MergePool.ReplicaHandle) =>
  (patch: MergePool.Patch) =>
    pool.merge(patch, { as: { principal: client, client } })

describe("a replica", () => {
  scenario("keeps edits until they are confirmed, and sends them again without effect", function* () {
    const { pool, pools } = yield* board()
    const ann = yield* MergePool.replica(strategies, { maxUnsent: 2 })
    const send = merging(pool, ann)
    yield* ann.edit("a", { votes: { _tag: "Increment", by: 2 } })
    yield* ann.edit("a", { votes: { _tag: "Increment", by: 3 } })
    const full = yield* Effect.flip(ann.edit("a", titled("more")))
    expect(full).toMatchObject({ reason: "QuotaExceeded", quota: { name: "maxUnsent", limit: 2 } })
    for (const _ of [1, 2]) for (const { patch } of yield* ann.unsent) yield* send(patch)
    expect(yield* pool.get("a")).toEqual(Option.some(new Map([["votes", 5]])))
    yield* ann.confirm(2)
    expect(yield* ann.unsent).toEqual([])
    expect(yield* ann.get("a")).toEqual(Option.some(new Map([["votes", 5]])))
    expect(yield* pools.stats).toMatchObject({ applied: 2, unchanged: 2 })
  })

  scenario("whose wall clock is wrong stamps its edits anew, in order, and is taken", function* () {
    const { pool } = yield* board({ ttl: "1 day" })
    const ann = yield* MergePool.replica(strategies)
    yield* TestClock.adjust(1000)
    yield* ann.stampAnew(3_600_000)
    yield* ann.edit("a", titled("first"))
    yield* ann.edit("a", titled("second"))
    const [first] = yield* ann.unsent
    const error = yield* Effect.flip(merging(pool, ann)(first!.patch))
    expect(error).toMatchObject({ reason: "ClockAhead", serverTime: 1000 })
    for (const { patch } of yield* ann.stampAnew(error._tag === "MergeError" ? error.serverTime! : 0)) {
      yield* merging(pool, ann)(patch)
    }
    expect(yield* pool.get("a")).toEqual(Option.some(new Map([["title", "second"]])))
  })

  scenario("has an id that no other start has, however Effect's Random is seeded", function* () {
    const many = Effect.replicateEffect(MergePool.replica({ votes: MergePool.counter }), 1_000)
    const start = Effect.suspend(() => Effect.withRandom(many, Random.make("a seed that all starts have")))
    const ids = (yield* Effect.replicateEffect(start, 2)).flat().map(({ client }) => client)
    expect(new Set(ids).size).toBe(2_000)
    expect(ids.every(isClient)).toBe(true)
    // The bits of their first digits vary, too: none is left out.
    for (let at = 0; at < 11; at++) {
      expect(new Set(ids.map((id) => id[at])).size).toBe(at === 0 ? 16 : 64)
    }
  })

  scenario("refuses fields that there are not, and what is no state, and stays as it was", function* () {
    const ann = yield* MergePool.replica(strategies)
    yield* ann.edit("a", titled("kept"))
    const before = yield* ann.state
    // They come from untyped code.
    const wrong = [
      { none: { _tag: "Set", value: 1 } },
      { votes: { _tag: "Set", value: 1 } },
      { labels: { _tag: "Add" } },
      { labels: { _tag: "Remove", members: 5 } },
      { title: null },
      { title: 5 },
      null
    ] as unknown as ReadonlyArray<Parameters<MergePool.ReplicaHandle["edit"]>[1]>
    for (const fields of wrong) {
      expect(yield* Effect.flip(ann.edit("a", fields))).toMatchObject({ reason: "InvalidData" })
    }
    const bad = { horizon: "", rows: [["a", "", [["title", "no stamp", 1]]]] } as const
    expect(yield* Effect.flip(ann.receive(bad))).toMatchObject({ reason: "InvalidData" })
    expect(yield* Effect.flip(ann.takeState(bad))).toMatchObject({ reason: "InvalidData" })
    expect(yield* ann.state).toEqual(before)
    const none = yield* Effect.flip(MergePool.replica({}))
    expect(none).toMatchObject({ _tag: "InvalidOptions", option: "strategies" })
  })

  scenario("loses nothing by a join whose result its codec does not decode", function* () {
    const fields = { few, title: MergePool.last<string>() }
    const pool = yield* (yield* make()).open({ strategies: fields })
    const ann = yield* MergePool.replica(fields)
    const bob = yield* MergePool.replica(fields)
    const words = (...value: ReadonlyArray<string>) => ({ few: { _tag: "Set", value } }) as const
    const shown = (replica: MergePool.ReplicaHandle) =>
      Effect.map(replica.get("a"), Option.map(Object.fromEntries))
    yield* ann.edit("a", words("a"))
    yield* ann.edit("a", words("b"))
    // What does not join with what is shown is refused at once.
    expect(yield* Effect.flip(ann.edit("a", words("c")))).toMatchObject({
      reason: "JoinFailed",
      field: "few"
    })
    expect([yield* shown(ann), (yield* ann.unsent).length]).toEqual([Option.some({ few: ["a", "b"] }), 2])
    for (const { patch } of yield* ann.unsent) yield* merging(pool, ann)(patch)
    yield* ann.confirm(2)
    expect(yield* Effect.flip(ann.edit("a", words("d")))).toMatchObject({ reason: "JoinFailed" })
    expect([yield* shown(ann), yield* ann.unsent]).toEqual([Option.some({ few: ["a", "b"] }), []])
    const hash = yield* pool.hash()
    // What has come meanwhile is shown instead of an edit that does not join with it: the server refuses that, and bob has it.
    yield* bob.edit("a", words("x"))
    yield* bob.edit("a", titled("of bob"))
    yield* bob.receive(yield* pool.state())
    expect(yield* shown(bob)).toEqual(Option.some({ few: ["a", "b"], title: "of bob" }))
    const [first, second] = yield* bob.unsent
    expect(yield* Effect.flip(merging(pool, bob)(first!.patch))).toMatchObject({
      reason: "JoinFailed",
      row: "a",
      field: "few",
      message: expect.stringMatching(/too many words.*MergeLaws/)
    })
    expect([yield* pool.hash(), (yield* bob.unsent).length]).toEqual([hash, 2])
    yield* merging(pool, bob)(second!.patch)
    expect(yield* pool.get("a")).toEqual(
      Option.some(
        new Map<string, unknown>([
          ["few", ["a", "b"]],
          ["title", "of bob"]
        ])
      )
    )
  })
})

describe("the hashes of a pool", () => {
  scenario("lead a peer to the rows that differ, and to those that it lacks", function* () {
    const { pool } = yield* board()
    const ann = yield* clientOf(pool, "ann")
    for (let i = 0; i < 50; i++) yield* ann.title(`row ${i}`, "same")
    const peer = makeState(defined(strategies))
    merge(peer, yield* pool.state())
    const before = yield* pool.hash()
    yield* ann.title("row 7", "other")
    yield* ann.title("new", "row")
    expect(yield* pool.hash()).not.toBe(before)
    const { tree } = hashState(peer)
    const nodes = yield* pool.diff({ _tag: "Nodes", sums: nodeSums(tree) })
    expect(nodes._tag === "Leaves" && nodes.sums.length).toBe(2)
    const rows = yield* pool.diff({
      _tag: "Rows",
      leaves: [],
      rows: [
        ["row 7", "0"],
        ["new", "0"],
        ["none", "0"]
      ]
    })
    expect(rows._tag === "Patch" && rows.patch.rows.map(([key]) => key)).toEqual(["row 7", "new"])
    // They come from clients.
    const malformed = [null, {}, { _tag: "Nodes", sums: "short" }, { _tag: "Rows", leaves: [-1], rows: [] }]
    for (const ask of malformed as unknown as ReadonlyArray<MergePool.Ask>) {
      expect(yield* Effect.flip(pool.diff(ask))).toMatchObject({ reason: "InvalidData" })
    }
  })
})
