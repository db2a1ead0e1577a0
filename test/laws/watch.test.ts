import { describe } from "@effect/vitest"
import { Effect } from "effect"
import { memoryPlace } from "./watch/place.js"
import { samples } from "./watch/schedule.js"
import { watchLaw } from "./watch/suite.js"

describe("the histories of a watch", () => {
  watchLaw("a log in memory", 400, samples, Effect.succeed(memoryPlace))
})
