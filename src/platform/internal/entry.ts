/**
 * The record of one request, and how it is made.
 */
import type { HttpServerRequest } from "@effect/platform"
import type { Context } from "effect"
import type { Faults } from "./faults.js"
import type { Arrival } from "./head.js"
import { foreignId, keyOf, pathOf } from "./request.js"

/**
 * How a request ended, by its status: `ok` below 400, `clientError` from 400 to 499, `serverError` from 500.
 * `aborted` is 499: the client closed the connection while the handler was still at work.
 */
export type Outcome = "ok" | "clientError" | "serverError" | "aborted"

/** The record of one request. Plain data that fits `HttpAudit.columns`. */
export interface Entry {
  /** A time-ordered UUID (version 7), made when the response head was known: the order of the records. */
  readonly id: string
  /** When the request arrived. */
  readonly at: Date
  /** Who made it, by `setWho` or by the hook `who`; null when neither said. */
  readonly who: string | null
  /** The method and, where a router matched and tracing is on, its route: `GET /orders/:id`. Or the hook's word. */
  readonly what: string
  /** The path that was asked for, without the query string. */
  readonly target: string
  readonly outcome: Outcome
  /** The status of the response; 499 for a request that its client aborted. */
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
 */
export interface Options {
  /**
   * Who made the request, by the request and the services of the server's context. What a handler said by
   * `HttpAudit.setWho` comes first. When it throws: null.
   */
  readonly who?: (
    request: HttpServerRequest.HttpServerRequest,
    context: Context.Context<never>
  ) => string | null | undefined
  /** What was asked for; `undefined` leaves the method and route, and so does a throw. */
  readonly what?: (
    request: HttpServerRequest.HttpServerRequest,
    context: Context.Context<never>
  ) => string | undefined
  /**
   * The last look at a record before it is queued: return it, a changed copy, or `undefined` to record nothing.
   * When it throws, only what no client can influence is recorded: id, time, method, outcome, status, duration.
   */
  readonly redact?: (entry: Entry) => Entry | undefined
}

const said = new WeakMap<object, string>()

export const unsafeSetWho = (request: HttpServerRequest.HttpServerRequest, who: string): void => {
  said.set(keyOf(request), who)
}

const outcomeOf = (status: number): Outcome =>
  status < 400 ? "ok" : status >= 500 ? "serverError" : status === 499 ? "aborted" : "clientError"

/** The record of a request after its hooks, or none when `redact` wants none. */
export const entryOf = (
  options: Options,
  faults: Faults,
  { at, fiber, request }: Arrival,
  id: string,
  status: number,
  duration: number
): Entry | undefined => {
  const method = request.method
  const span = fiber.currentSpan

  let who: string | null = said.get(keyOf(request)) ?? null
  if (who === null && options.who !== undefined) {
    try {
      who = options.who(request, fiber.currentContext) ?? null
    } catch (error) {
      faults.count("who", error)
    }
  }

  let what: string | undefined
  if (options.what !== undefined) {
    try {
      what = options.what(request, fiber.currentContext)
    } catch (error) {
      faults.count("what", error)
    }
  }
  if (what === undefined) {
    const route = span !== undefined && span._tag === "Span" ? span.attributes.get("http.route") : undefined
    what = typeof route === "string" ? `${method} ${route}` : method
  }

  const entry: Entry = {
    id,
    at: new Date(at),
    who,
    what,
    target: pathOf(request.originalUrl),
    outcome: outcomeOf(status),
    status,
    duration_ms: duration,
    request_id: foreignId(request.headers["x-request-id"]) ?? id,
    trace_id: foreignId(span?.traceId) ?? null
  }
  if (options.redact === undefined) return entry
  try {
    return options.redact(entry)
  } catch (error) {
    faults.count("redact", error)
    return { ...entry, who: null, what: method, target: "", request_id: id, trace_id: null }
  }
}
