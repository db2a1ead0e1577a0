/**
 * What an audit record keeps of a request, and what tells one request from another.
 */
import type { HttpServerRequest } from "@effect/platform"

// A middleware may put a changed request into the context (`modify`): they all share the server's own one.
export const keyOf = (request: HttpServerRequest.HttpServerRequest): object =>
  typeof request.source === "object" && request.source !== null ? request.source : request

/** Whether two requests are the same one, as seen by the server. */
export const isSame = (
  a: HttpServerRequest.HttpServerRequest,
  b: HttpServerRequest.HttpServerRequest
): boolean => a === b || keyOf(a) === keyOf(b)

/**
 * The path of a request target: without query string and fragment, and without scheme, user and host when the
 * client sent an absolute form.
 */
export const pathOf = (url: string): string => {
  const end = url.search(/[?#]/)
  const target = end === -1 ? url : url.slice(0, end)
  if (target.startsWith("/")) return target
  const authority = target.indexOf("://")
  if (authority === -1) return target
  const path = target.indexOf("/", authority + 3)
  return path === -1 ? "/" : target.slice(path)
}

const wellFormed = /^[\w.:/+=@-]{1,128}$/

/** An id that a peer sent, when it is one: 1 to 128 ASCII letters, digits or `_ . : / + = @ -`. */
export const wellFormedId = (id: unknown): string | undefined =>
  // A middleware may have put anything into the headers, and a regular expression takes an array for its text.
  typeof id === "string" && wellFormed.test(id) ? id : undefined
