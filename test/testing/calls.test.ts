/** How the laws wait for what a call does behind its interruption. */
import { describe, expect, it } from "@effect/vitest"
import { Clock, Effect } from "effect"
import { pauseFor } from "../../src/testing/internal/calls.js"
import { inVirtualTime } from "../support/laws/lawReport.js"

/** How long the pause is that follows a whole call, in milliseconds. */
const pauseAfter = (call: Effect.Effect<void>): Promise<number> =>
  inVirtualTime(
    Effect.gen(function* () {
      const pause = yield* pauseFor(call)
      const begun = yield* Clock.currentTimeMillis
      yield* pause
      return (yield* Clock.currentTimeMillis) - begun
    })
  )

describe("the pause for what goes on behind an interruption", () => {
  it("is twice as long as a whole call", async () => {
    expect(await pauseAfter(Effect.sleep("50 millis"))).toBe(100)
  })

  it("is 20 ms at least", async () => {
    expect(await pauseAfter(Effect.void)).toBe(20)
  })
})
