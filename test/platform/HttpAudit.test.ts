import {
  HttpApi,
  HttpApiBuilder,
  HttpApiEndpoint,
  HttpApiGroup,
  HttpApp,
  HttpClient,
  HttpLayerRouter,
  HttpMiddleware,
  HttpRouter,
  HttpServerError,
  HttpServerRequest,
  HttpServerRespondable,
  HttpServerResponse
} from "@effect/platform"
import { NodeHttpServer } from "@effect/platform-node"
import { describe, expect, it } from "@effect/vitest"
import {
  Context,
  Data,
  Deferred,
  Duration,
  Effect,
  Exit,
  Fiber,
  Layer,
  Schema,
  Stream,
  TestClock
} from "effect"
import { Recorder, Storage } from "effect-recorder"
import * as HttpAudit from "effect-recorder/platform/HttpAudit"
import { makeSink, text } from "../support/http/auditing.js"
import { ask, firstBytes, places, send, serve } from "../support/http/http.js"

class Conflict extends Data.TaggedError("Conflict") implements HttpServerRespondable.Respondable {
  [HttpServerRespondable.symbol]() {
    return HttpServerResponse.json({ reason: "version" }, { status: 409 })
  }
}

describe.each(places)("HttpAudit %s", (place) => {
  it.scopedLive(
    "records a request: actor, action, when, target, outcome, status, duration, request and trace",
    () =>
      Effect.gen(function* () {
        const { next, saver } = yield* makeSink
        const router = HttpRouter.empty.pipe(HttpRouter.get("/orders/:id", text))
        const audit = yield* HttpAudit.make(saver, { actor: (request) => request.headers["x-user"] })
        const port = yield* serve(router, audit, place)
        // The record's time is that of the host, as a reader of the table compares it.
        const before = Date.now()
        const trace = "4bf92f3577b34da6a3ce929d0e0e4736"
        const answer = yield* ask(port, "/orders/17?token=secret#part", {
          headers: {
            "x-user": "alice",
            "x-request-id": "req-1",
            traceparent: `00-${trace}-00f067aa0ba902b7-01`
          }
        })
        expect(answer).toMatchObject({ status: 200, body: "hello" })
        const { at, duration_ms, id, ...rest } = yield* next
        expect(rest).toEqual({
          actor: "alice",
          action: "GET /orders/:id",
          target: "/orders/17",
          outcome: "ok",
          status: 200,
          request_id: "req-1",
          trace_id: trace
        })
        expect(id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-7/)
        expect(at.getTime()).toBeGreaterThanOrEqual(before)
        expect(at.getTime()).toBeLessThanOrEqual(Date.now())
        expect(duration_ms).toBeGreaterThan(0)
        expect(duration_ms).toBeLessThan(10_000)
      })
  )

  it.scopedLive("records failures by the response that the server makes of them", () =>
    Effect.gen(function* () {
      const { next, saver } = yield* makeSink
      const router = HttpRouter.empty.pipe(
        HttpRouter.get("/conflict", Effect.fail(new Conflict())),
        HttpRouter.get("/untyped", Effect.fail("no response of its own")),
        HttpRouter.get("/defect", Effect.die(new Error("a bug"))),
        HttpRouter.get("/response", Effect.fail(HttpServerResponse.empty({ status: 418 }))),
        HttpRouter.get("/moved", HttpServerResponse.redirect("/")),
        HttpRouter.get("/interrupted", Effect.interrupt)
      )
      const port = yield* serve(router, yield* HttpAudit.make(saver), place)
      for (const [path, status, outcome, action] of [
        ["/conflict", 409, "clientError", "GET /conflict"],
        ["/untyped", 500, "serverError", "GET /untyped"],
        ["/defect", 500, "serverError", "GET /defect"],
        ["/response", 418, "clientError", "GET /response"],
        ["/moved", 302, "ok", "GET /moved"],
        ["/interrupted", 503, "serverError", "GET /interrupted"],
        ["/nowhere?x=1", 404, "clientError", "GET"]
      ] as const) {
        const answer = yield* ask(port, path)
        const entry = yield* next
        expect([path, answer.status]).toEqual([path, status])
        expect(entry).toMatchObject({ status, outcome, action, target: path.replace(/\?.*/, "") })
      }
    })
  )

  it.scopedLive("records a client's abort as 499", () =>
    Effect.gen(function* () {
      const { count, next, saver } = yield* makeSink
      const started = yield* Deferred.make<void>()
      const interrupted = yield* Deferred.make<void>()
      const slow = Deferred.succeed(started, undefined).pipe(
        Effect.zipRight(Effect.never),
        Effect.onInterrupt(() => Deferred.succeed(interrupted, undefined))
      )
      const router = HttpRouter.empty.pipe(HttpRouter.get("/slow", slow))
      const port = yield* serve(router, yield* HttpAudit.make(saver), place)
      const socket = yield* send(port, "/slow?secret=1")
      yield* Deferred.await(started)
      expect(yield* count).toBe(0)
      socket.destroy()
      const entry = yield* next
      expect(entry).toMatchObject({ status: 499, outcome: "aborted", action: "GET /slow", target: "/slow" })
      yield* Deferred.await(interrupted)
    })
  )

  it.scopedLive("records a stream when it begins", () =>
    Effect.gen(function* () {
      const { count, next, saver } = yield* makeSink
      const rest = yield* Deferred.make<string>()
      const stream = Stream.concat(Stream.make("first "), Stream.fromEffect(Deferred.await(rest)))
      const router = HttpRouter.empty.pipe(
        HttpRouter.get("/stream", HttpServerResponse.stream(Stream.encodeText(stream)))
      )
      const port = yield* serve(router, yield* HttpAudit.make(saver), place)
      const first = yield* next.pipe(Effect.zipLeft(Deferred.succeed(rest, "second")), Effect.fork)
      expect((yield* ask(port, "/stream")).body).toBe("first second")
      expect(yield* Fiber.join(first)).toMatchObject({ status: 200, outcome: "ok" })
      expect(yield* count).toBe(0)
    })
  )

  it.scopedLive("records nothing more when a client leaves in the middle of a body", () =>
    Effect.gen(function* () {
      const { count, next, saver } = yield* makeSink
      const ended = yield* Deferred.make<void>()
      const stream = Stream.concat(Stream.make("first "), Stream.never).pipe(
        Stream.ensuring(Deferred.succeed(ended, undefined))
      )
      const router = HttpRouter.empty.pipe(
        HttpRouter.get("/stream", HttpServerResponse.stream(Stream.encodeText(stream))),
        HttpRouter.get("/", text)
      )
      const port = yield* serve(router, yield* HttpAudit.make(saver), place)
      const socket = yield* send(port, "/stream")
      yield* firstBytes(socket)
      expect(yield* next).toMatchObject({ status: 200, outcome: "ok" })
      socket.destroy()
      yield* Deferred.await(ended)
      yield* ask(port, "/")
      expect(yield* next).toMatchObject({ target: "/" })
      expect(yield* count).toBe(0)
    })
  )

  it.scopedLive("leaves what other middlewares do to the response", () =>
    Effect.gen(function* () {
      const { next, saver } = yield* makeSink
      const router = HttpRouter.empty.pipe(HttpRouter.get("/", text))
      const audit = yield* HttpAudit.make(saver)
      const cors = HttpMiddleware.cors({ allowedOrigins: ["https://a.example"] })
      const port = yield* serve(router, (app) => audit(HttpMiddleware.xForwardedHeaders(cors(app))), place)
      for (const method of ["OPTIONS", "GET", "HEAD", "OPTIONS", "GET"]) {
        const answer = yield* ask(port, "/", { method, headers: { "x-forwarded-for": "10.0.0.1" } })
        expect(answer.headers["access-control-allow-origin"]).toBe("https://a.example")
        const status = method === "OPTIONS" ? 204 : 200
        expect([answer.status, (yield* next).status]).toEqual([status, status])
      }
    })
  )

  it.scopedLive("records every one of many requests at once, in the order of their ids", () =>
    Effect.gen(function* () {
      const { next, saver } = yield* makeSink
      const router = HttpRouter.empty.pipe(HttpRouter.get("/n/:n", text))
      const port = yield* serve(router, yield* HttpAudit.make(saver), place)
      yield* Effect.forEach(
        Array.from({ length: 300 }, (_, n) => n),
        (n) => ask(port, `/n/${n}`),
        {
          concurrency: 50
        }
      )
      const entries = yield* Effect.replicateEffect(next, 300)
      expect(new Set(entries.map(({ target }) => target)).size).toBe(300)
      const ids = entries.map(({ id }) => id)
      expect(ids).toEqual([...ids].sort())
      expect(new Set(ids).size).toBe(300)
    })
  )

  it.scopedLive("still serves when its recorder is closed, and the recorder counts what it refused", () =>
    Effect.gen(function* () {
      const recorder = yield* Recorder.make(yield* Storage.memory({ columns: HttpAudit.columns, id: "id" }))
      const router = HttpRouter.empty.pipe(HttpRouter.get("/", text))
      const port = yield* serve(router, yield* HttpAudit.make(recorder), place)
      expect((yield* ask(port, "/")).status).toBe(200)
      expect((yield* recorder.close).stats).toMatchObject({ accepted: 1, stored: 1, setAside: 0, refused: 0 })
      expect((yield* ask(port, "/")).status).toBe(200)
      expect(yield* recorder.stats).toMatchObject({ accepted: 1, refused: 1 })
    })
  )
})

describe("HttpAudit", () => {
  it.scoped("measures from arrival to response head by the Clock", () =>
    Effect.gen(function* () {
      const { next, saver } = yield* makeSink
      const audit = yield* HttpAudit.make(saver)
      yield* TestClock.setTime(Date.UTC(2024, 1, 29))
      const running = yield* audit(Effect.delay(text, Duration.nanos(1_500_250_000n))).pipe(
        Effect.provideService(
          HttpServerRequest.HttpServerRequest,
          HttpServerRequest.fromWeb(new Request("http://localhost/"))
        ),
        Effect.fork
      )
      yield* TestClock.adjust("2 seconds")
      yield* Fiber.join(running)
      const { at, duration_ms } = yield* next
      expect(at).toEqual(new Date(Date.UTC(2024, 1, 29)))
      expect(duration_ms).toBeGreaterThanOrEqual(1500.25)
      expect(duration_ms).toBeLessThanOrEqual(2000)
    })
  )

  it.scopedLive("records an interruption inside of an interruptible region, and passes it on", () =>
    Effect.gen(function* () {
      const { next, saver } = yield* makeSink
      const audit = yield* HttpAudit.make(saver)
      const started = yield* Deferred.make<void>()
      const app = Effect.zipRight(Deferred.succeed(started, undefined), Effect.never)
      const fiber = yield* audit(app).pipe(
        Effect.provideService(
          HttpServerRequest.HttpServerRequest,
          HttpServerRequest.fromWeb(new Request("http://localhost/a"))
        ),
        Effect.interruptible,
        Effect.fork
      )
      yield* Deferred.await(started)
      const exit = yield* Fiber.interruptAs(fiber, HttpServerError.clientAbortFiberId)
      expect(Exit.isInterrupted(exit)).toBe(true)
      expect(yield* next).toMatchObject({ status: 499, outcome: "aborted" })
    })
  )

  it.scopedLive("passes on the very failure of the app", () =>
    Effect.gen(function* () {
      const { next, saver } = yield* makeSink
      const audit = yield* HttpAudit.make(saver)
      const caught = yield* audit(Effect.fail(new Conflict())).pipe(
        Effect.provideService(
          HttpServerRequest.HttpServerRequest,
          HttpServerRequest.fromWeb(new Request("http://localhost/a"))
        ),
        Effect.flip
      )
      expect(caught._tag).toBe("Conflict")
      expect(yield* next).toMatchObject({ status: 409 })
    })
  )

  it.scopedLive("works as a web handler, whose requests have absolute urls", () =>
    Effect.gen(function* () {
      const { next, saver } = yield* makeSink
      const audit = yield* HttpAudit.make(saver)
      const router = HttpRouter.empty.pipe(HttpRouter.get("/b", text))
      const handler = HttpApp.toWebHandler(router, audit)
      const response = yield* Effect.promise(() => handler(new Request("http://a.example/b?c=d#e")))
      expect(response.status).toBe(200)
      expect(yield* next).toMatchObject({ target: "/b", action: "GET /b", status: 200 })
    })
  )

  it.scopedLive("takes the recorder of a tag, and stores what its columns define", () =>
    Effect.gen(function* () {
      class Audit extends Context.Tag("test/Audit")<Audit, HttpAudit.AuditRecorder>() {}
      const router = HttpRouter.empty.pipe(
        HttpRouter.get("/", text),
        HttpRouter.get(
          "/rows",
          Effect.flatMap(
            Effect.flatMap(Audit, (audit) => audit.load({})),
            HttpServerResponse.json
          )
        )
      )
      const rows = yield* Effect.gen(function* () {
        const port = yield* serve(router, HttpAudit.middleware(Audit))
        yield* ask(port, "/?a")
        yield* ask(port, "/")
        expect((yield* ask(port, "/rows")).status).toBe(200)
        const audit = yield* Audit
        const rows = yield* audit.load({ orderBy: [Storage.Query.asc("id")] })
        expect(yield* audit.stats).toMatchObject({ accepted: 3, stored: 3, setAside: 0 })
        return rows
      }).pipe(Effect.provide(Recorder.layerMemory(Audit, { columns: HttpAudit.columns, id: "id" })))
      expect(rows.map(({ target }) => target)).toEqual(["/", "/", "/rows"])
    })
  )

  it.scopedLive("does not mistake an answer of another middleware for its own place", () =>
    Effect.gen(function* () {
      const { next, saver } = yield* makeSink
      const rest = yield* Deferred.make<string>()
      const stream = Stream.concat(Stream.make("first "), Stream.fromEffect(Deferred.await(rest)))
      const router = HttpRouter.empty.pipe(
        HttpRouter.get("/", HttpServerResponse.stream(Stream.encodeText(stream)))
      )
      const audit = yield* HttpAudit.make(saver)
      const port = yield* serve(router, (app) => audit(HttpMiddleware.cors()(app)))
      yield* ask(port, "/", { method: "OPTIONS" })
      expect(yield* next).toMatchObject({ status: 204 })
      const begun = yield* next.pipe(Effect.zipLeft(Deferred.succeed(rest, "second")), Effect.fork)
      expect((yield* ask(port, "/")).body).toBe("first second")
      expect(yield* Fiber.join(begun)).toMatchObject({ status: 200 })
    })
  )

  it.scopedLive("is a middleware of HttpApi and of HttpLayerRouter", () =>
    Effect.gen(function* () {
      class Audit extends Context.Tag("test/Audit")<Audit, HttpAudit.AuditRecorder>() {}
      const api = HttpApi.make("api").add(
        HttpApiGroup.make("orders").add(HttpApiEndpoint.get("order", "/orders/:id").addSuccess(Schema.String))
      )
      const apiLive = HttpApiBuilder.serve(HttpAudit.middleware(Audit)).pipe(
        Layer.provide(HttpApiBuilder.api(api)),
        Layer.provide(
          HttpApiBuilder.group(api, "orders", (group) => group.handle("order", () => Effect.succeed("a")))
        )
      )
      const routerLive = HttpLayerRouter.serve(HttpLayerRouter.add("GET", "/orders/:id", text), {
        disableLogger: true,
        disableListenLog: true,
        middleware: HttpAudit.middleware(Audit)
      })
      for (const live of [apiLive, routerLive]) {
        const rows = yield* Effect.gen(function* () {
          const client = yield* HttpClient.HttpClient
          expect((yield* client.get("/orders/1?a=b")).status).toBe(200)
          expect((yield* client.get("/nowhere")).status).toBe(404)
          return yield* Effect.flatMap(Audit, (audit) => audit.load({ orderBy: [Storage.Query.asc("id")] }))
        }).pipe(
          Effect.provide(
            live.pipe(
              Layer.provideMerge(Recorder.layerMemory(Audit, { columns: HttpAudit.columns, id: "id" })),
              Layer.provideMerge(NodeHttpServer.layerTest)
            )
          )
        )
        expect(rows.map(({ status, target, action }) => [action, target, status])).toEqual([
          ["GET /orders/:id", "/orders/1", 200],
          ["GET", "/nowhere", 404]
        ])
      }
    })
  )

  it.scopedLive("needs no trace", () =>
    Effect.gen(function* () {
      const { next, saver } = yield* makeSink
      const audit = yield* HttpAudit.make(saver)
      const router = HttpRouter.empty.pipe(HttpRouter.get("/orders/:id", text))
      const port = yield* serve(router, audit).pipe(
        Effect.locally(HttpMiddleware.currentTracerDisabledWhen, () => true)
      )
      yield* ask(port, "/orders/1")
      expect(yield* next).toMatchObject({ action: "GET", target: "/orders/1", trace_id: null })
    })
  )
})
