/** A tier that is slow, broken or lies is counted, and the master answers (rule 14). */
import { describe, expect } from "@effect/vitest"
import { Effect, Fiber, TestClock } from "effect"
import * as Tier from "../../src/Tier.js"
import { freshnessOf, key, liveKeys, stateOf } from "../support/liveTable/keys.js"
import { failing, type How, held, never } from "../support/liveTable/master.js"
import { scriptedTier } from "../support/liveTable/tiers.js"
import { scenario, started } from "../support/time/turn.js"

type Texts = ReadonlyArray<string | undefined>

/** What the tier does in place of returning its entries. */
type Get = (texts: Texts) => Effect.Effect<unknown, unknown>

const edited = (text: string | undefined, edit: object): string =>
  JSON.stringify({ ...JSON.parse(text ?? "{}"), ...edit })

const editing =
  (edit: object): Get =>
  (texts) =>
    Effect.succeed(texts.map((text) => edited(text, edit)))

const unavailable = new Tier.TierError({ reason: "Unavailable", message: "the tier is away" })

/** A live table whose tier holds an entry of `k1`, which is not in memory any more. `get` is what it does next. */
const tiered = (get: Get) =>
  Effect.gen(function* () {
    const memory = yield* Tier.memory()
    const script = { isBad: false, puts: 0 }
    const tier: Tier.Tier = {
      ...memory,
      open: (namespace) =>
        Effect.map(memory.open(namespace), (store) => ({
          ...store,
          // A tier of untyped code returns anything.
          get: (keys) =>
            Effect.flatMap(store.get(keys), (texts) =>
              script.isBad ? (get(texts) as Effect.Effect<Texts, Tier.TierError>) : Effect.succeed(texts)
            ),
          put: (entries) => Effect.tap(store.put(entries), () => Effect.sync(() => script.puts++))
        }))
    }
    const options = { tier, tierTimeout: 1_000, graceBackoff: 0, maxEntries: 1, hardTimeout: 60_000 }
    const { live, master } = yield* liveKeys(options, [key("k1", "old"), key("k2", "other")])
    yield* live.get("k1")
    yield* TestClock.adjust(1)
    yield* live.get("k2")
    yield* TestClock.adjust(1)
    script.isBad = true
    return { live, master }
  })

const reading = (get: Get) =>
  Effect.gen(function* () {
    const { live, master } = yield* tiered(get)
    const before = { asked: master.count("getMany"), stats: live.unsafeStats() }
    const read = yield* started(live.get("k1"))
    yield* TestClock.adjust(1_000)
    const answer = yield* Fiber.join(read)
    const { tierFaults, tierHits, tierMisses } = live.unsafeStats()
    expect(tierHits).toBe(before.stats.tierHits)
    expect([stateOf(answer), freshnessOf(answer)]).toEqual(["old", "Fresh"])
    expect(master.count("getMany")).toBe(before.asked + 1)
    return { faults: tierFaults - before.stats.tierFaults, misses: tierMisses - before.stats.tierMisses }
  })

const faults: ReadonlyArray<readonly [string, How]> = [
  ["fails", failing(unavailable)],
  ["dies", () => Effect.die("a bug")],
  [
    "throws",
    () => {
      throw new Error("a bug")
    }
  ],
  ["hangs", never]
]

describe("a tier that", () => {
  for (const [name, get] of [
    ["returns no JSON", () => Effect.succeed(["not JSON"])],
    ["returns another shape", () => Effect.succeed(["{}"])],
    ["returns a value that is no text", () => Effect.succeed([5])],
    ["returns an entry of other columns", editing({ columns: "another table" })],
    ["returns a row of another shape", editing({ row: { id: 5 } })],
    ["returns the row of another id", editing({ row: key("k2", "other") })],
    ["returns fewer values than keys", () => Effect.succeed([])],
    ["returns more values than keys", (texts) => Effect.succeed([...texts, ...texts])],
    ["returns no values", () => Effect.succeed(undefined)],
    ["fails", () => Effect.fail(unavailable)],
    ["fails with anything", () => Effect.fail("anything")],
    ["dies", () => Effect.die("a bug")],
    [
      "throws",
      () => {
        throw new Error("a bug")
      }
    ],
    ["interrupts itself", () => Effect.interrupt],
    ["hangs", () => Effect.never],
    ["ignores its interruption", () => Effect.uninterruptible(Effect.never)]
  ] satisfies ReadonlyArray<readonly [string, Get]>) {
    scenario(`${name} is counted as a fault, and the master answers`, function* () {
      expect((yield* reading(get)).faults).toBe(1)
    })
  }

  for (const [name, get] of [
    ["has lost the entry", () => Effect.succeed([undefined])],
    ["returns an entry of another life, without a log", editing({ life: "another" })],
    ["returns an entry that is older than its ttl", editing({ askedAt: -1_000_000 })]
  ] satisfies ReadonlyArray<readonly [string, Get]>) {
    scenario(`${name} is a miss, and the master answers`, function* () {
      expect(yield* reading(get)).toEqual({ faults: 0, misses: 1 })
    })
  }

  scenario("is not asked for an entry that a write has outdated", function* () {
    const { live, master } = yield* tiered((texts) => Effect.succeed(texts))
    yield* master.foreign.patch("k1", { state: "new" })
    yield* live.invalidate({ ids: ["k1"] })
    expect(stateOf(yield* live.get("k1"))).toBe("new")
  })

  scenario("fails is left alone for graceBackoff", function* () {
    const { always, count, tier } = yield* scriptedTier
    const { live } = yield* liveKeys({ tier, graceBackoff: 1_000, maxEntries: 1 }, [key("k1"), key("k2")])
    yield* TestClock.adjust(1)
    always("get", failing(unavailable))
    yield* live.get("k1")
    expect([count("get"), live.unsafeStats().tierFaults]).toEqual([1, 1])
    yield* TestClock.adjust(999)
    yield* live.get("k2")
    expect([count("get"), count("put"), live.unsafeStats().tierFaults]).toEqual([1, 0, 1])
    yield* TestClock.adjust(1)
    yield* live.get("k1")
    expect([count("get"), live.unsafeStats().tierFaults]).toEqual([2, 2])
  })

  for (const [name, how] of faults) {
    scenario(`${name} when it should put or remove costs no answer, and is used again`, function* () {
      const { always, count, tier } = yield* scriptedTier
      const options = { tier, graceBackoff: 1_000, tierTimeout: 1_000, maxEntries: 1 }
      const { live } = yield* liveKeys(options, [key("k1", "old"), key("k2")])
      yield* TestClock.adjust(1)
      always("put", how)
      expect(stateOf(yield* live.get("k1"))).toBe("old")
      yield* TestClock.adjust(1_000)
      expect(live.unsafeStats().tierFaults).toBe(1)
      yield* TestClock.adjust(1_000)
      always("put", undefined)
      always("remove", how)
      yield* live.get("k2")
      yield* live.delete("k1")
      yield* TestClock.adjust(1_000)
      expect([count("remove"), live.unsafeStats().tierFaults]).toEqual([1, 2])
      expect(stateOf(yield* live.get("k1"))).toBe("none")
      yield* TestClock.adjust(1_000)
      yield* live.get("k2")
      expect(live.unsafeStats().tierHits).toBe(1)
    })

    scenario(`${name} when it is opened costs no answer, and holds up no close`, function* () {
      const { always, count, tier } = yield* scriptedTier
      always("open", how)
      const options = { tier, graceBackoff: 2_000, maxEntries: 1 }
      const { live } = yield* liveKeys(options, [key("k1", "old"), key("k2")])
      yield* live.get("k1")
      yield* TestClock.adjust(1_999)
      yield* live.get("k2")
      expect(stateOf(yield* live.get("k1"))).toBe("old")
      expect([count("open"), count("get")]).toEqual([1, 0])
      always("open", undefined)
      if (name !== "hangs") {
        // It is opened again, and gets what waited for it.
        yield* TestClock.adjust(1)
        expect([count("open"), live.unsafeStats().tierFaults]).toEqual([2, 1])
        yield* live.get("k2")
        expect(live.unsafeStats().tierHits).toBe(1)
      }
      const closing = yield* started(live.close)
      yield* TestClock.adjust(100)
      expect(closing.unsafePoll()).not.toBe(null)
    })
  }

  scenario("is slow loses the oldest of more than 1,000 puts that wait for it", function* () {
    const { always, tier } = yield* scriptedTier
    const ids = Array.from({ length: 1_100 }, (_, n) => `k${n}`)
    const rows = ids.map((id) => key(id))
    const { live } = yield* liveKeys({ tier, maxEntries: 1 }, rows)
    yield* TestClock.adjust(1)
    const latch = yield* Effect.makeLatch()
    always("put", held(latch))
    yield* live.get("k0")
    yield* TestClock.adjust(1)
    yield* live.getMany(ids)
    yield* latch.open
    yield* TestClock.adjust(1)
    yield* live.get("none")
    yield* live.getMany(ids)
    expect(live.unsafeStats()).toMatchObject({ tierHits: 1_000, tierFaults: 0 })
  })
})
