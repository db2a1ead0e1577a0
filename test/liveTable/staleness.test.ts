/** The bound of staleness that `health` declares holds for every answer, also after a gap of the log (rule 19). */
import { describe, expect } from "@effect/vitest"
import { Effect, TestClock } from "effect"
import * as ChangeLog from "../../src/ChangeLog.js"
import type * as Table from "../../src/Table.js"
import * as Watch from "../../src/Watch.js"
import { freshnessOf, key, liveKeys } from "../support/liveTable/keys.js"
import { away, failing } from "../support/liveTable/master.js"
import { scenario, settled } from "../support/time/turn.js"

const minute = 60_000

/** A live table that follows a log, which has nothing of what others write to the master. */
const followed = Effect.gen(function* () {
  const log = yield* ChangeLog.make<Table.TableChange>()
  const options = { changes: yield* Watch.make(log, { heartbeat: 1_000 }), ttl: minute, grace: 2_000 }
  const { live, master } = yield* liveKeys(options, [key("k1", "old"), key("k2", "old")])
  yield* settled
  return { live, log, master }
}).pipe(Effect.orDie)

/** The log goes on without what was in it before. */
const gap = (log: ChangeLog.ChangeLog<Table.TableChange>) =>
  Effect.andThen(Effect.orDie(log.renewEpoch), TestClock.adjust(1_000))

describe("the declared staleness of a live table", () => {
  scenario("holds for what is served from before a gap, as long as that may be served", function* () {
    const { live, log, master } = yield* followed
    yield* live.get("k1")
    yield* master.foreign.patch("k1", { state: "new" })
    yield* TestClock.adjust(30_000)
    yield* gap(log)
    master.always("getMany", failing(away()))
    const answer = yield* live.get("k1")
    expect(freshnessOf(answer)).toBe("Stale Suspect")
    const { freshness } = answer
    const { state, staleness } = yield* live.health
    expect(state).toBe("Live")
    expect(staleness).toBeGreaterThanOrEqual(freshness._tag === "Stale" ? freshness.age : Number.NaN)
    // By then it may not be served any more.
    yield* TestClock.adjust(minute + 2_000)
    expect((yield* live.health).staleness).toBeLessThan(minute / 2)
  })

  scenario("holds for absent rows too, which may be kept for longer", function* () {
    const { live } = yield* liveKeys({ ttl: minute, absentTtl: 2 * minute, grace: 1_000 })
    expect((yield* live.health).staleness).toBe(2 * minute + 1_000)
  })

  scenario("is not longer after a gap before which nothing was read", function* () {
    const { live, log } = yield* followed
    yield* gap(log)
    expect(yield* live.health).toMatchObject({ state: "Live" })
    expect((yield* live.health).staleness).toBeLessThan(minute / 2)
  })
})
