/** Callers inside of transactions of their own, over a SQLite file: what is not committed is never cached (rule 6). */
import { SqlClient } from "@effect/sql/SqlClient"
import { describe, expect, it } from "@effect/vitest"
import { Context, Deferred, Effect, Fiber } from "effect"
import * as LiveTable from "../../src/LiveTable.js"
import { Query } from "../../src/Storage.js"
import * as SqlTable from "../../src/sql/SqlTable.js"
import { idsOf, keys, stateOf } from "../support/liveTable/keys.js"
import { sqliteFile } from "../support/table/databases.js"

const dirty = { where: Query.eq("state", "dirty") }

/** A live table over one client of a file, and another client for the caller's transactions. */
const opened = Effect.gen(function* () {
  const file = yield* sqliteFile
  const master = yield* Effect.provide(SqlTable.make(keys), yield* file.client)
  yield* master.insert({ id: "k1", account: "a", state: "old" })
  const live = yield* LiveTable.make(master, { sample: 0 })
  const client = Context.get(yield* file.client, SqlClient)
  return { live, client, dirtied: client`UPDATE keys SET state = 'dirty' WHERE id = 'k1'` }
})

describe("a caller inside of a transaction", () => {
  it.scopedLive("gets what is committed, and what is rolled back is cached for none", () =>
    Effect.gen(function* () {
      const { client, dirtied, live } = yield* opened
      const inside = Effect.gen(function* () {
        yield* dirtied
        const row = stateOf(yield* live.get("k1"))
        const list = idsOf(yield* live.list(dirty))
        const { value } = yield* live.count(dirty.where)
        return yield* Effect.fail([row, list, value])
      })
      expect(yield* Effect.flip(client.withTransaction(inside))).toEqual(["old", "", 0])
      expect(stateOf(yield* live.get("k1"))).toBe("old")
      expect(idsOf(yield* live.list(dirty))).toBe("")
    })
  )

  it.scopedLive("writes outside of it: a reply is a commit, though the transaction is rolled back", () =>
    Effect.gen(function* () {
      const { client, live } = yield* opened
      const inside = Effect.andThen(live.patch("k1", { state: "new" }), Effect.fail("rolled back"))
      expect(yield* Effect.flip(client.withTransaction(inside))).toBe("rolled back")
      expect(stateOf(yield* live.get("k1"))).toBe("new")
      expect(stateOf(yield* live.get("k1", { use: "master" }))).toBe("new")
    })
  )

  it.scopedLive("shows its statements to all once invalidateAfter has seen the commit", () =>
    Effect.gen(function* () {
      const { client, dirtied, live } = yield* opened
      yield* live.get("k1")
      yield* live.list(dirty)
      const began = yield* Deferred.make<void>()
      const commit = yield* Deferred.make<void>()
      const statements = dirtied.pipe(
        Effect.andThen(Deferred.succeed(began, undefined)),
        Effect.andThen(Deferred.await(commit))
      )
      const running = yield* Effect.fork(
        live.invalidateAfter({ ids: ["k1"] }, client.withTransaction(statements))
      )
      yield* Deferred.await(began)
      expect(stateOf(yield* live.get("k1", { use: "master" }))).toBe("old")
      yield* Deferred.succeed(commit, undefined)
      yield* Fiber.join(running)
      expect(stateOf(yield* live.get("k1"))).toBe("dirty")
      expect(idsOf(yield* live.list(dirty))).toBe("k1")
    })
  )
})
