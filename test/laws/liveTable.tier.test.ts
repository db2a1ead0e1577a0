/** Two live tables over one master, one log and one tier, whose entries come late. See liveTable.test.ts. */
import { describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { holdsSeeded, seededTimeout } from "../support/laws/laws.js"
import { tieredBackend } from "./liveTable/backend.js"
import { play } from "./liveTable/play.js"
import { tierSamples } from "./liveTable/schedule.js"

describe("two live tables of one tier", () => {
  it.live(
    "L10: return what each acknowledged or later, whatever the tier holds, and whenever it was put there",
    () =>
      holdsSeeded("the live table with a tier", tierSamples, 40, async (sample) => {
        await play(sample, await Effect.runPromise(tieredBackend))
      }),
    seededTimeout
  )
})
