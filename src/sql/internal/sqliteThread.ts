/** The entry of the thread that holds a SQLite file: opens it, runs one statement after the other. */

import * as WorkerRunner from "@effect/platform/WorkerRunner"
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as NodeWorkerRunner from "@effect/platform-node/NodeWorkerRunner"
import { SafeIntegers } from "@effect/sql/SqlClient"
import { Cause, Effect, Layer, Scope } from "effect"
import type { StorageError } from "../../Storage.js"
import type { Run, Statement } from "./dialect.js"
import type { SqlFailure } from "./failure.js"
import { driverError } from "./sqliteFailure.js"
import { compileInsert } from "./sqliteInsert.js"
import { openSqlite } from "./sqliteOpen.js"
import { decodeColumns, type Refusal, type Request } from "./sqliteProtocol.js"

// SQLite's own default: nobody waits for this thread's event loop.
const checkpointPages = 1000

const refusedOpen = ({ cause, kind, message }: StorageError): Refusal => ({
  of: "open",
  kind: kind === "Transient" ? kind : "Fatal",
  code: (cause as SqlFailure).code ?? "",
  message
})

const refused = (cause: Cause.Cause<unknown>): Refusal => {
  const { code, message, name } = driverError(Cause.squash(cause))
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
}

const runner = Effect.gen(function* () {
  const scope = yield* Effect.scope
  let opened: Opened | undefined

  const handle = (request: Request): Effect.Effect<unknown, Refusal> => {
    if (request[0] === "open") {
      const [, filename, table] = request
      return openSqlite(filename, checkpointPages).pipe(
        Scope.extend(scope),
        Effect.mapError(refusedOpen),
        Effect.flatMap(({ run }) =>
          Effect.sync(() => {
            opened = { run, insert: compileInsert(table) }
          })
        )
      )
    }
    // The other side waits for `open` before it asks for anything else.
    const { insert, run } = opened!
    if (request[0] === "insert") {
      const [, count, columns] = request
      return Effect.catchAllCause(run(insert(count, decodeColumns(count, columns))), (cause) =>
        Effect.fail(refused(cause))
      )
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
  // The thread's end is told to the other side; it has no console of its own.
  { disableErrorReporting: true }
)
