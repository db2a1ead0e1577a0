/** The staleness meter: it compares hits with the master, counts what is stale, and drops it (rule 19). */
import { describe, expect } from "@effect/vitest"
import { TestClock } from "effect"
import { key, liveKeys, stateOf } from "../support/liveTable/keys.js"
import { away, failing } from "../support/liveTable/master.js"
import { scenario, settled } from "../support/time/turn.js"

const old = [key("k1", "old"), key("k2", "old")]

describe("the staleness meter", () => {
  scenario("counts and drops a row and a list that a foreign write has changed", function* () {
    const { live, master } = yield* liveKeys({ sample: 1 }, old)
    yield* live.get("k1")
    yield* live.list({ limit: 1 })
    yield* settled
    yield* master.foreign.patch("k1", { state: "new" })
    expect(stateOf(live.unsafeGet("k1")!)).toBe("old")
    yield* TestClock.adjust(1_000)
    expect(live.unsafeStats()).toMatchObject({ sampled: 1, stale: 1 })
    expect(live.unsafeGet("k1")).toBe(undefined)
    expect((yield* live.list({ limit: 1 })).value[0]?.state).toBe("old")
    yield* TestClock.adjust(1_000)
    expect(live.unsafeStats()).toMatchObject({ sampled: 2, stale: 2 })
    expect((yield* live.list({ limit: 1 })).value[0]?.state).toBe("new")
  })

  scenario(
    "counts nothing that is the same, that was written meanwhile, or that the master cannot show",
    function* () {
      const { live, master } = yield* liveKeys({ sample: 1 }, old)
      yield* live.getMany(["k1", "k2"])
      live.unsafeGet("k1")
      yield* TestClock.adjust(1_000)
      expect(live.unsafeStats()).toMatchObject({ sampled: 1, stale: 0 })
      master.next("getMany", failing(away()))
      live.unsafeGet("k1")
      yield* TestClock.adjust(1_000)
      yield* master.foreign.patch("k1", { state: "new" })
      live.unsafeGet("k1")
      yield* settled
      // The difference is explained before its time is over.
      yield* live.invalidate({ ids: ["k1"] })
      yield* TestClock.adjust(1_000)
      expect(live.unsafeStats()).toMatchObject({ sampled: 3, stale: 0 })
      expect(stateOf(yield* live.get("k1"))).toBe("new")
    }
  )

  scenario("compares at most ten hits a second, and none if its share is 0", function* () {
    const { live } = yield* liveKeys({ sample: 1 }, old)
    yield* live.getMany(["k1", "k2"])
    for (let n = 0; n < 1_000; n++) {
      live.unsafeGet("k1")
      if (n % 10 === 0) yield* TestClock.adjust(10)
    }
    expect(live.unsafeStats().sampled).toBeGreaterThan(5)
    expect(live.unsafeStats().sampled).toBeLessThanOrEqual(11)
    const none = yield* liveKeys({ sample: 0 }, old)
    yield* none.live.get("k1")
    for (let n = 0; n < 1_000; n++) none.live.unsafeGet("k1")
    yield* settled
    expect(none.live.unsafeStats().sampled).toBe(0)
  })
})
