/** Projections of logs in databases: the lanes are equal there, too, and transactions leave no trace. */
import { SqlClient } from "@effect/sql/SqlClient"
import { describe, expect, it } from "@effect/vitest"
import { type Context, Deferred, Effect, Fiber, type Scope } from "effect"
import * as Projection from "../../../src/Projection.js"
import * as SqlChangeLog from "../../../src/sql/SqlChangeLog.js"
import type { Place } from "../../projection/lanes/play.js"
import { lanesLaw } from "../../projection/lanes/suite.js"
import { accounts, balanceOf, brief, type Log, opened, paid } from "../../support/projection/accounts.js"
import { tier } from "../../support/projection/tiers.js"
import { places } from "../log/places.js"

type Client = Context.Context<SqlClient>

let feeds = 0

/** A log over a client, of a feed of its own. */
const logOver = (client: Client): Effect.Effect<Log, unknown, Scope.Scope> =>
  Effect.suspend(() => {
    const feed = { table: "events", feed: `feed ${++feeds}`, keys: "indexed" } as const
    return Effect.provide(SqlChangeLog.make<Projection.EventValue>(feed), client)
  })

const inTransaction =
  (client: Client) =>
  <A, E>(effect: Effect.Effect<A, E>) =>
    Effect.provide(
      Effect.flatMap(SqlClient, (sql) => sql.withTransaction(effect)),
      client
    )

for (const [name, place] of places) {
  describe(`a projection of a log in ${name}`, () => {
    const ofOwn = Effect.gen(function* () {
      const { context } = yield* place
      const inOwn = inTransaction(context)
      const log = yield* logOver(context)
      const own: Place = { log, inTransaction: (effect) => Effect.orDie(inOwn(effect)) }
      return own
    })
    lanesLaw(`over ${name}`, 5, ofOwn)

    it.scopedLive("reads in a transaction that rolls back, and keeps nothing of it", () =>
      Effect.gen(function* () {
        const { context } = yield* place
        const log = yield* logOver(context)
        yield* log.append([opened("a"), paid("a", 5)])
        const cache = yield* tier
        const projection = yield* Projection.make(accounts, log, { tier: cache.tier })
        const outside = yield* Deferred.make<void>()
        const rolledBack = inTransaction(context)(
          Effect.gen(function* () {
            const seen = yield* projection.projectOutcome("a")
            expect(brief(seen)).toBe("Direct Bypassed Fresh Skipped g2 5")
            expect(balanceOf(yield* projection.project("a", Projection.maybeStale("1 hour")))).toBe("5")
            yield* Deferred.succeed(outside, undefined)
            return yield* Effect.fail("rolled back")
          })
        )
        expect(yield* Effect.flip(rolledBack)).toBe("rolled back")
        yield* Deferred.await(outside)
        expect([projection.unsafeStats().slots, cache.calls()]).toEqual([0, []])
        const readers = yield* Effect.fork(
          Effect.all(
            Array.from({ length: 20 }, () => projection.project("a")),
            { concurrency: "unbounded" }
          )
        )
        const states = yield* Fiber.join(readers)
        expect(new Set(states.map(balanceOf))).toEqual(new Set(["5"]))
      })
    )
  })
}
