/** What is no operation, no record or no option of a store is refused with a reason, and changes nothing. */
import { describe, expect } from "@effect/vitest"
import { Cause, Effect, Option, ParseResult, Schema, Stream } from "effect"
import * as ChangeLog from "../../src/ChangeLog.js"
import * as Datastore from "../../src/Datastore.js"
import { board, followed, make, type Task, task } from "../support/datastore/stores.js"
import { scenario } from "../support/time/turn.js"

const deep = (levels: number): unknown => (levels === 0 ? 1 : { a: deep(levels - 1) })
const itself: { id: string; me?: unknown } = { id: "a" }
itself.me = itself

const data: ReadonlyArray<readonly [what: string, data: unknown, reason: string]> = [
  ["no primary field", {}, "InvalidKey"],
  ["an empty primary field", { id: "" }, "InvalidKey"],
  ["a primary field that is a number", { id: 5 }, "InvalidKey"],
  ["a primary field that is null", { id: null }, "InvalidKey"],
  ["a primary field of 2,000 bytes", { id: "k".repeat(2000) }, "InvalidKey"],
  ["a primary field with U+0000", { id: "a\u0000" }, "InvalidData"],
  ["a lone surrogate", { id: "a", text: "\ud800" }, "InvalidData"],
  ["null", null, "InvalidData"],
  ["an array", [{ id: "a" }], "InvalidData"],
  ["text", "a", "InvalidData"],
  ["nothing", undefined, "InvalidData"],
  ["NaN", { id: "a", n: Number.NaN }, "InvalidData"],
  ["a bigint", { id: "a", n: 1n }, "InvalidData"],
  ["a Date", { id: "a", at: new Date(0) }, "InvalidData"],
  ["a Map", { id: "a", m: new Map() }, "InvalidData"],
  ["a function", { id: "a", f: () => 1 }, "InvalidData"],
  ["data that contains itself", itself, "InvalidData"],
  ["data of 1,000 levels", { id: "a", deep: deep(1000) }, "InvalidData"],
  [
    "a getter that throws",
    {
      id: "a",
      get text() {
        throw new Error("no")
      }
    },
    "InvalidData"
  ]
]

const kinds = ["temp", "permanent"]

for (const kind of kinds) {
  describe(`a ${kind} store refuses`, () => {
    scenario("what is no record", function* () {
      const { store } = yield* board({}, { kind })
      for (const [what, given, reason] of data) {
        const refused = yield* Effect.flip(store.set(given as Task))
        expect(refused, what).toMatchObject({ _tag: "WriteError", reason })
        expect(refused.message, what).not.toBe("")
        expect(store.unsafeSet(given as Task), what).toBe(false)
      }
      expect(yield* store.snapshot()).toEqual({ seq: 0, rows: [] })
    })

    scenario("what is no operation", function* () {
      const { store } = yield* board({}, { kind })
      yield* store.set(task("a"))
      const steps: ReadonlyArray<readonly [steps: unknown, reason: string]> = [
        [[], "InvalidOperation"],
        ["steps", "InvalidOperation"],
        [[null], "InvalidOperation"],
        [[{ _tag: "Put", data: task("a") }], "InvalidOperation"],
        [[{ _tag: "Delete", key: "" }], "InvalidKey"],
        [[{ _tag: "Delete", key: 5 }], "InvalidKey"],
        [[{ _tag: "Delete", key: "a", expect: -1 }], "InvalidOperation"],
        [[{ _tag: "Delete", key: "a", expect: 2 ** 53 }], "InvalidOperation"],
        [[{ _tag: "Patch", key: "a", set: { id: "b" } }], "InvalidKey"],
        [[{ _tag: "Patch", key: "a", unset: ["id"] }], "InvalidKey"],
        [[{ _tag: "Patch", key: "a", unset: "text" }], "InvalidOperation"],
        [[{ _tag: "Patch", key: "b", set: {} }], "Missing"],
        [Array.from({ length: 1001 }, (_, i) => ({ _tag: "Delete", key: `${i}` })), "InvalidOperation"]
      ]
      for (const [given, reason] of steps) {
        const refused = yield* Effect.flip(store.batch(given as ReadonlyArray<Datastore.Step<Task>>))
        expect(refused, JSON.stringify(given)).toMatchObject({ _tag: "WriteError", reason })
      }
      expect((yield* store.snapshot()).seq).toBe(1)
    })

    scenario("what is no option of a write", function* () {
      const { store } = yield* board({}, { kind })
      const options: ReadonlyArray<object> = [
        { as: "ann" },
        { as: {} },
        { as: { principal: 5 } },
        { as: { principal: "ann", n: 1 } },
        ...[0, -1, 1.5, 2 ** 53, Number.NaN].map((n) => ({ as: { principal: "ann", client: "1", n } })),
        { session: 5 },
        { ttl: 0 },
        { ttl: -1 },
        { ttl: "soon" }
      ]
      for (const given of options) {
        const refused = yield* Effect.flip(store.set(task("a"), given))
        expect(refused, JSON.stringify(given)).toMatchObject({ reason: "InvalidOperation" })
      }
      yield* store.set(task("a"), { ttl: Number.POSITIVE_INFINITY })
      expect((yield* store.snapshot()).seq).toBe(1)
    })

    scenario("what is no record of options, in each of its calls", function* () {
      const { store } = yield* board({}, { kind })
      yield* store.set(task("a"))
      const step = Datastore.set(task("b"))
      const opened = (as: unknown, options: unknown) =>
        Effect.scoped(store.opener(as as never).open(ChangeLog.prefix(""), options as never))
      const followed = (options: unknown) => Stream.runHead(store.follow(options as never))
      const invalid = "InvalidOperation"
      const calls: ReadonlyArray<readonly [what: string, call: Effect.Effect<unknown, unknown>, as: object]> =
        [null, 5, []].flatMap((given) => {
          const none = given as never
          const options = { option: "options" }
          return [
            ["set", store.set(task("b"), none), { reason: invalid }],
            ["patch", store.patch("a", {}, none), { reason: invalid }],
            ["the fields of a patch", store.patch("a", none), { reason: invalid }],
            ["delete", store.delete("a", none), { reason: invalid }],
            ["batch", store.batch([step], none), { reason: invalid }],
            ["get", store.get("a", none), options],
            ["snapshot", store.snapshot(none), options],
            ["follow", followed(given), options],
            ["after", followed({ after: given }), { option: "after" }],
            ["view", followed({ view: given }), { option: "view" }],
            ["policy", followed({ policy: given }), { option: "policy" }],
            ["the client of a follow", followed({ as: given }), { option: "as" }],
            ["the client of a read", store.get("a", { as: none }), { option: "as" }],
            ["which read", store.get("a", { read: none }), { option: "read" }],
            ["open", opened(undefined, given), options],
            ["the after of open", opened(undefined, { after: given }), { option: "after" }],
            ["the view of open", opened(undefined, { view: given }), { option: "view" }],
            ["the client of open", opened(given, {}), { option: "as" }],
            ["an unknown option", store.set(task("b"), { tll: given } as never), { reason: invalid }],
            ["a condition of a batch", store.batch([step], { expect: 1 } as never), { reason: invalid }]
          ] as const
        })
      for (const [what, call, as] of calls) expect(yield* Effect.flip(call), what).toMatchObject(as)
      const defect = yield* Effect.flip(Effect.sandbox(store.subscribe(null as never)))
      expect(Cause.squash(defect)).toBeInstanceOf(Datastore.InvalidOptions)
      expect(yield* store.snapshot()).toMatchObject({ seq: 1 })
      expect(yield* store.subscribers).toEqual([])
    })

    scenario("a number above the window, and one below it", function* () {
      const { store } = yield* board({}, { kind })
      const as = (n: number) => ({ as: { principal: "ann", client: "1", n } })
      expect(yield* Effect.flip(store.set(task("a"), as(1025)))).toMatchObject({ reason: "TooFarAhead" })
      yield* store.set(task("a"), as(1024))
      yield* store.set(task("a"), as(2048))
      expect(yield* Effect.flip(store.set(task("a"), as(1023)))).toMatchObject({ reason: "Forgotten" })
      yield* store.set(task("a"), as(1025))
    })

    scenario("nothing that is plain JSON, whatever its names", function* () {
      const { store } = yield* board({}, { kind })
      const given = JSON.parse('{"id":"__proto__","__proto__":{"x":1},"constructor":2}')
      yield* store.set(given)
      const row = Option.getOrThrow(yield* store.get("__proto__"))
      expect(JSON.stringify(row.data)).toBe(JSON.stringify(given))
      yield* store.patch("__proto__", { set: JSON.parse('{"__proto__":5}') })
      const patched = Option.getOrThrow(yield* store.get("__proto__"))
      expect(Object.hasOwn(patched.data, "__proto__")).toBe(true)
      expect(({} as { x?: number }).x).toBeUndefined()
    })

    scenario("to show a caller's later changes, and lets no reader change what others get", function* () {
      const { store } = yield* board({}, { kind })
      const given = { id: "a", text: "one", inner: { list: [1] } }
      yield* store.set(given)
      given.text = "two"
      given.inner.list.push(2)
      const { data } = Option.getOrThrow(yield* store.get("a")) as Datastore.Row<typeof given & Task>
      expect(data).toEqual({ id: "a", text: "one", inner: { list: [1] } })
      expect(() => data.inner.list.push(3)).toThrow(TypeError)
    })
  })
}

describe("a schema", () => {
  const Meeting = Schema.Struct({ id: Schema.String, at: Schema.Date })
  const at = new Date(0)

  for (const kind of kinds) {
    scenario(`that transforms is applied at every boundary of a ${kind} store`, function* () {
      const stores = yield* make()
      const store = yield* stores.open({ id: "m", kind, schema: Meeting })
      const follower = yield* followed(store, { view: ({ data }) => data.at.getTime() < 10 })
      expect((yield* store.set({ id: "a", at })).data.at).toEqual(at)
      expect(Option.getOrThrow(yield* store.get("a")).data.at).toEqual(at)
      expect((yield* store.patch("a", { set: { at: new Date(5) } })).data.at).toEqual(new Date(5))
      const { rows } = yield* store.batch([Datastore.set({ id: "b", at }), Datastore.remove("b")])
      expect(rows.map(Option.map(({ data }) => data.at))).toEqual([Option.some(at), Option.none()])
      yield* store.set({ id: "a", at: new Date(10) })
      yield* stores.flush
      const last = yield* store.follow().pipe(Stream.runHead, Effect.map(Option.getOrThrow))
      expect(last).toMatchObject({ entries: [{ key: "a", value: { data: { at: new Date(10) } } }] })
      const puts = follower.frames.flatMap((frame) => (frame._tag === "Events" ? frame.events : []))
      expect(puts.map((event) => (event._tag === "Put" ? event.value.data.at : event._tag))).toEqual(
        expect.arrayContaining([at, new Date(5), "Delete"])
      )
      const wrong = yield* Effect.flip(store.set({ id: "a", at: "now" } as never))
      expect(wrong).toMatchObject({ reason: "InvalidData" })
      const json = Option.getOrThrow(yield* stores.get("m"))
      expect(Option.getOrThrow(yield* json.get("a"))).toMatchObject({ data: { at: new Date(10).toJSON() } })
      const unlike = yield* Effect.flip(json.set({ id: "a", at: 5 }))
      expect(unlike).toMatchObject({ reason: "InvalidData" })
    })
  }

  const broken: ReadonlyArray<readonly [what: string, Schema.Schema<Task>]> = [
    [
      "whose filter throws",
      Schema.declare((given): given is Task => {
        if ((given as Task).text === "bad") throw new Error("thrown by a filter")
        return true
      })
    ],
    [
      "that is asynchronous",
      Schema.transformOrFail(Schema.Any, Schema.Any, {
        strict: true,
        decode: (given, _, ast) =>
          (given as Task).text === "bad"
            ? Effect.andThen(Effect.sleep(1), Effect.fail(new ParseResult.Type(ast, given)))
            : Effect.succeed(given),
        encode: (given) => Effect.succeed(given)
      })
    ]
  ]
  for (const [what, schema] of broken) {
    scenario(`${what} refuses what it cannot judge, and the store goes on`, function* () {
      const { store } = yield* board({}, { schema })
      const refused = yield* Effect.flip(store.set(task("a", "bad")))
      expect(refused).toMatchObject({ reason: "InvalidData" })
      expect(yield* store.set(task("a"))).toMatchObject({ seq: 1 })
    })
  }
})

describe("a stored schema", () => {
  const New = Schema.Struct({ id: Schema.String, title: Schema.String })
  const old = (backend: Datastore.Backend) =>
    Effect.scoped(
      Effect.gen(function* () {
        const stores = yield* Datastore.make(backend)
        const store = yield* stores.open<Task>({ id: "board", kind: "permanent" })
        yield* store.set(task("a", "one"))
        yield* store.set(task("b", "two"))
      })
    )
  const newer = { id: "board", kind: "permanent", schema: New, version: 1 }
  const migrate: Datastore.Migrate = (data) => {
    const { id, text } = data as Task
    return { id, title: text }
  }

  scenario("that is older is read by migrate, and kept as it is written next", function* () {
    const backend = yield* Datastore.memory()
    yield* old(backend)
    const stores = yield* Datastore.make(backend)
    expect(yield* Effect.flip(stores.open(newer))).toMatchObject({ reason: "SchemaTooOld" })
    const store = yield* stores.open({ ...newer, migrate })
    expect((yield* store.snapshot()).rows.map(({ data }) => data.title)).toEqual(["one", "two"])
    yield* store.set({ id: "a", title: "three" })
    yield* stores.close
    const next = yield* Datastore.make(backend)
    const again = yield* next.open({ ...newer, migrate })
    expect((yield* again.snapshot()).rows.map(({ data }) => data.title)).toEqual(["two", "three"])
    const follower = yield* followed(again)
    expect(follower.frames[0]).toMatchObject({ _tag: "Snapshot" })
    yield* next.close
    const last = yield* Datastore.make(backend)
    const before = last.open<Task>({ id: "board", kind: "permanent" })
    expect(yield* Effect.flip(before)).toMatchObject({ reason: "SchemaTooOld" })
  })

  scenario("that no longer decodes a row fails the open by its key, and the row stays", function* () {
    const backend = yield* Datastore.memory()
    yield* old(backend)
    const stores = yield* Datastore.make(backend)
    for (const wrong of [
      (data: unknown) => ((data as Task).id === "b" ? { id: "b", title: 5 } : migrate(data, 0)),
      (data: unknown) => {
        if ((data as Task).id === "b") throw new Error("cannot")
        return migrate(data, 0)
      },
      (data: unknown) => ((data as Task).id === "b" ? undefined : migrate(data, 0))
    ]) {
      const refused = yield* Effect.flip(stores.open({ ...newer, migrate: wrong }))
      expect(refused).toMatchObject({ reason: "Undecodable", key: "b" })
      expect(refused.message).toContain('"b"')
    }
    const store = yield* stores.open({ ...newer, migrate })
    expect((yield* store.snapshot()).rows.length).toBe(2)
  })
})
