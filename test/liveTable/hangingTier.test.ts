/** A tier that hangs costs speed, also for callers that are quicker than `tierTimeout` (rule 14). */
import { describe, expect } from "@effect/vitest"
import { Effect, Fiber, Option, TestClock } from "effect"
import type * as LiveTable from "../../src/LiveTable.js"
import type * as Tier from "../../src/Tier.js"
import { type Keys, key, liveKeys, stateOf } from "../support/liveTable/keys.js"
import { scenario, started } from "../support/time/turn.js"

/** A live table whose tier does not answer until it is mended. It counts what it is asked. */
const hanging = (options: LiveTable.Options<Keys> = {}) =>
  Effect.gen(function* () {
    const script = { gets: 0, isHanging: true, ended: 0 }
    const none = Effect.succeed([undefined])
    const store: Tier.Store = {
      get: () =>
        Effect.suspend(() => {
          script.gets++
          return script.isHanging
            ? Effect.onInterrupt(Effect.never, () => Effect.sync(() => script.ended++))
            : Effect.delay(none, 50)
        }),
      put: () => Effect.void,
      remove: () => Effect.void,
      clear: Effect.void
    }
    const tier = { open: () => Effect.succeed(store) }
    const rows = [key("k1"), key("k2"), key("k3"), key("k4")]
    const { live } = yield* liveKeys({ tier, tierTimeout: 1_000, graceBackoff: 5_000, ...options }, rows)
    yield* TestClock.adjust(1)
    return { live, script }
  })

/** Reads as a caller that waits so long. */
const reading = (live: LiveTable.Of<Keys>, id: string, patience: number) =>
  Effect.gen(function* () {
    const read = yield* started(Effect.timeoutOption(live.get(id), patience))
    yield* TestClock.adjust(patience)
    return Option.match(yield* Fiber.join(read), { onNone: () => "left", onSome: stateOf })
  })

describe("a tier that hangs", () => {
  scenario("is asked by one caller that leaves sooner, and the master answers the others", function* () {
    const { live, script } = yield* hanging()
    expect(yield* reading(live, "k1", 300)).toBe("left")
    expect(yield* reading(live, "k2", 300)).toBe("active")
    expect(live.unsafeStats().tierFaults).toBe(0)
    // The fault is noticed although its caller has left, and the tier is left alone.
    yield* TestClock.adjust(400)
    expect(live.unsafeStats().tierFaults).toBe(1)
    yield* TestClock.adjust(4_999)
    expect(stateOf(yield* live.get("k3"))).toBe("active")
    expect(script.gets).toBe(1)
    yield* TestClock.adjust(1)
    expect(yield* reading(live, "k4", 300)).toBe("left")
    expect(script.gets).toBe(2)
  })

  scenario("is asked again at once if it was only slow for a caller that has left", function* () {
    const { live, script } = yield* hanging()
    script.isHanging = false
    expect(yield* reading(live, "k1", 10)).toBe("left")
    expect(yield* reading(live, "k2", 10)).toBe("active")
    expect(script.gets).toBe(1)
    yield* TestClock.adjust(30)
    expect(yield* reading(live, "k3", 50)).toBe("active")
    expect(script.gets).toBe(2)
    expect(live.unsafeStats().tierFaults).toBe(0)
  })

  scenario("is not used after the close, though its callers have left", function* () {
    const { live, script } = yield* hanging()
    expect(yield* reading(live, "k1", 300)).toBe("left")
    expect(script.ended).toBe(0)
    yield* live.close
    expect(script.ended).toBe(1)
  })
})
