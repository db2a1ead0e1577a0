/** A live table as a table names the revision that its answers hold (rule 11). */
import { describe, expect } from "@effect/vitest"
import { Effect, Option } from "effect"
import * as ChangeLog from "../../src/ChangeLog.js"
import * as LiveTable from "../../src/LiveTable.js"
import * as Table from "../../src/Table.js"
import { key, keys } from "../support/liveTable/keys.js"
import { scenario } from "../support/time/turn.js"

describe("a live table as a table", () => {
  scenario("names the earliest revision of the rows that it answers with", function* () {
    const log = yield* ChangeLog.make<Table.TableChange>()
    const master = yield* Effect.orDie(Table.memory(keys, { log }))
    const live = yield* Effect.orDie(LiveTable.make(master, { sample: 0, closeDeadline: 0 }))
    const table = yield* live.table
    const revisions: Array<ChangeLog.Revision> = []
    for (const id of ["k1", "k2"]) {
      const [written] = yield* table.write([Table.Write.insert(key(id))])
      revisions.push(Option.getOrThrow((written as Table.Written<typeof keys>).revision))
    }
    const [first, second] = revisions
    expect(second!.seq).toBeGreaterThan(first!.seq)
    expect((yield* table.get("k2")).revision).toEqual(second)
    for (const ids of [
      ["k2", "k1"],
      ["k1", "k2"]
    ]) {
      expect((yield* table.getMany(ids)).revision).toEqual(first)
    }
    expect((yield* table.getMany([])).revision).toBe(undefined)
  })
})
