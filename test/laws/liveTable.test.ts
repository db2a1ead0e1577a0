/** The live table as a property: whatever its callers, its master and time do, and in whatever order. */
import { describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { holdsSeeded, seededTimeout } from "../support/laws/laws.js"
import { loggedBackend, memoryBackend } from "./liveTable/backend.js"
import { pinned } from "./liveTable/pinned.js"
import { play } from "./liveTable/play.js"
import { samples } from "./liveTable/schedule.js"

describe("the live table", () => {
  it.live("L3-L8, L11: keeps the laws under the schedules that have broken one", () =>
    Effect.promise(async () => {
      for (const sample of pinned) {
        for (const backend of [memoryBackend(), loggedBackend]) {
          await play(sample, await Effect.runPromise(backend))
        }
      }
    })
  )

  for (const [name, count, long, backend] of [
    ["over memory", 150, 60_000, memoryBackend()],
    ["with a log", 80, 40_000, loggedBackend]
  ] as const) {
    it.live(
      `L3-L8: ${name} returns what was acknowledged or later, and accounts for every write, under any schedule`,
      () =>
        holdsSeeded(
          `the live table ${name}`,
          samples,
          count,
          async (sample) => {
            await play(sample, await Effect.runPromise(backend))
          },
          long
        ),
      seededTimeout
    )
  }
})
