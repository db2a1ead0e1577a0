/** Options of a live table that contradict each other: it is not made. */
import { describe, expect, it } from "@effect/vitest"
import { Effect } from "effect"
import * as LiveTable from "../../src/LiveTable.js"
import * as Table from "../../src/Table.js"
import type * as Tier from "../../src/Tier.js"
import { type Keys, keys } from "../support/liveTable/keys.js"

const sizeOf = () => 1

/** Options are checked before it is opened. */
const noTier: Tier.Tier = { open: () => Effect.never }

const contradictions: ReadonlyArray<readonly [string, string, LiveTable.Options<Keys>]> = [
  ["a bound in bytes without the size of a row", "sizeOf", { maxBytes: 1 }],
  ["the size of a row without a bound in bytes", "maxBytes", { sizeOf }],
  ["two bounds", "maxEntries", { maxBytes: 1, sizeOf, maxEntries: 1 }],
  ["a softTimeout at hardTimeout", "softTimeout", { softTimeout: 100, hardTimeout: 100, grace: 1 }],
  ["a softTimeout without a stale value to serve", "softTimeout", { softTimeout: 100 }],
  ["a tierTimeout at hardTimeout", "tierTimeout", { tier: noTier, hardTimeout: 1_000 }]
]

describe("the options of a live table that contradict each other", () => {
  for (const [name, option, options] of contradictions) {
    it.scoped(name, () =>
      Effect.gen(function* () {
        const error = yield* Effect.flip(LiveTable.make(yield* Table.memory(keys), options))
        expect(error).toMatchObject({ _tag: "InvalidOptions", option })
        expect(error.message).not.toBe("")
      })
    )
  }
})
