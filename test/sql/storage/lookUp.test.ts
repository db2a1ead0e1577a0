/** After an insert that wrote fewer rows than it was given, the ids are looked up, which can fail by itself. */
import { describe, expect, it } from "@effect/vitest"
import { Effect } from "effect"
import { Column, StorageError } from "../../../src/Storage.js"
import type { Run } from "../../../src/sql/internal/dialect.js"
import { sqliteDialect } from "../../../src/sql/internal/sqlite/dialect.js"
import { sqliteLog } from "../../../src/sql/internal/sqlite/log.js"
import { gentleCheckpoint, openSqlite } from "../../../src/sql/internal/sqlite/open.js"
import type { StorageBackend } from "../../../src/sql/internal/storage/outbox.js"
import { makeSqlStorage } from "../../../src/sql/internal/storage/sqlStorage.js"

const table = { table: "t", columns: { id: Column.text }, id: "id" } as const

const failures = {
  "the file is busy": Object.assign(new Error("database is locked"), { code: "SQLITE_BUSY" }),
  "the file is broken": Object.assign(new Error("malformed"), { code: "SQLITE_CORRUPT" }),
  "it is no failure of the database": new Error("something else")
}

describe("a look-up that fails after an insert that is committed", () => {
  it.scoped("has an unknown outcome: what was written is stored", () =>
    Effect.gen(function* () {
      for (const [what, failure] of Object.entries(failures)) {
        let fails = true
        const storage = yield* makeSqlStorage<object>()(table, {}, (made) =>
          Effect.map(openSqlite(":memory:", gentleCheckpoint), ({ run }): StorageBackend => {
            const failing: Run = (statement) =>
              fails && statement.text.includes("json_each(?)") ? Effect.fail(failure) : run(statement)
            const insert = sqliteDialect.insert(made)
            return {
              dialect: sqliteDialect,
              executor: { run: failing, reserve: Effect.succeed(failing) },
              read: failing,
              insert: (rows) => failing(insert(rows)),
              logStatements: sqliteLog,
              compile: () => ["", []]
            }
          })
        )
        yield* storage.save([{ id: "a" }])
        const batch = [{ id: "a" }, { id: "b" }]
        const error = yield* Effect.flip(storage.save(batch))
        expect(error, what).toBeInstanceOf(StorageError)
        expect(error.outcome, what).toBe("Unknown")
        fails = false
        expect(yield* storage.load({})).toEqual(batch)
        expect(yield* storage.save(batch)).toEqual({ duplicates: 2 })
      }
    })
  )
})
