/**
 * A SQLite file that may be deleted, moved or replaced while it is open. SQLite goes on to write into the file that it
 * has opened, wherever that is now. So each statement first makes sure that the path still leads to it, and each commit
 * is confirmed only if it still does afterwards. Otherwise the path is opened anew.
 */
import * as fs from "node:fs"
import * as path from "node:path"
import { Cause, Effect, ExecutionStrategy, Exit, Option, Scope } from "effect"
import { type Outcome, StorageError } from "../../../Storage.js"
import type { Executor, Run, Table } from "../dialect.js"
import { ensureTable } from "../ensureTable.js"
import { SqlFailure, storageError, whileBusy } from "../errors.js"
import { openStore } from "../log/store.js"
import type { Feed } from "../log/tables.js"
import { sqliteDialect } from "./dialect.js"
import { sqliteLog } from "./log.js"
import { openSqlite } from "./open.js"

/** Makes sure of the tables in a file that was opened anew. */
export type Prepare = (executor: Executor) => Effect.Effect<unknown, StorageError>

/** Creates the tables of a storage and of a log where there are none, and fails where they do not fit. */
export const ensureTables =
  (table: Table | undefined, feed: Feed | undefined): Prepare =>
  (executor) =>
    Effect.zipRight(
      table === undefined ? Effect.void : ensureTable(sqliteDialect, table, executor),
      feed === undefined
        ? Effect.void
        : openStore(feed, sqliteLog(feed), { executor, joined: Effect.succeed(Option.none()) })
    )

/** The file that a path leads to at present. */
export interface SqliteFile {
  /** Runs one statement. One that gives no rows is a write, and is confirmed only if the path still leads to its file. */
  readonly run: Run
  /** The present connection, for several statements in a row. It confirms COMMIT as `run` confirms a write. */
  readonly connection: Effect.Effect<Run, StorageError>
}

/** What is at a path: nothing, something, or what cannot be looked at. */
type Found = fs.BigIntStats | "nothing" | "unknown"

// A file is never opened here: closing it would drop all locks that the process holds on it.
const statOf = (file: string): Found => {
  try {
    // As bigints, because a file system may number its files beyond 2^53.
    return fs.statSync(file, { bigint: true, throwIfNoEntry: false }) ?? "nothing"
  } catch {
    return "unknown"
  }
}

// While a file is open its number is not given to another one.
const isSame = (a: Found, b: Found): boolean =>
  typeof a === "object" && typeof b === "object" && a.ino === b.ino && a.dev === b.dev

interface Connection {
  readonly run: Run
  readonly scope: Scope.CloseableScope
  /** The path that is opened anew, what was there, and its companions; none for a database without a file. */
  readonly place: Place | undefined
  /** Whether the WAL file was seen to be gone after a commit. */
  walLost: boolean
}

interface Place {
  readonly path: string
  readonly file: Found
  readonly walPath: string
  readonly wal: Found
  readonly sharedPath: string
  readonly shared: Found
}

/** How often a path is opened until what was opened is known to be what is there. */
const attempts = 5

const unavailable = (file: string, outcome: Outcome, what: string, cause?: unknown): StorageError => {
  const message = `the SQLite file ${JSON.stringify(file)} ${what}`
  const known = cause instanceof SqlFailure ? cause : undefined
  return new StorageError({
    kind: "Transient",
    outcome,
    message,
    cause: known ?? new SqlFailure({ code: "SQLITE_READONLY_DBMOVED", constraint: undefined, message })
  })
}

const lostFile = (place: Place): StorageError =>
  unavailable(
    place.path,
    "Unknown",
    "was deleted, moved or replaced during the statement: nothing is known to be stored in the file that is now at the path"
  )

const isEmpty = (found: Found): boolean => typeof found === "object" && found.size === 0n

/** Whether the file was emptied since it was opened. In WAL mode an open file has a header at least. */
const isEmptied = (now: Found, { file }: Place): boolean =>
  isSame(now, file) && isEmpty(now) && !isEmpty(file)

/** Whether the path leads to the open file. */
const isAtPath = ({ place, walLost }: Connection): boolean => {
  if (place === undefined) return true
  if (walLost) return false
  const now = statOf(place.path)
  return isSame(now, place.file) && !isEmptied(now, place)
}

/** Whether a commit that has just been done is in the file at the path, or in its WAL file. */
const hasCommit = (connection: Connection): boolean => {
  const { place } = connection
  if (place === undefined) return true
  if (!isAtPath(connection)) return false
  // Whether it is the same one is not asked here: a file system keeps finer times for what is looked at, and the next
  // commit would take half as long again.
  if (typeof place.wal === "object" && !fs.existsSync(place.walPath)) connection.walLost = true
  return !connection.walLost
}

const checked =
  (connection: Connection, isWrite: (text: string, result: unknown) => boolean): Run =>
  (statement) => {
    const { place, run } = connection
    if (place === undefined) return run(statement)
    return Effect.matchCauseEffect(run(statement), {
      onSuccess: (result) =>
        !isWrite(statement.text, result) || hasCommit(connection)
          ? Effect.succeed(result)
          : Effect.fail(lostFile(place)),
      // A failure on a lost file is none of the file at the path, nor of the record.
      onFailure: (cause) =>
        Cause.isInterrupted(cause) || isAtPath(connection)
          ? Effect.failCause(cause)
          : Effect.fail(lostFile(place))
    })
  }

const givesNoRows = (_: string, result: unknown): boolean => !Array.isArray(result)
const isCommit = (text: string): boolean => text === "COMMIT"

const remove = (file: string, expected: Found, of: string): Effect.Effect<void, StorageError> =>
  Effect.suspend(() => {
    if (!isSame(statOf(file), expected)) return Effect.void
    return Effect.try({
      try: () => fs.unlinkSync(file),
      catch: () =>
        unavailable(
          of,
          "NotStored",
          `was replaced, and ${JSON.stringify(file)} of the former one cannot be deleted`
        )
    })
  })

/**
 * Prepares a lost file for being closed. What was committed to it is moved from its WAL file into it, wherever it is.
 * Then its companions leave the path, because SQLite would take them for those of the file that is there now, and
 * garble it. That is done under the write lock of the lost file: another connection to it may be about to do the same.
 */
const releaseLostFile = ({ run }: Connection, place: Place): Effect.Effect<void, StorageError> => {
  const one = (text: string) => storageError(sqliteDialect, { saved: true })(run({ text, params: [] }))
  return Effect.gen(function* () {
    // Where another WAL file is beside the same file, others work with both already.
    if (!isSame(statOf(place.path), place.file) || statOf(place.walPath) === "nothing") {
      yield* Effect.ignore(one("PRAGMA wal_checkpoint(PASSIVE)"))
    }
    yield* Effect.ignore(whileBusy(one("BEGIN IMMEDIATE")))
    yield* remove(place.walPath, place.wal, place.path)
    yield* remove(place.sharedPath, place.shared, place.path)
    // The file may come back before it is closed.
  }).pipe(Effect.onError(() => Effect.ignore(one("ROLLBACK"))))
}

/** Why a connection is kept although its file is not at its path: the file may come back, and nothing can be opened. */
const whyNotReopen = (place: Place): StorageError | undefined => {
  const now = statOf(place.path)
  const noFolder = now === "nothing" && typeof statOf(path.dirname(place.path)) !== "object"
  if (now === "unknown" || noFolder) {
    return unavailable(
      place.path,
      "NotStored",
      "cannot be reached: its folder was moved or deleted, or denies access"
    )
  }
  return isEmptied(now, place)
    ? unavailable(
        place.path,
        "NotStored",
        "was emptied while it was open: delete it, or move a whole one there"
      )
    : undefined
}

/**
 * Opens a file for one user, until the scope closes; see `openSqlite`. `prepare` is run on what is opened later on.
 * Where nothing can be opened any more, statements fail as `Transient`, and the next one tries again.
 */
export const openFile = (
  filename: string,
  checkpointPages: number,
  prepare: Prepare
): Effect.Effect<SqliteFile, StorageError, Scope.Scope> =>
  Effect.gen(function* () {
    const parent = yield* Effect.scope
    const mutex = yield* Effect.makeSemaphore(1)
    // As the driver takes it. The same path also after the process has changed its folder.
    const trimmed = filename.trim()
    const named = trimmed === "" || trimmed === ":memory:" || trimmed.startsWith("file:")
    const name = named ? trimmed : path.resolve(trimmed)
    let at = named ? undefined : name
    let current: Connection | undefined

    // The scope is one of the connection's own.
    const open = (scope: Scope.CloseableScope): Effect.Effect<Connection, StorageError> =>
      Effect.gen(function* () {
        for (let attempt = 1; ; attempt++) {
          const before = at === undefined ? "nothing" : statOf(at)
          const opening = yield* Scope.fork(scope, ExecutionStrategy.sequential)
          const { file, run } = yield* Scope.extend(openSqlite(name, checkpointPages), opening)
          // Some file systems number the same file anew each time: there it cannot be watched.
          if (file === "" || attempt > attempts) return { run, scope, place: undefined, walLost: false }
          at ??= file
          const after = statOf(at)
          if (isSame(before, after)) {
            const [walPath, sharedPath] = [`${file}-wal`, `${file}-shm`]
            const [wal, shared] = [statOf(walPath), statOf(sharedPath)]
            const place: Place = { path: at, file: after, walPath, wal, sharedPath, shared }
            return { run, scope, place, walLost: false }
          }
          // Created just now, or replaced meanwhile: another round finds out which file is open.
          yield* Scope.close(opening, Exit.void)
        }
      })

    /** Opens and keeps a connection. */
    const connect = (then: (opened: Connection) => Effect.Effect<unknown, StorageError>) =>
      Effect.uninterruptibleMask((restore) =>
        Effect.gen(function* () {
          const scope = yield* Scope.fork(parent, ExecutionStrategy.sequential)
          current = yield* restore(Effect.tap(open(scope), then)).pipe(
            Effect.onError(() => Scope.close(scope, Exit.void))
          )
          return current
        })
      )

    const anew = connect(({ run }) => prepare({ run, reserve: Effect.succeed(run) })).pipe(
      Effect.mapError(({ cause, message }) => {
        const what = `was deleted, moved or replaced, and the file that is now at the path cannot be used: ${message}`
        return unavailable(at ?? name, "NotStored", what, cause)
      })
    )

    const leave = Effect.uninterruptibleMask((restore) =>
      Effect.gen(function* () {
        if (current?.place === undefined) return
        const { place, scope } = current
        const reason = whyNotReopen(place)
        if (reason !== undefined) return yield* reason
        yield* restore(releaseLostFile(current, place))
        current = undefined
        yield* Scope.close(scope, Exit.void)
      })
    )

    const reopen = Effect.zipRight(leave, anew)

    const reopened = mutex.withPermits(1)(
      Effect.suspend(() => (current !== undefined && isAtPath(current) ? Effect.succeed(current) : reopen))
    )

    const present: Effect.Effect<Connection, StorageError> = Effect.suspend(() =>
      current !== undefined && isAtPath(current) ? Effect.succeed(current) : reopened
    )

    yield* connect(() => Effect.void)
    return {
      run: (statement) =>
        Effect.flatMap(present, (connection) => checked(connection, givesNoRows)(statement)),
      connection: Effect.map(present, (connection) => checked(connection, isCommit))
    }
  })

/** For a file on which nothing takes more than one statement, once its tables are there. */
export const statementExecutor = ({ connection, run }: SqliteFile): Executor => ({ run, reserve: connection })

/** Gives a reserved connection to its owner alone, so that no other statement runs into a transaction. */
export const exclusiveExecutor = ({ connection, run }: SqliteFile): Effect.Effect<Executor> =>
  Effect.map(Effect.makeSemaphore(1), (mutex) => ({
    run: (statement) => mutex.withPermits(1)(run(statement)),
    reserve: Effect.uninterruptibleMask((restore) =>
      Effect.zipRight(
        restore(mutex.take(1)),
        Effect.zipRight(
          Effect.addFinalizer(() => mutex.release(1)),
          restore(connection)
        )
      )
    )
  }))
