/**
 * How an upgrade to a WebSocket is seen: it opens while its handler is still at work, and one that is refused by the
 * server's WebSocket library is answered on the bare connection, where no app sees it.
 */
import type { HttpServerError, HttpServerRequest, Socket } from "@effect/platform"
import { Effect } from "effect"
import { keyOf } from "./request.js"

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

/** The same request, which runs `onOpen` as soon as the connection is a WebSocket. */
export const observed = (request: Request, onOpen: Effect.Effect<void>): Request => {
  const upgrade = Effect.suspend(() => request.upgrade)
  const seen: Effect.Effect<Socket.Socket, HttpServerError.RequestError> = Effect.map(upgrade, (socket) =>
    observedSocket(socket, onOpen)
  )
  const modify: Request["modify"] = (options) => observed(request.modify(options), onOpen)
  // Servers keep state in a request, and set marks on it: everything else is that of the request itself.
  return new Proxy(request, {
    get: (target, name) =>
      name === "upgrade" ? seen : name === "modify" ? modify : Reflect.get(target, name, target)
  })
}

/** The part of a connection of Node.js that is looked at. */
interface Connection {
  readonly on: (event: "close" | "error", listener: () => void) => unknown
  readonly writableEnded: boolean
}

/** The connection of an upgrade, which carries no other request; none where the server is not one of Node.js. */
const connectionOf = (request: Request): Connection | undefined => {
  const source = keyOf(request) as { readonly upgrade?: unknown; readonly socket?: Connection | null }
  // Node.js sets the mark on requests that it hands over with their connection.
  return source.upgrade === true && typeof source.socket?.on === "function" ? source.socket : undefined
}

/**
 * Calls `onEnd` when the connection closes, with the status that its client saw: 499 when it was gone before an
 * answer. An answer that no app gave is a refusal of the handshake.
 */
export const whenClosed = (request: Request, onEnd: (status: number) => void): void => {
  const connection = connectionOf(request)
  // The platform listens to no error of it: a client that resets it before it opens would end the process.
  connection?.on("error", () => undefined)
  connection?.on("close", () => {
    const refusal = request.method === "GET" ? 400 : 405
    onEnd(connection.writableEnded ? refusal : 499)
  })
}
