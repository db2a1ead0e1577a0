/** All lanes of a projection give one state for one log. */
import { describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { lawTimeout } from "../support/laws/ensure.js"
import { indexedLog } from "../support/projection/accounts.js"
import { lanesAreEqual, withoutClient } from "../support/projection/lanes.js"

describe("the lanes of a projection", () => {
  it.live(
    "give one state for one log, with its own generation, or none for a part",
    () => lanesAreEqual(Effect.map(indexedLog, withoutClient), 70),
    lawTimeout
  )
})
