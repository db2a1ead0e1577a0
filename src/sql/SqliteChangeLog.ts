/** A change log that owns its connection to a SQLite file. */
import { Effect, type Scope } from "effect"
import type { InvalidOptions } from "../internal/options.js"
import type { StorageError } from "../Storage.js"
import {
  type LogOptions,
  makeSqlChangeLog,
  noTransaction,
  type SqlChangeLog
} from "./internal/log/sqlChangeLog.js"
import { sqliteFile } from "./internal/options.js"
import { ensureTables, exclusiveExecutor, openFile } from "./internal/sqlite/file.js"
import { sqliteLog } from "./internal/sqlite/log.js"
import { gentleCheckpoint } from "./internal/sqlite/open.js"

export { InvalidOptions } from "../internal/options.js"
export type { LogOptions, Retention, SqlChangeLog } from "./internal/log/sqlChangeLog.js"

/** A log, and the file that holds it. */
export interface SqliteLogOptions extends LogOptions {
  /** The path of the file, created when it does not exist; its folder must exist. `:memory:` is gone with the scope. */
  readonly filename: string
}

/**
 * Opens the file, as `SqliteStorage.make` does, and makes the log, as `SqlChangeLog.make` does; closes the file with
 * the scope. While another connection writes, a commit waits for up to 10 seconds, without holding up the event loop.
 *
 * A file that is deleted, renamed or replaced while it is open is opened anew, as by `SqliteStorage`: commits to a lost
 * file fail as `Unavailable`. A new file begins another epoch, so that readers of the former one fail as `EpochChanged`.
 */
export const make = <V>(
  options: SqliteLogOptions
): Effect.Effect<SqlChangeLog<V>, StorageError | InvalidOptions, Scope.Scope> =>
  makeSqlChangeLog<FileOptions>()(options, { filename: sqliteFile }, (feed, { filename }) =>
    Effect.map(
      Effect.flatMap(openFile(filename, gentleCheckpoint, ensureTables(undefined, feed)), exclusiveExecutor),
      (executor) => ({
        statements: sqliteLog,
        client: undefined,
        backend: { executor, joined: noTransaction }
      })
    )
  )

type FileOptions = Pick<SqliteLogOptions, "filename">
