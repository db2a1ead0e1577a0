/** Tags and the end of freshness reach what is under way, whoever has asked for it (rules 2, 9). */
import { describe, expect } from "@effect/vitest"
import { Effect, Fiber } from "effect"
import { errorOf, freshnessOf, key, liveKeys, stateOf } from "../support/liveTable/keys.js"
import { away, failing, late } from "../support/liveTable/master.js"
import { scenario, started } from "../support/time/turn.js"

const rows = [key("k1", "old"), key("k2", "other")]

/** A list that has read the old row, and is answered when the latch opens. */
const listing = Effect.gen(function* () {
  const both = yield* liveKeys({ grace: 60_000 }, rows)
  yield* both.live.get("k1", { tags: ["mine"] })
  const latch = yield* Effect.makeLatch()
  both.master.next("list", late(latch))
  const list = yield* started(both.live.list())
  yield* both.master.foreign.patch("k1", { state: "new" })
  return { ...both, answered: Effect.andThen(latch.open, Fiber.join(list)) }
})

describe("under way,", () => {
  scenario("a list without a tag brings no row that was invalidated by its tag", function* () {
    const { answered, live, master } = yield* listing
    yield* live.invalidate({ tag: "mine" })
    yield* answered
    // Not even as a stale one.
    master.next("getMany", failing(away()))
    expect(yield* errorOf(live.get("k1"))).toMatchObject({ reason: "Master" })
    expect(stateOf(yield* live.get("k1"))).toBe("new")
  })

  for (const [name, target] of [
    ["its id", { ids: ["k1"] }],
    ["its tag", { tag: "mine" }],
    ["everything", "all"]
  ] as const) {
    scenario(`a list brings no fresh row that was expired by ${name}`, function* () {
      const { answered, live } = yield* listing
      yield* live.expire(target)
      yield* answered
      expect(live.unsafeGet("k1")).toBe(undefined)
      const answer = yield* live.get("k1")
      expect([stateOf(answer), freshnessOf(answer)]).toEqual(["new", "Fresh"])
    })

    scenario(`a write makes no fresh row that was expired by ${name}`, function* () {
      const { live, master } = yield* liveKeys({}, rows)
      yield* live.get("k1", { tags: ["mine"] })
      const latch = yield* Effect.makeLatch()
      master.next("write", late(latch))
      const write = yield* started(live.patch("k1", { account: "b" }))
      yield* master.foreign.patch("k1", { state: "new" })
      yield* live.expire(target)
      yield* latch.open
      yield* Fiber.join(write)
      expect(live.unsafeGet("k1")).toBe(undefined)
      expect(stateOf(yield* live.get("k1"))).toBe("new")
    })
  }

  scenario("a write keeps no row that was invalidated by its tag", function* () {
    const { live, master } = yield* liveKeys({}, rows)
    yield* live.get("k1", { tags: ["mine"] })
    const latch = yield* Effect.makeLatch()
    master.next("write", late(latch))
    const write = yield* started(live.patch("k1", { account: "b" }))
    yield* master.foreign.patch("k1", { state: "new" })
    yield* live.invalidate({ tag: "mine" })
    yield* latch.open
    yield* Fiber.join(write)
    expect(stateOf(yield* live.get("k1"))).toBe("new")
  })

  scenario("a load that is answered with a later row gives that row its tag", function* () {
    const { live, master } = yield* liveKeys({}, rows)
    const latch = yield* Effect.makeLatch()
    master.next("getMany", late(latch))
    const read = yield* started(live.get("k1", { tags: ["mine"] }))
    yield* live.patch("k1", { state: "written" })
    yield* latch.open
    expect(stateOf(yield* Fiber.join(read))).toBe("written")
    yield* master.foreign.patch("k1", { state: "new" })
    yield* live.invalidate({ tag: "mine" })
    expect(stateOf(yield* live.get("k1"))).toBe("new")
  })
})
