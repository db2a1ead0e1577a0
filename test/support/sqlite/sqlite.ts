/** SQLite for tests: a client of one's own beside the storage's, and storages over a file. */
import * as path from "node:path"
import Sqlite from "better-sqlite3"
import { Effect, type Scope } from "effect"
import type { Columns, InvalidOptions, StorageError } from "../../../src/Storage.js"
import type { SqliteOptions } from "../../../src/sql/SqliteStorage.js"
import type { SqlStorage } from "../../../src/sql/SqlStorage.js"
import type { MakeEmpty } from "../../sql/storage/sqlStorage.suite.js"
import type { Database } from "../../sql/storage/sqlTable.suite.js"
import { columns } from "../laws/rows.js"
import type { Shared } from "../laws/sharedPlace.js"
import { table } from "../laws/subjects.js"
import { tempDir } from "../tempDir.js"

/** A file in a folder that goes with the scope. */
export const tempFile = Effect.map(tempDir, (folder) => path.join(folder, "test.db"))

/** A plain client of the file, which waits for locks. */
export const openPlain = (filename: string) =>
  Effect.acquireRelease(
    Effect.sync(() => new Sqlite(filename)),
    (db) => Effect.sync(() => db.close())
  )

type Make = <const C extends Columns>(
  options: SqliteOptions<C>
) => Effect.Effect<SqlStorage<C>, StorageError | InvalidOptions, Scope.Scope>

/** For the suite of storages: one storage, emptied by another client. */
export const emptySqlite = (make: Make): Effect.Effect<MakeEmpty, unknown, Scope.Scope> =>
  Effect.gen(function* () {
    const filename = yield* tempFile
    const storage = yield* make({ filename, table: "everything", columns, id: "id" })
    const db = yield* openPlain(filename)
    return Effect.sync(() => {
      db.exec("DELETE FROM everything")
      return storage
    })
  })

/** For the suite of tables. */
export const sqliteDatabase = (make: Make): Effect.Effect<Database, unknown, Scope.Scope> =>
  Effect.gen(function* () {
    const filename = yield* tempFile
    const db = yield* openPlain(filename)
    return {
      dialect: "sqlite",
      make: (options) => make({ ...options, filename }),
      sql: (text) =>
        Effect.sync(() => {
          const statement = db.prepare(text)
          if (statement.reader) return statement.all() as ReadonlyArray<Readonly<Record<string, unknown>>>
          statement.run()
          return []
        })
    }
  })

/** For the storage laws: a file, and what another connection sees in it. */
export const sqlitePlace = (make: Make): Effect.Effect<Shared, never, Scope.Scope> =>
  Effect.gen(function* () {
    const filename = yield* tempFile
    const db = yield* openPlain(filename)
    const hasTable = db.prepare("SELECT count(*) FROM sqlite_master WHERE name = 'laws'").pluck()
    const ids = (): ReadonlyArray<string> =>
      hasTable.get() === 0
        ? []
        : (db.prepare("SELECT id FROM laws ORDER BY rowid").pluck().all() as ReadonlyArray<string>)
    return {
      open: make({ filename, ...table }),
      peek: Effect.sync(ids),
      empty: Effect.sync(() => db.exec("DELETE FROM laws"))
    }
  })
