/** A live table whose writes go to a target, which the master shows later. See liveTable.test.ts. */
import { describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { holdsSeeded, seededTimeout } from "../support/laws/laws.js"
import { loggedBackend, memoryBackend } from "./liveTable/backend.js"
import { play } from "./liveTable/play.js"
import { targetSamples } from "./liveTable/schedule.js"

describe("a live table with a write target", () => {
  for (const [name, count, backend] of [
    ["a write target", 20, memoryBackend()],
    ["a write target and its log", 20, loggedBackend]
  ] as const) {
    it.live(
      `L3-L8, L11: over ${name} returns of each row what was acknowledged or later, whenever its master shows it`,
      () =>
        holdsSeeded(`the live table with ${name}`, targetSamples, count, async (sample) => {
          await play(sample, await Effect.runPromise(backend))
        }),
      seededTimeout
    )
  }
})
