/**
 * An audit trail of an HTTP server: a middleware for `@effect/platform` that records every request through a
 * recorder. No request waits for the recorder.
 *
 * Wrap the whole app, so that the middleware sees the responses that clients see:
 *
 * ```ts
 * router.pipe(HttpAudit.middleware(Audit), HttpServer.serve())
 * ```
 *
 * A server that takes middlewares of its own (`HttpServer.serve(router, middleware)`, `HttpApiBuilder.serve`,
 * `HttpLayerRouter.serve`) can take it there, at a little more cost per request.
 *
 * A request is recorded when its response head is known. Bodies are not awaited: a stream is recorded when it begins.
 * If a client leaves in the middle of a body, its record stays as it is. A failure is recorded by the response that
 * the server makes of it. Of the headers only the request id is kept.
 *
 * An upgrade to a WebSocket is recorded with status 101 when the connection opens. Its handler cannot change that
 * record. A handshake that the server refuses is recorded as 400, or as 405 when its method was not GET.
 *
 * The middleware does not see what Node.js answers before it calls an app: malformed requests (400), heads that are
 * too large (431) or too slow (408), unknown expectations (417), `CONNECT`, and failed TLS handshakes.
 */
import { type HttpApp, HttpServerRequest } from "@effect/platform"
import { type Context, Effect } from "effect"
import * as Id from "../Id.js"
import { check, handle } from "../internal/arguments.js"
import { func, type InvalidOptions, optional, type Resolved, resolve } from "../internal/options.js"
import type { Made } from "../internal/remedy.js"
import type { Recorder, Saver } from "../Recorder.js"
import { Column, type Columns, type NewRowOf, type Query, type RowOf } from "../Storage.js"
import { type Entry, entryOf, type Options, unsafeSetActor } from "./internal/audit/entry.js"
import { type OnHead, observe } from "./internal/audit/head.js"
import * as Storable from "./internal/audit/storable.js"
import * as Faults from "./internal/hookFaults.js"

export { InvalidOptions } from "../internal/options.js"
export type { Entry, Options, Outcome } from "./internal/audit/entry.js"

/** The columns of {@link Entry}. */
export const columns = {
  id: Column.uuid,
  at: Column.timestamp,
  actor: Column.nullable(Column.text),
  action: Column.text,
  target: Column.text,
  outcome: Column.text,
  status: Column.integer,
  duration_ms: Column.real,
  request_id: Column.text,
  trace_id: Column.nullable(Column.text)
} satisfies Columns

/**
 * The table of an audit trail, for any storage of tables. You can override its name and add indexes.
 *
 * Postgres indexes no text of more than about 2,700 bytes, and a client can send a longer path. Index `target`, and
 * an `actor` that clients choose, by its hash or its beginning; otherwise such records are set aside.
 */
export const table = { table: "http_audit", columns, id: "id" } as const

/** A row of {@link columns} that a query returns. */
export type Row = RowOf<typeof columns>

/** A row of {@link columns} that a recorder takes: it may leave out nullable columns. */
export type NewRow = NewRowOf<typeof columns>

/**
 * A recorder of audit rows, over any storage:
 *
 * ```ts
 * class Audit extends Context.Tag("Audit")<Audit, HttpAudit.AuditRecorder>() {}
 *
 * const AuditLive = Recorder.layer(Audit, SqliteWorker.make({ ...HttpAudit.table, filename: "audit.db" }))
 * ```
 */
export type AuditRecorder = Recorder<NewRow, Query<typeof columns>, ReadonlyArray<Row>>

/** Options for a recorder of your own type of record. */
export interface OptionsTo<A> extends Options {
  /**
   * Makes your record of the entry that `redact` returned. If it throws or returns a promise, nothing is recorded:
   * the fault is counted and logged, and the record counts as refused. Its record is checked by the storage alone,
   * which sets aside one that it cannot store.
   */
  readonly toRecord: (entry: Entry, request: HttpServerRequest.HttpServerRequest) => A
}

/** A middleware that leaves the responses and the failures of an app as they are, and adds the requirement `R`. */
export type Middleware<R = never> = <E, R1>(app: HttpApp.Default<E, R1>) => HttpApp.Default<E, R | R1>

/**
 * Sets the actor of the current request, from a handler or an authentication middleware. The hook `actor` is not
 * called then. The last call counts.
 *
 * It never fails. A value that cannot be stored is made storable or recorded as null, and counts as a fault of
 * `setActor`, as for the hooks of {@link Options}.
 */
export const setActor = (actor: string): Effect.Effect<void, never, HttpServerRequest.HttpServerRequest> =>
  Effect.map(HttpServerRequest.HttpServerRequest, (request) => unsafeSetActor(request, actor))

const rules = {
  actor: optional(func("that gives the actor of a request")),
  action: optional(func("that gives the action of a request")),
  redact: optional(func("that gives the entry to record")),
  toRecord: optional(func("that gives the record of an entry"))
}

/**
 * Makes the middleware over a recorder that you hold; {@link middleware} takes it from the context. Fails with
 * `InvalidOptions` for a name that is no option and for a hook that is no function.
 *
 * If the recorder refuses a record (closed, failed, over its bound), the response is not affected: the record is
 * counted in the recorder's `stats.refused`.
 */
export const make: {
  <A>(recorder: Made & Saver<A>, options: OptionsTo<A>): Effect.Effect<Middleware, InvalidOptions>
  (recorder: Made & Saver<Entry>, options?: Options): Effect.Effect<Middleware, InvalidOptions>
} = <A>(recorder: Saver<A>, options: Partial<OptionsTo<A>> = {}): Effect.Effect<Middleware, InvalidOptions> =>
  Effect.gen(function* () {
    yield* check("recorder", handle("a Recorder", "unsafeSave"), recorder)
    const hooks = yield* resolve<Partial<OptionsTo<A>>>()(rules, options)
    const onHead = recording(recorder, hooks, yield* Id.makeUuid7)
    const middleware: Middleware = (app) => observe(app, onHead)
    return middleware
  })

/** Records a request when the head of its response is known: the hooks make the record, the recorder queues it. */
const recording = <A>(
  recorder: Saver<A>,
  hooks: Resolved<Partial<OptionsTo<A>>, typeof rules>,
  nextId: () => string
): OnHead => {
  const faults = Faults.make()
  // Without `toRecord` the overloads have made sure that an Entry is an A.
  const toRecord = hooks.toRecord ?? ((entry: Entry) => entry as A)
  const record: OnHead["record"] = (arrival, status, duration) => {
    const entry = entryOf(hooks, faults, arrival, nextId(), status, duration)
    if (entry === undefined) return
    try {
      const record = toRecord(entry, arrival.request)
      if (Storable.isPromise(record)) {
        recorder.unsafeRefuse(1)
        faults.returned("toRecord", "a promise instead of a record")
      } else recorder.unsafeSave(record)
    } catch (error) {
      recorder.unsafeRefuse(1)
      faults.threw("toRecord", error)
    }
  }
  return { record, due: faults.due }
}

/**
 * Makes the middleware over the recorder of a tag, which it takes from the server's context. The app's type shows
 * the requirement, and a layer provides it like any other service.
 *
 * If the options cannot work (see {@link make}), every request dies with `InvalidOptions`, and a server answers 500.
 */
export const middleware: {
  <Self, S extends Saver<never>>(
    tag: Context.Tag<Self, S>,
    options: OptionsTo<Parameters<S["unsafeSave"]>[0]>
  ): Middleware<Self>
  <Self, S extends Saver<Entry>>(tag: Context.Tag<Self, S>, options?: Options): Middleware<Self>
} =
  <Self>(tag: Context.Tag<Self, Saver<Entry>>, options?: Options): Middleware<Self> =>
  <E, R>(app: HttpApp.Default<E, R>): HttpApp.Default<E, Self | R> => {
    let resolved: { readonly recorder: Saver<Entry>; readonly app: HttpApp.Default<E, R> } | undefined
    return Effect.flatMap(tag, (recorder) => {
      if (resolved?.recorder === recorder) return resolved.app
      // The app keeps its own type of failure, so that an InvalidOptions can only be a defect.
      return Effect.flatMap(Effect.orDie(make(recorder, options)), (audit) => {
        resolved = { recorder, app: audit(app) }
        return resolved.app
      })
    })
  }
