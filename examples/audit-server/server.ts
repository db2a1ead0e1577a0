/** The server: its routes, and the same routes with an audit. */
import { createServer, type Server } from "node:http"
import {
  type HttpApp,
  HttpRouter,
  HttpServer,
  type HttpServerError,
  type HttpServerRequest,
  HttpServerResponse
} from "@effect/platform"
import { NodeHttpServer } from "@effect/platform-node"
import { Context, Effect, type Scope } from "effect"
import { Storage } from "effect-recorder"
import * as HttpAudit from "effect-recorder/platform/HttpAudit"

/** The recorder of the audit trail, as a service of the server. */
export class Audit extends Context.Tag("Audit")<Audit, HttpAudit.AuditRecorder>() {}

const order = Effect.map(HttpRouter.params, ({ id }) =>
  HttpServerResponse.unsafeJson({ id, state: "shipped", items: [{ sku: "A-1", count: 2 }], total: 49.9 })
)

/** Responds with the latest records: every request that was recorded before this one is among them. */
const latest = Effect.gen(function* () {
  const audit = yield* Audit
  return HttpServerResponse.unsafeJson(yield* audit.load({ orderBy: [Storage.Query.desc("id")], limit: 20 }))
})

const health = Effect.gen(function* () {
  const audit = yield* Audit
  const { _tag } = yield* audit.status
  return HttpServerResponse.unsafeJson({ audit: _tag, ...audit.unsafeStats() })
})

export const routes = HttpRouter.empty.pipe(
  HttpRouter.get("/orders/:id", order),
  HttpRouter.get("/audit", latest),
  HttpRouter.get("/health", health)
)

// The health checks of a load balancer, and what the page asks for itself.
const unrecorded = ["/health", "/live", "/demo/"]

const isRecorded = (target: string): boolean =>
  target !== "/" && !unrecorded.some((path) => target.startsWith(path))

/** Records each request of an app, but for those that concern the trail itself. */
export const auditing = HttpAudit.middleware(Audit, {
  actor: (request) => request.headers["x-user"],
  redact: (entry) => (isRecorded(entry.target) ? entry : undefined)
})

export const audited = auditing(routes)

// New connections are refused, and requests under way are finished. After a second, open connections are cut off.
const drain = (server: Server): Effect.Effect<void> =>
  Effect.async<void>((resume) => {
    server.close(() => resume(Effect.void))
  }).pipe(
    Effect.timeout("1 second"),
    Effect.catchAll(() => Effect.sync(() => server.closeAllConnections()))
  )

/** A server that is listening. */
export interface Serving {
  readonly url: string
  /** The number of requests so far. */
  readonly requests: () => number
}

/** Serves an app on a loopback port (0: any free port) until the scope closes. */
export const serve = <E, R>(
  app: HttpApp.Default<E, R>,
  port: number
): Effect.Effect<
  Serving,
  HttpServerError.ServeError,
  Exclude<R, HttpServerRequest.HttpServerRequest> | Scope.Scope
> =>
  Effect.gen(function* () {
    let requests = 0
    const node = createServer()
    node.on("request", () => requests++)
    const server = yield* NodeHttpServer.make(() => node, { host: "127.0.0.1", port })
    yield* server.serve(app)
    yield* Effect.addFinalizer(() => drain(node))
    return { url: HttpServer.formatAddress(server.address), requests: () => requests }
  })
