/**
 * An audit trail of an HTTP server: a middleware for `@effect/platform` that records every request through a
 * recorder, and never makes a request wait for it.
 *
 * Wrap the whole app, so that it sees what the client sees:
 *
 * ```ts
 * router.pipe(HttpAudit.middleware(Audit), HttpServer.serve())
 * ```
 *
 * Where a server takes middlewares of its own (`HttpServer.serve(router, middleware)`, `HttpApiBuilder.serve`,
 * `HttpLayerRouter.serve`) it does the same there, at a little more cost per request.
 *
 * A request is recorded when its response head is known. Bodies are not awaited: a stream is recorded when it
 * begins, and a client that leaves in the middle of a body changes nothing. A failure is recorded by the response
 * that the server makes of it. Of the headers only the request id is kept.
 *
 * An upgrade to a WebSocket is recorded with status 101 when the connection opens, and whatever its handler does
 * afterwards changes nothing. A handshake that the server refuses is recorded as 400, or 405 when it was no GET.
 *
 * What Node.js answers before any app is called is never seen: malformed requests (400), heads that are too large
 * (431) or come too slowly (408), expectations that it does not know (417), `CONNECT`, and TLS that fails.
 */
import { type HttpApp, HttpServerRequest } from "@effect/platform"
import { type Context, Effect } from "effect"
import * as Id from "../Id.js"
import { func, type InvalidOptions, optional, type Resolved, resolve } from "../internal/options.js"
import type { Recorder, Saver } from "../Recorder.js"
import { Column, type Columns, type NewRowOf, type Query, type RowOf } from "../Storage.js"
import { type Entry, entryOf, type Options, unsafeSetActor } from "./internal/audit/entry.js"
import { type OnHead, observe } from "./internal/audit/head.js"
import * as Storable from "./internal/audit/storable.js"
import * as Faults from "./internal/hookFaults.js"

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
 * The table of an audit trail, for any storage of tables; override its name or add indexes as you like. Postgres
 * indexes no text of more than about 2,700 bytes, and a client can send a longer path: index `target`, and an `actor`
 * that clients choose, by their hash or beginning, or records are set aside.
 */
export const table = { table: "http_audit", columns, id: "id" } as const

/** A row of {@link columns} that a query returns. */
export type Row = RowOf<typeof columns>

/** A row of {@link columns} that a recorder takes: it may leave out nullable columns. */
export type NewRow = NewRowOf<typeof columns>

/**
 * A recorder of audit rows, whatever stores them:
 *
 * ```ts
 * class Audit extends Context.Tag("Audit")<Audit, HttpAudit.AuditRecorder>() {}
 *
 * const AuditLive = Recorder.layer(Audit, SqliteWorker.make({ ...HttpAudit.table, filename: "audit.db" }))
 * ```
 */
export type AuditRecorder = Recorder<NewRow, Query<typeof columns>, ReadonlyArray<Row>>

/** The options for a recorder of records of your own. */
export interface OptionsTo<A> extends Options {
  /**
   * Makes your record of the entry that `redact` returned. When it throws, or returns a promise, there is nothing to
   * record: the fault is counted and logged, and the record counts as refused. What it returns is not checked here,
   * but by the storage: one that cannot be stored is set aside.
   */
  readonly toRecord: (entry: Entry, request: HttpServerRequest.HttpServerRequest) => A
}

/** A middleware: it changes neither the responses nor the failures of an app, and needs `R` beyond what that needs. */
export type Middleware<R = never> = <E, R1>(app: HttpApp.Default<E, R1>) => HttpApp.Default<E, R | R1>

/**
 * Says who makes the current request, from inside of a handler, or of an authentication middleware: they know it
 * better than the hook `actor` can. The last call holds. It never fails: what cannot be stored is made storable, or
 * recorded as null, and counted as a fault of `setActor`, as the hooks of {@link Options} are.
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
 * The middleware over a recorder that is at hand; {@link middleware} takes it from the context.
 *
 * A record that the recorder refuses (closed, failed, over its bound) never disturbs the response: it is counted in
 * the recorder's `stats.refused`.
 */
export const make: {
  <A>(recorder: Saver<A>, options: OptionsTo<A>): Effect.Effect<Middleware, InvalidOptions>
  (recorder: Saver<Entry>, options?: Options): Effect.Effect<Middleware, InvalidOptions>
} = <A>(recorder: Saver<A>, options: Partial<OptionsTo<A>> = {}): Effect.Effect<Middleware, InvalidOptions> =>
  Effect.zipWith(resolve<Partial<OptionsTo<A>>>()(rules, options), Id.makeUuid7, (hooks, nextId) => {
    const onHead = recording(recorder, hooks, nextId)
    return (app) => observe(app, onHead)
  })

/** What is done when the head of a response is known: the hooks make a record, and the recorder queues it. */
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
 * The middleware over the recorder of a tag, taken from the server's context: the requirement shows in the app's
 * type and is provided like any other service.
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
      // The type of an app has no room for options that cannot work: they are a defect of every request.
      return Effect.flatMap(Effect.orDie(make(recorder, options)), (audit) => {
        resolved = { recorder, app: audit(app) }
        return resolved.app
      })
    })
  }
