/** What was dropped or expired never comes back from a tier (rules 2, 9, 14). */
import { describe, expect } from "@effect/vitest"
import { Effect, Fiber, TestClock } from "effect"
import type * as LiveTable from "../../src/LiveTable.js"
import { errorOf, freshnessOf, type Keys, key, liveKeys, stateOf } from "../support/liveTable/keys.js"
import { away, failing, late } from "../support/liveTable/master.js"
import { scriptedTier, sharedTier } from "../support/liveTable/tiers.js"
import { scenario, started } from "../support/time/turn.js"

const minute = 60_000
const rows = [key("k1", "old"), key("k2", "other")]

/** A live table whose tier holds what was read, also after it has left the memory. */
const tiered = (options: LiveTable.Options<Keys> = {}) =>
  Effect.gen(function* () {
    const script = yield* scriptedTier
    const both = yield* liveKeys({ ttl: minute, tier: script.tier, ...options }, rows)
    yield* TestClock.adjust(1)
    return { ...both, ...script }
  })

/** Reads `k1` with a tag, so that the tier holds it, and changes it past the live table. */
const changedBehind = (isEvicted: boolean) =>
  Effect.gen(function* () {
    const both = yield* tiered(isEvicted ? { maxEntries: 1 } : {})
    yield* both.live.get("k1", { tags: ["mine"] })
    yield* TestClock.adjust(1)
    if (isEvicted) yield* both.live.get("k2")
    expect(both.live.unsafeGet("k1") === undefined).toBe(isEvicted)
    yield* TestClock.adjust(1)
    yield* both.master.foreign.patch("k1", { state: "new" })
    return both
  })

describe("with a tier", () => {
  for (const [name, target] of [
    ["its id", { ids: ["k1"] }],
    ["a tag", { tag: "mine" }],
    ["everything", "all"]
  ] as const) {
    for (const [where, isEvicted] of [
      ["in memory", false],
      ["evicted", true]
    ] as const) {
      scenario(`a row that is ${where} and is invalidated by ${name} is not brought back`, function* () {
        const { live } = yield* changedBehind(isEvicted)
        yield* live.invalidate(target)
        expect(stateOf(yield* live.get("k1"))).toBe("new")
      })

      scenario(`the freshness of a row that is ${where} and is expired by ${name} stays ended`, function* () {
        const { live } = yield* changedBehind(isEvicted)
        yield* live.expire(target)
        const answer = yield* live.get("k1")
        expect([stateOf(answer), freshnessOf(answer)]).toEqual(["new", "Fresh"])
        yield* TestClock.adjust(1)
        expect(stateOf(yield* live.get("k1"))).toBe("new")
      })
    }
  }

  for (const [name, drop] of [
    ["invalidated", "invalidate"],
    ["expired", "expire"]
  ] as const) {
    for (const [by, target] of [
      ["its id", { ids: ["k1"] }],
      ["a tag that it was read with", { tag: "mine" }],
      ["everything", "all"]
    ] as const) {
      scenario(
        `a row that another one has put, and that is ${name} by ${by}, is not brought back`,
        function* () {
          const { foreign, open, past } = yield* sharedTier
          yield* foreign.insert(key("k1", "old"))
          const other = yield* open()
          const live = yield* open({ maxEntries: 1 })
          yield* other.get("k1")
          yield* TestClock.adjust(1)
          expect(stateOf(yield* live.get("k1", { tags: ["mine"] }))).toBe("old")
          expect(live.unsafeStats().tierHits).toBe(1)
          yield* past({ state: "new" })
          yield* live[drop](target)
          expect(stateOf(yield* live.get("k1"))).toBe("new")
        }
      )
    }
  }

  for (const [name, statements] of [
    ["is done", Effect.void],
    ["fails", Effect.fail("away")]
  ] as const) {
    scenario(
      `what was invalidated by a statement that ${name} before the master was up is not brought back`,
      function* () {
        const { foreign, open, past } = yield* sharedTier
        yield* foreign.insert(key("k1", "old"))
        const other = yield* open()
        yield* other.get("k1")
        const up = yield* Effect.makeLatch()
        const live = yield* open({ doubt: 100 }, up.await)
        yield* past({ state: "new" })
        yield* Effect.exit(live.invalidateAfter({ ids: ["k1"] }, statements))
        yield* up.open
        yield* TestClock.adjust(2_000)
        expect((yield* live.health).state).toBe("Live")
        expect(stateOf(yield* live.get("k1"))).toBe("new")
        // What is put later is believed again, once something was written.
        yield* foreign.insert(key("k2", "old"))
        yield* TestClock.adjust(1)
        yield* other.get("k2")
        yield* TestClock.adjust(1)
        yield* live.get("k2")
        expect(live.unsafeStats().tierHits).toBe(1)
      }
    )
  }

  for (const drop of ["invalidate", "expire"] as const) {
    scenario(`what was dropped by ${drop} before the master was up is not brought back`, function* () {
      const { foreign, open, past } = yield* sharedTier
      yield* foreign.insert(key("k1", "old"))
      const other = yield* open()
      yield* other.get("k1")
      const up = yield* Effect.makeLatch()
      const live = yield* open({}, up.await)
      yield* past({ state: "new" })
      yield* live[drop]({ ids: ["k1"] })
      yield* up.open
      yield* TestClock.adjust(2_000)
      expect((yield* live.health).state).toBe("Live")
      expect(stateOf(yield* live.get("k1"))).toBe("new")
    })
  }

  scenario("a statement that fails before the master is up is in doubt when it is", function* () {
    const { foreign, open } = yield* sharedTier
    yield* foreign.insert(key("k1", "old"))
    const up = yield* Effect.makeLatch()
    const live = yield* open({ doubt: minute }, up.await)
    yield* Effect.exit(live.invalidateAfter("all", Effect.fail("away")))
    yield* up.open
    yield* TestClock.adjust(2_000)
    expect(freshnessOf(yield* live.get("k1"))).toBe("Bypassed")
    yield* TestClock.adjust(minute)
    expect(freshnessOf(yield* live.get("k1"))).toBe("Fresh")
  })

  scenario("what the staleness meter has dropped is not brought back by another one's entry", function* () {
    const { foreign, open, past } = yield* sharedTier
    yield* foreign.insert(key("k1", "old"))
    const other = yield* open()
    const live = yield* open({ sample: 1 })
    yield* other.get("k1")
    yield* TestClock.adjust(1)
    yield* live.get("k1")
    yield* past({ state: "new" })
    expect(stateOf(live.unsafeGet("k1")!)).toBe("old")
    yield* TestClock.adjust(2_000)
    expect(live.unsafeStats().stale).toBe(1)
    expect(stateOf(yield* live.get("k1"))).toBe("new")
  })

  scenario("a write is not answered from it while another one may still be committed", function* () {
    const { live, master } = yield* tiered()
    master.next("write", failing(away("Unknown")))
    expect(yield* errorOf(live.patch("k1", { state: "late" }))).toMatchObject({ outcome: "Unknown" })
    yield* live.patch("k1", { state: "written" })
    yield* TestClock.adjust(1)
    // It is committed now.
    yield* master.foreign.patch("k1", { state: "late" })
    expect(stateOf(yield* live.get("k1", { use: "master" }))).toBe("late")
    expect(stateOf(yield* live.get("k1"))).toBe("late")
  })

  scenario("what it has answered before an invalidation, and is used after it, is not stored", function* () {
    const { live, master } = yield* tiered({ maxEntries: 1 })
    yield* live.get("k1")
    yield* TestClock.adjust(1)
    yield* live.get("k2")
    const latch = yield* Effect.makeLatch()
    // The tier has the one, and the other is read from the master.
    master.next("getMany", late(latch))
    const read = yield* started(live.getMany(["none", "k1"]))
    yield* master.foreign.patch("k1", { state: "new" })
    yield* live.invalidate({ ids: ["k1"] })
    yield* latch.open
    expect((yield* Fiber.join(read)).map(freshnessOf)).toEqual(["Fresh", "Bypassed"])
    expect(live.unsafeStats().tierHits).toBe(1)
    expect(live.unsafeGet("k1")).toBe(undefined)
    expect(stateOf(yield* live.get("k1"))).toBe("new")
  })

  scenario("what it answers late is judged by what was invalidated meanwhile", function* () {
    const { always, live, master } = yield* tiered({ maxEntries: 1 })
    yield* live.get("k1")
    yield* TestClock.adjust(1)
    yield* live.get("k2")
    const latch = yield* Effect.makeLatch()
    always("get", late(latch))
    const read = yield* started(live.get("k1"))
    yield* master.foreign.patch("k1", { state: "new" })
    yield* live.invalidate({ ids: ["k1"] })
    yield* latch.open
    expect(stateOf(yield* Fiber.join(read))).toBe("new")
    expect(live.unsafeStats().tierHits).toBe(0)
  })
})
