/** The driver's connection of the storages' own. */
import { SafeIntegers } from "@effect/sql/SqlClient"
import { describe, expect, it } from "@effect/vitest"
import { Effect } from "effect"
import { openDriver } from "../../../src/sql/internal/sqlite/driver.js"

describe("a connection to a SQLite file", () => {
  it.scoped("prepares anew what could not be prepared, and what it has not kept", () =>
    Effect.gen(function* () {
      const run = yield* openDriver(":memory:")
      const sql = (text: string) => run({ text, params: [] })
      for (let n = 0; n < 3; n++) {
        expect(yield* Effect.flip(sql("SELECT 1 FROM t"))).toMatchObject({ code: "SQLITE_ERROR" })
      }
      yield* sql("CREATE TABLE t (id INTEGER)")
      expect(yield* sql("SELECT 1 FROM t")).toEqual([])
      for (let n = 0; n < 300; n++) expect(yield* sql(`SELECT ${n} AS n`)).toEqual([{ n }])
      expect(yield* sql("SELECT 0 AS n")).toEqual([{ n: 0 }])
    })
  )

  it.scoped("gives large numbers as they are asked for, each time", () =>
    Effect.gen(function* () {
      const run = yield* openDriver(":memory:")
      const select = run({ text: "SELECT ? AS n", params: [2n ** 62n + 1n] })
      const exact = Effect.provideService(select, SafeIntegers, true)
      expect(yield* exact).toEqual([{ n: 2n ** 62n + 1n }])
      expect(yield* select).toEqual([{ n: 2 ** 62 }])
      expect(yield* exact).toEqual([{ n: 2n ** 62n + 1n }])
    })
  )
})
