/**
 * The process that ends, in exits.test.ts: a recorder on a SQLite file under load, in one of the hosts. It ends by
 * itself at SIGUSR2, or is ended. What it says it writes at once, so that no way to end loses a line.
 */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import { Context, Deferred, Effect, Logger, ManagedRuntime, Schedule, Stream } from "effect"
import * as Recorder from "../../src/Recorder.js"
import { Column, type RowOf } from "../../src/Storage.js"
import * as SqliteStorage from "../../src/sql/SqliteStorage.js"
import * as SqliteWorker from "../../src/sql/SqliteWorker.js"
import { report } from "../support/processes/report.js"
import type { Host, Way } from "../support/recorder/exitMatrix.js"

export interface ExitSetting {
  readonly host: Host
  readonly way: Way
  readonly storage: "thread" | "worker"
  readonly filename: string
  /** Milliseconds. */
  readonly closeDeadline: number
}

const setting = JSON.parse(process.argv[2] ?? "{}") as ExitSetting

const columns = { id: Column.integer }
type Row = RowOf<typeof columns>
type Trail = Recorder.Recorder<Row>

class Audit extends Context.Tag("Audit")<Audit, Trail>() {}

const table = { filename: setting.filename, table: "trail", columns, id: "id" } as const
const opened = setting.storage === "thread" ? SqliteStorage.make(table) : SqliteWorker.make(table)

const reportClose = ({ stats, unsaved }: Recorder.CloseReport<Row>): void =>
  report(`closed ${JSON.stringify({ ...stats, unsaved: unsaved.map(({ record }) => record.id) })}`)

const AuditLive = Recorder.layer(Audit, opened, {
  retry: Schedule.spaced("20 millis"),
  closeDeadline: setting.closeDeadline,
  onClosed: (closed) => Effect.sync(() => reportClose(closed))
})

let saved = 0

const burst = (recorder: Trail, count: number): void => {
  for (let i = 0; i < count; i++) recorder.unsafeSave({ id: ++saved })
  report(`saved ${saved}`)
}

/**
 * Plain callbacks of Node, like a server's that runs no fiber: five saves every two milliseconds, which linger, and every
 * twenty a durable one.
 */
const startLoad = (recorder: Trail) => {
  let calls = 0
  const loop = setInterval(() => {
    burst(recorder, 5)
    if (++calls % 10 > 0) return
    const id = ++saved
    Effect.runFork(Effect.map(recorder.saveDurable({ id }), () => report(`durable ${id}`)))
    report(`saved ${saved}`)
  }, 2)
  return () => clearInterval(loop)
}

const reportStatuses = (recorder: Trail) =>
  recorder.statusChanges.pipe(Stream.runForEach(({ _tag }) => Effect.sync(() => report(`status ${_tag}`))))

/** What the process does to end itself. `end` is the end of the main program. */
const endings = (
  recorder: Trail,
  stopLoad: () => void,
  end: (how: "well" | "badly") => void
): { readonly [W in Way]?: () => void } => ({
  return: () => end("well"),
  error: () => end("badly"),
  exit: () => {
    stopLoad()
    const last = Effect.sync(() => {
      report(`flushed ${saved}`)
      burst(recorder, 2500)
      process.exit(0)
    })
    Effect.runFork(Effect.zipRight(recorder.flush, last))
  },
  exception: () => {
    throw new Error("nobody catches this")
  },
  rejection: () => {
    void Promise.reject(new Error("nobody handles this"))
  }
})

/** The main program of the hosts that are Effects. */
const program = Effect.gen(function* () {
  const recorder = yield* Audit
  const ended = yield* Deferred.make<void, Error>()
  // Until the recorder has ended, which outlives this scope.
  yield* Effect.forkDaemon(reportStatuses(recorder))
  const stopLoad = yield* Effect.acquireRelease(
    Effect.sync(() => startLoad(recorder)),
    (stop) => Effect.sync(stop)
  )
  const end = (how: "well" | "badly") =>
    Deferred.unsafeDone(ended, how === "well" ? Effect.void : Effect.fail(new Error("the program failed")))
  process.on("SIGUSR2", () => endings(recorder, stopLoad, end)[setting.way]?.())
  yield* Deferred.await(ended)
}).pipe(Effect.scoped, Effect.provide(AuditLive), Effect.provide(Logger.remove(Logger.defaultLogger)))

/** The same without Effect code around it: a facade of plain functions, and handlers for signals. */
const facade = async (): Promise<void> => {
  const runtime = ManagedRuntime.make(AuditLive)
  const recorder = await runtime.runPromise(Audit)
  const close = async () => {
    reportClose(await runtime.runPromise(recorder.closeWithin(setting.closeDeadline)))
    await runtime.dispose()
  }
  Effect.runFork(reportStatuses(recorder))
  const stopLoad = startLoad(recorder)
  try {
    await new Promise<void>((resolve, reject) => {
      const end = (how: "well" | "badly") => (how === "well" ? resolve() : reject(new Error("it failed")))
      process.on("SIGUSR2", () => endings(recorder, stopLoad, end)[setting.way]?.())
      for (const signal of ["SIGTERM", "SIGINT", "SIGHUP"] as const) process.once(signal, () => resolve())
    })
  } finally {
    stopLoad()
    await close()
  }
}

const failed = () => {
  process.exitCode = 1
}

if (setting.host === "runMain") NodeRuntime.runMain(program, { disableErrorReporting: true })
else if (setting.host === "runPromise") Effect.runPromise(program).catch(failed)
else facade().catch(failed)
