/** The server's own request behind one of the platform. */
import type { HttpServerRequest } from "@effect/platform"

/**
 * Returns the object that stands for a request. A middleware may put changed copies into the context (`modify`): they
 * share the server's own request.
 */
export const sourceOf = (request: HttpServerRequest.HttpServerRequest): object =>
  typeof request.source === "object" && request.source !== null ? request.source : request

/** Destroys the connection of a request where the server is Node.js: only so does it leave a client that never reads. */
export const destroyConnection = (request: HttpServerRequest.HttpServerRequest): void => {
  const { socket } = sourceOf(request) as { readonly socket?: { readonly destroy?: unknown } | null }
  if (typeof socket?.destroy === "function") socket.destroy()
}
