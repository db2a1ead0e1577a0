/** Statements of the caller's own, as a write of what they concern; and tags (rules 6, 9). */
import { describe, expect } from "@effect/vitest"
import { Effect, Exit, Fiber, TestClock } from "effect"
import { Query } from "../../src/Storage.js"
import { errorOf, freshnessOf, idsOf, key, liveKeys, stateOf } from "../support/liveTable/keys.js"
import { late } from "../support/liveTable/master.js"
import { scenario, started } from "../support/time/turn.js"

const old = [key("k1", "old"), key("k2", "old")]
const k1 = { ids: ["k1"] }

describe("invalidateAfter", () => {
  scenario("drops its target when the statements have succeeded, and returns what they return", function* () {
    const { live, master } = yield* liveKeys({}, old)
    yield* live.getMany(["k1", "k2"])
    yield* live.list()
    const written = yield* live.invalidateAfter(k1, master.foreign.patch("k1", { state: "new" }))
    expect(written.change).toBe("Changed")
    expect(live.unsafeGet("k1")).toBe(undefined)
    expect(freshnessOf(live.unsafeGet("k2")!)).toBe("Fresh")
    expect((yield* live.list()).value.map(({ state }) => state)).toEqual(["new", "old"])
    yield* live.get("k1")
    expect(freshnessOf(live.unsafeGet("k1")!)).toBe("Fresh")
  })

  for (const [name, end] of [
    ["fail", Effect.fail("no")],
    ["die", Effect.die("a bug")],
    ["are interrupted", Effect.interrupt]
  ] as const) {
    scenario(`drops its target also if they ${name}, and doubts it: they may be committed`, function* () {
      const { live, master } = yield* liveKeys({ doubt: 1_000 }, old)
      yield* live.getMany(["k1", "k2"])
      const statements = Effect.andThen(master.foreign.patch("k1", { state: "new" }), end)
      expect(Exit.isFailure(yield* Effect.exit(live.invalidateAfter(k1, statements)))).toBe(true)
      const answer = yield* live.get("k1")
      expect([stateOf(answer), freshnessOf(answer)]).toEqual(["new", "Bypassed"])
      expect(freshnessOf(yield* live.list())).toBe("Bypassed")
      expect(freshnessOf(live.unsafeGet("k2")!)).toBe("Fresh")
      yield* TestClock.adjust(1_000)
      yield* live.get("k1")
      expect(freshnessOf(live.unsafeGet("k1")!)).toBe("Fresh")
    })
  }

  scenario("drops its target when its caller is interrupted, and what was loaded meanwhile", function* () {
    const { live, master } = yield* liveKeys({ doubt: 0 }, old)
    const latch = yield* Effect.makeLatch()
    const statements = Effect.andThen(Effect.interruptible(latch.await), master.foreign.deleteAll)
    const running = yield* started(live.invalidateAfter("all", statements))
    const answer = yield* Effect.makeLatch()
    master.next("getMany", late(answer))
    const loading = yield* started(live.get("k1"))
    yield* Fiber.interrupt(running)
    yield* answer.open
    expect(freshnessOf(yield* Fiber.join(loading))).toBe("Bypassed")
    expect(live.unsafeGet("k1")).toBe(undefined)
  })

  scenario("runs nothing for a target that is none", function* () {
    const { live, master } = yield* liveKeys({}, old)
    const wrong = live.invalidateAfter({ ids: [5 as never] }, master.foreign.deleteAll)
    expect(yield* errorOf(wrong)).toMatchObject({ _tag: "InvalidQuery" })
    expect((yield* live.count()).value).toBe(2)
  })
})

describe("an invalidation", () => {
  scenario(
    "by a tag drops the rows, lists and counts that were read with it, and nothing else",
    function* () {
      const { live, master } = yield* liveKeys({}, old)
      const tags = { tags: ["a", "b"] }
      yield* live.get("k1", tags)
      // The second reader of a fresh entry adds its own tag.
      yield* live.get("k1", { tags: ["c"] })
      yield* live.get("k2", { tags: ["d"] })
      yield* live.list({ limit: 1 }, tags)
      yield* live.count(undefined, tags)
      yield* live.count(Query.eq("state", "old"))
      const reads = Effect.all([
        live.list({ limit: 1 }),
        live.count(),
        live.count(Query.eq("state", "old")),
        live.get("k1"),
        live.get("k2")
      ])
      yield* live.invalidate({ tag: "none" })
      yield* reads
      expect([master.count("getMany"), master.count("list"), master.count("count")]).toEqual([2, 1, 2])
      yield* live.invalidate({ tag: "b" })
      expect(live.unsafeGet("k1")).toBe(undefined)
      expect(live.unsafeGet("k2")).toBeDefined()
      yield* reads
      // The row comes with the list.
      expect([master.count("getMany"), master.count("list"), master.count("count")]).toEqual([2, 2, 3])
      yield* live.get("k2", { tags: ["c"] })
      yield* live.invalidate({ tag: "c" })
      expect(live.unsafeGet("k2")).toBe(undefined)
    }
  )

  scenario("by a query drops this list, with its order, page and size, and no other", function* () {
    const { live, master } = yield* liveKeys({}, old)
    const queries = [
      { limit: 1 },
      { limit: 1, page: 2 },
      { limit: 2 },
      { limit: 1, orderBy: [{ column: "state", direction: "desc" }] },
      { limit: 1, where: Query.eq("account", "a") }
    ] as const
    const lists = Effect.forEach(queries, (query) => live.list(query))
    yield* lists
    yield* lists
    expect(master.count("list")).toBe(5)
    yield* live.invalidate({ query: { page: 1, limit: 1 } })
    yield* lists
    expect(master.count("list")).toBe(6)
    yield* live.invalidate({ count: undefined })
    yield* lists
    expect(master.count("list")).toBe(6)
  })

  scenario("does not take one text for another: a page key has all that it is of (rule 7)", function* () {
    const { live } = yield* liveKeys({}, [
      key("k1", 'a","b'),
      key("k2", "a", '"a'),
      key("client"),
      key("clients")
    ])
    expect(idsOf(yield* live.list({ where: Query.eq("state", 'a","b') }))).toBe("k1")
    expect(idsOf(yield* live.list({ where: Query.eq("state", "a") }))).toBe("k2")
    expect(idsOf(yield* live.list({ where: Query.eq("account", '"a') }))).toBe("k2")
    yield* live.getMany(["client", "clients"])
    yield* live.invalidate({ ids: ["client"] })
    expect(freshnessOf(live.unsafeGet("clients")!)).toBe("Fresh")
  })

  scenario("of everything concerns what is being loaded too", function* () {
    const { live, master } = yield* liveKeys({}, old)
    const latch = yield* Effect.makeLatch()
    for (const call of ["getMany", "list", "count"] as const) master.next(call, late(latch))
    const reads = yield* Effect.forEach(
      [Effect.asVoid(live.get("k1")), Effect.asVoid(live.list()), Effect.asVoid(live.count())],
      (read) => started(read)
    )
    yield* master.foreign.deleteAll
    yield* live.invalidate("all")
    yield* latch.open
    for (const read of reads) yield* Fiber.join(read)
    expect(stateOf(yield* live.get("k1"))).toBe("none")
    expect((yield* live.list()).value).toEqual([])
    expect((yield* live.count()).value).toBe(0)
  })
})
