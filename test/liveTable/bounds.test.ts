/** What is kept, and how much of it: entries, bytes, and loads (rules 8, 15). */
import { describe, expect } from "@effect/vitest"
import { Effect, Fiber } from "effect"
import { freshnessOf, key, liveKeys } from "../support/liveTable/keys.js"
import { held } from "../support/liveTable/master.js"
import { scenario, settled, started } from "../support/time/turn.js"

const rows = (count: number) => Array.from({ length: count }, (_, n) => key(`k${n}`))
const fresh = (live: { readonly unsafeGet: (id: string) => unknown }, count: number) =>
  rows(count).filter(({ id }) => live.unsafeGet(id) !== undefined).length

describe("what a live table keeps", () => {
  scenario("is bounded by entries: rows, lists and counts", function* () {
    const { live } = yield* liveKeys({ maxEntries: 10 }, rows(100))
    for (const { id } of rows(100)) yield* live.get(id)
    for (let page = 1; page <= 20; page++) yield* live.list({ limit: 1, page })
    yield* live.count()
    expect(live.unsafeStats().entries).toBe(10)
    expect(live.unsafeStats().evicted).toBeGreaterThan(100)
    expect(yield* live.stats).toEqual(live.unsafeStats())
  })

  scenario("is what is read again: a scan evicts nothing in use", function* () {
    const { live } = yield* liveKeys({ maxEntries: 20 }, rows(200))
    const used = ["k0", "k1", "k2", "k3", "k4"]
    yield* live.getMany(used)
    for (const { id } of rows(200)) {
      yield* live.get(id)
      for (const one of used) live.unsafeGet(one)
    }
    for (const id of used) expect(freshnessOf(live.unsafeGet(id)!)).toBe("Fresh")
  })

  scenario("is bounded by bytes: a row by sizeOf, a list by its rows", function* () {
    const sizeOf = ({ state }: { readonly state?: unknown }) => String(state).length
    const { live } = yield* liveKeys({ maxBytes: 100, sizeOf }, [
      ...rows(100),
      key("big", "x".repeat(101)),
      key("large", "x".repeat(90))
    ])
    for (const { id } of rows(100)) yield* live.get(id)
    expect(live.unsafeStats().bytes).toBeLessThanOrEqual(100)
    expect(fresh(live, 100)).toBe(16)
    // What has no room is answered, and not kept; what is kept stays.
    expect(freshnessOf(yield* live.get("big"))).toBe("Bypassed")
    expect(fresh(live, 100)).toBe(16)
    expect(freshnessOf(yield* live.get("large"))).toBe("Fresh")
    expect(fresh(live, 100)).toBe(1)
    expect((yield* live.list({ limit: 5 })).value.length).toBe(5)
    expect(live.unsafeStats().bytes).toBeLessThanOrEqual(100)
  })

  for (const [name, sizeOf] of [
    [
      "throws",
      () => {
        throw new Error("a bug")
      }
    ],
    ["answers NaN", () => Number.NaN],
    ["answers less than 0", () => -1]
  ] as const) {
    scenario(`is nothing that a sizeOf which ${name} measures: the master answers`, function* () {
      const { live, master } = yield* liveKeys({ maxBytes: 100, sizeOf }, rows(2))
      yield* live.get("k1")
      expect(freshnessOf(yield* live.get("k1"))).toBe("Bypassed")
      yield* live.patch("k1", { state: "new" })
      expect((yield* live.get("k1")).value).toMatchObject({ value: { state: "new" } })
      expect(master.count("getMany")).toBe(3)
    })
  }
})

describe("loads", () => {
  scenario("are one for one cold key, and calls of at most 1,000 for many in one turn", function* () {
    const { live, master } = yield* liveKeys({}, rows(3))
    yield* Effect.all(
      Array.from({ length: 1_000 }, () => live.get("k1")),
      { concurrency: "unbounded", discard: true }
    )
    expect(master.count("getMany")).toBe(1)
    const ids = Array.from({ length: 2_500 }, (_, n) => `cold ${n}`)
    yield* Effect.forEach(ids, (id) => live.get(id), { concurrency: "unbounded", discard: true })
    expect(master.count("getMany") - 1).toBeLessThanOrEqual(5)
    const asked = (master.asked("getMany") as ReadonlyArray<ReadonlyArray<string>>).slice(1)
    expect(Math.max(...asked.map(({ length }) => length))).toBeLessThanOrEqual(1_000)
    expect(new Set(asked.flat()).size).toBe(2_500)
  })

  scenario("of a list are shared by those that ask for the same one", function* () {
    const { live, master } = yield* liveKeys({}, rows(3))
    const latch = yield* Effect.makeLatch()
    master.next("list", held(latch))
    const lists = yield* Effect.forEach(
      [{}, { limit: 50 }, { page: 1, limit: 50 }, { orderBy: [{ column: "id", direction: "asc" }] }] as const,
      (query) => started(live.list(query))
    )
    yield* latch.open
    for (const list of lists) expect((yield* Fiber.join(list)).value.length).toBe(3)
    expect(master.count("list")).toBe(1)
    yield* settled
  })
})
