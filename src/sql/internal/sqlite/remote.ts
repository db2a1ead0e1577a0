/** The calling side of a SQLite file that lives in a thread of its own. */
import { env, execArgv } from "node:process"
import { fileURLToPath } from "node:url"
import { Worker as Thread } from "node:worker_threads"
import { WorkerError } from "@effect/platform/WorkerError"
import { Deferred, Effect, ExecutionStrategy, Exit, Option, Scope } from "effect"
import { isError } from "../../../internal/realms.js"
import { StorageError } from "../../../Storage.js"
import type { Table } from "../dialect.js"
import { SqlFailure } from "../errors.js"
import type { Feed } from "../log/tables.js"
import type { Message, Refusal, Reply, Request } from "./protocol.js"
import { threadOptions } from "./threadOptions.js"

/** Sends one request to the thread, and starts the thread when there is none. */
export type Ask = (request: Request) => Effect.Effect<unknown, Failed>

/** The thread's end, a message that cannot be sent, or an error of the driver. */
type Failed = StorageError | WorkerError | Refusal
type Answer = (exit: Exit.Exit<unknown, Failed>) => void

interface Running {
  readonly ask: Ask
  readonly isAlive: () => boolean
}

/** How long an interrupted call waits for the thread before it ends it. Statements take milliseconds. */
const interruptTimeout = "1 second"

/** How long a thread may take to close its file. */
const stopTimeout = "5 seconds"

/** The file of the thread: beside this module, or beside the bundle that this module is in. */
export const threadFile = (): URL => new URL("./thread.js", import.meta.url)

// Some bundlers know this form, and bundle the thread with it.
const spawnThread = (): Thread =>
  new Thread(new URL("./thread.js", import.meta.url), {
    name: "effect-recorder-sqlite",
    ...threadOptions(execArgv, env)
  })

const storageError = (
  kind: StorageError["kind"],
  outcome: StorageError["outcome"],
  message: string
): StorageError =>
  new StorageError({
    kind,
    outcome,
    message,
    cause: new SqlFailure({ code: undefined, constraint: undefined, message })
  })

/** Whether what a thread has ended with is that there is no such file. */
const isMissing = (reason: unknown, file: string): boolean =>
  isError(reason) &&
  "code" in reason &&
  (reason.code === "ERR_MODULE_NOT_FOUND" || reason.code === "MODULE_NOT_FOUND") &&
  reason.message.includes(`'${file}'`)

const bundling = "Bundle the file that `SqliteWorker.threadFile()` names in your build"

/** Fails where the thread's file cannot be named: there is no `import.meta.url` in a bundle for `require`. */
const locate: Effect.Effect<string, StorageError> = Effect.try({
  try: () => fileURLToPath(threadFile()),
  catch: () =>
    storageError(
      "Fatal",
      "NotStored",
      `the thread of the SQLite file is in a file of its own, which a bundle in the form of CommonJS cannot find. ${bundling} to \`thread.js\`, and both as ES modules`
    )
})

const threadEnded = (reason: unknown, kind: "Transient" | "Fatal", file: string): StorageError => {
  if (isMissing(reason, file)) {
    const message = `the file of the thread of SQLite is missing: ${file}. ${bundling} to this place, beside your own bundle`
    return storageError(kind, "NotStored", message)
  }
  const why = isError(reason) ? reason.message : "it was stopped"
  return storageError(kind, "Unknown", `the thread of the SQLite file has ended: ${why}`)
}

const opening = (
  { code, kind, message }: Extract<Refusal, { readonly of: "open" }>,
  opened: boolean
): StorageError =>
  new StorageError({
    // A file that was open once may come back.
    kind: opened ? "Transient" : kind,
    outcome: "NotStored",
    message,
    cause: new SqlFailure({ code, constraint: undefined, message })
  })

const asStorageError = (error: Failed, opened: boolean, file: string): StorageError => {
  if (error instanceof StorageError) return error
  return "of" in error && error.of === "open"
    ? opening(error, opened)
    : threadEnded(error instanceof WorkerError ? error.cause : error, opened ? "Transient" : "Fatal", file)
}

/** What has become of a thread, and who waits for its answers. */
interface Life {
  readonly answers: Map<number, Answer>
  /** None while the thread lives. */
  over: Exit.Exit<never, StorageError> | undefined
}

const settle = ({ answers }: Life, id: number, exit: Exit.Exit<unknown, Failed>): void => {
  const answer = answers.get(id)
  answers.delete(id)
  answer?.(exit)
}

const exitOf = ([, what, given]: Reply): Exit.Exit<unknown, Failed> => {
  switch (what) {
    case "done":
      return Exit.succeed(given)
    case "refused":
      return Exit.fail(given)
    case "died":
      return Exit.failCause(WorkerError.decodeCause(given))
  }
}

/** Ends all calls of a thread. The first reason counts: a thread that failed exits, too. */
const end = (life: Life, error: StorageError): void => {
  if (life.over !== undefined) return
  life.over = Exit.fail(error)
  for (const id of [...life.answers.keys()]) settle(life, id, life.over)
}

/** Lets the thread close its file and exit; ends one that does not. */
const stop = (thread: Thread, exited: Deferred.Deferred<void>): Effect.Effect<void> =>
  Effect.flatMap(Deferred.isDone(exited), (isGone) => {
    if (!isGone) thread.postMessage(null)
    return Deferred.await(exited)
  }).pipe(
    Effect.interruptible,
    Effect.timeoutOption(stopTimeout),
    Effect.flatMap((exit) => (Option.isSome(exit) ? Effect.void : Effect.promise(() => thread.terminate())))
  )

/**
 * Sends a request, and waits for the answer. An interrupted call waits on, for a while: the thread works through its
 * messages in order, so a later call cannot overtake this one, and nothing is committed after the interruption.
 */
const send = (thread: Thread, life: Life, id: number, request: Request): Effect.Effect<unknown, Failed> =>
  Effect.async((resume) => {
    if (life.over !== undefined) return resume(life.over)
    try {
      thread.postMessage([id, request] satisfies Message)
    } catch (cause) {
      return resume(Effect.fail(new WorkerError({ reason: "send", cause })))
    }
    life.answers.set(id, resume)
    return Effect.suspend(() => (life.answers.has(id) ? awaitAnswer(thread, life, id) : Effect.void))
  })

/** Waits for the answer of a call that was interrupted, and ends a thread that gives none in time. */
const awaitAnswer = (thread: Thread, { answers }: Life, id: number): Effect.Effect<void> =>
  Effect.async<void>((resume) => {
    answers.set(id, () => resume(Effect.void))
  }).pipe(
    Effect.interruptible,
    Effect.timeoutOption(interruptTimeout),
    Effect.flatMap((answer) =>
      Option.isSome(answer) ? Effect.void : Effect.promise(() => thread.terminate())
    )
  )

/**
 * Starts one thread in the scope. When it ends, by itself or with the scope, all its calls fail. Its messages are
 * handled without a fiber: one for each would cost as much as the message.
 */
const start = (
  kindOfEnd: () => "Transient" | "Fatal",
  file: string
): Effect.Effect<Running, StorageError, Scope.Scope> =>
  Effect.gen(function* () {
    const life: Life = { answers: new Map(), over: undefined }
    const exited = yield* Deferred.make<void>()
    const ended = (reason: unknown) => threadEnded(reason, kindOfEnd(), file)
    const thread = yield* Effect.acquireRelease(Effect.try({ try: spawnThread, catch: ended }), (thread) =>
      stop(thread, exited)
    )
    thread.on("message", (reply: Reply) => settle(life, reply[0], exitOf(reply)))
    thread.on("messageerror", (error) => end(life, ended(error)))
    thread.on("error", (error) => end(life, ended(error)))
    thread.on("exit", (code) => {
      end(life, ended(new Error(`exited with code ${code}`)))
      Deferred.unsafeDone(exited, Exit.void)
    })
    let nextId = 0
    return {
      ask: (request) => send(thread, life, nextId++, request),
      isAlive: () => life.over === undefined
    }
  })

/**
 * A SQLite file in a thread of its own, opened before this returns and closed with the scope. When the thread ends
 * early, its calls fail as `Transient` with an unknown outcome, and the next call starts another thread.
 */
export const remoteSqlite = (
  filename: string,
  table: Table,
  feed: Feed | undefined
): Effect.Effect<Ask, StorageError, Scope.Scope> =>
  Effect.gen(function* () {
    const parent = yield* Effect.scope
    const file = yield* locate
    const mutex = yield* Effect.makeSemaphore(1)
    let current: { readonly running: Running; readonly scope: Scope.CloseableScope } | undefined
    let opened = false

    const open = Effect.uninterruptibleMask((restore) =>
      Effect.gen(function* () {
        if (current !== undefined) yield* Scope.close(current.scope, Exit.void)
        current = undefined
        const scope = yield* Scope.fork(parent, ExecutionStrategy.sequential)
        // A thread that cannot even open the file once will not do it the next time either.
        const running = yield* start(() => (opened ? "Transient" : "Fatal"), file).pipe(
          Effect.tap(({ ask }) => ask(["open", filename, table, feed, opened])),
          Scope.extend(scope),
          restore,
          Effect.mapError((error) => asStorageError(error, opened, file)),
          Effect.onError(() => Scope.close(scope, Exit.void))
        )
        opened = true
        current = { running, scope }
        return running
      })
    )

    const running = Effect.suspend(() =>
      current?.running.isAlive() === true
        ? Effect.succeed(current.running)
        : mutex.withPermits(1)(
            Effect.suspend(() =>
              current?.running.isAlive() === true ? Effect.succeed(current.running) : open
            )
          )
    )

    yield* running
    return (request) => Effect.flatMap(running, ({ ask }) => ask(request))
  })
