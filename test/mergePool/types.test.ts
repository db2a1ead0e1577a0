/** The types of what programs read of a pool, and edit in a replica, follow the strategies. */
import { describe, expect } from "@effect/vitest"
import { Effect, Option } from "effect"
import * as MergePool from "../../src/MergePool.js"
import { words } from "../support/mergePool/pools.js"
import { make, strategies } from "../support/mergePool/served.js"
import { scenario } from "../support/time/turn.js"

/** Takes what has exactly this type. */
const takes =
  <A>() =>
  <B>(value: B, ..._: [A] extends [B] ? ([B] extends [A] ? [] : [never]) : [never]): B =>
    value

describe("the types of pools and replicas", () => {
  scenario("follow the strategies", function* () {
    const fields = { ...strategies, words }
    const pool = yield* (yield* make()).open({ id: "typed", strategies: fields })
    const replica = yield* MergePool.replica(fields)
    yield* replica.edit("a", { title: { _tag: "Set", value: "one" }, votes: { _tag: "Increment", by: 2 } })
    // @ts-expect-error there is no such field
    const refused = yield* Effect.flip(replica.edit("a", { nope: { _tag: "Set", value: "one" } }))
    expect(refused).toMatchObject({ reason: "InvalidData", field: "nope" })
    yield* pool.merge(yield* replica.state)
    const rows = [Option.getOrThrow(yield* pool.get("a")), Option.getOrThrow(yield* replica.get("a"))]
    for (const row of [...rows, (yield* replica.rows).get("a")!]) {
      const title = takes<string | undefined>()(row.get("title"))
      const votes = takes<number | undefined>()(row.get("votes"))
      takes<ReadonlyArray<string> | undefined>()(row.get("labels"))
      takes<number | undefined>()(row.get("bid"))
      takes<ReadonlyArray<string> | undefined>()(row.get("words"))
      // @ts-expect-error its title is a text
      takes<number | undefined>()(row.get("title"))
      // @ts-expect-error there is no such field
      row.get("nope")
      expect([title, votes, row.size]).toEqual(["one", 2, 2])
    }
    // Those of a client of an exchange do, too.
    const client = MergePool.exchange.client(fields, { client: replica.client })
    if ("_tag" in client) throw new Error(client.message)
    const edit: MergePool.EditOf<typeof fields> = {
      _tag: "Row",
      key: "a",
      fields: { title: { _tag: "Set", value: "one" }, votes: { _tag: "Increment", by: 2 } }
    }
    expect(client.edit(edit, 0)).toEqual([])
    // @ts-expect-error there is no such field
    const wrong = client.edit({ _tag: "Row", key: "a", fields: { nope: { _tag: "Set", value: "one" } } }, 0)
    expect(wrong).toMatchObject({ _tag: "Refused", reason: "InvalidData" })
    for (const row of [client.get("a")!, client.rows().get("a")!]) {
      takes<number | undefined>()(row.get("votes"))
      // @ts-expect-error there is no such field
      row.get("nope")
      expect(takes<string | undefined>()(row.get("title"))).toBe("one")
    }
    const anyClient: MergePool.ExchangeClient = client
    expect(anyClient.edit({ _tag: "Remove", key: "a" }, 1)).toEqual([])
    // A field that names no strategy is joined by last.
    const plain = yield* MergePool.replica({ note: {} })
    yield* plain.edit("a", { note: { _tag: "Set", value: "one" } })
    yield* plain.edit("a", { note: { _tag: "Set", value: ["two"] } })
    const note = takes<MergePool.Json | undefined>()(Option.getOrThrow(yield* plain.get("a")).get("note"))
    expect(note).toEqual(["two"])
    expect(plain.fingerprint).toBe((yield* MergePool.replica({ note: MergePool.last() })).fingerprint)
    // @ts-expect-error last is called
    expect((yield* Effect.flip(MergePool.replica({ note: MergePool.last }))).option).toBe("strategies")
    // @ts-expect-error a strategy that is undefined is a mistake
    expect((yield* Effect.flip(MergePool.replica({ note: MergePool.lost }))).option).toBe("strategies")
    // Helpers take the pool and the replica of any strategies.
    const anyPool: MergePool.PoolHandle = pool
    const anyReplica: MergePool.ReplicaHandle = replica
    expect([anyPool.fingerprint, anyReplica.client]).toEqual([replica.fingerprint, replica.client])
  })
})
