/** A tier is never trusted, and no fault of it fails a read. */
import { describe, expect } from "@effect/vitest"
import { Deferred, Effect, Exit, Fiber, Option, Schema, Scope, TestClock } from "effect"
import * as Projection from "../../src/Projection.js"
import { TierError } from "../../src/Tier.js"
import { accounts, brief, logOf, opened, paid } from "../support/projection/accounts.js"
import { tier } from "../support/projection/tiers.js"
import { scenario, started } from "../support/time/turn.js"

const down = new TierError({ reason: "Unavailable", message: "the tier is down" })

const change = (path: string, to: unknown) => (text: string) => {
  const row = JSON.parse(text) as Record<string, unknown>
  const [first = "", second = "", third = ""] = path.split(".")
  let at: Record<string, unknown> = row
  if (second !== "") at = row[first] as Record<string, unknown>
  if (third !== "") at = at[second] as Record<string, unknown>
  at[third || second || first] = to
  return JSON.stringify(row)
}

const garbage: ReadonlyArray<readonly [string, (text: string) => string]> = [
  ["no JSON", () => "{"],
  ["other JSON", () => "7"],
  ["another format", change("format", 2)],
  ["a state that its Schema refuses", change("state", '{"owner":5}')],
  ["a state that is no JSON", change("state", "{")],
  ["a position without a revision", change("at", { generation: 1 })],
  ["a negative generation", change("at.generation", -1)],
  ["an epoch that is none of the log", change("at.revision.epoch", "another")],
  ["a tag that is none of the log", change("at.revision.tag", 1)],
  ["a revision ahead of the log", change("at.revision.seq", 70)],
  ["a generation ahead of the key", change("at.generation", 70)]
]

describe("a row of a tier", () => {
  for (const [name, spoiled] of garbage) {
    scenario(`with ${name} is removed, counted, and replaced by a full fold`, function* () {
      const log = yield* logOf(opened("a"), paid("a", 5))
      const cache = yield* tier
      yield* (yield* Projection.make(accounts, log, { tier: cache.tier })).project("a")
      yield* cache.spoil(spoiled)
      const projection = yield* Projection.make(accounts, log, { tier: cache.tier })
      expect(brief(yield* projection.projectOutcome("a"))).toBe("Replay Miss Fresh Stored g2 5")
      expect(projection.unsafeStats()).toMatchObject({ tierRefused: 1, tierMisses: 1, tierFaults: 0 })
      expect(cache.calls().slice(-3)).toEqual(["get", "remove", "put"])
      const next = yield* Projection.make(accounts, log, { tier: cache.tier })
      expect(brief(yield* next.projectOutcome("a"))).toBe("Tier Hit Fresh Skipped g2 5")
    })
  }

  scenario("at the revision of another key's event is refused, too", function* () {
    const log = yield* logOf(opened("a"), paid("a", 5))
    const cache = yield* tier
    yield* (yield* Projection.make(accounts, log, { tier: cache.tier })).project("a")
    const other = yield* log.append([paid("b", 1)])
    yield* cache.spoil(change("at.revision", other))
    const projection = yield* Projection.make(accounts, log, { tier: cache.tier })
    expect(brief(yield* projection.projectOutcome("a"))).toBe("Replay Miss Fresh Stored g2 5")
    expect(projection.unsafeStats().tierRefused).toBe(1)
  })

  scenario(
    "is one for kinds in any order, and another one for other kinds, versions and names",
    function* () {
      const log = yield* logOf(opened("a"), paid("a", 5))
      const { tier: cache } = yield* tier
      const strategyOf = (
        definition: Partial<typeof accounts>,
        options: Projection.Options = {}
      ): Effect.Effect<Projection.Strategy, unknown> =>
        Effect.scoped(
          Effect.flatMap(
            Projection.make({ ...accounts, ...definition }, log, { tier: cache, ...options }),
            (projection) => Effect.map(projection.projectOutcome("a"), ({ strategy }) => strategy)
          )
        )
      expect(yield* strategyOf({})).toBe("Replay")
      expect(yield* strategyOf({ kinds: ["Closed", "Paid", "Opened"] })).toBe("Tier")
      expect(yield* strategyOf({ kinds: ["Paid", "Opened"] })).toBe("Replay")
      expect(yield* strategyOf({ version: 1 })).toBe("Replay")
      expect(yield* strategyOf({ name: "others" })).toBe("Replay")
      expect(yield* strategyOf({}, { name: "others" })).toBe("Replay")
      expect(yield* strategyOf({})).toBe("Tier")
    }
  )

  scenario("of a lower version goes by sweep; those of this and higher ones stay", function* () {
    const log = yield* logOf(opened("a"), paid("a", 5))
    const { tier: cache } = yield* tier
    const of = (version: number) => Projection.make({ ...accounts, version }, log, { tier: cache })
    for (const version of [0, 1, 2, 3]) yield* (yield* of(version)).project("a")
    yield* (yield* of(2)).sweep
    const found: Array<Projection.Strategy> = []
    for (const version of [0, 1, 2, 3]) found.push((yield* (yield* of(version)).projectOutcome("a")).strategy)
    expect(found).toEqual(["Replay", "Replay", "Tier", "Tier"])
  })
})

describe("a tier that", () => {
  for (const [name, fault] of [
    ["fails", down],
    ["dies", Effect.die(new Error("the tier is down"))]
  ] as const) {
    scenario(`${name} fails no read, and is named`, function* () {
      const log = yield* logOf(opened("a"), paid("a", 5))
      const cache = yield* tier
      const projection = yield* Projection.make(accounts, log, { tier: cache.tier })
      cache.instead("get", fault)
      cache.instead("put", fault)
      const outcome = yield* projection.projectOutcome("a")
      expect(brief(outcome)).toBe("Replay Unavailable Fresh PutFailed g2 5")
      expect(outcome.cache).toEqual({ _tag: "Unavailable", reason: "the tier is down" })
      expect(projection.unsafeStats()).toMatchObject({ tierFaults: 2, putFailures: 1, failures: 0 })
      expect(brief(yield* projection.projectOutcome("a"))).toBe("SlotHit Hit Fresh Skipped g2 5")
      // What the tier has not taken comes with the next event.
      cache.instead("put", undefined)
      yield* log.append([paid("a", 1)])
      expect(brief(yield* projection.projectOutcome("a"))).toBe("SlotIncremental Hit Fresh Stored g3 6")
    })
  }

  scenario("hangs makes no read wait longer than tierTimeout, and is left alone for a while", function* () {
    const log = yield* logOf(opened("a"), paid("a", 5))
    const cache = yield* tier
    const projection = yield* Projection.make(accounts, log, { tier: cache.tier, tierTimeout: 300, slots: 0 })
    cache.instead("get", Effect.uninterruptible(Effect.never))
    const reading = yield* started(projection.projectOutcome("a"))
    yield* TestClock.adjust(299)
    expect(reading.unsafePoll()).toBe(null)
    yield* TestClock.adjust(1)
    expect(brief(yield* Fiber.join(reading))).toBe("Replay Unavailable Fresh PutFailed g2 5")
    expect(brief(yield* projection.projectOutcome("a"))).toBe("Replay Unavailable Fresh PutFailed g2 5")
    expect(cache.calls()).toEqual(["get"])
    cache.instead("get", undefined)
    yield* TestClock.adjust(10_000)
    expect(brief(yield* projection.projectOutcome("a"))).toBe("Replay Miss Fresh Stored g2 5")
  })

  /** A read by a caller who waits no longer than 300 ms. */
  const quickRead = (projection: Projection.Of<typeof accounts>, key: string) =>
    Effect.gen(function* () {
      const reading = yield* started(Effect.timeoutOption(projection.projectOutcome(key), 300))
      yield* TestClock.adjust(300)
      return Option.map(yield* Fiber.join(reading), brief)
    })

  scenario("hangs is noticed also where all callers are quicker than tierTimeout", function* () {
    const log = yield* logOf(opened("a"), paid("a", 5), opened("b"), paid("b", 7))
    const cache = yield* tier
    const projection = yield* Projection.make(accounts, log, { tier: cache.tier, tierTimeout: 1_000 })
    cache.instead("get", Effect.never)
    expect(yield* quickRead(projection, "a")).toEqual(Option.none())
    yield* TestClock.adjust(700)
    expect(projection.unsafeStats().tierFaults).toBe(1)
    expect(yield* quickRead(projection, "b")).toEqual(Option.some("Replay Unavailable Fresh PutFailed g2 7"))
    expect(cache.calls()).toEqual(["get"])
  })

  scenario("is slow is asked by all readers, though some of them leave sooner", function* () {
    const log = yield* logOf(opened("a"), paid("a", 5), opened("b"), paid("b", 7))
    const cache = yield* tier
    const projection = yield* Projection.make(accounts, log, { tier: cache.tier, tierTimeout: 1_000 })
    cache.instead("get", Effect.never)
    expect(yield* quickRead(projection, "a")).toEqual(Option.none())
    cache.instead("get", undefined)
    expect(yield* quickRead(projection, "b")).toEqual(Option.some("Replay Miss Fresh Stored g2 7"))
  })

  scenario("hangs is asked no longer than the projection is there", function* () {
    const log = yield* logOf(opened("a"))
    const cache = yield* tier
    const scope = yield* Scope.make()
    const projection = yield* Scope.extend(Projection.make(accounts, log, { tier: cache.tier }), scope)
    const ended = yield* Deferred.make<void>()
    cache.instead(
      "get",
      Effect.onInterrupt(Effect.never, () => Deferred.succeed(ended, undefined))
    )
    expect(yield* quickRead(projection, "a")).toEqual(Option.none())
    expect(yield* Deferred.isDone(ended)).toBe(false)
    yield* Scope.close(scope, Exit.void)
    yield* Deferred.await(ended)
  })

  scenario("cannot be opened fails no read, and is opened later", function* () {
    const log = yield* logOf(opened("a"), paid("a", 5))
    const cache = yield* tier
    let attempts = 0
    const opening = {
      open: (namespace: string) =>
        Effect.suspend(() => (attempts++ === 0 ? Effect.fail(down) : cache.tier.open(namespace)))
    }
    const projection = yield* Projection.make(accounts, log, { tier: opening, slots: 0 })
    expect(brief(yield* projection.projectOutcome("a"))).toBe("Replay Unavailable Fresh Stored g2 5")
    expect(brief(yield* projection.projectOutcome("a"))).toBe("Tier Hit Fresh Skipped g2 5")
    expect(attempts).toBe(2)
  })

  scenario("is early and slow is not waited for when the key has no event", function* () {
    const log = yield* logOf(opened("a"))
    const cache = yield* tier
    cache.instead("get", Effect.never)
    const projection = yield* Projection.make(accounts, log, { tier: cache.tier, prefetch: "on" })
    expect((yield* projection.projectOutcome("b")).strategy).toBe("Empty")
    const { times } = yield* projection.projectOutcome("b", { times: "on" })
    expect(times?.prefetch).toBe(0)
  })

  scenario("holds states that no tier takes: they cannot be encoded, so no cache gets them", function* () {
    const log = yield* logOf(opened("a"), paid("a", 5))
    const cache = yield* tier
    const unencodable = Projection.define({
      ...accounts,
      state: Schema.Number,
      initial: 0,
      apply: () => Number.NaN
    })
    const projection = yield* Projection.make(unencodable, log, { tier: cache.tier })
    for (let n = 1; n <= 2; n++) {
      const { state, stored, strategy } = yield* projection.projectOutcome("a")
      expect([strategy, stored, state]).toMatchObject(["Replay", "NotEncodable", { value: Number.NaN }])
      expect(projection.unsafeStats()).toMatchObject({ slots: 0, notEncodable: n })
    }
    expect(cache.calls()).toEqual(["get", "get"])
  })
})
