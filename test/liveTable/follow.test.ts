/** Follows: the answer now, then every different one (rule 17). */
import { describe, expect } from "@effect/vitest"
import { Effect, Fiber, Stream, TestClock } from "effect"
import { Write } from "../../src/Table.js"
import { freshnessOf, key, liveKeys, stateOf } from "../support/liveTable/keys.js"
import { away, failing, held, late } from "../support/liveTable/master.js"
import { listing, noting } from "../support/liveTable/noting.js"
import { scenario, settled, started } from "../support/time/turn.js"

describe("a follow", () => {
  scenario("gets the answer now, then every different one, and nothing else", function* () {
    const { live } = yield* liveKeys({ minInterval: 0 }, [key("k1"), key("k2", "revoked")])
    const list = yield* listing(live)
    const row = yield* noting(live.follow("k1"), stateOf)
    expect([list.seen, row.seen]).toEqual([["k1"], ["active"]])
    // Another answer of neither, then of the list, then of both.
    yield* live.patch("k2", { account: "b" })
    yield* live.invalidate("all")
    yield* TestClock.adjust(1)
    expect([list.seen, row.seen]).toEqual([["k1"], ["active"]])
    yield* live.patch("k2", { state: "active" })
    yield* TestClock.adjust(1)
    expect([list.seen, row.seen]).toEqual([["k1", "k1,k2"], ["active"]])
    yield* live.patch("k1", { state: "revoked" })
    yield* TestClock.adjust(1)
    yield* live.delete("k1")
    yield* TestClock.adjust(1)
    expect(list.seen).toEqual(["k1", "k1,k2", "k2"])
    expect(row.seen).toEqual(["active", "revoked", "none"])
  })

  scenario("reads a query once in minInterval, for all its followers", function* () {
    const { live, master } = yield* liveKeys({ minInterval: 1_000 }, [key("k1")])
    const followers = yield* Effect.all([listing(live), listing(live), listing(live)])
    expect(master.count("list")).toBe(1)
    for (const id of ["k2", "k3"]) yield* live.insert(key(id))
    yield* TestClock.adjust(999)
    expect(master.count("list")).toBe(1)
    yield* TestClock.adjust(1)
    for (const { seen } of followers) expect(seen).toEqual(["k1", "k1,k2,k3"])
    expect(master.count("list")).toBe(2)
    // Without a change nothing is read.
    yield* TestClock.adjust("1 hour")
    expect(master.count("list")).toBe(2)
  })

  scenario("gives a slow reader the latest answer", function* () {
    const { live } = yield* liveKeys({ minInterval: 0 }, [key("k1", "0")])
    const latch = yield* Effect.makeLatch()
    const seen: Array<string> = []
    yield* started(
      Stream.runForEach(live.follow("k1"), (answer) =>
        Effect.andThen(
          Effect.sync(() => seen.push(stateOf(answer))),
          latch.await
        )
      )
    )
    for (const state of ["1", "2", "3"]) {
      yield* live.patch("k1", { state })
      yield* TestClock.adjust(1)
    }
    yield* latch.open
    yield* TestClock.adjust(1)
    expect(seen).toEqual(["0", "3"])
  })

  scenario("polls a master without events by refresh, not at once, once for all followers", function* () {
    const { live, master } = yield* liveKeys({ refresh: 1_000, minInterval: 10 }, [key("k1")])
    // So many do not look in one turn.
    const followers = yield* Effect.replicateEffect(listing(live), 40)
    yield* master.foreign.insert(key("k2"))
    yield* TestClock.adjust(999)
    expect(master.count("list")).toBe(1)
    yield* TestClock.adjust(1)
    yield* TestClock.adjust(10)
    for (const { seen } of followers) expect(seen).toEqual(["k1", "k1,k2"])
    expect(master.count("list")).toBe(2)
    yield* TestClock.adjust(5_000)
    expect(master.count("list")).toBeLessThanOrEqual(7)
  })

  scenario("emits nothing of a poll that fails, and polls slower then", function* () {
    const { live, master } = yield* liveKeys({ refresh: 1_000, minInterval: 10 }, [key("k1")])
    const { seen } = yield* listing(live)
    master.always("list", failing(away()))
    yield* TestClock.adjust(1_000)
    expect(master.count("list")).toBe(2)
    yield* TestClock.adjust(60_000)
    const failed = master.count("list")
    expect(failed).toBeGreaterThan(3)
    expect(failed).toBeLessThan(20)
    expect(seen).toEqual(["k1"])
    yield* master.foreign.insert(key("k2"))
    master.always("list", undefined)
    yield* TestClock.adjust(30_000)
    expect(seen).toEqual(["k1", "k1,k2"])
  })

  scenario("emits nothing of a read that fails after a change, and tries again", function* () {
    const { live, master } = yield* liveKeys({ minInterval: 100 }, [key("k1")])
    const { seen } = yield* listing(live)
    master.next("list", failing(away()))
    yield* live.insert(key("k2"))
    yield* TestClock.adjust(100)
    expect([master.count("list"), seen]).toEqual([2, ["k1"]])
    yield* TestClock.adjust(30_000)
    expect([master.count("list"), seen]).toEqual([3, ["k1", "k1,k2"]])
    // A write that fails is no change.
    master.next("write", failing(away()))
    yield* Effect.flip(live.insert(key("k3")))
    yield* TestClock.adjust(30_000)
    expect(master.count("list")).toBe(3)
  })

  scenario("fails if its first read does", function* () {
    const { live, master } = yield* liveKeys()
    master.next("list", failing(away()))
    const { fiber } = yield* listing(live)
    expect(yield* Fiber.join(fiber)).toMatchObject({ _tag: "ReadFailed", reason: "Master" })
    const wrong = live.follow({ where: { _tag: "Cond", column: "none" } } as never)
    expect(yield* Effect.flip(Stream.runDrain(wrong))).toMatchObject({ _tag: "InvalidQuery" })
  })

  scenario("ends with ReadFailed when the live table is closed, also in the middle of a read", function* () {
    const { live, master } = yield* liveKeys({ minInterval: 0 }, [key("k1")])
    const idle = yield* listing(live)
    master.next("getMany", late(yield* Effect.makeLatch()))
    const reading = yield* noting(live.follow("k9"), stateOf)
    yield* live.close
    for (const { fiber } of [idle, reading]) {
      expect(yield* Fiber.join(fiber)).toMatchObject({ _tag: "ReadFailed", reason: "Closed" })
    }
  })

  scenario("shows staged writes to those who include them", function* () {
    const { live, master } = yield* liveKeys({ minInterval: 0 }, [key("k1")])
    const included = yield* listing(live, { pending: "include" })
    const omitted = yield* listing(live)
    const latch = yield* Effect.makeLatch()
    master.next("write", held(latch))
    const staged = yield* live.stage(Write.insert(key("k2")))
    yield* TestClock.adjust(1)
    expect([included.seen, omitted.seen]).toEqual([["k1", "k1,k2"], ["k1"]])
    yield* latch.open
    yield* staged.outcome
    yield* TestClock.adjust(1)
    expect([included.seen, omitted.seen]).toEqual([
      ["k1", "k1,k2"],
      ["k1", "k1,k2"]
    ])
    master.next("write", failing(away()))
    const refused = yield* live.stage(Write.insert(key("k3")))
    yield* Effect.flip(refused.outcome)
    yield* TestClock.adjust(1)
    expect(included.seen.at(-1)).toBe("k1,k2")
    expect(omitted.seen).toEqual(["k1", "k1,k2"])
  })

  scenario("keeps its entry from eviction, and gives it free when it ends", function* () {
    const { live, master } = yield* liveKeys({ maxEntries: 2, minInterval: 0 }, [
      key("k1"),
      key("k2"),
      key("k3")
    ])
    const { fiber, seen } = yield* noting(live.follow("k1"), stateOf)
    for (const id of ["k2", "k3", "k2", "k3"]) yield* live.get(id)
    expect(freshnessOf(live.unsafeGet("k1")!)).toBe("Fresh")
    yield* Fiber.interrupt(fiber)
    for (const id of ["k2", "k3", "k2", "k3"]) yield* live.get(id)
    expect(live.unsafeStats().entries).toBe(2)
    expect(seen).toEqual(["active"])
    expect(master.count("getMany")).toBeGreaterThan(1)
    yield* settled
  })
})
