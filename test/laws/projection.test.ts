/** Projections as a property: whatever happens to their log, their tier and time, and in whatever order. */
import { describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { holdsSeeded, seededTimeout } from "../support/laws/laws.js"
import { memoryBackend } from "./projection/backend.js"
import { play } from "./projection/play.js"
import { samples } from "./projection/schedule.js"

describe("projections", () => {
  it.live(
    "P1-P11: over memory give the fold of all events, and answer how fresh it is, under any schedule",
    () =>
      holdsSeeded("projections over memory", samples, 300, async (sample) => {
        await play(sample, await Effect.runPromise(memoryBackend(sample.setting.random)))
      }),
    seededTimeout
  )
})
