/**
 * An HTTP server in a process of its own: `GET /orders/:id` answers at once, `POST /orders` when its record is
 * durable. A server that audits records the GETs by the middleware.
 */
import { createServer } from "node:http"
import { HttpRouter, HttpServer, HttpServerRequest, HttpServerResponse } from "@effect/platform"
import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import { Context, Effect, Layer, type Scope } from "effect"
import * as Pg from "pg"
import * as Id from "../../../src/Id.js"
import * as HttpAudit from "../../../src/platform/HttpAudit.js"
import * as Recorder from "../../../src/Recorder.js"
import * as PgStorage from "../../../src/sql/PgStorage.js"
import * as SqliteStorage from "../../../src/sql/SqliteStorage.js"
import * as SqliteWorker from "../../../src/sql/SqliteWorker.js"
import { loadWriters } from "../support/peers.js"
import type { Audit, FromServer, ToServer } from "./protocol.js"

class Log extends Context.Tag("bench/Log")<Log, Recorder.Recorder<HttpAudit.Entry>>() {}

const { columns } = HttpAudit
const table = { columns, id: "id", table: "requests" } as const

type Recorded = Extract<Audit, { readonly records: unknown }>

const storageOf = (audit: Recorded) => {
  switch (audit.kind) {
    case "sqlite":
      return SqliteStorage.make({ ...table, filename: audit.filename })
    case "worker":
      return SqliteWorker.make({ ...table, filename: audit.filename })
    case "postgres":
      return PgStorage.make({ ...table, table: audit.table, url: audit.url })
  }
}

const say = (message: FromServer) => process.send?.(message)

const getOrder = HttpRouter.get(
  "/orders/:id",
  Effect.map(HttpRouter.params, ({ id }) =>
    HttpServerResponse.unsafeJson({
      id,
      customer: "Ada Lovelace",
      lines: [
        { article: "A-17", quantity: 2 },
        { article: "A-4", quantity: 1 }
      ],
      total: { amount: 5_997, currency: "EUR" }
    })
  )
)

const nextId = Effect.runSync(Id.makeUuid7)

const placeOrder = HttpRouter.post(
  "/orders",
  Effect.gen(function* () {
    const recorder = yield* Log
    const id = nextId()
    yield* recorder.saveDurable({
      id,
      at: new Date(),
      actor: null,
      action: "POST /orders",
      target: "/orders",
      outcome: "ok",
      status: 204,
      duration_ms: 0,
      request_id: id,
      trace_id: null
    })
    return HttpServerResponse.empty()
  })
)

const listening = HttpServer.addressFormattedWith((address) =>
  Effect.sync(() => say({ _tag: "Listening", port: Number(new URL(address).port) }))
)

const told = (stats: () => Recorder.Stats | undefined) =>
  Effect.async<void>((resume) => {
    process.on("message", (message: ToServer) => {
      if (message === "stats") say({ _tag: "Stats", stats: stats() })
      else if (message === "cpu") {
        const { system, user } = process.cpuUsage()
        say({ _tag: "Cpu", micros: system + user })
      } else resume(Effect.void)
    })
  })

const overHttp = NodeHttpServer.layer(() => createServer(), { port: 0, host: "127.0.0.1" })

const plain = Layer.launch(HttpServer.serve(getOrder(HttpRouter.empty))).pipe(
  Effect.raceFirst(
    Effect.zipRight(
      listening,
      told(() => undefined)
    )
  ),
  Effect.provide(overHttp)
)

/** What an audit records of a request. */
interface Line {
  readonly action: string
  readonly actor: null
  readonly outcome: string
  readonly request_id: string
  readonly status: number
  readonly duration_ms: number
}

/** Does something with a line for each request, before the answer. */
const logged = (write: (line: Line) => Effect.Effect<unknown>): Effect.Effect<void, unknown, Scope.Scope> => {
  const server = HttpServer.serve(getOrder(HttpRouter.empty), (app) =>
    Effect.gen(function* () {
      const began = performance.now()
      const { method, url } = yield* HttpServerRequest.HttpServerRequest
      const response = yield* app
      yield* write({
        action: `${method} ${url}`,
        actor: null,
        outcome: "ok",
        request_id: nextId(),
        status: response.status,
        duration_ms: performance.now() - began
      })
      return response
    })
  )
  return Effect.raceFirst(
    Layer.launch(server),
    Effect.zipRight(
      listening,
      told(() => undefined)
    )
  ).pipe(Effect.provide(overHttp))
}

const byPino = (filename: string) =>
  Effect.gen(function* () {
    const writers = yield* Effect.promise(() => loadWriters(() => {}))
    if (writers === undefined) return yield* Effect.dieMessage("pino is not installed")
    const pino = writers.makePino(filename)
    yield* logged((line) => Effect.sync(() => pino.write(line)))
    yield* Effect.promise(pino.close)
  })

const byInsert = (url: string, table: string) =>
  Effect.gen(function* () {
    const pool = new Pg.Pool({ connectionString: url, max: 10 })
    const text = `INSERT INTO ${table} VALUES ($1, now(), $2, $3, $4, $5, $6)`
    yield* Effect.promise(() =>
      pool.query(
        `CREATE TABLE ${table} (id uuid PRIMARY KEY, at timestamptz, action text, actor text, outcome text, status int8, duration_ms float8)`
      )
    )
    yield* logged(({ action, actor, duration_ms, outcome, request_id, status }) =>
      Effect.promise(() => pool.query(text, [request_id, action, actor, outcome, status, duration_ms]))
    )
    yield* Effect.promise(() => pool.end())
  })

const audited = (audit: Recorded) =>
  Effect.gen(function* () {
    const recorder = yield* Log
    yield* recorder.ready
    const server =
      audit.records === "requests"
        ? HttpServer.serve(getOrder(HttpRouter.empty), HttpAudit.middleware(Log))
        : HttpServer.serve(placeOrder(HttpRouter.empty))
    yield* Effect.raceFirst(Layer.launch(server), Effect.zipRight(listening, told(recorder.unsafeStats)))
  }).pipe(Effect.provide([overHttp, Recorder.layer(Log, storageOf(audit))]))

const audit = JSON.parse(process.argv[2] ?? '{"kind":"none"}') as Audit
const serving = (): Effect.Effect<void, unknown, Scope.Scope> => {
  switch (audit.kind) {
    case "none":
      return plain
    case "pino":
      return byPino(audit.filename)
    case "insert":
      return byInsert(audit.url, audit.table)
    default:
      return audited(audit)
  }
}
await Effect.runPromise(Effect.scoped(serving()))
process.exit(0)
