/** Upgrades to a WebSocket: one record each, when the connection opens or is refused, by what its client saw. */
import { once } from "node:events"
import { createServer } from "node:http"
import { connect } from "node:net"
import {
  type HttpApp,
  HttpMiddleware,
  HttpRouter,
  HttpServerRequest,
  HttpServerResponse,
  type Socket
} from "@effect/platform"
import { NodeHttpServer } from "@effect/platform-node"
import { describe, expect, it } from "@effect/vitest"
import { Deferred, Effect, Fiber, Scope } from "effect"
import { WebSocket } from "ws"
import * as HttpAudit from "../../src/platform/HttpAudit.js"
import { makeSink, text } from "../support/http/auditing.js"
import { ask, firstBytes, places, portOf, serve } from "../support/http/http.js"

const echo = (socket: Socket.Socket) =>
  Effect.scoped(Effect.flatMap(socket.writer, (write) => socket.runRaw((message) => write(message))))

const upgrading = <E>(handler: (socket: Socket.Socket) => Effect.Effect<unknown, E>) =>
  HttpServerRequest.upgrade.pipe(Effect.flatMap(handler), Effect.as(HttpServerResponse.empty()), Effect.orDie)

/** A client of another library; it is gone with the scope. */
const opened = (port: number, path: string) =>
  Effect.acquireRelease(
    Effect.promise(async () => {
      const client = new WebSocket(`ws://127.0.0.1:${port}${path}`)
      client.on("error", () => {})
      await once(client, "open")
      return client
    }),
    (client) => Effect.sync(() => client.terminate())
  )

/** A handshake in the words of the test; gives the connection, as it was sent. */
const handshake = (port: number, path: string, lines: ReadonlyArray<string> = [], method = "GET") =>
  Effect.acquireRelease(
    Effect.async<ReturnType<typeof connect>>((resume) => {
      const socket = connect(port, "127.0.0.1", () => {
        const head = [`${method} ${path} HTTP/1.1`, "Host: a", "Connection: Upgrade", ...lines, "", ""]
        socket.write(head.join("\r\n"), () => resume(Effect.succeed(socket)))
      })
      socket.on("error", () => {})
    }),
    (socket) => Effect.sync(() => socket.destroy())
  )

/**
 * A server that is stopped without its scope: of a handshake that is refused, the platform waits for ever, and so does
 * whoever closes it.
 */
const abandoned = <E>(
  app: HttpApp.Default<E>,
  middleware: HttpAudit.Middleware,
  place: (typeof places)[number]
) =>
  Effect.gen(function* () {
    const node = yield* Effect.acquireRelease(Effect.sync(createServer), (node) =>
      Effect.sync(() => {
        node.close()
        node.closeAllConnections()
      })
    )
    const scope = yield* Scope.make()
    const server = yield* Scope.extend(
      NodeHttpServer.make(() => node, { host: "127.0.0.1", port: 0 }),
      scope
    )
    const serving =
      place === "around the server" ? server.serve(app, middleware) : server.serve(middleware(app))
    yield* Scope.extend(serving, scope)
    return portOf(server)
  })

const valid = [
  "Upgrade: websocket",
  "Sec-WebSocket-Version: 13",
  "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="
]

describe.each(places)("HttpAudit %s: an upgrade", (place) => {
  it.scopedLive("is recorded as 101 when it opens, once, with the actor that its handler set", () =>
    Effect.gen(function* () {
      const { count, next, saver } = yield* makeSink
      const over = yield* Deferred.make<void>()
      const router = HttpRouter.empty.pipe(
        HttpRouter.get(
          "/live/:id",
          Effect.zipRight(HttpAudit.setActor("alice"), upgrading(echo)).pipe(
            Effect.ensuring(Deferred.succeed(over, undefined))
          )
        ),
        HttpRouter.get("/", text)
      )
      const audit = yield* HttpAudit.make(saver)
      const port = yield* serve(router, (app) => audit(HttpMiddleware.xForwardedHeaders(app)), place)
      const client = yield* opened(port, "/live/1?token=secret")
      // The connection is open: its handler has not ended.
      const entry = yield* next
      expect(yield* Deferred.isDone(over)).toBe(false)
      expect(entry).toMatchObject({
        actor: "alice",
        action: "GET /live/:id",
        target: "/live/1",
        status: 101,
        outcome: "ok"
      })
      expect(entry.duration_ms).toBeGreaterThan(0)
      const answer = Effect.promise(() => once(client, "message"))
      const waiting = yield* Effect.fork(answer)
      yield* Effect.yieldNow()
      client.send("hello")
      expect(String((yield* Fiber.join(waiting))[0])).toBe("hello")
      client.close()
      yield* Deferred.await(over)
      yield* ask(port, "/")
      expect((yield* next).target).toBe("/")
      expect(yield* count).toBe(0)
    })
  )

  it.scopedLive("is recorded as 101 where a router is mounted, whose requests are changed copies", () =>
    Effect.gen(function* () {
      const { next, saver } = yield* makeSink
      const inner = HttpRouter.empty.pipe(HttpRouter.get("/live", upgrading(echo)))
      const router = HttpRouter.empty.pipe(HttpRouter.mount("/v1", inner))
      const port = yield* serve(router, yield* HttpAudit.make(saver), place)
      yield* opened(port, "/v1/live")
      expect(yield* next).toMatchObject({ status: 101, target: "/v1/live" })
    })
  )

  it.scopedLive("is not recorded again when its handler fails afterwards", () =>
    Effect.gen(function* () {
      const { count, next, saver } = yield* makeSink
      const over = yield* Deferred.make<void>()
      const failing = upgrading((socket) => socket.runRaw(() => Effect.die("a bug")))
      const router = HttpRouter.empty.pipe(
        HttpRouter.get("/live", Effect.ensuring(failing, Deferred.succeed(over, undefined))),
        HttpRouter.get("/", text)
      )
      const port = yield* serve(router, yield* HttpAudit.make(saver), place)
      const client = yield* opened(port, "/live")
      client.send("x")
      expect(yield* next).toMatchObject({ status: 101 })
      yield* Deferred.await(over)
      yield* ask(port, "/")
      expect((yield* next).target).toBe("/")
      expect(yield* count).toBe(0)
    })
  )

  it.scopedLive("that is refused is recorded as its client saw it", () =>
    Effect.gen(function* () {
      const { count, next, saver } = yield* makeSink
      const router = HttpRouter.empty.pipe(
        HttpRouter.all("/live", upgrading(echo)),
        HttpRouter.get("/no", HttpServerResponse.empty({ status: 403 })),
        HttpRouter.get("/broken", Effect.die("a bug"))
      )
      const port = yield* abandoned(router, yield* HttpAudit.make(saver), place)
      const wrong = [
        ["GET", "/live", ["Upgrade: h2c"], 400],
        ["GET", "/live", ["Upgrade: websocket", "Sec-WebSocket-Version: 13"], 400],
        ["GET", "/live", [...valid, "Sec-WebSocket-Protocol: ,"], 400],
        ["POST", "/live", valid, 405],
        ["GET", "/no", valid, 403],
        ["GET", "/broken", valid, 500],
        ["GET", "/nowhere", valid, 404]
      ] as const
      for (const [method, path, lines, status] of wrong) {
        const socket = yield* handshake(port, path, lines, method)
        const bytes = yield* firstBytes(socket)
        const entry = yield* next
        expect([path, lines, bytes.slice(9, 12), entry.status]).toEqual([path, lines, String(status), status])
        socket.destroy()
      }
      expect(yield* count).toBe(0)
    })
  )

  it.scopedLive("whose client is gone before it opens is recorded as 499", () =>
    Effect.gen(function* () {
      const { count, next, saver } = yield* makeSink
      const begun = yield* Deferred.make<void>()
      const gone = yield* Deferred.make<void>()
      const late = Effect.flatMap(HttpServerRequest.HttpServerRequest, ({ source }) =>
        Effect.sync(() => {
          // It is a request of Node.js.
          const { socket } = source as unknown as { readonly socket: NodeJS.EventEmitter }
          socket.once("close", () => Deferred.unsafeDone(gone, Effect.void))
        })
      ).pipe(Effect.zipRight(Deferred.succeed(begun, undefined)), Effect.zipRight(Effect.never))
      const router = HttpRouter.empty.pipe(HttpRouter.get("/live", late))
      const port = yield* serve(router, yield* HttpAudit.make(saver), place)
      const socket = yield* handshake(port, "/live", valid)
      yield* Deferred.await(begun)
      socket.resetAndDestroy()
      yield* Deferred.await(gone)
      expect(yield* next).toMatchObject({ status: 499, outcome: "aborted" })
      expect(yield* count).toBe(0)
    })
  )

  it.scopedLive("that no request asked for: a header alone changes nothing", () =>
    Effect.gen(function* () {
      const { count, next, saver } = yield* makeSink
      const router = HttpRouter.empty.pipe(HttpRouter.get("/", text))
      const port = yield* serve(router, yield* HttpAudit.make(saver), place)
      for (let i = 0; i < 3; i++) {
        expect((yield* ask(port, "/", { headers: { upgrade: "websocket" } })).body).toBe("hello")
        expect(yield* next).toMatchObject({ status: 200 })
      }
      expect(yield* count).toBe(0)
    })
  )
})
