/** The record of one request, and how it is made of the request and the hooks. */
import type { HttpServerRequest } from "@effect/platform"
import type { Context } from "effect"
import type { Faults } from "../hookFaults.js"
import { sourceOf } from "../source.js"
import type { Arrival } from "./head.js"
import * as Redaction from "./redaction.js"
import { pathOf, wellFormedId } from "./request.js"
import * as Storable from "./storable.js"

/**
 * The outcome of a request, by its status: `ok` below 400, `clientError` from 400 to 498, `serverError` from 500.
 * `aborted` is 499: the client closed the connection before the handler was done.
 */
export type Outcome = "ok" | "clientError" | "serverError" | "aborted"

/**
 * The record of one request: plain data that always fits `HttpAudit.columns`, whatever a client sends and a hook
 * returns. In its texts U+FFFD replaces U+0000 and lone surrogates. A text has at most 16,384 UTF-16 units; a longer
 * one is cut, and ends with `…`.
 */
export interface Entry {
  /** A time-ordered UUID (version 7), made when the response head was known. It orders the records. */
  readonly id: string
  /** When the request arrived. */
  readonly at: Date
  /** Who made the request, by `setActor` or by the hook `actor`; null when neither gave one. */
  readonly actor: string | null
  /**
   * The text of the hook `action`; otherwise the method and the route, such as `GET /orders/:id`, or the method alone
   * where no router matched or tracing is off.
   */
  readonly action: string
  /** The path of the request without the query string, not decoded: as the client wrote it. */
  readonly target: string
  readonly outcome: Outcome
  /** The status of the response; 101 for a WebSocket that opened, 499 for a request that its client aborted. */
  readonly status: number
  /** The time from arrival to response head in milliseconds with fractions, by a clock that never goes back. */
  readonly duration_ms: number
  /**
   * The header `x-request-id` when it is well-formed (1 to 128 ASCII letters, digits or `_ . : / + = @ -`);
   * otherwise the record's own id.
   */
  readonly request_id: string
  /** The id of the request's trace; null where tracing is off. */
  readonly trace_id: string | null
}

/**
 * The hooks that fill a record. They are synchronous and run once per request, when its response head is known. The
 * request waits for them, so they should be quick.
 *
 * If a hook throws, the response is not affected, and the record is kept without that hook's part. The fault is
 * counted (metric `recorder_http_hook_faults_total`, by hook) and logged at every doubling of the count.
 *
 * A value that its column does not take is a fault too. A text is made storable (see {@link Entry}), a number becomes
 * its text, and anything else (an object, a promise, an Effect) counts as `undefined`.
 */
export interface Options {
  /**
   * Gives the actor of a request, by the request and the services of the server's context. It is not called when a
   * handler has set the actor by `HttpAudit.setActor`. If it throws, the actor is null.
   */
  readonly actor?:
    | ((
        request: HttpServerRequest.HttpServerRequest,
        context: Context.Context<never>
      ) => string | null | undefined)
    | undefined
  /** Gives the action of a request. If it returns `undefined` or throws, the action is the method and route. */
  readonly action?:
    | ((request: HttpServerRequest.HttpServerRequest, context: Context.Context<never>) => string | undefined)
    | undefined
  /**
   * Changes a record before it is queued: return it, a changed copy, or `undefined` to record nothing.
   *
   * If it throws or returns no entry, only what no client can influence is recorded: id, time, method, outcome,
   * status, duration. A field that is missing or not of its column's type is replaced in the same way, field by field.
   * Fields that are no columns are left out.
   */
  readonly redact?: ((entry: Entry) => Entry | undefined) | undefined
}

// The actor that a handler has set for its request, unchecked until the record is made. It is kept beside the request,
// because servers and other middlewares make and copy requests: the audit has no field of its own in them.
const actorOfRequest = new WeakMap<object, unknown>()

export const unsafeSetActor = (request: HttpServerRequest.HttpServerRequest, actor: string): void => {
  actorOfRequest.set(sourceOf(request), actor)
}

const outcomeOf = (status: number): Outcome =>
  status < 400 ? "ok" : status >= 500 ? "serverError" : status === 499 ? "aborted" : "clientError"

/** Returns the text that a hook gave, if any. If it had to be changed or left out, that is a fault. */
const textOf = (
  faults: Faults,
  hook: "actor" | "setActor" | "action",
  given: unknown
): string | undefined => {
  if (given === undefined || given === null) return undefined
  const text = Storable.asText(given)
  if (text !== given) {
    const changed = typeof given === "string" ? "text that cannot be stored as it is" : undefined
    faults.returned(hook, changed ?? `a ${typeof given} instead of a text`)
  }
  return text
}

/** Calls a hook. Returns its text; `undefined` when it throws, returns none, or is not set. */
const callHook = (
  faults: Faults,
  hook: "actor" | "action",
  hookCall: (() => unknown) | undefined
): string | undefined => {
  if (hookCall === undefined) return undefined
  let given: unknown
  try {
    given = hookCall()
  } catch (error) {
    faults.threw(hook, error)
    return undefined
  }
  return textOf(faults, hook, given)
}

const actorOf = (options: Options, faults: Faults, { fiber, request }: Arrival): string | null => {
  const given = actorOfRequest.get(sourceOf(request))
  if (given !== undefined && given !== null) return textOf(faults, "setActor", given) ?? null
  const { actor } = options
  return callHook(faults, "actor", actor && (() => actor(request, fiber.currentContext))) ?? null
}

const actionOf = (options: Options, faults: Faults, { fiber, request }: Arrival): string => {
  const { action } = options
  const text = callHook(faults, "action", action && (() => action(request, fiber.currentContext)))
  if (text !== undefined) return text
  const span = fiber.currentSpan
  const route = span !== undefined && span._tag === "Span" ? span.attributes.get("http.route") : undefined
  return Storable.text(typeof route === "string" ? `${request.method} ${route}` : request.method)
}

/** Makes the record of a request by the hooks; `undefined` when `redact` keeps it out. Every field fits its column. */
export const entryOf = (
  options: Options,
  faults: Faults,
  arrival: Arrival,
  id: string,
  status: number,
  duration: number
): Entry | undefined => {
  const { at, fiber, request } = arrival
  const entry: Entry = {
    id,
    at: new Date(at),
    actor: actorOf(options, faults, arrival),
    action: actionOf(options, faults, arrival),
    target: Storable.text(pathOf(request.originalUrl)),
    outcome: outcomeOf(status),
    status,
    duration_ms: duration,
    request_id: wellFormedId(request.headers["x-request-id"]) ?? id,
    trace_id: wellFormedId(fiber.currentSpan?.traceId) ?? null
  }
  return options.redact === undefined ? entry : redacted(options.redact, faults, entry, request.method)
}

const redacted = (
  redact: (entry: Entry) => unknown,
  faults: Faults,
  entry: Entry,
  method: string
): Entry | undefined => {
  const { at, id } = entry
  const bare: Entry = {
    ...entry,
    // The hook can change the date that it is given.
    at: new Date(at.getTime()),
    actor: null,
    action: Storable.text(method),
    target: "",
    request_id: id,
    trace_id: null
  }
  let given: unknown
  try {
    given = redact(entry)
  } catch (error) {
    faults.threw("redact", error)
    return bare
  }
  if (given === undefined) return undefined
  const read = Redaction.read(given, bare)
  if (read.error !== undefined) faults.threw("redact", read.error)
  else if (read.problem !== undefined) faults.returned("redact", read.problem)
  return read.entry
}
