/**
 * All lanes of a projection give one state for one log, whatever was cached before: slot, slot with new events, tier, tier
 * with new events, full fold; shared, alone, and in a transaction.
 */
import { describe } from "@effect/vitest"
import { Effect } from "effect"
import { indexedLog } from "../support/projection/accounts.js"
import { withoutClient } from "./lanes/play.js"
import { lanesLaw } from "./lanes/suite.js"

describe("the lanes of a projection", () => {
  lanesLaw("over memory", 50, Effect.map(indexedLog, withoutClient))
})
