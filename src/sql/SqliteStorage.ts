/** A storage that owns its SQLite file and runs on the calling thread. See `SqliteWorker` for one that does not. */
import * as Statement from "@effect/sql/Statement"
import { Effect, type Scope } from "effect"
import type { Columns } from "../internal/columns/columns.js"
import type { InvalidOptions } from "../internal/options.js"
import type { StorageError } from "../Storage.js"
import { sqliteFile } from "./internal/options.js"
import { sqliteDialect } from "./internal/sqlite/dialect.js"
import { ensureTables, exclusiveExecutor, openFile, statementExecutor } from "./internal/sqlite/file.js"
import { sqliteLog } from "./internal/sqlite/log.js"
import { gentleCheckpoint } from "./internal/sqlite/open.js"
import type { StorageBackend } from "./internal/storage/outbox.js"
import { makeSqlStorage, type SqlStorage } from "./internal/storage/sqlStorage.js"
import type { TableOptions } from "./internal/storage/tableOptions.js"

export { InvalidOptions } from "../internal/options.js"

/** A table, and the file that holds it. */
export interface SqliteOptions<C extends Columns> extends TableOptions<C> {
  /** The path of the file, created when it does not exist; its folder must exist. `:memory:` is gone with the scope. */
  readonly filename: string
}

/**
 * Opens the file and makes the storage. Closes the file with the scope.
 *
 * The file is in WAL mode with `synchronous = FULL`: a save that succeeded survives a power failure. The driver never
 * waits for a lock inside of the event loop. While another connection writes, a save fails as `Transient`, and the
 * recorder retries. A save of 1,000 records occupies the thread for some milliseconds.
 *
 * Do not await a durable save of this storage inside of a write transaction of another connection to the same file:
 * the save waits for the transaction's end, and the transaction waits for the save.
 *
 * The file may be deleted, renamed or replaced while it is open:
 *
 * - A save succeeds only if the path still leads to the file that took the commit. Otherwise it fails as `Transient`.
 * - The next statement opens the path anew, and creates the tables where the file lacks them.
 * - While nothing at the path serves, saves and reads fail as `Transient`, with the reason. A file that comes back is
 *   used again.
 * - What was confirmed before stays in the lost file, wherever that is; its WAL file is moved into it.
 *
 * Replace a file by moving another one over it, or by SQLite's own backup. To copy into an open file garbles it, and
 * nothing here can notice that. Do not delete only its `-wal` or `-shm` file: a missing `-wal` fails the next save, but
 * other connections may have read wrong by then.
 *
 * Fails with a `StorageError` of kind `Fatal` if the file cannot be opened, is no database, or holds a table that does
 * not fit. The message advises what to do.
 */
export const make = <const C extends Columns>(
  options: SqliteOptions<C>
): Effect.Effect<SqlStorage<C>, StorageError | InvalidOptions, Scope.Scope> =>
  makeSqlStorage<Pick<SqliteOptions<C>, "filename">>()(
    options,
    { filename: sqliteFile },
    (table, feed, { filename }) =>
      Effect.gen(function* () {
        const file = yield* openFile(filename, gentleCheckpoint, ensureTables(table, feed))
        // Without a log nothing takes more than one statement, and there is nothing to take turns for.
        const executor = feed === undefined ? statementExecutor(file) : yield* exclusiveExecutor(file)
        const insert = sqliteDialect.insert(table)
        const compiler = Statement.makeCompilerSqlite()
        const backend: StorageBackend = {
          dialect: sqliteDialect,
          executor,
          read: executor.run,
          insert: (rows) => executor.run(insert(rows)),
          logStatements: sqliteLog,
          compile: (fragment) => compiler.compile(fragment, false)
        }
        return backend
      })
  )
