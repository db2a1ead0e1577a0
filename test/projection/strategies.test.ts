/** Where a state comes from, and what each way costs. */
import { describe, expect } from "@effect/vitest"
import { Effect, Option, TestClock } from "effect"
import * as Projection from "../../src/Projection.js"
import {
  accounts,
  brief,
  closed,
  indexedLog,
  logOf,
  noted,
  opened,
  paid,
  scripted
} from "../support/projection/accounts.js"
import { tier } from "../support/projection/tiers.js"
import { scenario } from "../support/time/turn.js"

describe("a projection", () => {
  scenario("is Empty for a key without an event, and asks no cache", function* () {
    const { log } = scripted(yield* indexedLog)
    const cache = yield* tier
    const projection = yield* Projection.make(accounts, log, { tier: cache.tier })
    expect(brief(yield* projection.projectOutcome("a"))).toBe("Empty Bypassed NotApplicable Skipped g0 none")
    expect(cache.calls()).toEqual([])
    expect(projection.unsafeStats().slots).toBe(0)
  })

  scenario("is Empty for a key without an event that concerns it, by its generation", function* () {
    const log = yield* logOf(noted("a"), noted("a"))
    const cache = yield* tier
    const projection = yield* Projection.make(accounts, log, { tier: cache.tier })
    const outcome = yield* projection.projectOutcome("a")
    expect(brief(outcome)).toBe("Empty Bypassed NotApplicable Skipped g2 none")
    expect(outcome.applied).toBe(undefined)
    expect(outcome.head.seq).toBe(2)
    expect(cache.calls()).toEqual([])
  })

  scenario("is Direct without a tier, by one read, and a SlotHit after that, by one read", function* () {
    const { log, reads } = scripted(yield* logOf(opened("a"), paid("a", 5), noted("a"), paid("b", 7)))
    const projection = yield* Projection.make(accounts, log)
    const outcome = yield* projection.projectOutcome("a")
    expect(brief(outcome)).toBe("Direct Bypassed Fresh Stored g3 5")
    expect(outcome.applied?.seq).toBe(2)
    expect(outcome.head.seq).toBe(4)
    expect(reads()).toBe(1)
    expect(brief(yield* projection.projectOutcome("a"))).toBe("SlotHit Hit Fresh Skipped g3 5")
    expect(reads()).toBe(2)
  })

  scenario("folds new events into a slot, by one read", function* () {
    for (const kind of ["async", "now"] as const) {
      const { log, reads } = scripted(yield* logOf(opened("a"), paid("a", 5)), kind)
      const projection = yield* Projection.make(accounts, log)
      yield* projection.project("a")
      yield* log.append([paid("a", 2), noted("a"), paid("a", 1)])
      const before = reads()
      const outcome = yield* projection.projectOutcome("a")
      expect(brief(outcome)).toBe("SlotIncremental Hit Fresh Stored g5 8")
      expect(reads()).toBe(before + 1)
      expect(projection.unsafeStats().events).toBe(4)
    }
  })

  scenario("folds all events again where the definition is not incremental", function* () {
    const log = yield* logOf(opened("a"), paid("a", 5))
    const projection = yield* Projection.make({ ...accounts, incremental: "off" }, log)
    yield* projection.project("a")
    yield* log.append([paid("a", 2)])
    expect(brief(yield* projection.projectOutcome("a"))).toBe("Direct Bypassed Fresh Stored g3 7")
    expect(projection.unsafeStats().events).toBe(5)
  })

  scenario("re-stamps a slot by events that do not concern it", function* () {
    const log = yield* logOf(opened("a"), paid("a", 5))
    const projection = yield* Projection.make({ ...accounts, incremental: "off" }, log)
    yield* projection.project("a")
    yield* log.append([noted("a")])
    const outcome = yield* projection.projectOutcome("a")
    expect(brief(outcome)).toBe("SlotHit Hit Fresh Skipped g3 5")
    expect(outcome.applied?.seq).toBe(2)
    const stale = yield* projection.projectOutcome("a", { freshness: Projection.maybeStale(1) })
    expect(brief(stale)).toBe("SlotHit Hit StaleAllowed Skipped g3 5")
  })

  scenario("is Replay with a tier that has nothing, and a Tier hit in another process", function* () {
    const log = yield* logOf(opened("a"), paid("a", 5))
    const { tier: cache } = yield* tier
    const first = yield* Projection.make(accounts, log, { tier: cache })
    expect(brief(yield* first.projectOutcome("a"))).toBe("Replay Miss Fresh Stored g2 5")
    const second = yield* Projection.make(accounts, log, { tier: cache })
    expect(brief(yield* second.projectOutcome("a"))).toBe("Tier Hit Fresh Skipped g2 5")
    expect(brief(yield* second.projectOutcome("a"))).toBe("SlotHit Hit Fresh Skipped g2 5")
    expect(second.unsafeStats().events).toBe(0)
  })

  scenario("folds new events into the row of a tier, if the definition is incremental", function* () {
    const log = yield* logOf(opened("a"), paid("a", 5))
    const { tier: cache } = yield* tier
    yield* (yield* Projection.make(accounts, log, { tier: cache })).project("a")
    yield* log.append([paid("a", 2)])
    const off = yield* Projection.make({ ...accounts, incremental: "off" }, log, { tier: cache, slots: 0 })
    const { putFailures } = off.unsafeStats()
    expect(putFailures).toBe(0)
    const on = yield* Projection.make(accounts, log, { tier: cache, slots: 0 })
    expect(brief(yield* on.projectOutcome("a"))).toBe("TierIncremental Hit Fresh Stored g3 7")
    yield* log.append([paid("a", 1)])
    expect(brief(yield* off.projectOutcome("a"))).toBe("Replay Miss Fresh Stored g4 8")
    expect(brief(yield* on.projectOutcome("a"))).toBe("Tier Hit Fresh Skipped g4 8")
  })

  scenario("keeps none as none", function* () {
    const log = yield* logOf(opened("a"), paid("a", 5), closed("a"))
    const { tier: cache } = yield* tier
    const projection = yield* Projection.make(accounts, log, { tier: cache })
    expect(brief(yield* projection.projectOutcome("a"))).toBe("Replay Miss Fresh Stored g3 none")
    expect(brief(yield* projection.projectOutcome("a"))).toBe("SlotHit Hit Fresh Skipped g3 none")
    const other = yield* Projection.make(accounts, log, { tier: cache })
    expect(brief(yield* other.projectOutcome("a"))).toBe("Tier Hit Fresh Skipped g3 none")
    yield* log.append([paid("a", 1)])
    expect(brief(yield* projection.projectOutcome("a"))).toBe("SlotIncremental Hit Fresh Stored g4 1")
  })

  scenario("has no cache at all with no slots and no tier", function* () {
    const log = yield* logOf(opened("a"), paid("a", 5))
    const projection = yield* Projection.make(accounts, log, { slots: 0 })
    for (let n = 0; n < 2; n++) {
      expect(brief(yield* projection.projectOutcome("a"))).toBe("Direct Bypassed Fresh NoSlots g2 5")
    }
  })

  scenario("reads many events in pages of one instant", function* () {
    const log = yield* logOf(opened("a"))
    yield* log.commit(Array.from({ length: 1_203 }, () => ({ changes: [paid("a", 1)] })))
    const { afterNext, log: held, reads } = scripted(log)
    const projection = yield* Projection.make(accounts, held)
    // What comes after the first page was read does not belong to it.
    afterNext(log.append([paid("a", 100)]))
    expect(brief(yield* projection.projectOutcome("a"))).toBe("Direct Bypassed Fresh Stored g1204 1203")
    expect(reads()).toBe(3)
    expect(brief(yield* projection.projectOutcome("a"))).toBe("SlotIncremental Hit Fresh Stored g1205 1303")
  })

  scenario("reads no more than the first events of a key that a tier has", function* () {
    const log = yield* logOf(opened("a"))
    yield* log.commit(Array.from({ length: 1_203 }, () => ({ changes: [paid("a", 1)] })))
    const { tier: cache } = yield* tier
    yield* (yield* Projection.make(accounts, log, { tier: cache })).project("a")
    const { log: counted, reads } = scripted(log)
    const projection = yield* Projection.make(accounts, counted, { tier: cache })
    expect(brief(yield* projection.projectOutcome("a"))).toBe("Tier Hit Fresh Skipped g1204 1203")
    expect(reads()).toBe(2)
  })

  scenario("writes the tier after so many events", function* () {
    const log = yield* logOf(opened("a"))
    const cache = yield* tier
    const projection = yield* Projection.make(accounts, log, { tier: cache.tier, snapshotEvery: 3 })
    const puts: Array<number> = []
    for (let n = 0; n < 8; n++) {
      yield* projection.project("a")
      puts.push(cache.calls().filter((call) => call === "put").length)
      yield* log.append([paid("a", 1)])
    }
    expect(puts).toEqual([1, 1, 1, 2, 2, 2, 3, 3])
    // Without slots the row itself lags behind, until it is replaced.
    const slotless = yield* Projection.make(accounts, log, { tier: cache.tier, slots: 0, snapshotEvery: 3 })
    const { stored, strategy } = yield* slotless.projectOutcome("a")
    expect([strategy, stored]).toEqual(["TierIncremental", "Skipped"])
  })

  scenario("asks the tier while the log is read, with prefetch", function* () {
    const log = yield* logOf(opened("a"), paid("a", 5))
    const cache = yield* tier
    const options = { tier: cache.tier, prefetch: "on" } as const
    yield* (yield* Projection.make(accounts, log, options)).project("a")
    const projection = yield* Projection.make(accounts, log, options)
    const outcome = yield* projection.projectOutcome("a", { times: "on" })
    expect(brief(outcome)).toBe("Tier Hit Fresh Skipped g2 5")
    // A row that belongs to no event of the key counts for nothing.
    expect(brief(yield* projection.projectOutcome("b"))).toBe("Empty Bypassed NotApplicable Skipped g0 none")
  })

  scenario("answers projectIfChanged with none while the key has the generation", function* () {
    const log = yield* logOf(opened("a"), paid("a", 5))
    const projection = yield* Projection.make(accounts, log)
    expect(yield* projection.projectIfChanged("a", 2)).toEqual(Option.none())
    yield* log.append([noted("a")])
    const changed = Option.getOrThrow(yield* projection.projectIfChanged("a", 2))
    expect(changed.generation).toBe(3)
    expect(Option.getOrThrow(changed.state).balance).toBe(5)
    expect(Option.getOrThrow(yield* projection.projectIfChanged("b", 1))).toEqual({
      generation: 0,
      state: Option.none()
    })
  })

  scenario("times its phases, if they are asked for", function* () {
    const { beforeNext, log } = scripted(yield* logOf(opened("a"), paid("a", 5)))
    const projection = yield* Projection.make(accounts, log)
    expect((yield* projection.projectOutcome("b")).times).toBe(undefined)
    beforeNext(Effect.sleep(20))
    const reading = yield* Effect.fork(projection.projectOutcome("a", { times: "on" }))
    yield* TestClock.adjust(20)
    const { times } = yield* reading
    expect(times).toEqual({
      plan: 20,
      slot: 0,
      key: 0,
      prefetch: 0,
      probe: 0,
      read: 0,
      fold: 0,
      store: 0,
      total: 20
    })
  })
})
