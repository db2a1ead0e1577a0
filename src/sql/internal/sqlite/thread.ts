/** The entry of the thread that holds a SQLite file: opens it, runs one statement after the other. */

import * as WorkerRunner from "@effect/platform/WorkerRunner"
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as NodeWorkerRunner from "@effect/platform-node/NodeWorkerRunner"
import { SafeIntegers } from "@effect/sql/SqlClient"
import { Cause, Effect, Layer, Scope } from "effect"
import { StorageError } from "../../../Storage.js"
import type { Executor, Run, Statement, Table } from "../dialect.js"
import type { SqlFailure } from "../errors.js"
import type { Feed } from "../log/tables.js"
import { type LoggedEntries, type Stored, storeInTransaction } from "../storage/outbox.js"
import { driverError } from "./errors.js"
import { ensureTables, exclusiveExecutor, openFile, statementExecutor } from "./file.js"
import { compileInsert, returningNew } from "./insert.js"
import { sqliteLog } from "./log.js"
import { decodeColumns, type Refusal, type Request } from "./protocol.js"

// SQLite's own default: nothing else waits for this thread's event loop.
const checkpointPages = 1000

const refusedOpen = ({ cause, kind, message }: StorageError): Refusal => ({
  of: "open",
  kind: kind === "Transient" ? kind : "Fatal",
  code: (cause as SqlFailure).code ?? "",
  message
})

const refusedStore = ({ blame, cause, kind, message, outcome }: StorageError): Refusal => {
  const { code, constraint } = (cause ?? {}) as Partial<SqlFailure>
  return { of: "store", kind, outcome, blame, code, constraint, message }
}

const refused = (cause: Cause.Cause<unknown>): Refusal => {
  const error = Cause.squash(cause)
  if (error instanceof StorageError) return refusedStore(error)
  const { code, message, name } = driverError(error)
  return {
    of: "driver",
    name: String(name),
    code: typeof code === "string" ? code : undefined,
    message: String(message)
  }
}

interface Opened {
  readonly run: Run
  readonly insert: (count: number, params: Array<unknown>) => Statement
  /** Stores and logs rows, where there is a log. */
  readonly store: (
    count: number,
    params: Array<unknown>,
    logged: LoggedEntries,
    at: Date
  ) => Effect.Effect<Stored, StorageError>
}

const storeTo = (table: Table, feed: Feed | undefined, { reserve }: Executor): Opened["store"] => {
  if (feed === undefined) return () => Effect.dieMessage("the storage has no log")
  const insert = compileInsert(table, returningNew(table))
  const store = { feed, statements: sqliteLog(feed) }
  return (count, params, logged, at) =>
    storeInTransaction(table, store, reserve, insert(count, params), logged, at, { saved: true }, [])
}

const runner = Effect.gen(function* () {
  const scope = yield* Effect.scope
  let opened: Opened | undefined

  const handle = (request: Request): Effect.Effect<unknown, Refusal> => {
    if (request[0] === "open") {
      const [, filename, table, feed, again] = request
      return Effect.gen(function* () {
        const prepare = ensureTables(table, feed)
        const file = yield* openFile(filename, checkpointPages, prepare)
        // Each request has a fiber of its own. Without a log none of them takes more than one statement.
        const executor = feed === undefined ? statementExecutor(file) : yield* exclusiveExecutor(file)
        if (again) yield* prepare(executor)
        opened = {
          run: executor.run,
          insert: compileInsert(table),
          store: storeTo(table, feed, executor)
        }
      }).pipe(Scope.extend(scope), Effect.mapError(refusedOpen))
    }
    // The other side waits for `open` before it asks for anything else.
    const { insert, run, store } = opened!
    if (request[0] === "insert") {
      const [, count, columns] = request
      return Effect.catchAllCause(run(insert(count, decodeColumns(count, columns))), (cause) =>
        Effect.fail(refused(cause))
      )
    }
    if (request[0] === "store") {
      const [, count, columns, logged, at] = request
      return Effect.mapError(store(count, decodeColumns(count, columns), logged, new Date(at)), refusedStore)
    }
    const [, text, params, bigints] = request
    return run({ text, params }).pipe(
      Effect.provideService(SafeIntegers, bigints),
      Effect.catchAllCause((cause) => Effect.fail(refused(cause)))
    )
  }

  yield* WorkerRunner.make(handle)
})

NodeRuntime.runMain(
  WorkerRunner.launch(Layer.provide(Layer.scopedDiscard(runner), NodeWorkerRunner.layer)),
  // The other side reports the thread's end; the thread has no console of its own.
  { disableErrorReporting: true }
)
