/**
 * Observes upgrades to a WebSocket. The connection opens while the handler of its request still runs. A handshake
 * that the server's WebSocket library refuses is answered on the connection itself, and no app sees that answer.
 */
import type { HttpServerError, HttpServerRequest, Socket } from "@effect/platform"
import { Effect } from "effect"
import { sourceOf } from "../source.js"

type Request = HttpServerRequest.HttpServerRequest

/** Whether a request asks for another protocol. */
export const isRequested = (request: Request): boolean => request.headers.upgrade !== undefined

const observedSocket = (socket: Socket.Socket, onOpen: Effect.Effect<void>): Socket.Socket => {
  const withOpen = (options: { readonly onOpen?: Effect.Effect<void> | undefined } | undefined) => ({
    ...options,
    onOpen: options?.onOpen === undefined ? onOpen : Effect.zipRight(onOpen, options.onOpen)
  })
  return {
    ...socket,
    run: (handler, options) => socket.run(handler, withOpen(options)),
    runRaw: (handler, options) => socket.runRaw(handler, withOpen(options))
  }
}

/** Returns the same request, which runs `onOpen` as soon as its connection is a WebSocket. */
export const observed = (request: Request, onOpen: Effect.Effect<void>): Request => {
  const upgrade = Effect.suspend(() => request.upgrade)
  const seen: Effect.Effect<Socket.Socket, HttpServerError.RequestError> = Effect.map(upgrade, (socket) =>
    observedSocket(socket, onOpen)
  )
  const modify: Request["modify"] = (options) => observed(request.modify(options), onOpen)
  // A proxy, not a copy: servers keep state in a request and set marks on it.
  return new Proxy(request, {
    get: (target, name) =>
      name === "upgrade" ? seen : name === "modify" ? modify : Reflect.get(target, name, target)
  })
}

/** The used part of a connection of Node.js. */
interface Connection {
  readonly on: (event: "close" | "error", listener: () => void) => unknown
  readonly writableEnded: boolean
}

/** Returns the connection of an upgrade, which carries no other request; `undefined` if the server is not Node.js. */
const connectionOf = (request: Request): Connection | undefined => {
  const source = sourceOf(request) as { readonly upgrade?: unknown; readonly socket?: Connection | null }
  // Node.js sets `upgrade` on requests that it hands over with their connection.
  return source.upgrade === true && typeof source.socket?.on === "function" ? source.socket : undefined
}

/**
 * Calls `onEnd` when the connection closes, with the status that its client saw: 499 when the client left before an
 * answer. If the connection was answered by no app, the handshake was refused.
 */
export const whenClosed = (request: Request, onEnd: (status: number) => void): void => {
  const connection = connectionOf(request)
  // The platform does not listen to its errors: a client that resets it before it opens would end the process.
  connection?.on("error", () => undefined)
  connection?.on("close", () => {
    const refusal = request.method === "GET" ? 400 : 405
    onEnd(connection.writableEnded ? refusal : 499)
  })
}
