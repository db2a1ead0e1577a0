/**
 * Serves the follows of a `Watch` over HTTP as server-sent events, for `EventSource` in a browser or anywhere else:
 *
 * ```ts
 * const live = yield* WatchSse.make(watch)
 * const router = HttpRouter.empty.pipe(
 *   HttpRouter.get("/orders/live", live.serve(ChangeLog.prefix("orders/"), { snapshot: "first" }))
 * )
 * ```
 *
 * A frame is one event, named `snapshot`, `synced`, `events`, `progress` or `gap`; its data is JSON, see {@link Data}.
 * The last event of a response is `end`. Its field `next` is what the client does:
 *
 * - `resume`: nothing; an `EventSource` connects again by itself, and goes on after the last id.
 * - `restart`: close, and connect again without a cursor: what came after it is gone.
 * - `stop`: close: the same request would end in the same way.
 *
 * The id of an event is the cursor `epoch:seq:tag`. Only events that can be resumed after exactly have one. With the
 * policies `resync` and `cancel` a client gets every event once and in order, over any number of cut connections and
 * restarted servers. `conflate` and `drop-oldest` keep their guarantees of `Watch`. A client sends its cursor in the
 * header `Last-Event-ID`, or, with a first connection, in the query parameter `lastEventId`. The header wins.
 *
 * The route decides what it may deliver, whatever a client sends. A cursor may be one that cannot be resumed:
 * `Compacted`, `EpochChanged` or `Malformed`. A route that begins with a snapshot, or has `autoResnapshot: "on"`,
 * answers it by a `gap` and a `snapshot`, which replaces everything that the client held. Any other route answers it by
 * `end` with `restart`, and takes the id away, so that an `EventSource` that connects again by itself begins now.
 *
 * A client resumes only after a revision whose cursor a server of this log has given out. The cursor holds 32 random
 * bits of the revision, which the log compares. The start of a log (`seq` 0) has none, so each adapter makes them;
 * after a restart such a cursor is `Malformed`. Any other survives restarts, and is good for every route of the same
 * log: a client that two routes let in can take a cursor from one to the other. These bits are no signature: keep in
 * logs of their own what one client may follow and another must never see.
 *
 * A value that has no JSON, such as a bigint, a function or one that the schema cannot encode, is left out: its event,
 * its entry of a snapshot, or only the value before. A revision that has no other event is sent as `progress`. It is
 * counted (metric `recorder_watch_sse_left_out_total`) and logged at every doubling of the count; the others go on.
 *
 * The JSON of an event is made once for all its clients, and so is that of an entry of a snapshot. Those that were
 * made last are kept, up to 8 MiB. What is written to many clients at once, and the responses that begin at once, are
 * spread over as many turns of the event loop as they need: a turn spends about 5 ms on them.
 *
 * Under a `view` with rights, nothing is written that was judged by older ones. If they change in the middle of a
 * snapshot, the part that was written becomes an event `abandoned`, without an id. Then comes another snapshot, or the
 * end as `Unauthorized`. A client for which nothing waits gets it after `Watch.recheck`.
 *
 * A client that takes its events slowly is a slow watcher: what is written waits for it, its buffer fills, and its
 * policy acts. If it closes the connection, its follow ends. If it disappears without closing, a heartbeat that is not
 * acknowledged ends it. If it is there and reads nothing, its follow ends after the option `stallTimeout`. That time
 * begins when TCP takes no more: until then the systems of both sides hold what was written, which may be some MiB
 * (Linux: `net.ipv4.tcp_wmem` and `tcp_rmem`), and nothing shows that the client does not read.
 *
 * Proxies and CDNs are asked not to store, share, compress or buffer a response (`Cache-Control`, `X-Accel-Buffering`).
 * Keep `heartbeat` below the time after which they close a connection on which nothing is sent. Browsers open at most
 * six connections to one HTTP/1.1 server: follow several things in one.
 */
import { HttpServerRequest, HttpServerResponse } from "@effect/platform"
import { type Duration, Effect, Random, Schema, type Scope } from "effect"
import type { Revision, Selector } from "../ChangeLog.js"
import { check, handle } from "../internal/arguments.js"
import { type InvalidOptions, millis, optional, or, resolve, that } from "../internal/options.js"
import { makeRandom } from "../internal/random.js"
import type { Made } from "../internal/remedy.js"
import { CurrentTurn } from "../internal/turn.js"
import type { Watcher } from "../Watch.js"
import { destroyConnection } from "./internal/source.js"
import * as DueTimes from "./internal/sse/dueTimes.js"
import * as Encoding from "./internal/sse/encodedFrames.js"
import * as Cursor from "./internal/sse/encoding.js"
import { type EndReason, type GapReason, json, type Next } from "./internal/sse/frames.js"
import {
  type Answer,
  type Opener,
  openResponse,
  refused,
  type ServeError,
  type ServeOptions
} from "./internal/sse/open.js"
import * as Session from "./internal/sse/session.js"
import * as Slices from "./internal/sse/slices.js"
import * as Values from "./internal/sse/values.js"

export { InvalidOptions } from "../internal/options.js"
export type { EndReason, GapReason, Next } from "./internal/sse/frames.js"
export type { Opener, ServeError, ServeOptions } from "./internal/sse/open.js"

/** A change of one key. `previous` is there when it was asked for and there was one. */
export type Change<I> =
  | { readonly type: "put"; readonly key: string; readonly value: I; readonly previous?: I }
  | { readonly type: "delete"; readonly key: string; readonly previous?: I }

/** The data of each event, by its name. `I` is the JSON form of a value, `cursor` the id of the event. */
export interface Data<I> {
  /**
   * Replaces everything that the client held. `deleted`: keys that this response delivered and that are gone since;
   * not those of a snapshot that was abandoned.
   */
  readonly snapshot: {
    readonly cursor: string
    readonly deleted: ReadonlyArray<string>
    readonly entries: ReadonlyArray<{ readonly key: string; readonly value: I; readonly seq: number }>
  }
  /** Everything until now has been sent: from here on events are sent as they happen. */
  readonly synced: { readonly cursor: string }
  /** What matches in one revision; never empty, never a part of it. */
  readonly events: { readonly cursor: string; readonly events: ReadonlyArray<Change<I>> }
  /** Nothing that matches has happened up to this revision. */
  readonly progress: { readonly cursor: string }
  /** Events of the revisions `from` to `to` were not sent. It has no id. */
  readonly gap: { readonly from: number; readonly to: number; readonly reason: GapReason }
  /** The last event of a response. It has no id: `cursor` is the one before it, or null. */
  readonly end: { readonly reason: EndReason; readonly next: Next; readonly cursor: string | null }
}

/** Options of an adapter; each has a default. */
export interface Options<V, I> {
  /** Encodes values as JSON. Must be synchronous. Default: values are plain data. */
  readonly schema?: Schema.Schema<V, I> | undefined
  /** Sends a comment after so long without an event, or a few milliseconds later. Default 15 seconds; 0: never. */
  readonly heartbeat?: Duration.DurationInput | undefined
  /**
   * How long a client waits before it connects again, jittered by 20 %, so that a server that was restarted does not
   * see all of them at once. Default 2 seconds.
   */
  readonly retry?: Duration.DurationInput | undefined
  /**
   * Ends the follow of a client that takes nothing of what was written for so long, and destroys its connection on
   * Node.js. A revision above 256 KiB has as long again for each further 256 KiB. Default 60 seconds; 0: never.
   */
  readonly stallTimeout?: Duration.DurationInput | undefined
}

/** Follows of one watch over HTTP. */
export interface WatchSse<V> {
  /**
   * Answers the current request with a follow. The response has status 200. HEAD begins no follow. `opener` opens the
   * watcher instead of the adapter's watch: pass one of the same log that knows whose request it is, such as
   * `store.opener(as)`. Then a cursor is good only for what its opener lets through.
   */
  readonly serve: (
    selector: Selector,
    options?: ServeOptions<V>,
    opener?: Opener<V>
  ) => Effect.Effect<
    HttpServerResponse.HttpServerResponse,
    ServeError,
    HttpServerRequest.HttpServerRequest | Scope.Scope
  >
  /**
   * Returns the cursor of a revision as this adapter gives it out, for a page that is made on the server and goes on
   * by `?lastEventId=` from there. It is that of {@link cursorOf}, except at the start of a log (`seq` 0): only the
   * adapter that gave it out resumes after that one.
   */
  readonly cursorOf: (revision: Revision) => string
  /**
   * Ends every response as `Closed`, behind what waits for it, and all later ones at once. A second call does nothing.
   */
  readonly close: Effect.Effect<void>
}

/**
 * Returns the cursor of a revision, for a page that is made on the server and goes on by `?lastEventId=` from there.
 * No adapter resumes by it after the start of a log (`seq` 0): use {@link WatchSse.cursorOf} where a log may be empty.
 */
export const cursorOf: (revision: Revision) => string = Cursor.cursorOf

/** How many responses begin in one turn of the event loop. One takes some 0.2 ms, most of it behind its first wait. */
const admittedPerTurn = 8

/** If the log has not answered for so long, the response ends as `Unavailable`, before a proxy gives up. */
const openTimeout = "10 seconds"

// A proxy that compresses holds events back until it has enough of them; `no-transform` forbids it. A CDN may share the
// response of one client with others unless it is private, and some know neither `no-store` nor `no-cache`. nginx holds
// events back without x-accel-buffering. A connection that stayed open behind the end of a response would hold up a
// server that closes.
const headers = {
  "cache-control": "private, no-cache, no-store, no-transform",
  "x-accel-buffering": "no",
  connection: "close"
}

const contentType = "text/event-stream"

/** The cursor that a client sends; none with its first connection. */
const cursorIn = ({ headers, originalUrl }: HttpServerRequest.HttpServerRequest): string | undefined => {
  const header = headers["last-event-id"]
  // The client was sent this id to begin anew, and the query of its address is older.
  if (header === Cursor.anew) return undefined
  if (header !== undefined && header !== "") return header
  const query = originalUrl.indexOf("?")
  if (query === -1) return undefined
  return new URLSearchParams(originalUrl.slice(query)).get("lastEventId") || undefined
}

const encoderOf = <V, I>(schema: Schema.Schema<V, I> | undefined): ((value: V) => string) => {
  if (schema === undefined) return json
  const encode = Schema.encodeSync(schema)
  return (value) => json(encode(value))
}

interface Runtime<V> {
  readonly watch: Opener<V>
  readonly wire: Session.Wire<V>
  /** In milliseconds. */
  readonly retry: number
  /** Of the responses under way. */
  readonly watchers: Set<Watcher<V>>
  isClosed: boolean
}

/** Keeps a watcher among those that `close` ends, until its request has ended. */
const registered = <V>(
  { watchers }: Runtime<V>,
  watcher: Watcher<V>
): Effect.Effect<void, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.sync(() => watchers.add(watcher)),
    () => Effect.sync(() => watchers.delete(watcher))
  )

const answerOf = <V>(
  runtime: Runtime<V>,
  selector: Selector,
  options: ServeOptions<V>,
  opener: Opener<V>,
  cursor: string | undefined
): Effect.Effect<Answer<V>, ServeError, Scope.Scope> =>
  Effect.gen(function* () {
    const answer = yield* Effect.timeoutTo(
      // The server's handlers are not interruptible: what has taken too long would be waited for.
      Effect.interruptible(openResponse(opener, selector, options, runtime.wire.starts, cursor)),
      {
        duration: openTimeout,
        onTimeout: () => refused("Unavailable"),
        onSuccess: (answer) => answer
      }
    )
    if (runtime.isClosed) return refused("Closed")
    if (answer._tag === "Opened") yield* registered(runtime, answer.watcher)
    return answer
  })

const serve = <V>(
  runtime: Runtime<V>,
  selector: Selector,
  options: ServeOptions<V>,
  opener: Opener<V>
): ReturnType<WatchSse<V>["serve"]> =>
  Effect.gen(function* () {
    const request = yield* HttpServerRequest.HttpServerRequest
    // Its body would never be read, and its follow not be ended by the end of the body.
    if (request.method === "HEAD") return HttpServerResponse.raw(null, { contentType, headers })
    yield* Slices.admit(runtime.wire.admission)
    const cursor = cursorIn(request)
    const answer = yield* answerOf(runtime, selector, options, opener, cursor)
    const retry = runtime.retry * (yield* Random.nextRange(0.8, 1.2))
    const body =
      answer._tag === "Refused"
        ? Session.ended(retry, answer.reason, cursor)
        : Session.body(runtime.wire, answer, retry, cursor, () => destroyConnection(request))
    return HttpServerResponse.stream(body, { contentType, headers })
  })

const rules = {
  schema: optional(that("a Schema", Schema.isSchema)),
  heartbeat: or(millis(), 15_000),
  retry: or(millis(), 2000),
  stallTimeout: or(millis(), 60_000)
}

/**
 * Makes the adapter of a watch, which ends with the scope. Make it in the scope of the routes, which ends before that
 * of the server: a server that closes waits for its responses, and these end with the adapter.
 */
export const make = <V, I = V>(
  watch: Made & Opener<V>,
  options: Options<V, I> = {}
): Effect.Effect<WatchSse<V>, InvalidOptions, Scope.Scope> =>
  Effect.gen(function* () {
    yield* check("watch", handle("a Watch", "open"), watch)
    const { heartbeat, retry, schema, stallTimeout } = yield* resolve<Options<V, I>>()(rules, options)
    const starts = Cursor.makeStarts(yield* makeRandom)
    const clock = yield* Effect.clock
    const nanos = (): bigint => clock.unsafeCurrentTimeNanos()
    const turn = yield* CurrentTurn
    const values = Values.make(encoderOf(schema))
    const scope = yield* Effect.scope
    const runtime: Runtime<V> = {
      watch,
      wire: {
        values,
        encoding: Encoding.make(values.encode),
        starts,
        heartbeat: DueTimes.make(heartbeat, scope),
        stalls: DueTimes.make(stallTimeout, scope),
        slices: Slices.make(turn, nanos),
        admission: Slices.make(turn, nanos, admittedPerTurn)
      },
      retry,
      watchers: new Set(),
      isClosed: false
    }
    const close = Effect.suspend(() => {
      runtime.isClosed = true
      return Effect.forEach([...runtime.watchers], ({ cancel }) => cancel, { discard: true })
    })
    yield* Effect.addFinalizer(() => close)
    return {
      close,
      cursorOf: (revision) => Cursor.cursorOf(Cursor.toClient(starts, revision)),
      serve: (selector, options = {}, opener = watch) => serve(runtime, selector, options, opener)
    }
  })
