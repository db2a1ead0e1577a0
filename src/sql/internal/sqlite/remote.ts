/** The calling side of a SQLite file that lives in a thread of its own. */
import { env, execArgv } from "node:process"
import { fileURLToPath } from "node:url"
import { Worker as Thread } from "node:worker_threads"
import { type BackingWorker, PlatformWorker, type Worker } from "@effect/platform/Worker"
import { WorkerError } from "@effect/platform/WorkerError"
import { layerPlatform } from "@effect/platform-node/NodeWorker"
import { Cause, Deferred, Effect, ExecutionStrategy, Exit, FiberId, Option, Scope } from "effect"
import { isError } from "../../../internal/realms.js"
import { StorageError } from "../../../Storage.js"
import type { Table } from "../dialect.js"
import { SqlFailure } from "../errors.js"
import type { Feed } from "../log/tables.js"
import type { Refusal, Request } from "./protocol.js"
import { threadOptions } from "./threadOptions.js"

/** Sends one request to the thread, and starts the thread when there is none. */
export type Ask = (request: Request) => Effect.Effect<unknown, Failed>

/** The thread's end, a message that cannot be sent, or an error of the driver. */
type Failed = StorageError | WorkerError | Refusal
type Answer = Deferred.Deferred<unknown, Failed>
type ToThread = Worker.Request<Request>
type FromThread = Worker.Response<Refusal, unknown>

interface Running {
  readonly ask: Ask
  readonly isAlive: () => boolean
}

/** How long an interrupted call waits for the thread before it ends it. Statements take milliseconds. */
const interruptTimeout = "1 second"

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

const threadEnded = (
  cause: Cause.Cause<unknown>,
  kind: "Transient" | "Fatal",
  file: string
): StorageError => {
  const error = Cause.squash(cause)
  const reason = error instanceof WorkerError ? error.cause : error
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
    : threadEnded(Cause.fail(error), opened ? "Transient" : "Fatal", file)
}

/** Starts one thread in the scope. When it ends, by itself or with the scope, all its calls fail. */
const start = (
  kindOfEnd: () => "Transient" | "Fatal",
  file: string
): Effect.Effect<Running, WorkerError, Scope.Scope> =>
  Effect.gen(function* () {
    let thread: Thread | undefined
    let over: Exit.Exit<never, StorageError> | undefined
    let nextId = 0
    const answers = new Map<number, Answer>()

    const backing = yield* Effect.flatMap(PlatformWorker, (platform) =>
      platform.spawn<ToThread, FromThread>(0)
    ).pipe(
      Effect.provide(
        layerPlatform(() => {
          thread = spawnThread()
          return thread
        })
      )
    )

    const settle = (id: number, exit: Exit.Exit<unknown, Failed>) => {
      const answer = answers.get(id)
      answers.delete(id)
      if (answer !== undefined) Deferred.unsafeDone(answer, exit)
    }

    const receive = (message: BackingWorker.Message<FromThread>) =>
      Effect.sync(() => {
        if (message[0] === 0) return
        const [id, what] = message[1]
        if (what === 2) settle(id, Exit.fail(message[1][2]))
        else if (what === 3) settle(id, Exit.failCause(WorkerError.decodeCause(message[1][2])))
        else settle(id, Exit.succeed(message[1][2]?.[0]))
      })

    yield* backing.run(receive).pipe(
      Effect.onExit((exit) =>
        Effect.sync(() => {
          const cause = Exit.isFailure(exit) ? exit.cause : Cause.empty
          over = Exit.fail(threadEnded(cause, kindOfEnd(), file))
          for (const id of [...answers.keys()]) settle(id, over)
        })
      ),
      Effect.forkScoped
    )

    const terminate = Effect.promise(() => thread?.terminate() ?? Promise.resolve(0))

    const ask: Ask = (request) =>
      Effect.suspend(() => {
        if (over !== undefined) return over
        const id = nextId++
        const answer: Answer = Deferred.unsafeMake(FiberId.none)
        answers.set(id, answer)
        return Effect.uninterruptibleMask((restore) =>
          Effect.zipRight(
            Effect.tapError(backing.send([id, 0, request, undefined]), () =>
              Effect.sync(() => answers.delete(id))
            ),
            restore(Deferred.await(answer)).pipe(
              // The thread works through its messages in order, so a later call cannot overtake this one. To be sure
              // that nothing is committed after the interruption, it waits for the answer, or for the thread's end.
              Effect.onInterrupt(() =>
                Deferred.await(answer).pipe(
                  Effect.exit,
                  Effect.interruptible,
                  Effect.timeoutOption(interruptTimeout),
                  Effect.flatMap((exit) => (Option.isSome(exit) ? Effect.void : terminate))
                )
              )
            )
          )
        )
      })

    return { ask, isAlive: () => over === undefined }
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
