/** Live tables as layers. */
import { describe, expect, it } from "@effect/vitest"
import { Cause, Context, Effect, Exit, Layer } from "effect"
import * as LiveTable from "../../src/LiveTable.js"
import * as Table from "../../src/Table.js"
import { type Keys, key, keys, stateOf } from "../support/liveTable/keys.js"

class KeyTable extends Context.Tag("test/KeyTable")<KeyTable, LiveTable.Of<Keys>>() {}

describe("layers", () => {
  const use = Effect.gen(function* () {
    const live = yield* KeyTable
    yield* live.insert(key("k1"))
    yield* live.patch("k1", { state: "new" })
    return stateOf(yield* live.get("k1"))
  })

  it.live("hold a live table under a tag of one's own", () =>
    Effect.gen(function* () {
      expect(yield* Effect.provide(use, LiveTable.layerMemory(KeyTable, keys))).toBe("new")
      const layer = LiveTable.layer(KeyTable, Table.memory(keys))
      expect(yield* Effect.provide(use, layer)).toBe("new")
    })
  )

  it.live("fail with options that are none", () =>
    Effect.gen(function* () {
      const exit = yield* Effect.exit(Layer.launch(LiveTable.layerMemory(KeyTable, keys, { maxEntries: 0 })))
      expect(Exit.isFailure(exit) && Cause.squash(exit.cause)).toMatchObject({ option: "maxEntries" })
    })
  )
})
