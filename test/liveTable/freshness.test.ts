/** How long answers are fresh, when they are served stale, and when not (rule 9). At an exact bound the later rule holds. */
import { describe, expect } from "@effect/vitest"
import { Effect, Fiber, TestClock } from "effect"
import type * as LiveTable from "../../src/LiveTable.js"
import { freshnessOf, type Keys, key, liveKeys, stateOf } from "../support/liveTable/keys.js"
import { away, failing, late, never } from "../support/liveTable/master.js"
import { scenario, settled, started } from "../support/time/turn.js"

const rows = [key("k1", "old")]
const minute = 60_000

/** What a read of the row answers: its state, and how fresh it is. */
const readOf = ({ live }: { readonly live: LiveTable.Of<Keys> }, options?: LiveTable.ReadOptions) =>
  Effect.map(live.get("k1", options), (answer) => `${stateOf(answer)} ${freshnessOf(answer)}`)

describe("an answer", () => {
  scenario("is fresh below the ttl, less up to 10 % of jitter, and loaded at the ttl", function* () {
    const many = Array.from({ length: 200 }, (_, n) => `k${n}`)
    const { live } = yield* liveKeys(
      { ttl: minute },
      many.map((id) => key(id))
    )
    yield* live.getMany(many)
    const fresh = () => many.filter((id) => live.unsafeGet(id) !== undefined).length
    yield* TestClock.adjust(0.9 * minute - 1)
    expect(fresh()).toBe(200)
    yield* TestClock.adjust(0.05 * minute)
    // What was loaded together does not go together.
    expect(fresh()).toBeGreaterThan(50)
    expect(fresh()).toBeLessThan(150)
    yield* TestClock.adjust(0.05 * minute + 1)
    expect(fresh()).toBe(0)
  })

  scenario("is not kept fresh by reads", function* () {
    const both = yield* liveKeys({ ttl: 10 }, rows)
    yield* readOf(both)
    for (let age = 1; age < 10; age++) {
      yield* TestClock.adjust(1)
      expect(both.live.unsafeGet("k1")).toBeDefined()
      yield* readOf(both)
    }
    yield* TestClock.adjust(1)
    expect(both.live.unsafeGet("k1")).toBe(undefined)
    expect(both.master.count("getMany")).toBe(1)
    yield* readOf(both)
    expect(both.master.count("getMany")).toBe(2)
  })

  scenario("that there is no row has a time of its own", function* () {
    const both = yield* liveKeys({ ttl: minute, absentTtl: 10 })
    expect(yield* readOf(both)).toBe("none Fresh")
    yield* TestClock.adjust(9)
    yield* readOf(both)
    expect(both.master.count("getMany")).toBe(1)
    yield* TestClock.adjust(1)
    yield* readOf(both)
    expect(both.master.count("getMany")).toBe(2)
  })

  scenario("of a ttl of 0 is never kept fresh", function* () {
    const both = yield* liveKeys({ ttl: 0 }, rows)
    yield* readOf(both)
    yield* readOf(both)
    expect(both.live.unsafeGet("k1")).toBe(undefined)
    expect(both.master.count("getMany")).toBe(2)
  })

  scenario(
    "is stale at once within staleWhileRevalidate, with one refresh, and loaded at its end",
    function* () {
      const both = yield* liveKeys({ ttl: 10, staleWhileRevalidate: 5 }, rows)
      yield* readOf(both)
      yield* both.master.foreign.patch("k1", { state: "new" })
      yield* TestClock.adjust(10)
      const latch = yield* Effect.makeLatch()
      both.master.next("getMany", late(latch))
      for (let n = 0; n < 3; n++) expect(yield* readOf(both)).toBe("old Stale Expired")
      yield* TestClock.adjust(4)
      expect(yield* readOf(both)).toBe("old Stale Expired")
      expect(both.master.count("getMany")).toBe(2)
      yield* TestClock.adjust(1)
      // The load under way is joined, and waited for.
      const waiting = yield* started(readOf(both))
      expect(waiting.unsafePoll()).toBe(null)
      yield* latch.open
      expect(yield* Fiber.join(waiting)).toBe("new Fresh")
      expect(both.master.count("getMany")).toBe(2)
    }
  )

  scenario("has an age since the master was asked", function* () {
    const { live, master } = yield* liveKeys({ ttl: 10, staleWhileRevalidate: minute }, rows)
    const latch = yield* Effect.makeLatch()
    master.next("getMany", late(latch))
    const first = yield* started(live.get("k1"))
    yield* TestClock.adjust(4)
    yield* latch.open
    yield* Fiber.join(first)
    yield* TestClock.adjust(6)
    expect((yield* live.get("k1")).freshness).toEqual({ _tag: "Stale", age: 10, why: "Expired" })
  })

  scenario("is stale past softTimeout while it has grace, and the load goes on", function* () {
    const both = yield* liveKeys({ ttl: minute, grace: minute, softTimeout: 50, hardTimeout: minute }, rows)
    yield* readOf(both)
    yield* both.master.foreign.patch("k1", { state: "new" })
    yield* TestClock.adjust(minute)
    const latch = yield* Effect.makeLatch()
    both.master.next("getMany", late(latch))
    const slow = yield* started(readOf(both))
    yield* TestClock.adjust(49)
    expect(slow.unsafePoll()).toBe(null)
    yield* TestClock.adjust(1)
    expect(yield* Fiber.join(slow)).toBe("old Stale Slow")
    const again = yield* started(readOf(both))
    yield* TestClock.adjust(50)
    expect(yield* Fiber.join(again)).toBe("old Stale Slow")
    yield* latch.open
    yield* settled
    expect(yield* readOf(both)).toBe("new Fresh")
    expect(both.master.count("getMany")).toBe(2)
  })

  scenario("is waited for past softTimeout if there is no value, or none below ttl and grace", function* () {
    const both = yield* liveKeys({ ttl: 10, grace: 90, softTimeout: 50, hardTimeout: 1_000 }, rows)
    both.master.next("getMany", never)
    const cold = yield* started(Effect.flip(readOf(both)))
    yield* TestClock.adjust(999)
    expect(cold.unsafePoll()).toBe(null)
    yield* TestClock.adjust(1)
    expect(yield* Fiber.join(cold)).toMatchObject({ reason: "TimedOut" })
    yield* readOf(both)
    // At softTimeout the value is as old as ttl and grace.
    yield* TestClock.adjust(50)
    both.master.next("getMany", never)
    const dead = yield* started(Effect.flip(readOf(both)))
    yield* TestClock.adjust(999)
    expect(dead.unsafePoll()).toBe(null)
    yield* TestClock.adjust(1)
    expect(yield* Fiber.join(dead)).toMatchObject({ reason: "TimedOut" })
  })

  scenario(
    "is stale below ttl and grace if the master fails, and the failure is the answer at it",
    function* () {
      const both = yield* liveKeys({ ttl: 10, grace: 90, graceBackoff: 0 }, rows)
      yield* readOf(both)
      both.master.always("getMany", failing(away()))
      yield* TestClock.adjust(99)
      expect(yield* readOf(both)).toBe("old Stale Failed")
      yield* TestClock.adjust(1)
      const error = yield* Effect.flip(readOf(both))
      expect(error).toMatchObject({ _tag: "ReadFailed", reason: "Master", message: "the master is away" })
    }
  )

  scenario("leaves a master that has failed alone for graceBackoff", function* () {
    const both = yield* liveKeys({ ttl: 10, grace: minute, graceBackoff: 1_000 }, rows)
    yield* readOf(both)
    yield* TestClock.adjust(10)
    both.master.next("getMany", failing(away()))
    expect(yield* readOf(both)).toBe("old Stale Failed")
    yield* both.master.foreign.patch("k1", { state: "new" })
    yield* TestClock.adjust(999)
    expect(yield* readOf(both)).toBe("old Stale Failed")
    expect(both.master.count("getMany")).toBe(2)
    yield* TestClock.adjust(1)
    expect(yield* readOf(both)).toBe("new Fresh")
    expect(both.master.count("getMany")).toBe(3)
  })

  scenario("is asked for in that time by who refuses stale ones, or has none", function* () {
    const both = yield* liveKeys({ ttl: 10, grace: minute, graceBackoff: 1_000 }, [...rows, key("k2")])
    yield* readOf(both)
    yield* TestClock.adjust(10)
    both.master.next("getMany", failing(away()))
    expect(yield* readOf(both)).toBe("old Stale Failed")
    expect(freshnessOf(yield* both.live.get("k2"))).toBe("Fresh")
    expect(yield* readOf(both, { stale: "refuse" })).toBe("old Fresh")
  })

  scenario("is never stale for a caller that refuses it, however slow the master is", function* () {
    const both = yield* liveKeys(
      { ttl: 10, staleWhileRevalidate: minute, grace: minute, softTimeout: 50 },
      rows
    )
    yield* readOf(both)
    yield* TestClock.adjust(10)
    const latch = yield* Effect.makeLatch()
    both.master.next("getMany", late(latch))
    const waiting = yield* started(readOf(both, { stale: "refuse" }))
    yield* TestClock.adjust(1_000)
    expect(waiting.unsafePoll()).toBe(null)
    yield* latch.open
    expect(yield* Fiber.join(waiting)).toBe("old Fresh")
    both.master.next("getMany", failing(away()))
    yield* TestClock.adjust(10)
    expect(yield* Effect.flip(readOf(both, { stale: "refuse" }))).toMatchObject({ reason: "Master" })
  })

  scenario("that a failed load did not replace is as it was", function* () {
    const both = yield* liveKeys({ ttl: minute }, rows)
    yield* readOf(both)
    both.master.next("getMany", failing(away()))
    expect(yield* Effect.flip(readOf(both, { use: "master" }))).toMatchObject({ reason: "Master" })
    expect(yield* readOf(both)).toBe("old Fresh")
    expect(both.master.count("getMany")).toBe(2)
  })
})

describe("expire", () => {
  scenario("ends freshness, and what is expired may be served stale", function* () {
    const both = yield* liveKeys({ ttl: minute, staleWhileRevalidate: 1 }, rows)
    yield* readOf(both)
    yield* both.live.list()
    yield* both.master.foreign.patch("k1", { state: "new" })
    yield* both.live.expire("all")
    expect(both.live.unsafeGet("k1")).toBe(undefined)
    expect(yield* readOf(both)).toBe("old Stale Expired")
    expect(freshnessOf(yield* both.live.list())).toBe("Stale Expired")
    yield* settled
    expect(yield* readOf(both)).toBe("new Fresh")
    expect(freshnessOf(yield* both.live.list())).toBe("Fresh")
  })

  for (const [name, target] of [
    ["its id", { ids: ["k1"] }],
    ["a tag", { tag: "mine" }],
    ["everything", "all"]
  ] as const) {
    scenario(`ends the freshness of what is being loaded, by ${name}`, function* () {
      const both = yield* liveKeys({ ttl: minute, grace: minute }, rows)
      const latch = yield* Effect.makeLatch()
      both.master.next("getMany", late(latch))
      const first = yield* started(readOf(both, { tags: ["mine"] }))
      yield* both.live.expire(target)
      yield* latch.open
      yield* Fiber.join(first)
      expect(both.live.unsafeGet("k1")).toBe(undefined)
      yield* readOf(both)
      expect(both.master.count("getMany")).toBe(2)
    })
  }

  scenario("ends the freshness of a list by its query, and of no other", function* () {
    const { live, master } = yield* liveKeys({}, rows)
    yield* live.list()
    yield* live.list({ limit: 1 })
    yield* live.expire({ query: { limit: 1 } })
    yield* live.list()
    expect(master.count("list")).toBe(2)
    yield* live.list({ limit: 1 })
    expect(master.count("list")).toBe(3)
  })
})

describe("what was invalidated", () => {
  scenario("is never served stale, though the master is slow or fails", function* () {
    const options = { ttl: 10, staleWhileRevalidate: minute, grace: minute, softTimeout: 50 }
    const both = yield* liveKeys(options, rows)
    yield* readOf(both)
    yield* both.live.list()
    for (const target of [{ ids: ["k1"] }, "all"] as const) {
      yield* both.live.invalidate(target)
      both.master.next("getMany", failing(away()))
      expect(yield* Effect.flip(readOf(both))).toMatchObject({ reason: "Master" })
      both.master.next("list", failing(away()))
      expect(yield* Effect.flip(both.live.list())).toMatchObject({ reason: "Master" })
      yield* readOf(both)
      yield* both.live.list()
    }
  })

  scenario("while a stale value was waited for is not served for it", function* () {
    const both = yield* liveKeys({ ttl: 10, grace: minute, softTimeout: 50 }, rows)
    yield* readOf(both)
    yield* TestClock.adjust(10)
    const latch = yield* Effect.makeLatch()
    both.master.next("getMany", late(latch))
    const slow = yield* started(readOf(both))
    yield* both.master.foreign.patch("k1", { state: "new" })
    yield* both.live.invalidate({ ids: ["k1"] })
    yield* TestClock.adjust(50)
    expect(slow.unsafePoll()).toBe(null)
    yield* latch.open
    expect(yield* Fiber.join(slow)).toBe("old Bypassed")
    expect(yield* readOf(both)).toBe("new Fresh")
  })
})
