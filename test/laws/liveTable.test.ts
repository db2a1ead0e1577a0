/** The live table as a property: whatever its callers, its master and time do, and in whatever order. */
import { describe, it } from "@effect/vitest"
import { Effect } from "effect"
import * as Table from "../../src/Table.js"
import { holdsSeeded, seededTimeout } from "../support/laws/laws.js"
import { play } from "./liveTable/play.js"
import { items } from "./liveTable/rows.js"
import { samples } from "./liveTable/schedule.js"

describe("the live table", () => {
  it.live(
    "L3-L8: returns what was acknowledged or later, and accounts for every write, under any schedule",
    () =>
      holdsSeeded("the live table over memory", samples, 300, async (sample) => {
        await play(sample, await Effect.runPromise(Table.memory(items)))
      }),
    seededTimeout
  )
})
