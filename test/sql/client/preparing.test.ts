/** A statement that met a table which was away for a moment. */
import * as Reactivity from "@effect/experimental/Reactivity"
import * as SqliteClient from "@effect/sql-sqlite-node/SqliteClient"
import { describe, expect, it } from "@effect/vitest"
import { Effect } from "effect"
import { clientExecutor } from "../../../src/sql/internal/client/client.js"

describe("SQLite", () => {
  it.scoped("a statement that could not be prepared is prepared anew", () =>
    Effect.gen(function* () {
      const { run } = clientExecutor(yield* SqliteClient.make({ filename: ":memory:" }))
      const sql = (text: string) => run({ text, params: [] })
      for (let n = 0; n < 3; n++) expect((yield* Effect.exit(sql("SELECT 1 FROM t")))._tag).toBe("Failure")
      yield* sql("CREATE TABLE t (id INTEGER)")
      expect(yield* sql("SELECT 1 FROM t")).toEqual([])
    }).pipe(Effect.provide(Reactivity.layer))
  )
})
