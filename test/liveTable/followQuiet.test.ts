/** Follows that nothing wakes but time: no one else reads or writes (rules 1, 5, 9, 17). */
import { describe, expect, it } from "@effect/vitest"
import { Effect, Exit, Runtime, Scope, Stream, TestClock } from "effect"
import * as LiveTable from "../../src/LiveTable.js"
import * as Table from "../../src/Table.js"
import { key, keys, liveKeys, stateOf } from "../support/liveTable/keys.js"
import { answering, away, failing } from "../support/liveTable/master.js"
import { listing, noting } from "../support/liveTable/noting.js"
import { scenario } from "../support/time/turn.js"
import { runtimeIn, virtualTime } from "../support/time/virtualTime.js"

describe("a follow without other traffic", () => {
  it.live("waits for no rest of a time that is too short for the clock to pass", () =>
    Effect.promise(async () => {
      const time = virtualTime()
      const runtime = runtimeIn(time)
      const scope = Effect.runSync(Scope.make())
      // By floating point, 300 ms that begin here leave 6e-14 ms when they are over.
      await time.advance(70.61400068699719)
      const opening = Runtime.runPromise(runtime)(
        Scope.extend(liveKeys({ refresh: 300 }, [key("k1")]), scope)
      )
      await time.settle()
      const { live, master } = await opening
      const seen: Array<string> = []
      const followed = Stream.runForEach(live.follow("k1"), (answer) =>
        Effect.sync(() => seen.push(stateOf(answer)))
      )
      Runtime.runFork(runtime)(followed)
      await time.settle()
      await Runtime.runPromise(runtime)(master.foreign.patch("k1", { state: "revoked" }))
      await time.advance(301)
      expect(seen).toEqual(["active", "revoked"])
      Runtime.runFork(runtime)(Scope.close(scope, Exit.void))
      await time.settle()
    })
  )

  scenario("gets a write of unknown outcome that commits while it is doubted", function* () {
    const { live, master } = yield* liveKeys({ minInterval: 0, doubt: 30_000 }, [key("k1")])
    const row = yield* noting(live.follow("k1"), stateOf)
    const list = yield* listing(live)
    master.next("write", failing(away("Unknown")))
    yield* Effect.flip(live.patch("k1", { state: "revoked" }))
    yield* TestClock.adjust(10_000)
    yield* master.foreign.patch("k1", { state: "revoked" })
    yield* TestClock.adjust(19_999)
    expect([row.seen, list.seen]).toEqual([["active"], ["k1"]])
    yield* TestClock.adjust(1)
    yield* TestClock.adjust(0)
    expect([row.seen, list.seen]).toEqual([
      ["active", "revoked"],
      ["k1", ""]
    ])
  })

  scenario("gets statements of the caller's own that commit while they are doubted", function* () {
    const { live, master } = yield* liveKeys({ minInterval: 0, doubt: 30_000 }, [key("k1")])
    const row = yield* noting(live.follow("k1"), stateOf)
    yield* Effect.flip(live.invalidateAfter({ ids: ["k1"] }, Effect.fail("cut off")))
    yield* TestClock.adjust(1)
    yield* master.foreign.patch("k1", { state: "revoked" })
    yield* TestClock.adjust(30_000)
    expect(row.seen).toEqual(["active", "revoked"])
  })

  scenario("gets a list as the master shows it when targetLag is over", function* () {
    const master = yield* Table.memory(keys)
    const target = yield* Table.memory(keys)
    for (const table of [master, target]) yield* table.insert(key("k1"))
    const options = { target, sample: 0, targetLag: 5_000, minInterval: 0, doubt: 60_000 }
    const live = yield* LiveTable.make(master, options)
    const list = yield* listing(live)
    // A doubt that is over later makes no difference.
    yield* Effect.flip(live.invalidateAfter({ ids: ["k9"] }, Effect.fail("cut off")))
    yield* live.insert(key("k2"))
    yield* TestClock.adjust(4_000)
    yield* master.insert(key("k2"))
    expect(list.seen).toEqual(["k1"])
    yield* TestClock.adjust(1_000)
    yield* TestClock.adjust(0)
    expect(list.seen).toEqual(["k1", "k1,k2"])
  })

  scenario("looks again, later and later, while it gets what is served in place of the master", function* () {
    const { live, master } = yield* liveKeys({ minInterval: 0, ttl: 10, grace: 600_000 }, [key("k1")])
    const row = yield* noting(live.follow("k1"), stateOf)
    master.always("getMany", failing(away()))
    yield* master.foreign.patch("k1", { state: "revoked" })
    yield* live.expire({ ids: ["k1"] })
    yield* TestClock.adjust(120_000)
    expect(row.seen).toEqual(["active"])
    expect(master.count("getMany")).toBeLessThan(20)
    master.always("getMany", undefined)
    yield* TestClock.adjust(30_000)
    expect(row.seen).toEqual(["active", "revoked"])
  })

  scenario("leaves a master alone that fails, also without an interval between its reads", function* () {
    const { live, master } = yield* liveKeys({ minInterval: 0 }, [key("k1")])
    const list = yield* listing(live)
    master.always("list", answering(undefined))
    yield* live.insert(key("k2"))
    yield* TestClock.adjust(10_000)
    expect(master.count("list")).toBeLessThan(10)
    master.always("list", undefined)
    yield* TestClock.adjust(30_000)
    expect(list.seen).toEqual(["k1", "k1,k2"])
  })

  scenario("gets with the others what the master answers after it has failed for long", function* () {
    const { live, master } = yield* liveKeys({ minInterval: 100, refresh: 300 }, [key("k1")])
    const lists = yield* Effect.all([listing(live), listing(live), listing(live)])
    master.always("list", failing(away()))
    yield* TestClock.adjust(60_000)
    yield* master.foreign.insert(key("k2"))
    master.always("list", undefined)
    const isSeen = () => lists.some(({ seen }) => seen.length > 1)
    for (let waited = 0; waited < 30_000 && !isSeen(); waited += 100) yield* TestClock.adjust(100)
    yield* TestClock.adjust(100)
    expect(lists.map(({ seen }) => seen)).toEqual(lists.map(() => ["k1", "k1,k2"]))
  })
})
