/** The entry of the thread that holds a SQLite file: opens it, runs one statement after the other. */
import { type MessagePort, parentPort } from "node:worker_threads"
import { WorkerError } from "@effect/platform/WorkerError"
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import { SafeIntegers } from "@effect/sql/SqlClient"
import { Cause, Effect, Either, Scope } from "effect"
import { StorageError } from "../../../Storage.js"
import type { Executor, Run, Statement, Table } from "../dialect.js"
import type { SqlFailure } from "../errors.js"
import type { Feed } from "../log/tables.js"
import { type LoggedEntries, type Stored, storeInTransaction } from "../storage/outbox.js"
import { sqliteDialect } from "./dialect.js"
import { driverError } from "./errors.js"
import { ensureTables, exclusiveExecutor, openFile, statementExecutor } from "./file.js"
import { compileInsert, returningNew } from "./insert.js"
import { sqliteLog } from "./log.js"
import { decodeBatch, type Message, type Refusal, type Reply, type Request } from "./protocol.js"

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

/** What the insert leads to; made once. */
const answerOfInsert = {
  onFailure: (cause: Cause.Cause<unknown>) => Effect.fail(refused(cause)),
  onSuccess: (result: unknown) => Effect.succeed<unknown>(sqliteDialect.affected(result))
}

/** Makes what answers requests; the file stays open until the scope closes. */
const handler = Effect.map(Effect.scope, (scope) => {
  let opened: Opened | undefined

  return (request: Request): Effect.Effect<unknown, Refusal> => {
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
      const [, count, batch] = request
      return Effect.matchCauseEffect(run(insert(count, decodeBatch(count, batch))), answerOfInsert)
    }
    if (request[0] === "store") {
      const [, count, batch, logged, at] = request
      return Effect.mapError(store(count, decodeBatch(count, batch), logged, new Date(at)), refusedStore)
    }
    const [, text, params, bigints] = request
    return run({ text, params }).pipe(
      Effect.provideService(SafeIntegers, bigints),
      Effect.catchAllCause((cause) => Effect.fail(refused(cause)))
    )
  }
})

/** Gives the messages one after the other, as they come. */
const receiving = (port: MessagePort): Effect.Effect<Message> => {
  const queued: Array<Message> = []
  let wake: ((message: Effect.Effect<Message>) => void) | undefined
  port.on("message", (message: Message) => {
    const resume = wake
    wake = undefined
    if (resume === undefined) queued.push(message)
    else resume(Effect.succeed(message))
  })
  return Effect.async<Message>((resume) => {
    const message = queued.shift()
    if (message === undefined) wake = resume
    else resume(Effect.succeed(message))
  })
}

const replying = (port: MessagePort) => (id: number) => {
  const died = (cause: Cause.Cause<never>): Reply => [id, "died", WorkerError.encodeCause(cause)]
  return {
    onSuccess: (result: unknown) => {
      try {
        port.postMessage([id, "done", result] satisfies Reply)
      } catch (defect) {
        port.postMessage(died(Cause.die(defect)))
      }
    },
    onFailure: (cause: Cause.Cause<Refusal>) =>
      port.postMessage(
        Either.match(Cause.failureOrCause(cause), {
          onLeft: (refusal): Reply => [id, "refused", refusal],
          onRight: died
        })
      )
  }
}

/** One fiber answers all: a request that has one of its own costs half as much again. */
const serve = (port: MessagePort): Effect.Effect<void, never, Scope.Scope> =>
  Effect.flatMap(handler, (handle) => {
    const reply = replying(port)
    let isOver = false
    const one = Effect.flatMap(receiving(port), (message) => {
      if (message !== null) {
        const [id, request] = message
        return Effect.matchCause(
          Effect.suspend(() => handle(request)),
          reply(id)
        )
      }
      isOver = true
      return Effect.void
    })
    return Effect.whileLoop({ while: () => !isOver, body: () => one, step: () => {} })
  })

/** Closes the port after the file: without it the thread exits. */
const served = (port: MessagePort): Effect.Effect<void> =>
  Effect.ensuring(
    Effect.scoped(serve(port)),
    Effect.sync(() => port.close())
  )

NodeRuntime.runMain(
  Effect.suspend(() => (parentPort === null ? Effect.dieMessage("not in a thread") : served(parentPort))),
  // The other side reports the thread's end; the thread has no console of its own.
  { disableErrorReporting: true }
)
