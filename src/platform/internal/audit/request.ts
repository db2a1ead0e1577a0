/** Whether requests are the same, and the parts of it that an audit record keeps. */
import type { HttpServerRequest } from "@effect/platform"
import { sourceOf } from "../source.js"

/** Whether two requests are the same one for the server. */
export const isSame = (
  a: HttpServerRequest.HttpServerRequest,
  b: HttpServerRequest.HttpServerRequest
): boolean => a === b || sourceOf(a) === sourceOf(b)

/**
 * Returns the path of a request target, without query string and fragment. Of a target in absolute form it leaves
 * out scheme, user and host too.
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

/** Returns an id that a peer sent if it is well-formed: 1 to 128 ASCII letters, digits or `_ . : / + = @ -`. */
export const wellFormedId = (id: unknown): string | undefined =>
  // A middleware may have put anything into the headers, and a regular expression takes an array for its text.
  typeof id === "string" && wellFormed.test(id) ? id : undefined
