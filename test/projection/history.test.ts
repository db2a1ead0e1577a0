/** The log under a projection: what is renewed, compacted, forgotten, erased. Never the fold of a part for the whole. */
import { describe, expect } from "@effect/vitest"
import { Effect, Option } from "effect"
import * as ChangeLog from "../../src/ChangeLog.js"
import * as Projection from "../../src/Projection.js"
import {
  accounts,
  balanceOf,
  brief,
  logOf,
  noted,
  opened,
  paid,
  scripted
} from "../support/projection/accounts.js"
import { tier } from "../support/projection/tiers.js"
import { scenario } from "../support/time/turn.js"

const erased = (key: string, kind: string) =>
  ChangeLog.put<Projection.EventValue>(key, { kind, erased: true })

describe("a log that", () => {
  scenario(
    "was renewed ends all cached states; its events give the same state under the new epoch",
    function* () {
      const log = yield* logOf(opened("a"), paid("a", 5))
      const { tier: cache } = yield* tier
      const projection = yield* Projection.make(accounts, log, { tier: cache })
      const before = yield* projection.projectOutcome("a")
      const epoch = yield* log.renewEpoch
      const outcome = yield* projection.projectOutcome("a")
      expect(brief(outcome)).toBe("Replay Miss Fresh Stored g2 5")
      expect(outcome.applied?.epoch).toBe(epoch)
      expect(before.applied?.epoch).not.toBe(epoch)
      expect(projection.unsafeStats().tierRefused).toBe(1)
      expect((yield* projection.projectOutcome("a")).strategy).toBe("SlotHit")
    }
  )

  scenario("is renewed between two pages is read anew", function* () {
    const log = yield* logOf(opened("a"))
    yield* log.commit(Array.from({ length: 700 }, () => ({ changes: [paid("a", 1)] })))
    const { afterNext, log: held } = scripted(log)
    const projection = yield* Projection.make(accounts, held)
    afterNext(log.renewEpoch)
    expect(brief(yield* projection.projectOutcome("a"))).toBe("Direct Bypassed Fresh Stored g701 700")
  })

  scenario(
    "is compacted above a state that is cached serves it, and folds what comes after it",
    function* () {
      for (const incremental of ["on", "off"] as const) {
        const log = yield* logOf(opened("a"), paid("a", 5))
        const { tier: cache } = yield* tier
        const projection = yield* Projection.make({ ...accounts, incremental }, log, { tier: cache })
        yield* projection.project("a")
        yield* log.compact((yield* log.head).head.seq)
        expect(brief(yield* projection.projectOutcome("a"))).toBe("SlotHit Hit Fresh Skipped g2 5")
        yield* log.append([paid("a", 2)])
        // The base stands for what is gone, whatever the definition allows.
        expect(brief(yield* projection.projectOutcome("a"))).toBe("SlotIncremental Hit Fresh Stored g3 7")
        yield* log.append([paid("a", 1)])
        const other = yield* Projection.make({ ...accounts, incremental }, log, { tier: cache, slots: 0 })
        expect(brief(yield* other.projectOutcome("a"))).toBe("TierIncremental Hit Fresh Stored g4 8")
      }
    }
  )

  scenario("is compacted beyond what is cached fails as Compacted, and gives no suffix", function* () {
    for (const incremental of ["on", "off"] as const) {
      const log = yield* logOf(opened("a"), paid("a", 5))
      const { tier: cache } = yield* tier
      const projection = yield* Projection.make({ ...accounts, incremental }, log, { tier: cache })
      yield* projection.project("a")
      yield* log.append([paid("a", 2)])
      yield* log.compact((yield* log.head).head.seq)
      yield* log.append([paid("a", 1)])
      const other = yield* Projection.make({ ...accounts, incremental }, log)
      for (const handle of [projection, other]) {
        expect(yield* Effect.flip(handle.project("a"))).toMatchObject({ reason: "Compacted", key: "a" })
      }
      // Other keys are not concerned.
      yield* log.append([paid("b", 1)])
      expect(balanceOf(yield* projection.project("b"))).toBe("1")
    }
  })

  scenario("forgets a key gives none, from every cache, and begins anew after that", function* () {
    for (const incremental of ["on", "off"] as const) {
      const log = yield* logOf(opened("a"), paid("a", 5))
      const { tier: cache } = yield* tier
      const projection = yield* Projection.make({ ...accounts, incremental }, log, { tier: cache })
      yield* projection.project("a")
      const late = yield* Projection.make({ ...accounts, incremental }, log, { tier: cache, slots: 0 })
      yield* log.append([ChangeLog.forgotten("a")])
      expect(balanceOf(yield* late.project("a"))).toBe("none")
      expect(balanceOf(yield* projection.project("a"))).toBe("none")
      yield* log.append([paid("a", 2)])
      for (const handle of [projection, late, yield* Projection.make({ ...accounts, incremental }, log)]) {
        const outcome = yield* handle.projectOutcome("a")
        expect(Option.getOrThrow(outcome.state)).toEqual({ owner: "", balance: 2, payments: [2] })
        expect(outcome.generation).toBe(4)
      }
    }
  })

  scenario("forgets a key does not need to read what was before", function* () {
    const unreadable = ChangeLog.put<Projection.EventValue>("a", { kind: "Paid", data: "cipher" })
    const log = yield* logOf(unreadable, ChangeLog.forgotten("a"), paid("a", 2))
    const projection = yield* Projection.make(accounts, log)
    expect(balanceOf(yield* projection.project("a"))).toBe("2")
    const pages = yield* logOf(unreadable)
    yield* pages.commit(Array.from({ length: 600 }, () => ({ changes: [paid("a", 1)] })))
    const other = yield* Projection.make(accounts, pages)
    expect((yield* Effect.flip(other.project("a"))).reason).toBe("Malformed")
    yield* pages.append([ChangeLog.forgotten("a"), paid("a", 3)])
    expect(balanceOf(yield* other.project("a"))).toBe("3")
  })

  scenario("holds erased events folds them as nothing, and counts them", function* () {
    const log = yield* logOf(opened("a"), erased("a", "Paid"), paid("a", 5), erased("a", "Noted"))
    const projection = yield* Projection.make(accounts, log)
    const outcome = yield* projection.projectOutcome("a")
    expect(balanceOf(outcome.state)).toBe("5")
    expect(outcome.applied?.seq).toBe(3)
    expect(projection.unsafeStats()).toMatchObject({ events: 3, erased: 1 })
    const all = yield* logOf(erased("b", "Paid"))
    const only = yield* Projection.make(accounts, all)
    expect(brief(yield* only.projectOutcome("b"))).toBe("Direct Bypassed Fresh Stored g1 none")
  })

  scenario("holds old names reads them with the new ones, also where kinds are filtered", function* () {
    const old = ChangeLog.put<Projection.EventValue>("a", { kind: "Deposited", data: { amount: 5 } })
    const log = yield* logOf(opened("a"), old, noted("a"))
    for (const kinds of [["Paid"] as const, undefined]) {
      const projection = yield* Projection.make({ ...accounts, kinds }, log)
      expect(balanceOf(yield* projection.project("a"))).toBe("5")
    }
  })
})
