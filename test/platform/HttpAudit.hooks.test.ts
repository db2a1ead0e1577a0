import { HttpRouter, HttpServerRequest } from "@effect/platform"
import { describe, expect, it } from "@effect/vitest"
import { Cause, Context, Effect, Metric, Option } from "effect"
import { Metrics, Recorder, Storage } from "effect-recorder"
import * as HttpAudit from "effect-recorder/platform/HttpAudit"
import { makeHooked, makeSink, text } from "../support/http/auditing.js"
import { ask, serve } from "../support/http/http.js"

const faultsOf = (hook: string) =>
  Effect.map(Metric.value(Metric.tagged(Metrics.httpHookFaults, "hook", hook)), ({ count }) => count)

const broken = (): never => {
  throw new TypeError("a secret of the request")
}

describe("the hooks of HttpAudit", () => {
  it.scopedLive("actor reads the request and the server's context; action names the request", () =>
    Effect.gen(function* () {
      class Tenant extends Context.Tag("test/Tenant")<Tenant, string>() {}
      const { next, saver } = yield* makeSink
      const audit = yield* HttpAudit.make(saver, {
        actor: ({ headers }, context) =>
          `${Option.getOrThrow(Context.getOption(context, Tenant))}/${headers["x-user"]}`,
        action: ({ method, url }) => (url === "/a" ? `${method} an a` : undefined)
      })
      const port = yield* serve(text, audit).pipe(Effect.provideService(Tenant, "acme"))
      yield* ask(port, "/a", { headers: { "x-user": "bob" } })
      expect(yield* next).toMatchObject({ actor: "acme/bob", action: "GET an a" })
      yield* ask(port, "/b", { headers: { "x-user": "bob" } })
      expect(yield* next).toMatchObject({ actor: "acme/bob", action: "GET" })
    })
  )

  it.scopedLive("a handler that knows better sets the actor, for its own request only", () =>
    Effect.gen(function* () {
      const { next, saver } = yield* makeSink
      const router = HttpRouter.empty.pipe(
        HttpRouter.get("/login", Effect.zipRight(HttpAudit.setActor("carol"), text)),
        HttpRouter.get("/", text),
        HttpRouter.prefixAll("/v1")
      )
      const audit = yield* HttpAudit.make(saver, { actor: () => undefined })
      const port = yield* serve(router, audit)
      yield* ask(port, "/v1/login")
      expect(yield* next).toMatchObject({ actor: "carol", target: "/v1/login", action: "GET /v1/login" })
      yield* ask(port, "/v1")
      expect(yield* next).toMatchObject({ actor: null })
    })
  )

  it.scopedLive("redact changes a record, or keeps it out", () =>
    Effect.gen(function* () {
      const { count, next, saver } = yield* makeSink
      const audit = yield* HttpAudit.make(saver, {
        redact: (entry) => (entry.target === "/health" ? undefined : { ...entry, target: "/-" })
      })
      const port = yield* serve(text, audit)
      yield* ask(port, "/health")
      yield* ask(port, "/secret")
      expect(yield* next).toMatchObject({ target: "/-", status: 200 })
      expect(yield* count).toBe(0)
    })
  )

  it.scopedLive("one that throws disturbs no request, and the record is kept with what is left", () =>
    Effect.gen(function* () {
      const before = yield* Effect.all([faultsOf("actor"), faultsOf("action")])
      const { get, lines, next } = yield* makeHooked({ actor: broken, action: broken })
      for (let i = 0; i < 5; i++) {
        expect(yield* get).toBe(200)
        expect(yield* next).toMatchObject({ actor: null, action: "GET /orders/:id", request_id: "r" })
      }
      const after = yield* Effect.all([faultsOf("actor"), faultsOf("action")])
      expect(after).toEqual(before.map((count) => count + 5))
      // The first, the second and the fourth time, of each of the two.
      expect(lines.length).toBe(6)
      expect(lines.join()).not.toContain("secret")
      expect(lines[0]).toMatch(/^WARN: the audit hook "actor" threw TypeError at .*; 1 times so far$/)
    })
  )

  it.scopedLive("a redaction that throws leaves nothing that a client can influence", () =>
    Effect.gen(function* () {
      const { get, lines, next } = yield* makeHooked({ redact: broken, actor: () => "alice" })
      expect(yield* get).toBe(200)
      const { at, duration_ms, id, ...rest } = yield* next
      expect(rest).toEqual({
        actor: null,
        action: "GET",
        target: "",
        outcome: "ok",
        status: 200,
        request_id: id,
        trace_id: null
      })
      expect(lines.length).toBe(1)
    })
  )

  it.scopedLive("toRecord makes records of one's own; one that throws counts as refused", () =>
    Effect.gen(function* () {
      class Own extends Context.Tag("test/Own")<
        Own,
        Recorder.Recorder<{ readonly line: string }, Storage.MemoryQuery<{ readonly line: string }>>
      >() {}
      const storage = Storage.memory<{ readonly line: string }>()
      const audit = HttpAudit.middleware(Own, {
        toRecord: (entry, request) => ({ line: `${entry.status} ${request.headers.host}` })
      })
      yield* Effect.gen(function* () {
        const port = yield* serve(text, audit)
        yield* ask(port, "/", { headers: { host: "a.example" } })
        yield* Effect.flatMap(Own, (own) => own.flush)
        expect(storage.records).toEqual([{ line: "200 a.example" }])
      }).pipe(Effect.provide(Recorder.layer(Own, Effect.succeed(storage))))

      const { count, get, lines, refused } = yield* makeHooked({ toRecord: broken })
      expect(yield* get).toBe(200)
      expect([yield* count, refused.length, lines.length]).toEqual([0, 1, 1])
    })
  )

  it.effect(
    "an option that is unknown, or no function, is refused: by make in its type, else at a request",
    () =>
      Effect.gen(function* () {
        class Audit extends Context.Tag("test/Refusing")<Audit, Recorder.Saver<HttpAudit.Entry>>() {}
        const { count, saver } = yield* makeSink
        const wrong: ReadonlyArray<readonly [object, string]> = [
          [{ redcat: () => undefined }, "redcat there is no such option: did you mean `redact`?"],
          [{ actor: "alice" }, "actor must be a function that gives the actor of a request, not a string"],
          [{ toRecord: 5 }, "toRecord must be a function that gives the record of an entry, not 5"]
        ]
        for (const [options, expected] of wrong) {
          // They are not of the type: that is the point.
          const error = yield* Effect.flip(HttpAudit.make(saver, options as HttpAudit.Options))
          expect(`${error.option} ${error.message}`).toBe(expected)
          const app = HttpAudit.middleware(Audit, options as HttpAudit.Options)(text)
          const cause = yield* app.pipe(
            Effect.provideService(Audit, saver),
            Effect.provideService(
              HttpServerRequest.HttpServerRequest,
              HttpServerRequest.fromWeb(new Request("http://localhost/"))
            ),
            Effect.sandbox,
            Effect.flip
          )
          expect(Option.getOrThrow(Cause.dieOption(cause))).toEqual(error)
        }
        expect(yield* count).toBe(0)
      })
  )
})
