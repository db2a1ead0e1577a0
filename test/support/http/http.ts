/** A server on a free loopback port, and a client that opens a connection of its own for each request. */
import { createServer, type OutgoingHttpHeaders, request } from "node:http"
import { connect, type Socket } from "node:net"
import type { HttpApp, HttpServer, HttpServerRequest } from "@effect/platform"
import { NodeHttpServer } from "@effect/platform-node"
import { Effect, type Scope } from "effect"

/** Where a middleware can stand: around the app that is served, or around the server's own handling of it. */
export const places = ["around the app", "around the server"] as const

/** A server on a loopback port, any free one for 0; it stops with the scope. */
export const listen = (port = 0): Effect.Effect<HttpServer.HttpServer, never, Scope.Scope> =>
  Effect.orDie(NodeHttpServer.make(() => createServer(), { host: "127.0.0.1", port }))

export const portOf = ({ address }: HttpServer.HttpServer): number =>
  address._tag === "TcpAddress" ? address.port : 0

/** Serves an app under a middleware in one of the two places; gives the port. */
export const serve = <E, R, R2>(
  app: HttpApp.Default<E, R>,
  middleware: (app: HttpApp.Default<E, R>) => HttpApp.Default<unknown, R2>,
  place: (typeof places)[number] = "around the server"
): Effect.Effect<number, never, Exclude<R | R2, HttpServerRequest.HttpServerRequest> | Scope.Scope> =>
  Effect.gen(function* () {
    const server = yield* listen()
    yield* place === "around the server" ? server.serve(app, middleware) : server.serve(middleware(app))
    return portOf(server)
  })

export interface Answer {
  readonly status: number
  readonly headers: OutgoingHttpHeaders
  readonly body: string
}

/** One request, on a connection of its own that is closed after it. */
export const ask = (
  port: number,
  path: string,
  {
    body,
    ...options
  }: {
    readonly method?: string
    readonly headers?: OutgoingHttpHeaders
    readonly body?: string | Uint8Array
  } = {}
): Effect.Effect<Answer> =>
  Effect.async((resume) => {
    const outgoing = request({ host: "127.0.0.1", port, path, agent: false, ...options }, (response) => {
      let text = ""
      response.setEncoding("utf8")
      response.on("data", (part: string) => {
        text += part
      })
      response.on("error", (error) => resume(Effect.die(error)))
      response.on("end", () =>
        resume(Effect.succeed({ status: response.statusCode ?? 0, headers: response.headers, body: text }))
      )
    })
    outgoing.on("error", (error) => resume(Effect.die(error)))
    outgoing.end(body)
  })

/** A bare socket that has sent a GET request, to be destroyed in the middle of the answer. */
export const send = (port: number, path: string): Effect.Effect<Socket, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.async<Socket>((resume) => {
      const socket = connect(port, "127.0.0.1", () => {
        socket.write(`GET ${path} HTTP/1.1\r\nHost: localhost\r\n\r\n`)
        resume(Effect.succeed(socket))
      })
      socket.on("error", () => {})
    }),
    (socket) => Effect.sync(() => socket.destroy())
  )

/** Waits for the first bytes that a socket receives. */
export const firstBytes = (socket: Socket): Effect.Effect<string> =>
  Effect.async((resume) => {
    socket.once("data", (bytes) => resume(Effect.succeed(bytes.toString("utf8"))))
  })
