/** Opens SQLite files the way a recorder needs them. */
import { Effect, type Scope } from "effect"
import { isError } from "../../../internal/realms.js"
import { StorageError } from "../../../Storage.js"
import type { Run } from "../dialect.js"
import { SqlFailure, whileBusy } from "../errors.js"
import { sqliteDialect } from "./dialect.js"
import { openDriver } from "./driver.js"
import { classify } from "./errors.js"

/**
 * For a thread that has other things to do. A checkpoint holds up the event loop together with the save that it ends:
 * at SQLite's default of 1,000 pages three times as long as a save of 1,000 records alone. A quarter of it costs no
 * throughput that was measurable.
 */
export const gentleCheckpoint = 250

/**
 * The most bytes that the WAL file keeps when it begins anew. A long read keeps it from doing so while it grows; without
 * a limit the file stays as large for ever.
 */
export const maxWalBytes = 8 * 1024 * 1024

// Every cause that keeps a file from being opened needs a correction, except for those that pass by themselves.
const openError = (filename: string, error: unknown): StorageError => {
  const { code, kind, message } = classify(error, false)
  const unknown = code === undefined
  const why = unknown && isError(error) ? error.message : message
  return new StorageError({
    kind: kind === "Transient" ? "Transient" : "Fatal",
    outcome: "NotStored",
    message: `the SQLite file ${JSON.stringify(filename)} cannot be opened: ${why}`,
    cause: new SqlFailure({ code: code ?? "SQLITE_CANTOPEN", constraint: undefined, message: why })
  })
}

/** An open file. */
export interface OpenFile {
  /** Runs a statement at once; nothing else uses the connection. */
  readonly run: Run
  /** The path of the file as SQLite knows it, links resolved; empty for a database without a file. */
  readonly file: string
}

/**
 * Opens a file for one user, until the scope closes. The driver never blocks on a lock (`busy_timeout` 0), readers
 * never wait for writers (WAL), and a commit survives a power failure (`synchronous` FULL). A commit that leaves more
 * than `checkpointPages` pages in the WAL file moves them to the database in the same piece.
 */
export const openSqlite = (
  filename: string,
  checkpointPages: number
): Effect.Effect<OpenFile, StorageError, Scope.Scope> =>
  Effect.gen(function* () {
    const run = yield* openDriver(filename)
    const pragma = (text: string) => run({ text: `PRAGMA ${text}`, params: [] })
    yield* pragma("busy_timeout = 0")
    const setUp = Effect.gen(function* () {
      yield* pragma("journal_mode = WAL")
      // The first read creates the WAL file where there is none, so that it can be watched from now on.
      yield* run({ text: "SELECT count(*) FROM sqlite_master", params: [] })
      yield* pragma("synchronous = FULL")
      yield* pragma(`wal_autocheckpoint = ${checkpointPages}`)
      yield* pragma(`journal_size_limit = ${maxWalBytes}`)
      const databases = sqliteDialect.rows(yield* pragma("database_list"))
      return String(databases.find(({ name }) => name === "main")?.file ?? "")
    })
    // Each of them may meet another connection that recovers the WAL file, or is the last one to close it.
    const file = yield* whileBusy(Effect.mapError(setUp, (error) => openError(filename, error)))
    return { run, file }
  }).pipe(Effect.mapError((error) => (error instanceof StorageError ? error : openError(filename, error))))
