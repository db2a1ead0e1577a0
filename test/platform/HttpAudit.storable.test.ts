/** Whatever a client sends and a hook returns, a request is in the trail by one record that every backend stores. */
import { HttpRouter, HttpServerRequest } from "@effect/platform"
import { describe, expect, it } from "@effect/vitest"
import { Cause, Effect, Either, Exit, Logger, Metric } from "effect"
import fc from "fast-check"
import * as Metrics from "../../src/Metrics.js"
import * as HttpAudit from "../../src/platform/HttpAudit.js"
import { isSame } from "../../src/platform/internal/audit/request.js"
import * as Storable from "../../src/platform/internal/audit/storable.js"
import * as Recorder from "../../src/Recorder.js"
import * as Storage from "../../src/Storage.js"
import { makeSink, text } from "../support/http/auditing.js"
import { ask, serve } from "../support/http/http.js"
import { holds, holdsEffect } from "../support/laws/laws.js"

const check = Either.getOrThrow(Storage.rowCheck(HttpAudit.columns, "id"))

const hooks = ["actor", "setActor", "action", "redact", "toRecord"] as const

const faults = Effect.map(
  Effect.forEach(hooks, (hook) => Metric.value(Metric.tagged(Metrics.httpHookFaults, "hook", hook))),
  (counters) => counters.reduce((sum, { count }) => sum + count, 0)
)

const broken = (): never => {
  throw new TypeError("a secret of the request")
}

/** A hostile text, as a client's header or a token may hold it. */
const badText = fc.string({
  unit: fc.constantFrom("\0", "\ud800", "\udfff", "a", "é", "😀", "\n"),
  maxLength: 8
})

/** Made anew for each call, so that each promise rejects once. */
const answers: fc.Arbitrary<() => unknown> = fc.oneof(
  badText.map((text) => () => text),
  fc.anything({ withDate: true, withBigInt: true, withNullPrototype: true }).map((value) => () => value),
  fc.constantFrom<() => unknown>(
    broken,
    () => {
      throw undefined
    },
    () => {
      throw new Proxy(new Error("x"), { get: broken, getPrototypeOf: broken })
    },
    () => Promise.reject(new Error("a hook that is async")),
    () => Effect.succeed("alice"),
    () => Symbol("alice"),
    () => ({ toString: broken, valueOf: broken, toJSON: broken }),
    () => new Proxy({}, { get: broken, has: broken, ownKeys: broken, getPrototypeOf: broken }),
    () => Number.NaN,
    () => new Date(Number.NaN),
    () => "x".repeat(Storable.maxLength + 1)
  )
)

const fieldNames = Object.keys(HttpAudit.columns)

/** What `redact` makes of an entry. */
const redactions: fc.Arbitrary<(entry: HttpAudit.Entry) => unknown> = fc.oneof(
  answers.map((answer) => () => answer()),
  fc.tuple(fc.constantFrom(...fieldNames, "extra"), answers).map(
    ([field, answer]) =>
      (entry: HttpAudit.Entry) =>
        Object.freeze({ ...entry, [field]: answer() })
  ),
  fc.constantFrom(...fieldNames).map((field) => (entry: HttpAudit.Entry) => {
    const { [field as "actor"]: _, ...rest } = entry
    return rest
  }),
  fc
    .constantFrom(...fieldNames)
    .map(
      (field) => (entry: HttpAudit.Entry) =>
        Object.defineProperty({ ...entry }, field, { get: broken, enumerable: true })
    )
)

describe("a text", () => {
  it("is kept when it can be stored, and else made storable", () => {
    expect(Storable.text("aé😀\n")).toBe("aé😀\n")
    expect(Storable.text("a\0b\ud800c\udfff")).toBe("a\uFFFDb\uFFFDc\uFFFD")
    const long = Storable.text("😀".repeat(Storable.maxLength))
    expect([long.length, long.slice(-2)]).toEqual([Storable.maxLength, "\uFFFD…"])
  })

  it("is storable whatever it was", () => {
    holds(badText, 300, (bad) => {
      const row = { ...sample, actor: Storable.text(bad), target: Storable.text(bad) }
      expect(check([row])).toBe(undefined)
    })
  })
})

const sample: HttpAudit.Entry = {
  id: "0190163d-8694-739b-aea5-966c26f8ad90",
  at: new Date(0),
  actor: null,
  action: "GET",
  target: "/",
  outcome: "ok",
  status: 200,
  duration_ms: 1,
  request_id: "r",
  trace_id: null
}

describe("what a hook returns", () => {
  it.effect("whatever it is, the request has one record that can be stored, and its own response", () =>
    Effect.gen(function* () {
      const samples = fc.record(
        { actor: answers, setActor: answers, action: answers, redact: redactions },
        { requiredKeys: [] }
      )
      yield* holdsEffect(samples, 400, ({ redact, setActor, action, actor }) =>
        Effect.gen(function* () {
          const saved: Array<HttpAudit.Entry> = []
          let keptOut = false
          const saver = {
            unsafeSave: (entry: HttpAudit.Entry) => saved.push(entry) > 0,
            unsafeRefuse: () => false as const,
            save: () => Effect.succeed(true),
            saveAll: () => Effect.succeed(true),
            saveDurable: () => Effect.void
          }
          // What they return is not of their types: that is the point.
          const options = {
            ...(actor === undefined ? {} : { actor }),
            ...(action === undefined ? {} : { action }),
            ...(redact === undefined
              ? {}
              : {
                  redact: (entry: HttpAudit.Entry) => {
                    const given = redact(entry)
                    keptOut = given === undefined
                    return given
                  }
                })
          } as HttpAudit.Options
          const audit = yield* HttpAudit.make(saver, options)
          const said = Effect.try(() => setActor?.() as string)
          const app = Effect.zipRight(Effect.ignore(Effect.flatMap(said, HttpAudit.setActor)), text)
          const response = yield* audit(app).pipe(
            Effect.provideService(
              HttpServerRequest.HttpServerRequest,
              HttpServerRequest.fromWeb(new Request("http://localhost/a", { method: "DELETE" }))
            )
          )
          expect(response.status).toBe(200)
          expect(saved.length).toBe(keptOut ? 0 : 1)
          expect(check(saved)).toBe(undefined)
          expect(Object.keys(saved[0] ?? sample)).toEqual(fieldNames)
        })
      )
    }).pipe(Effect.provide(Logger.remove(Logger.defaultLogger)))
  )

  const cases: ReadonlyArray<readonly [string, unknown, string | null]> = [
    ["U+0000", "al\0ice", "al\uFFFDice"],
    ["a lone surrogate", "al\ud800ice", "al\uFFFDice"],
    ["a number", 17, "17"],
    ["a bigint", 17n, "17"],
    ["an object", { name: "alice" }, null],
    ["one whose toString throws", { toString: broken }, null],
    ["an Effect", Effect.succeed("alice"), null],
    ["a symbol", Symbol("alice"), null]
  ]

  it.effect.each(cases)(
    "actor is %s: the DELETE is in the trail, and the fault is counted",
    ([, given, actor]) =>
      Effect.gen(function* () {
        const storage = yield* Storage.memory({ columns: HttpAudit.columns, id: "id" })
        const recorder = yield* Recorder.make(storage)
        const before = yield* faults
        const request = HttpServerRequest.fromWeb(
          new Request("http://localhost/orders/1", { method: "DELETE" })
        )
        const asked = Effect.provideService(HttpServerRequest.HttpServerRequest, request)
        // They are not of the type: that is the point.
        const byHook = yield* HttpAudit.make(recorder, { actor: () => given as string })
        yield* asked(byHook(text))
        const bySetActor = yield* HttpAudit.make(recorder)
        yield* asked(bySetActor(Effect.zipRight(HttpAudit.setActor(given as string), text)))
        const rows = yield* recorder.load({})
        expect(rows.map(({ action, actor }) => [action, actor])).toEqual([
          ["DELETE", actor],
          ["DELETE", actor]
        ])
        expect(yield* recorder.stats).toMatchObject({ accepted: 2, stored: 2, setAside: 0 })
        expect((yield* faults) - before).toBe(2)
      }).pipe(Effect.scoped, Effect.provide(Logger.remove(Logger.defaultLogger)))
  )

  it.effect("no answer at all is no fault, and a name that can be stored is kept as it is", () =>
    Effect.gen(function* () {
      const { next, saver } = yield* makeSink
      const before = yield* faults
      for (const actor of [undefined, null, "alice", "日本 😀"]) {
        const audit = yield* HttpAudit.make(saver, { actor: () => actor, redact: (entry) => entry })
        const request = HttpServerRequest.fromWeb(new Request("http://localhost/"))
        yield* Effect.provideService(audit(text), HttpServerRequest.HttpServerRequest, request)
        expect((yield* next).actor).toBe(actor ?? null)
      }
      expect((yield* faults) - before).toBe(0)
    })
  )

  it.effect("what redact took away does not come back when it returns half an entry", () =>
    Effect.gen(function* () {
      const { next, saver } = yield* makeSink
      // It is no entry: that is the point.
      const half = {
        actor: undefined,
        status: 200,
        duration_ms: Number.NaN,
        extra: 1
      } as unknown as HttpAudit.Entry
      const audit = yield* HttpAudit.make(saver, { actor: () => "alice", redact: () => half })
      const request = HttpServerRequest.fromWeb(
        new Request("http://localhost/card/4111", { headers: { "x-request-id": "r" } })
      )
      yield* Effect.provideService(audit(text), HttpServerRequest.HttpServerRequest, request)
      const { duration_ms, id, ...entry } = yield* next
      expect(entry).toMatchObject({ actor: null, action: "GET", target: "", request_id: id, trace_id: null })
      expect(Number.isFinite(duration_ms)).toBe(true)
    }).pipe(Effect.provide(Logger.remove(Logger.defaultLogger)))
  )

  it.effect("a logger that throws disturbs no request", () =>
    Effect.gen(function* () {
      const { next, saver } = yield* makeSink
      const audit = yield* HttpAudit.make(saver, { actor: broken })
      const request = HttpServerRequest.fromWeb(new Request("http://localhost/"))
      const exit = yield* audit(text).pipe(
        Effect.provideService(HttpServerRequest.HttpServerRequest, request),
        Effect.provide(Logger.replace(Logger.defaultLogger, Logger.make(broken))),
        Effect.exit
      )
      expect(Exit.match(exit, { onFailure: Cause.pretty, onSuccess: ({ status }) => status })).toBe(200)
      expect((yield* next).actor).toBe(null)
    })
  )

  it.effect("toRecord that returns a promise counts as refused", () =>
    Effect.gen(function* () {
      const { count, saver } = yield* makeSink
      let refused = 0
      const refusing = {
        ...saver,
        unsafeRefuse: (n: number) => {
          refused += n
          return false as const
        }
      }
      const before = yield* faults
      // It is async: that is the point.
      const toRecord = (() => Promise.reject(new Error("x"))) as unknown as (
        entry: HttpAudit.Entry
      ) => HttpAudit.Entry
      const audit = yield* HttpAudit.make(refusing, { toRecord })
      const request = HttpServerRequest.fromWeb(new Request("http://localhost/"))
      yield* Effect.provideService(audit(text), HttpServerRequest.HttpServerRequest, request)
      expect([yield* count, refused, (yield* faults) - before]).toEqual([0, 1, 1])
    }).pipe(Effect.provide(Logger.remove(Logger.defaultLogger)))
  )
})

describe("what a client sends", () => {
  it.scopedLive("takes a request id that is well-formed, and the record's id otherwise", () =>
    Effect.gen(function* () {
      const { next, saver } = yield* makeSink
      const router = HttpRouter.empty.pipe(HttpRouter.get("/", text))
      const port = yield* serve(router, yield* HttpAudit.make(saver))
      for (const id of ["a", "A-b_c.d:e/f+g=h@i", "x".repeat(128)]) {
        yield* ask(port, "/", { headers: { "x-request-id": id } })
        expect((yield* next).request_id).toBe(id)
      }
      for (const id of [undefined, "", " ", "x".repeat(129), "a b", "a,b", "ä", '"a"', ["a", "b"]]) {
        yield* ask(port, "/", id === undefined ? {} : { headers: { "x-request-id": id } })
        const entry = yield* next
        expect([id, entry.request_id]).toEqual([id, entry.id])
      }
    })
  )

  it.scopedLive("keeps the path alone of a target in absolute form", () =>
    Effect.gen(function* () {
      const { next, saver } = yield* makeSink
      const port = yield* serve(text, yield* HttpAudit.make(saver))
      for (const [target, path] of [
        ["http://user:pass@a.example/b?c=d", "/b"],
        ["http://user:pass@a.example?c=/d", "/"],
        ["//user:pass@a.example/b", "//user:pass@a.example/b"],
        ["/b//c;d=1", "/b//c;d=1"],
        ["/?", "/"]
      ] as const) {
        yield* ask(port, target)
        expect((yield* next).target).toBe(path)
      }
    })
  )

  it.scopedLive("an odd path, trace or request id is recorded, as it was written, or not at all", () =>
    Effect.gen(function* () {
      const { next, saver } = yield* makeSink
      const router = HttpRouter.empty.pipe(HttpRouter.all("*", text))
      const port = yield* serve(router, yield* HttpAudit.make(saver))
      for (const [path, target] of [
        ["/a%00b", "/a%00b"],
        ["/a%ed%a0%80b", "/a%ed%a0%80b"],
        ["/%zz", "/%zz"],
        [`/${"x".repeat(8000)}?y`, `/${"x".repeat(8000)}`]
      ] as const) {
        const headers = { "x-request-id": "a\u00ff", traceparent: "00-zz-00-01", b3: "x\u00e9-y-1" }
        yield* ask(port, path, { method: "DELETE", headers })
        const entry = yield* next
        expect(check([entry])).toBe(undefined)
        expect([entry.target, entry.request_id]).toEqual([target, entry.id])
      }
    })
  )

  it.effect("a request of another kind of server, which checks nothing, is recorded", () =>
    Effect.gen(function* () {
      const { next, saver } = yield* makeSink
      const audit = yield* HttpAudit.make(saver)
      const source = HttpServerRequest.fromWeb(new Request("http://localhost/"))
      const odd = {
        originalUrl: `/\0\ud800${"x".repeat(100_000)}`,
        method: "DE\0LETE",
        headers: { "x-request-id": ["r"] }
      }
      const request = new Proxy(source, {
        get: (target, name) =>
          name in odd ? odd[name as keyof typeof odd] : Reflect.get(target, name, target)
      })
      expect(isSame(request, source)).toBe(true)
      yield* Effect.provideService(audit(text), HttpServerRequest.HttpServerRequest, request)
      const entry = yield* next
      expect(check([entry])).toBe(undefined)
      expect([entry.action, entry.target.slice(0, 4), entry.target.length, entry.request_id]).toEqual([
        "DE\uFFFDLETE",
        "/\uFFFD\uFFFDx",
        Storable.maxLength,
        entry.id
      ])
    })
  )
})
