/** Reading in a transaction of the log's client, which is rolled back. */
import { SqlClient } from "@effect/sql/SqlClient"
import { describe, expect, it } from "@effect/vitest"
import { type Context, Effect, Exit, type Scope } from "effect"
import * as Projection from "../../src/Projection.js"
import * as SqlChangeLog from "../../src/sql/SqlChangeLog.js"
import { databaseUrls } from "../support/postgres/databases.js"
import { pgSchema, sqliteFile } from "../support/table/databases.js"
import { changeOf, definitions, inWords, type Value } from "./projection/definitions.js"
import { makeTier } from "./projection/tier.js"

const rolledBack = (
  name: string,
  open: Effect.Effect<Context.Context<SqlClient>, unknown, Scope.Scope>
): void => {
  it.scopedLive(`P12: to read in a transaction that rolls back leaves no trace over ${name}`, () =>
    Effect.gen(function* () {
      const log = yield* SqlChangeLog.make<Value>({ table: "events", keys: "indexed" })
      const sql = yield* SqlClient
      const wrong = makeTier(false)
      const projection = yield* Projection.make(definitions.on[0], log, { tier: wrong.tier })
      yield* log.append([changeOf("a", "Added", 1)])
      expect(inWords(yield* projection.project("a"))).toBe("1: 1")
      const rows = [...wrong.rows]
      const transaction = sql.withTransaction(
        Effect.gen(function* () {
          yield* log.append([changeOf("a", "Added", 2)])
          yield* log.append([changeOf("b", "Added", 3)])
          const inside = yield* Effect.forEach(["a", "b", "a"], (key) => projection.projectOutcome(key))
          return yield* Effect.fail(inside)
        })
      )
      const inside = yield* Effect.flip(transaction)
      if (!Array.isArray(inside)) return yield* Effect.die(inside)
      expect(inside.map(({ strategy, stored }) => `${strategy} ${stored}`)).toEqual(
        Array.from({ length: 3 }, () => "Direct Skipped")
      )
      expect(inside.map(({ state }) => inWords(state))).toEqual(["3: 1,2", "3: 3", "3: 1,2"])
      expect([...wrong.rows]).toEqual(rows)
      expect(projection.unsafeStats()).toMatchObject({ slots: 1, joined: 0 })
      const after = yield* projection.projectOutcome("a", { freshness: Projection.maybeStale("1 hour") })
      expect(`${after.freshness} ${after.generation} ${inWords(after.state)}`).toBe("StaleAllowed 1 1: 1")
      expect(inWords(yield* projection.project("a"))).toBe("1: 1")
      expect(inWords(yield* projection.project("b"))).toBe("none")
      expect(Exit.isSuccess(yield* Effect.exit(log.append([changeOf("b", "Added", 4)])))).toBe(true)
      expect(inWords(yield* projection.project("b"))).toBe("4: 4")
    }).pipe((test) => Effect.flatMap(open, (context) => Effect.provide(test, context)))
  )
}

describe("projections in a transaction", () => {
  rolledBack(
    "SQLite",
    Effect.flatMap(sqliteFile, ({ client }) => client)
  )
})

describe.each(databaseUrls())("projections in a transaction, $name", ({ url }) => {
  rolledBack(
    "Postgres",
    Effect.flatMap(pgSchema(url), ({ client }) => client)
  )
})
