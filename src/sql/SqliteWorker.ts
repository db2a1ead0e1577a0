/** A storage whose SQLite file lives in a thread of its own, so that the driver never blocks the calling thread. */
import * as Statement from "@effect/sql/Statement"
import { Effect, type Scope } from "effect"
import type { Columns } from "../internal/columns/columns.js"
import { type InvalidOptions, that } from "../internal/options.js"
import { StorageError } from "../Storage.js"
import type { Dialect, Run, Table } from "./internal/dialect.js"
import { classified, SqlFailure } from "./internal/errors.js"
import type { Feed } from "./internal/log/tables.js"
import { sqliteDialect } from "./internal/sqlite/dialect.js"
import { sqliteLog } from "./internal/sqlite/log.js"
import { encodeBatch, type Refusal, type Request } from "./internal/sqlite/protocol.js"
import * as Remote from "./internal/sqlite/remote.js"
import type { StorageBackend, Stored } from "./internal/storage/outbox.js"
import { makeSqlStorage, type SqlStorage } from "./internal/storage/sqlStorage.js"
import type { TableOptions } from "./internal/storage/tableOptions.js"

export { InvalidOptions } from "../internal/options.js"

/** A table, and the file that holds it. */
export interface SqliteWorkerOptions<C extends Columns> extends TableOptions<C> {
  /** The path of the file, created when it does not exist; its folder must exist. */
  readonly filename: string
}

/**
 * The most records of one batch. The calling thread checks, encodes and copies a batch in one piece, 4 to 8 µs a
 * record: half of what a statement may hold halves how long its event loop is held up, and costs a tenth of the
 * throughput.
 */
const maxBatch = 500

const threadDialect: Dialect = {
  ...sqliteDialect,
  maxBatch: (table) => Math.min(maxBatch, sqliteDialect.maxBatch(table)),
  // The thread answers an insert by the number alone.
  affected: (result) => (typeof result === "number" ? result : sqliteDialect.affected(result))
}

/** Rebuilds the error of a failed transaction or of a lost file. Every other error is the driver's. */
const asStorageError = (error: unknown): unknown => {
  const refusal = error as Extract<Refusal, { readonly of: "store" }>
  if (refusal.of !== "store") return error
  const { blame, code, constraint, kind, message, outcome } = refusal
  const cause = new SqlFailure({ code, constraint, message })
  return new StorageError({ kind, outcome, message, cause, ...(blame === undefined ? {} : { blame }) })
}

const connect = (
  filename: string,
  table: Table,
  feed: Feed | undefined
): Effect.Effect<StorageBackend, StorageError, Scope.Scope> =>
  Effect.map(Remote.remoteSqlite(filename, table, feed), (remote): StorageBackend => {
    const ask = (request: Request) => Effect.mapError(remote(request), asStorageError)
    const bigints = table.columns.some(({ type }) => type === "bigint")
    const run: Run = ({ params, text }) => ask(["run", text, params, bigints])
    const compiler = Statement.makeCompilerSqlite()
    return {
      dialect: threadDialect,
      // The thread has one connection, and this storage is the only one that uses it.
      executor: { run, reserve: Effect.succeed(run) },
      read: run,
      insert: (rows) => ask(["insert", rows.length, encodeBatch(table, rows)]),
      logStatements: sqliteLog,
      // The whole transaction is one request: no other one runs into it, and a thread that ends rolls it back.
      store: ({ entries, ids, rows }) => {
        const batch = encodeBatch(table, rows)
        return (at) =>
          Effect.mapBoth(ask(["store", rows.length, batch, { ids, entries }, at.getTime()]), {
            onFailure: (error) => classified(threadDialect, error, true),
            // The answer of the thread's `storeInTransaction`.
            onSuccess: (stored) => stored as Stored
          })
      },
      compile: (fragment) => compiler.compile(fragment, false)
    }
  })

/** A new thread would begin with an empty database in memory. */
const fileRule = that(
  "the path of a file",
  (given) => typeof given === "string" && given !== "" && !given.startsWith(":memory:")
)

/**
 * Names the file of the thread's code, for your build. It stands beside the module that starts it. So a bundle needs it
 * in its own folder, as `thread.js`, bundled too where packages are not installed:
 *
 * ```ts
 * import { fileURLToPath } from "node:url"
 *
 * const thread = fileURLToPath(SqliteWorker.threadFile())
 * const build = { entryPoints: { main: "src/main.ts", thread }, bundle: true, format: "esm", outdir: "out" }
 * ```
 *
 * Inside of a bundle it names where the file must be.
 */
export const threadFile: () => URL = Remote.threadFile

/**
 * Starts the thread, opens the file there, and makes the storage. Ends both with the scope. The storage has the
 * guarantees of `SqliteStorage`, and opens the file in the same way.
 *
 * The calling thread checks and encodes the records and hands them over, at most 500 at a time (2 to 4 ms). The thread
 * parses, writes and syncs.
 *
 * - A file that is deleted, renamed or replaced is opened anew, as by `SqliteStorage`, also by another thread.
 * - A thread that dies fails its calls as `Transient` with an unknown outcome. The next call starts another one.
 * - An interrupted call waits for the thread to finish the statement, and ends the thread after a second: nothing is
 *   committed after the interruption has completed.
 *
 * Fails as `SqliteStorage.make` does, and as `Fatal` in a bundle without {@link threadFile}. `:memory:` is refused,
 * because a new thread would begin with an empty database.
 */
export const make = <const C extends Columns>(
  options: SqliteWorkerOptions<C>
): Effect.Effect<SqlStorage<C>, StorageError | InvalidOptions, Scope.Scope> =>
  makeSqlStorage<Pick<SqliteWorkerOptions<C>, "filename">>()(
    options,
    { filename: fileRule },
    (table, feed, { filename }) => connect(filename, table, feed)
  )
