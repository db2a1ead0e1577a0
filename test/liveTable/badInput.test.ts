/** What callers and masters do wrong: typed errors, nothing queued, nothing stored, nothing lost. */
import { describe, expect } from "@effect/vitest"
import { Effect, Exit, Fiber, Stream, TestClock } from "effect"
import * as LiveTable from "../../src/LiveTable.js"
import { Query } from "../../src/Storage.js"
import { Write } from "../../src/Table.js"
import { errorOf, type Keys, key, liveKeys, stateOf } from "../support/liveTable/keys.js"
import { answering, away, deaf, failing, type How, never } from "../support/liveTable/master.js"
import { scenario, started } from "../support/time/turn.js"

const old = [key("k1", "old")]
const row = key("k1", "old")

describe("a read that cannot be", () => {
  const queries: ReadonlyArray<readonly [string, unknown]> = [
    ["an unknown column", { where: Query.eq("none" as never, 1 as never) }],
    ["a value of another type", { where: Query.eq("state", 5 as never) }],
    ["an order by an unknown column", { orderBy: [{ column: "none", direction: "asc" }] }],
    ["a page below 1", { page: 0, limit: 5 }],
    ["a page that is none", { page: 1.5, limit: 5 }],
    ["a limit below 1", { limit: -1 }],
    ["a limit that is none", { limit: "many" }],
    ["an unknown part", { wher: Query.eq("state", "old") }],
    ["null", null],
    ["a text", "state = 'old'"]
  ]
  for (const [name, query] of queries) {
    scenario(`fails as InvalidQuery before the master is asked: ${name}`, function* () {
      const { live, master } = yield* liveKeys({}, old)
      expect(yield* Effect.flip(live.list(query as never))).toMatchObject({ _tag: "InvalidQuery" })
      const { where = undefined } = (query ?? {}) as { readonly where?: never }
      if (where !== undefined) {
        expect(yield* Effect.flip(live.count(where))).toMatchObject({ _tag: "InvalidQuery" })
      }
      expect(yield* Effect.flip(live.invalidate({ query: query as never }))).toMatchObject({
        _tag: "InvalidQuery"
      })
      expect(master.count("list") + master.count("count")).toBe(0)
    })
  }

  scenario("fails as InvalidQuery for an id that is none: of another type, or with U+0000", function* () {
    const { live, master } = yield* liveKeys({}, old)
    yield* live.list()
    yield* live.count()
    // The last one is the key of the count.
    for (const id of [5, null, undefined, {}, ["k1"], Number.NaN, "a\u0000b", "\u0000", "\u0000count:null"]) {
      const given = id as string
      expect(live.unsafeGet(given)).toBe(undefined)
      for (const read of [live.get(given), live.getMany(["k1", given])]) {
        expect(yield* errorOf<unknown, unknown>(read)).toMatchObject({ _tag: "InvalidQuery", part: "id" })
      }
      expect(yield* Effect.flip(live.expire({ ids: [given] }))).toMatchObject({ _tag: "InvalidQuery" })
    }
    expect(yield* live.getMany([])).toEqual([])
    expect(master.count("getMany")).toBe(0)
  })

  scenario("reads the first 50 rows also if its limit is undefined", function* () {
    const rows = Array.from({ length: 60 }, (_, n) => key(`k${n}`))
    const { live } = yield* liveKeys({}, rows)
    expect((yield* live.list({ limit: undefined } as never)).value.length).toBe(50)
    expect((yield* live.list({ limit: undefined, page: undefined } as never)).value.length).toBe(50)
  })
})

describe("a target of an invalidation that cannot be", () => {
  const targets: ReadonlyArray<readonly [string, unknown, string]> = [
    ["null", null, "target"],
    ["undefined", undefined, "target"],
    ["another text than all", "everything", "target"],
    ["a number", 5, "target"],
    ["an array", ["k1"], "target"],
    ["nothing in it", {}, "target"],
    ["two of its parts", { ids: ["k1"], tag: "t" }, "target"],
    ["an unknown part", { id: "k1" }, "id"],
    ["ids that are no array", { ids: "k1" }, "ids"],
    ["ids that are null", { ids: null }, "ids"],
    ["ids that are undefined", { ids: undefined }, "target"],
    ["an id of another type", { ids: ["k1", 5] }, "id"],
    ["a tag that is no text", { tag: 5 }, "tag"],
    ["a tag that is undefined", { tag: undefined }, "target"],
    ["a query that is none", { query: null }, "query"],
    ["a condition that is none", { count: 5 }, "where"]
  ]
  for (const [name, given, part] of targets) {
    scenario(`fails as InvalidQuery, and nothing is dropped or run: ${name}`, function* () {
      const { live } = yield* liveKeys({}, old)
      yield* live.get("k1")
      const target = given as LiveTable.Target<Keys>
      const calls = { statements: 0 }
      const statements = Effect.sync(() => calls.statements++)
      for (const call of [
        live.invalidate(target),
        live.expire(target),
        live.invalidateAfter(target, statements)
      ]) {
        expect(yield* errorOf<unknown, unknown>(call)).toMatchObject({ _tag: "InvalidQuery", part })
      }
      expect(calls.statements).toBe(0)
      expect(stateOf(live.unsafeGet("k1")!)).toBe("old")
    })
  }

  scenario("fails also before the master is up", function* () {
    const live = yield* LiveTable.makeDeferred<Keys, never, never>(Effect.never, { closeDeadline: 0 })
    for (const call of [
      live.invalidate(null as never),
      live.expire({ ids: 5 } as never),
      live.invalidateAfter({} as never, Effect.die("it ran"))
    ]) {
      expect(yield* errorOf<unknown, unknown>(call)).toMatchObject({ _tag: "InvalidQuery" })
    }
  })
})

describe("a call of another shape", () => {
  const calls: ReadonlyArray<
    readonly [string, (live: LiveTable.LiveTable<Keys>) => Effect.Effect<unknown, unknown>]
  > = [
    ["insert of null", (live) => live.insert(null as never)],
    ["replace of a number", (live) => live.replace(5 as never)],
    ["patch with null", (live) => live.patch("k1", null as never)],
    ["patch with an array", (live) => live.patch("k1", [] as never)],
    ["patch with a text", (live) => live.patch("k1", "state" as never)],
    ["patch of null", (live) => live.patch(null as never, { state: "new" })],
    ["patch with a condition that is null", (live) => live.patch("k1", { state: "new" }, null as never)],
    ["delete of undefined", (live) => live.delete(undefined as never)],
    ["delete with a condition that is a text", (live) => live.delete("k1", "state" as never)],
    ["stage of undefined", (live) => live.stage(undefined as never)],
    ["get with null for options", (live) => live.get("k1", null as never)],
    ["get with an unknown option", (live) => live.get("k1", { fresh: true } as never)],
    ["follow of null", (live) => Stream.runDrain(live.follow(null as never))],
    ["follow with null for options", (live) => Stream.runDrain(live.follow("k1", null as never))],
    ["stream of a text", (live) => Stream.runDrain(live.stream("state" as never))],
    ["count of a number", (live) => live.count(5 as never)]
  ]
  for (const [name, call] of calls) {
    scenario(`fails with a typed error, and nothing is queued: ${name}`, function* () {
      const { live } = yield* liveKeys({}, old)
      const error = yield* errorOf<unknown, unknown>(call(live))
      expect(["InvalidQuery", "WriteRefused"]).toContain((error as { readonly _tag: string })._tag)
      expect(live.unsafeStats().writes).toBe(0)
    })
  }
})

describe("a write that cannot be", () => {
  const writes: ReadonlyArray<readonly [string, unknown]> = [
    ["a row with an unknown column", Write.insert({ ...row, none: 1 } as never)],
    ["a row without a column", Write.insert({ id: "k1" } as never)],
    ["a value of another type", Write.replace({ ...row, uses: "many" } as never)],
    ["an id of another type", Write.delete(5 as never)],
    ["an id with U+0000", Write.patch("a\u0000", { state: "new" })],
    ["a text with U+0000", Write.insert({ ...row, state: "a\u0000" })],
    ["a patch of the id", Write.patch("k1", { id: "k2" } as never)],
    ["an empty patch", Write.patch("k1", {})],
    ["an unknown column in a condition", Write.delete("k1", Query.eq("none" as never, 1 as never))],
    ["no write at all", null],
    ["an unknown write", { _tag: "Upsert", row }]
  ]
  for (const [name, write] of writes) {
    scenario(`is refused as Invalid, and not queued: ${name}`, function* () {
      const { live, master } = yield* liveKeys({}, old)
      yield* live.get("k1")
      const given = write as Write<Keys>
      expect(live.unsafeWrite(given)).toBe(false)
      expect(yield* Effect.flip(live.stage(given))).toMatchObject({ _tag: "WriteRefused", reason: "Invalid" })
      expect(live.unsafeStats()).toMatchObject({ writes: 0, pending: 0 })
      expect(master.count("write")).toBe(0)
      expect(stateOf(live.unsafeGet("k1")!)).toBe("old")
    })
  }

  scenario("is refused for its caller alone, among others of one turn", function* () {
    const { live } = yield* liveKeys({}, old)
    const exits = yield* Effect.all(
      [
        live.patch("k1", { state: "1" }),
        live.patch("k1", { id: "k2" } as never),
        live.patch("none", { state: "1" }),
        live.patch("k1", { account: "b" })
      ].map((write) => Effect.exit(write)),
      { concurrency: "unbounded" }
    )
    expect(exits.map(Exit.isSuccess)).toEqual([true, false, false, true])
    expect((yield* live.get("k1")).value).toMatchObject({ value: key("k1", "1", "b") })
  })
})

describe("a master that answers reads wrong", () => {
  const wrongRows: ReadonlyArray<readonly [string, unknown]> = [
    ["a row that was not asked for", { value: [key("k9")] }],
    ["a row twice", { value: [row, row] }],
    ["a row of another shape", { value: [{ id: "k1" }] }],
    ["a value of another type", { value: [{ ...row, state: 5 }] }],
    ["no rows", { value: "k1" }],
    ["nothing", undefined],
    ["a revision that is none", { value: [row], revision: "7" }]
  ]
  for (const [name, answer] of wrongRows) {
    scenario(`fails as Malformed, and nothing of it is stored: ${name}`, function* () {
      const { live, master } = yield* liveKeys({}, old)
      const wrong = { _tag: "ReadFailed", reason: "Malformed" }
      master.next("getMany", answering(answer))
      expect(yield* Effect.flip(live.get("k1"))).toMatchObject(wrong)
      master.next("list", answering(answer))
      expect(yield* Effect.flip(live.list({ where: Query.eq("state", "old"), limit: 1 }))).toMatchObject(
        wrong
      )
      expect(live.unsafeStats()).toMatchObject({ entries: 0, loadFailures: 2 })
      expect(stateOf(yield* live.get("k1"))).toBe("old")
    })
  }

  scenario(
    "fails as Malformed for rows outside of a query, in another order, or a count that is none",
    function* () {
      const { live, master } = yield* liveKeys({}, old)
      const wrong = { _tag: "ReadFailed", reason: "Malformed" }
      master.next("list", answering({ value: [row] }))
      expect(yield* Effect.flip(live.list({ where: Query.eq("state", "new") }))).toMatchObject(wrong)
      master.next("list", answering({ value: [key("k2"), key("k1")] }))
      expect(yield* Effect.flip(live.list())).toMatchObject(wrong)
      for (const value of [-1, 1.5, "many", undefined]) {
        master.next("count", answering({ value }))
        expect(yield* Effect.flip(live.count())).toMatchObject(wrong)
      }
      expect((yield* live.count()).value).toBe(1)
    }
  )

  const failures: ReadonlyArray<readonly [string, How]> = [
    [
      "throws",
      () => {
        throw new Error("a bug")
      }
    ],
    ["dies", () => Effect.die("a bug")],
    ["fails with anything", failing({ code: 7 })],
    ["interrupts itself", () => Effect.interrupt],
    ["is away", failing(away())]
  ]
  for (const [name, how] of failures) {
    scenario(`or that ${name}: reads fail as ReadFailed, and the next ones are answered`, function* () {
      const { live, master } = yield* liveKeys({}, old)
      for (const call of ["getMany", "list", "count"] as const) master.next(call, how)
      for (const read of [live.get("k1"), live.list(), live.count()]) {
        expect(yield* errorOf<unknown, unknown>(read)).toMatchObject({
          _tag: "ReadFailed",
          reason: "Master"
        })
        yield* read
      }
      master.next("write", how)
      expect(yield* Effect.flip(live.patch("k1", { state: "new" }))).toMatchObject({
        _tag: "WriteFailed",
        reason: "Master"
      })
      yield* live.patch("k1", { state: "new" })
      expect(stateOf(yield* live.get("k1"))).toBe("new")
    })
  }

  for (const [name, how] of [
    ["hangs", () => never],
    ["ignores its interruption", deaf]
  ] as const) {
    scenario(`or that ${name}: lists, counts and writes fail in time`, function* () {
      const { live, master } = yield* liveKeys({ hardTimeout: 100, writeTimeout: 200 }, old)
      const latch = yield* Effect.makeLatch()
      for (const call of ["list", "count", "write"] as const) master.next(call, how(latch))
      const list = yield* started(Effect.flip(live.list()))
      const count = yield* started(Effect.flip(live.count()))
      const write = yield* started(Effect.flip(live.patch("k1", { state: "new" })))
      yield* TestClock.adjust(200)
      expect(yield* Fiber.join(list)).toMatchObject({ _tag: "ReadFailed", reason: "TimedOut" })
      expect(yield* Fiber.join(count)).toMatchObject({ _tag: "ReadFailed", reason: "TimedOut" })
      expect(yield* Fiber.join(write)).toMatchObject({ reason: "TimedOut", outcome: "Unknown" })
      // Another call begins though the first one has not stopped.
      yield* live.patch("k1", { account: "b" })
      expect((yield* live.list()).value).toEqual([key("k1", "old", "b")])
      yield* latch.open
    })
  }
})

describe("a master that answers writes wrong", () => {
  const written = (over: object) => ({ _tag: "Written", change: "Changed", ...over })
  const outcomes: ReadonlyArray<readonly [string, unknown]> = [
    ["no array", "done"],
    ["too few outcomes", []],
    ["too many", [{}, {}]],
    ["an outcome that is none", [{ _tag: "Done" }]],
    ["a row of another shape", [written({ row: { _tag: "Some", value: { id: "k1" } } })]],
    ["no row", [written({ row: undefined })]]
  ]
  for (const [name, answer] of outcomes) {
    scenario(`makes the outcome Unknown, and drops the row: ${name}`, function* () {
      const { live, master } = yield* liveKeys({}, old)
      yield* live.get("k1")
      master.next("write", answering(answer))
      expect(yield* Effect.flip(live.patch("k1", { state: "new" }))).toMatchObject({
        _tag: "WriteFailed",
        reason: "Malformed",
        outcome: "Unknown"
      })
      expect(live.unsafeGet("k1")).toBe(undefined)
    })
  }
})
