/**
 * The record of one request, and how it is made.
 */
import type { HttpServerRequest } from "@effect/platform"
import type { Context } from "effect"
import type { Faults } from "../hookFaults.js"
import type { Arrival } from "./head.js"
import * as Redaction from "./redaction.js"
import { keyOf, pathOf, wellFormedId } from "./request.js"
import * as Storable from "./storable.js"

/**
 * How a request ended, by its status: `ok` below 400, `clientError` from 400 to 499, `serverError` from 500.
 * `aborted` is 499: the client closed the connection while the handler was still at work.
 */
export type Outcome = "ok" | "clientError" | "serverError" | "aborted"

/**
 * The record of one request. Plain data that fits `HttpAudit.columns`, whatever a client sends and a hook returns: in
 * its texts U+FFFD stands for U+0000 and for lone surrogates, and a text of more than 16,384 UTF-16 units ends behind
 * these with `…`.
 */
export interface Entry {
  /** A time-ordered UUID (version 7), made when the response head was known: the order of the records. */
  readonly id: string
  /** When the request arrived. */
  readonly at: Date
  /** Who made it, by `setActor` or by the hook `actor`; null when neither gave one. */
  readonly actor: string | null
  /** The method and, where a router matched and tracing is on, its route: `GET /orders/:id`. Or the hook's word. */
  readonly action: string
  /** The path that was asked for, without the query string, as the client wrote it: it is not decoded. */
  readonly target: string
  readonly outcome: Outcome
  /** The status of the response; 101 for a WebSocket that opened, 499 for a request that its client aborted. */
  readonly status: number
  /** From arrival to response head in milliseconds, with fractions, by a clock that never goes back. */
  readonly duration_ms: number
  /**
   * The header `x-request-id` when it is well-formed (1 to 128 ASCII letters, digits or `_ . : / + = @ -`),
   * otherwise the record's own id.
   */
  readonly request_id: string
  /** The trace that the request belongs to; null where tracing is off. */
  readonly trace_id: string | null
}

/**
 * What of a record is yours to say. Hooks are synchronous and run once per request, when its response head is known;
 * a request waits for them, so they should be quick. One that throws never disturbs the response: the fault is
 * counted (metric `recorder_http_hook_faults_total`, by hook) and logged once per doubling, and the record is kept
 * with what is left.
 *
 * A hook that returns what its column does not take is a fault too, and the record keeps what can be stored: a text
 * is made storable (see {@link Entry}), a number becomes its text, and anything else (an object, a promise, an
 * Effect) counts as no answer.
 */
export interface Options {
  /**
   * Who made the request, by the request and the services of the server's context. What a handler said by
   * `HttpAudit.setActor` comes first. When it throws: null.
   */
  readonly actor?:
    | ((
        request: HttpServerRequest.HttpServerRequest,
        context: Context.Context<never>
      ) => string | null | undefined)
    | undefined
  /** What was asked for; `undefined` leaves the method and route, and so does a throw. */
  readonly action?:
    | ((request: HttpServerRequest.HttpServerRequest, context: Context.Context<never>) => string | undefined)
    | undefined
  /**
   * The last look at a record before it is queued: return it, a changed copy, or `undefined` to record nothing.
   * When it throws, or returns no entry, only what no client can influence is recorded: id, time, method, outcome,
   * status, duration. A field that is missing or not of its column's type is replaced in the same way, one by one;
   * fields that are no columns are left out.
   */
  readonly redact?: ((entry: Entry) => Entry | undefined) | undefined
}

// The actor that a handler set for its request, as it was given: it is made storable with the record. A handler sees
// only its request, which servers and other middlewares make and copy: there is no field of ours to keep it in.
const actorOfRequest = new WeakMap<object, unknown>()

export const unsafeSetActor = (request: HttpServerRequest.HttpServerRequest, actor: string): void => {
  actorOfRequest.set(keyOf(request), actor)
}

const outcomeOf = (status: number): Outcome =>
  status < 400 ? "ok" : status >= 500 ? "serverError" : status === 499 ? "aborted" : "clientError"

/** The word of a hook, or none; what was changed or left out is a fault. */
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

/** What a hook returns; none when it throws, or there is no such hook. */
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
  const given = actorOfRequest.get(keyOf(request))
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

/** The record of a request after its hooks, or none when `redact` wants none. Every field fits its column. */
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
    // The hook may change a date that it is given.
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
