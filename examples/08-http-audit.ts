/**
 * Records every request of an HTTP server, by a middleware and a recorder that is a layer.
 *
 * Run: `npm run examples -- 08`. Prints the record of each request: actor, action, target, status, outcome.
 */
import assert from "node:assert/strict"
import { createServer } from "node:http"
import { FetchHttpClient, HttpClient, HttpRouter, HttpServer, HttpServerResponse } from "@effect/platform"
import { NodeHttpServer } from "@effect/platform-node"
import { Context, Effect, Layer } from "effect"
import { Recorder, Storage } from "effect-recorder"
import * as HttpAudit from "effect-recorder/platform/HttpAudit"

class Audit extends Context.Tag("Audit")<Audit, HttpAudit.AuditRecorder>() {}

const login = Effect.zipRight(HttpAudit.setActor("alice"), HttpServerResponse.text("welcome"))

const routes = HttpRouter.empty.pipe(
  HttpRouter.post("/login", login),
  HttpRouter.get("/orders/:id", HttpServerResponse.text("an order")),
  HttpRouter.get("/broken", Effect.die("a bug"))
)

const audit = HttpAudit.middleware(Audit, {
  actor: (request) => request.headers["x-user"],
  redact: (entry) => (entry.target.startsWith("/health") ? undefined : entry)
})

// In production: Recorder.layer(Audit, SqliteWorker.make({ ...HttpAudit.table, filename: "audit.db" }))
const AuditLive = Recorder.layerMemory(Audit, { columns: HttpAudit.columns, id: "id" })

const Live = HttpServer.serve(audit(routes)).pipe(
  Layer.provideMerge(AuditLive),
  Layer.provideMerge(NodeHttpServer.layer(createServer, { host: "127.0.0.1", port: 0 })),
  Layer.provideMerge(FetchHttpClient.layer)
)

const program = Effect.gen(function* () {
  const url = yield* HttpServer.addressFormattedWith(Effect.succeed)
  const client = yield* HttpClient.HttpClient
  yield* client.post(`${url}/login?password=secret`)
  yield* client.get(`${url}/orders/17`, { headers: { "x-user": "bob", "x-request-id": "r-1" } })
  yield* client.get(`${url}/broken`)
  yield* client.get(`${url}/health`)
  const rows = yield* Effect.flatMap(Audit, (audit) => audit.load({ orderBy: [Storage.Query.asc("id")] }))
  for (const { outcome, status, target, action, actor } of rows)
    console.log(actor, action, target, status, outcome)
  assert.deepEqual(
    rows.map(({ outcome, status, target, action, actor }) => [actor, action, target, status, outcome]),
    [
      ["alice", "POST /login", "/login", 200, "ok"],
      ["bob", "GET /orders/:id", "/orders/17", 200, "ok"],
      [null, "GET /broken", "/broken", 500, "serverError"]
    ]
  )
})

await Effect.runPromise(Effect.provide(program, Live))
