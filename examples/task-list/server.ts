/** The server of the list: its page, its live stream, and the operations of its windows. */
import { createServer } from "node:http"
import { fileURLToPath } from "node:url"
import { FileSystem, HttpRouter, HttpServer, HttpServerRequest, HttpServerResponse } from "@effect/platform"
import { NodeHttpServer } from "@effect/platform-node"
import { Data, Effect, Option, Schema, Stream } from "effect"
import { ChangeLog, type Datastore, type MergePool, type Watch } from "effect-recorder"
import * as WatchSse from "effect-recorder/platform/WatchSse"
import type { TaskList } from "./people.js"
import { Mark, Operation } from "./tasks.js"

/** The most bytes of an operation. */
const maxBytes = 64 * 1024

/** A request that is refused before the store is asked. */
class Refused extends Data.TaggedError("Refused")<{
  readonly status: number
  readonly reason: string
  readonly message: string
}> {}

const refuse = (status: number, reason: string, message: string) => new Refused({ status, reason, message })

type Failed = Refused | Datastore.WriteError | Datastore.StoreEnded | MergePool.MergeError

const statusOf: {
  readonly [Reason in (Datastore.WriteError | MergePool.MergeError)["reason"]]: number
} = {
  InvalidKey: 400,
  InvalidData: 400,
  InvalidOperation: 400,
  Forbidden: 403,
  Missing: 404,
  Conflict: 409,
  ClockAhead: 409,
  TooOld: 409,
  StrategyMismatch: 409,
  NoSession: 409,
  JoinFailed: 400,
  IdReused: 409,
  TooFarAhead: 409,
  Forgotten: 410,
  TooLarge: 413,
  QuotaExceeded: 429,
  Unavailable: 503,
  NotStored: 503
}

/** Answers what was refused as JSON, with the present record of a conflict. */
const answer = (error: Failed) => {
  const { message, reason } = error
  const row = error._tag === "WriteError" ? error.row : undefined
  const { _tag } = error
  const status = _tag === "StoreEnded" ? 503 : _tag === "Refused" ? error.status : statusOf[error.reason]
  return HttpServerResponse.unsafeJson({ reason, message, row }, { status })
}

/** Finds the link of a token. What its person may do now, the store decides. */
const linkOf = (list: TaskList, token: string | null | undefined) => {
  const link = list.linkOf(token ?? "")
  if (link === undefined) {
    return Effect.fail(refuse(401, "Unauthenticated", "there is no such link: ask for another one"))
  }
  return list.isExpired(link)
    ? Effect.fail(refuse(401, "Expired", "the link has expired: ask for another one"))
    : Effect.succeed(link)
}

const whoAsks = (list: TaskList) =>
  Effect.flatMap(HttpServerRequest.HttpServerRequest, ({ headers }) =>
    linkOf(list, /^Bearer (\w+)$/.exec(headers.authorization ?? "")?.[1])
  )

/** Reads what a window sends. The length comes first: what is too long is never kept. */
const readBody = <A, I>(schema: Schema.Schema<A, I>, shape: string) =>
  Effect.gen(function* () {
    const request = yield* HttpServerRequest.HttpServerRequest
    const length = request.headers["content-length"]
    if (length === undefined) return yield* refuse(411, "LengthRequired", "send the length of the body")
    if (Number(length) > maxBytes) {
      return yield* refuse(413, "TooLarge", `an operation has at most ${maxBytes} bytes: split it`)
    }
    const body = yield* request.arrayBuffer
    const json = yield* Effect.try((): unknown =>
      JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(body))
    )
    return yield* Schema.decodeUnknown(schema, { onExcessProperty: "error" })(json)
  }).pipe(
    Effect.catchTags({
      RequestError: () => refuse(400, "InvalidBody", "the body did not arrive: send it again"),
      UnknownException: () => refuse(400, "InvalidBody", "the body must be JSON in UTF-8"),
      ParseError: () => refuse(400, "InvalidOperation", `the body must be ${shape}`)
    })
  )

const operate = (list: TaskList) =>
  Effect.gen(function* () {
    const { name: principal } = yield* whoAsks(list)
    const { client, n, steps } = yield* readBody(Operation, "{ client, n, steps }")
    const { revision, rows } = yield* list.tasks.batch(steps, { as: { principal, client, n } })
    return HttpServerResponse.unsafeJson({ revision, rows: rows.map(Option.getOrNull) })
  })

const mark = (list: TaskList) =>
  Effect.gen(function* () {
    const { name } = yield* whoAsks(list)
    yield* list.mark(name, yield* readBody(Mark, "{ client, task, mark }"))
    return HttpServerResponse.unsafeJson({})
  })

/** The cells of a frame as an event: all of them in a snapshot, then those that change. */
const eventOf = (frame: Watch.Frame<MergePool.PoolCell>): string => {
  if (frame._tag !== "Snapshot" && frame._tag !== "Events") return ": \n\n"
  const cells =
    frame._tag === "Snapshot"
      ? frame.entries.map(({ value }) => value)
      : frame.events.flatMap((event) => (event._tag === "Put" ? [event.value] : []))
  return `event: ${frame._tag.toLowerCase()}\ndata: ${JSON.stringify(cells)}\n\n`
}

/** Serves the votes and labels. A window that connects again gets them all. */
const followMarks = (list: TaskList) =>
  Effect.gen(function* () {
    const { originalUrl } = yield* HttpServerRequest.HttpServerRequest
    const { name, role } = yield* linkOf(
      list,
      new URL(originalUrl, "http://localhost").searchParams.get("token")
    )
    if (role !== "editor") return yield* refuse(403, "Forbidden", "only editors may do this")
    const events = list.marks.follow({ as: { principal: name } }).pipe(
      Stream.map(eventOf),
      // What ends it is seen when the window connects again.
      Stream.catchAll(() => Stream.empty),
      Stream.encodeText
    )
    return HttpServerResponse.stream(events, { contentType: "text/event-stream" })
  })

/** Answers editors with the link that they can give away, after what they do with it. */
const share = <E>(list: TaskList, first: (guest: string) => Effect.Effect<void, E>) =>
  Effect.gen(function* () {
    const { role } = yield* whoAsks(list)
    if (role !== "editor") return yield* refuse(403, "Forbidden", "only editors may do this")
    const readers = () => list.links().filter((link) => link.role === "reader")
    yield* Effect.forEach(readers(), ({ name }) => first(name))
    return HttpServerResponse.unsafeJson({ token: readers()[0]?.id ?? null })
  })

/** Serves the records that a person may see. An EventSource sends no headers: its token is in the address. */
const follow = (list: TaskList, live: WatchSse.WatchSse<Datastore.Row<Datastore.JsonObject>>) =>
  Effect.gen(function* () {
    const { originalUrl } = yield* HttpServerRequest.HttpServerRequest
    const { searchParams } = new URL(originalUrl, "http://localhost")
    const { name: principal, role } = yield* linkOf(list, searchParams.get("token"))
    const client = searchParams.get("client") ?? ""
    if (!/^\w{1,64}$/.test(client)) return yield* refuse(400, "InvalidClient", "name the window: ?client=")
    if (role !== "revoked") yield* list.present({ principal, client })
    const opener = list.tasks.opener({ principal, client })
    return yield* live.serve(ChangeLog.prefix(""), { snapshot: "first" }, opener)
  })

// The page holds its script and its style, and connects to this server alone.
const policy = "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; connect-src 'self'"

const readPage = Effect.gen(function* () {
  const files = yield* FileSystem.FileSystem
  const html = yield* files.readFileString(fileURLToPath(new URL("tasks.html", import.meta.url)))
  return HttpServerResponse.setHeader(HttpServerResponse.html(html), "content-security-policy", policy)
})

/** Serves the list on a loopback port (0: any free one) until the scope closes. Returns its address. */
export const serve = (list: TaskList, port: number) =>
  Effect.gen(function* () {
    const page = yield* readPage
    const live = yield* WatchSse.make(list.tasks.opener())
    const routes = HttpRouter.empty.pipe(
      HttpRouter.get("/", page),
      HttpRouter.get("/tasks/live", follow(list, live)),
      HttpRouter.post("/tasks", operate(list)),
      HttpRouter.get("/marks/live", followMarks(list)),
      HttpRouter.post("/marks", mark(list)),
      HttpRouter.post(
        "/link",
        share(list, () => Effect.void)
      ),
      HttpRouter.post("/revoke", share(list, list.revoke)),
      HttpRouter.catchTags({
        Refused: (error) => Effect.succeed(answer(error)),
        MergeError: (error) => Effect.succeed(answer(error)),
        WriteError: (error) => Effect.succeed(answer(error)),
        StoreEnded: (error) => Effect.succeed(answer(error))
      })
    )
    const node = createServer()
    const server = yield* NodeHttpServer.make(() => node, { host: "127.0.0.1", port })
    yield* server.serve(routes)
    // A server that closes waits for its connections. An operation that is cut off here is sent again, and acts once.
    yield* Effect.addFinalizer(() => Effect.andThen(live.close, () => node.closeAllConnections()))
    return HttpServer.formatAddress(server.address)
  })
