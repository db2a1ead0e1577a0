/** In a transaction of the log's client nothing is shared: what it sees may never be committed. */
import { describe, expect } from "@effect/vitest"
import { Context, Effect, Fiber } from "effect"
import * as Projection from "../../src/Projection.js"
import { accounts, balanceOf, brief, logOf, opened, paid, scripted } from "../support/projection/accounts.js"
import { tier } from "../support/projection/tiers.js"
import { scenario, started } from "../support/time/turn.js"

const Connection = Context.GenericTag<"transaction", string>("@effect/sql/SqlClient/TransactionConnection")
const inTransaction = Effect.provideService(Connection, "a connection")

/** Whether an effect runs in the transaction. */
const isInside = Effect.map(
  Effect.context<never>(),
  (context) => Context.getOption(context as Context.Context<"transaction">, Connection)._tag === "Some"
)

describe("a projection in a transaction", () => {
  scenario("reads the log in it, past slot, tier and flight, and leaves no trace in them", function* () {
    const { beforeNext, log, reads } = scripted(yield* logOf(opened("a"), paid("a", 5)))
    const cache = yield* tier
    const projection = yield* Projection.make(accounts, log, { tier: cache.tier })
    const inside: Array<boolean> = []
    const note = Effect.map(isInside, (is) => inside.push(is))
    beforeNext(note)
    const outcome = yield* inTransaction(projection.projectOutcome("a"))
    expect(brief(outcome)).toBe("Direct Bypassed Fresh Skipped g2 5")
    expect(inside).toEqual([true])
    expect(cache.calls()).toEqual([])
    expect(projection.unsafeStats().slots).toBe(0)
    // A cached state is not used either: the transaction may see more, or less.
    beforeNext(note)
    yield* projection.project("a")
    expect(inside).toEqual([true, false])
    const again = yield* inTransaction(projection.projectOutcome("a"))
    expect(brief(again)).toBe("Direct Bypassed Fresh Skipped g2 5")
    const stale = { freshness: Projection.maybeStale("1 hour") }
    expect((yield* inTransaction(projection.projectOutcome("a", stale))).strategy).toBe("Direct")
    expect(reads()).toBe(4)
  })

  scenario("joins no flight, and no one joins it", function* () {
    const { beforeNext, log } = scripted(yield* logOf(opened("a"), paid("a", 5)))
    const projection = yield* Projection.make(accounts, log)
    beforeNext(Effect.never)
    const stuck = yield* started(inTransaction(projection.project("a")))
    expect(balanceOf(yield* projection.project("a"))).toBe("5")
    beforeNext(Effect.never)
    const flight = yield* started(projection.project("a"))
    expect(balanceOf(yield* inTransaction(projection.project("a")))).toBe("5")
    expect(projection.unsafeStats().joined).toBe(0)
    yield* Fiber.interruptAll([stuck, flight])
  })

  scenario("is Empty there too", function* () {
    const projection = yield* Projection.make(accounts, yield* logOf(opened("b")))
    expect(brief(yield* inTransaction(projection.projectOutcome("a")))).toBe(
      "Empty Bypassed NotApplicable Skipped g0 none"
    )
  })
})
