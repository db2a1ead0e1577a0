/**
 * The account as a property over a SQLite file, on this thread and in a worker. See account.test.ts.
 * Fails too when a save sends no ON CONFLICT: what was stored before a lost answer would be set aside.
 */
import { describe } from "@effect/vitest"
import { Effect, type Scope } from "effect"
import type { Columns, InvalidOptions, StorageError } from "../../src/Storage.js"
import * as SqliteStorage from "../../src/sql/SqliteStorage.js"
import * as SqliteWorker from "../../src/sql/SqliteWorker.js"
import type { SqlStorage } from "../../src/sql/SqlStorage.js"
import { openPlain, tempFile } from "../support/sqlite/sqlite.js"
import { columns, taken } from "./account/backend.js"
import { accountLaw, type OpenTables } from "./account/suite.js"

const indexes = [{ name: "t_slot", columns: ["slot"], kind: "unique" }] as const

type Make = <const C extends Columns>(
  options: SqliteStorage.SqliteOptions<C>
) => Effect.Effect<SqlStorage<C>, StorageError | InvalidOptions, Scope.Scope>

/** One file and one connection for all schedules. */
const tables = (make: Make): OpenTables =>
  Effect.gen(function* () {
    const filename = yield* tempFile
    const storage = yield* make({ filename, table: "t", columns, id: "id", indexes })
    yield* storage.save([taken])
    const db = yield* openPlain(filename)
    const empty = db.prepare("DELETE FROM t WHERE n >= 0")
    const held = db.prepare("SELECT n FROM t WHERE n >= 0 AND substr(id, 1, ?) = ? ORDER BY rowid").pluck()
    return (prefix) =>
      Effect.sync(() => {
        empty.run()
        return {
          storage,
          unique: true,
          prefix,
          peek: Effect.sync(() => held.all(prefix.length, prefix) as ReadonlyArray<number>)
        }
      })
  })

describe("the account", () => {
  accountLaw("a SQLite file", 300, tables(SqliteStorage.make))
  accountLaw("a SQLite worker", 300, tables(SqliteWorker.make))
})
