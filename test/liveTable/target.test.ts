/** A live table whose writes go to a target, which the master shows later (rule 1). */
import { describe, expect, it } from "@effect/vitest"
import { Effect, TestClock } from "effect"
import * as LiveTable from "../../src/LiveTable.js"
import { Column } from "../../src/Storage.js"
import * as Table from "../../src/Table.js"
import { freshnessOf, key, keys, stateOf } from "../support/liveTable/keys.js"

/** A master and a target that both hold a key. The master never gets what is written to the target. */
const split = Effect.gen(function* () {
  const master = yield* Table.memory(keys)
  const target = yield* Table.memory(keys)
  yield* master.insert(key("k1"))
  yield* target.insert(key("k1"))
  return { master, target, live: yield* LiveTable.make(master, { target, sample: 0, targetLag: 5000 }) }
})

const other = Table.define({
  name: "keys",
  columns: { id: Column.text, account: Column.text },
  id: "id"
})

describe("a live table with a write target", () => {
  it.scoped("answers a written row from its acknowledgement, until targetLag is over", () =>
    Effect.gen(function* () {
      const { live, master, target } = yield* split
      yield* live.patch("k1", { state: "revoked" })
      expect(stateOf(yield* live.get("k1"))).toBe("revoked")
      expect(stateOf(yield* live.get("k1", { use: "master" }))).toBe("revoked")
      expect(freshnessOf(yield* live.list())).toBe("Bypassed")
      yield* TestClock.adjust(4999)
      expect(stateOf(yield* live.get("k1", { use: "master" }))).toBe("revoked")
      yield* TestClock.adjust(1)
      expect(stateOf(yield* live.get("k1", { use: "master" }))).toBe("active")
      expect(freshnessOf(yield* live.list())).toBe("Fresh")
      const report = yield* live.close
      expect([report.master, report.target]).toMatchObject([{ value: master }, { value: target }])
    })
  )

  it.scoped("is not made with a target of other columns", () =>
    Effect.gen(function* () {
      const master = yield* Table.memory(keys)
      // As a caller without types would pass it.
      const target = (yield* Table.memory(other)) as never
      const error = yield* Effect.flip(LiveTable.make(master, { target }))
      expect(error).toMatchObject({ _tag: "InvalidOptions", option: "target" })
      const live = yield* LiveTable.makeDeferred(Effect.succeed(master), { target })
      expect(yield* Effect.flip(live.get("k1"))).toMatchObject({
        reason: "Failed",
        cause: { option: "target" }
      })
    })
  )
})
