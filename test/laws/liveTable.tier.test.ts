/** Two live tables over one master, one log and one tier, whose entries come late. See liveTable.test.ts. */
import { describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { holdsSeeded, seededTimeout } from "../support/laws/laws.js"
import { tieredBackend } from "./liveTable/backend.js"
import { pinnedTier } from "./liveTable/pinned.js"
import { play } from "./liveTable/play.js"
import { tierSamples, tierTargetSamples } from "./liveTable/schedule.js"

describe("two live tables of one tier", () => {
  it.live("L10: keep the law under the schedules that have broken it", () =>
    Effect.promise(async () => {
      for (const sample of pinnedTier) await play(sample, await Effect.runPromise(tieredBackend))
    })
  )

  for (const [name, samples, count] of [
    ["a tier", tierSamples, 25],
    ["a tier and a write target", tierTargetSamples, 10]
  ] as const) {
    it.live(
      `L10: with ${name} return what each acknowledged or later, whatever the tier holds, and whenever it was put there`,
      () =>
        holdsSeeded(`the live table with ${name}`, samples, count, async (sample) => {
          await play(sample, await Effect.runPromise(tieredBackend))
        }),
      seededTimeout
    )
  }
})
