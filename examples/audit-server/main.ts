/**
 * Serves an HTTP server with an audit trail, and measures what the audit costs.
 *
 *   npm run demo                      measures, closes, reads the audit trail back, and ends
 *   npm run demo -- --requests 500    the same, with 500 requests per measurement (default 20,000)
 *   npm run demo -- --serve           serves until SIGTERM or SIGINT (--port, default 3000); the page /live shows the
 *                                     records as they are saved, and actions by actor and hour
 *   DATABASE_URL=postgres://... npm run demo
 *                                     stores in Postgres instead of a SQLite file
 */
import { parseArgs } from "node:util"
import { HttpRouter } from "@effect/platform"
import { NodeContext, NodeRuntime } from "@effect/platform-node"
import { Console, Data, Effect } from "effect"
import { Recorder, Watch } from "effect-recorder"
import * as WatchSse from "effect-recorder/platform/WatchSse"
import * as Activity from "./activity.js"
import * as Database from "./database.js"
import * as Live from "./live.js"
import { measure } from "./measure.js"
import * as Report from "./report.js"
import { Audit, auditing, routes, serve } from "./server.js"
import * as Trouble from "./trouble.js"

class WrongArguments extends Data.TaggedError("WrongArguments")<{ readonly message: string }> {}

const readArguments = Effect.try({
  try: () => {
    const { values } = parseArgs({
      options: {
        serve: { type: "boolean", default: false },
        port: { type: "string", default: "3000" },
        requests: { type: "string", default: "20000" }
      }
    })
    return { serve: values.serve, port: Number(values.port), requests: Number(values.requests) }
  },
  catch: (error) => new WrongArguments({ message: String(error) })
}).pipe(
  Effect.filterOrFail(
    ({ port, requests }) =>
      Number.isInteger(port) && port >= 0 && Number.isInteger(requests) && requests >= 100,
    () => new WrongArguments({ message: "--port takes a port, --requests a whole number of at least 100" })
  )
)

const serveUntilSignal = (port: number) =>
  Effect.gen(function* () {
    const database = yield* Database.choose
    yield* Effect.scoped(
      Effect.gen(function* () {
        const log = yield* Live.makeLog
        const count = yield* Activity.make
        const trouble = yield* Trouble.make
        const opened = Effect.map(database.open, (storage) =>
          Live.publishing(log, count, trouble.guard(storage))
        )
        const recorder = yield* Recorder.makeDeferred(opened, {
          name: "audit",
          deadLetters: Live.showing(log),
          retry: Trouble.retry
        })
        const live = yield* WatchSse.make(yield* Watch.make(log))
        const app = auditing(HttpRouter.concatAll(routes, yield* Live.routes, Trouble.routes(trouble)))
        // The server closes in a scope of its own, so that its last requests are recorded before the recorder closes.
        const serving = Effect.gen(function* () {
          yield* Live.sampling(log, recorder)
          const { url } = yield* serve(app, port)
          // Ends the live pages first: a server that closes waits for its responses to end.
          yield* Effect.addFinalizer(() => live.close)
          yield* Console.log(`serving ${url}/orders/1 and ${url}/audit; the audit trail goes to`)
          yield* Console.log(`  ${database.description}`)
          yield* Console.log(`watch it live: ${url}/live`)
          return yield* Effect.never
        })
        const closing = Effect.gen(function* () {
          const { stats } = yield* recorder.closeWithin("10 seconds")
          yield* Console.log(`closed; ${Report.account(stats)}`)
          yield* Console.log(`kept: ${database.description}`)
        })
        yield* Effect.scoped(serving).pipe(
          Effect.provideService(Audit, recorder),
          Effect.provideService(Live.Live, live),
          Effect.ensuring(closing)
        )
      })
    )
  })

const main = Effect.flatMap(readArguments, (options) =>
  options.serve ? serveUntilSignal(options.port) : measure(options.requests)
)

NodeRuntime.runMain(Effect.provide(main, NodeContext.layer))
