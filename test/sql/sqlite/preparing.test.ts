/** A statement that met a table which was away for a moment. */
import { describe, expect, it } from "@effect/vitest"
import { Effect } from "effect"
import { gentleCheckpoint, openSqlite } from "../../../src/sql/internal/sqlite/open.js"

describe("SQLite", () => {
  it.scoped("a statement that could not be prepared is prepared anew", () =>
    Effect.gen(function* () {
      const { run } = yield* openSqlite(":memory:", gentleCheckpoint)
      const sql = (text: string) => run({ text, params: [] })
      for (let n = 0; n < 3; n++) expect((yield* Effect.exit(sql("SELECT 1 FROM t")))._tag).toBe("Failure")
      yield* sql("CREATE TABLE t (id INTEGER)")
      expect(yield* sql("SELECT 1 FROM t")).toEqual([])
    })
  )
})
