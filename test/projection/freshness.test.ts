/** How old a state may be. Ages are monotonic: the wall clock may be set at will. */
import { describe, expect } from "@effect/vitest"
import { Effect, Either, Fiber, TestClock } from "effect"
import * as ChangeLog from "../../src/ChangeLog.js"
import * as Projection from "../../src/Projection.js"
import {
  accounts,
  brief,
  type Log,
  logOf,
  noted,
  opened,
  paid,
  scripted
} from "../support/projection/accounts.js"
import { tier } from "../support/projection/tiers.js"
import { scenario, settled, started } from "../support/time/turn.js"
import { wallClock } from "../support/time/wallClock.js"

const within = (maxAge: number) => ({ freshness: Projection.maybeStale(maxAge) })
const stale = "SlotHit Hit StaleAllowed Skipped g2 5"

describe("MaybeStale", () => {
  scenario("is served from memory strictly below the age, without reading the log", function* () {
    const { log, reads } = scripted(yield* logOf(opened("a"), paid("a", 5)))
    const projection = yield* Projection.make(accounts, log)
    yield* projection.project("a")
    yield* log.append([paid("a", 1)])
    yield* TestClock.adjust(99)
    const outcome = yield* projection.projectOutcome("a", within(100))
    expect(brief(outcome)).toBe(stale)
    expect([outcome.applied?.seq, outcome.head.seq]).toEqual([2, 2])
    expect(reads()).toBe(1)
    yield* TestClock.adjust(1)
    expect(brief(yield* projection.projectOutcome("a", within(100)))).toBe(
      "SlotIncremental Hit Fresh Stored g3 6"
    )
    expect(projection.unsafeStats().stale).toBe(1)
  })

  scenario("is never served above the age, and never at 0", function* () {
    const log = yield* logOf(opened("a"), paid("a", 5))
    const projection = yield* Projection.make(accounts, log)
    yield* projection.project("a")
    yield* log.append([paid("a", 1)])
    expect(brief(yield* projection.projectOutcome("a", within(0)))).toBe(
      "SlotIncremental Hit Fresh Stored g3 6"
    )
    yield* log.append([paid("a", 1)])
    yield* TestClock.adjust(101)
    expect(brief(yield* projection.projectOutcome("a", within(100)))).toBe(
      "SlotIncremental Hit Fresh Stored g4 7"
    )
    yield* log.append([paid("a", 1)])
    for (const wrong of [-1, Number.NaN]) {
      expect((yield* projection.projectOutcome("a", within(wrong))).freshness).toBe("Fresh")
    }
  })

  scenario("counts the age from when the log was asked, not from its answer", function* () {
    const { beforeNext, log } = scripted(yield* logOf(opened("a"), paid("a", 5)))
    const projection = yield* Projection.make(accounts, log)
    beforeNext(Effect.sleep(60))
    yield* Effect.fork(projection.project("a"))
    yield* TestClock.adjust(60)
    expect((yield* projection.projectOutcome("a", within(61))).freshness).toBe("StaleAllowed")
    expect((yield* projection.projectOutcome("a", within(60))).freshness).toBe("Fresh")
    // It was proven equal now.
    expect((yield* projection.projectOutcome("a", within(1))).freshness).toBe("StaleAllowed")
  })

  scenario("is not younger by a wall clock that goes back, nor older by one that goes forward", function* () {
    const wall = yield* wallClock
    const log = yield* logOf(opened("a"), paid("a", 5))
    const projection = yield* Effect.withClock(Projection.make(accounts, log), wall.clock)
    const read = Effect.withClock(projection.projectOutcome("a", within(100)), wall.clock)
    yield* read
    wall.set(3_600_000)
    expect((yield* read).freshness).toBe("StaleAllowed")
    yield* TestClock.adjust(100)
    wall.set(-3_600_000)
    expect((yield* read).freshness).toBe("Fresh")
  })

  scenario("does not serve the row of another process, which has no age", function* () {
    const log = yield* logOf(opened("a"), paid("a", 5))
    const { tier: cache } = yield* tier
    yield* (yield* Projection.make(accounts, log, { tier: cache })).project("a")
    yield* log.append([noted("a"), paid("a", 1)])
    const { log: counted, reads } = scripted(log)
    const projection = yield* Projection.make(accounts, counted, { tier: cache })
    expect(brief(yield* projection.projectOutcome("a", within(1_000)))).toBe(
      "TierIncremental Hit Fresh Stored g4 6"
    )
    expect(reads()).toBe(2)
  })
})

/** A log that shows nothing after a revision until it is released. */
const lagging = (log: Log, last: ChangeLog.Revision) => {
  const index = log.index as NonNullable<Log["index"]>
  let upTo: ChangeLog.Revision | undefined = last
  const shown: Log = {
    ...log,
    index: {
      ...index,
      history: (key, options) =>
        Effect.suspend(() => index.history(key, { ...options, upTo: options.upTo ?? upTo }))
    }
  }
  return {
    log: shown,
    release: () => {
      upTo = undefined
    }
  }
}

describe("AtLeast", () => {
  const atLeast = (revision: ChangeLog.Revision, timeout: number) => ({
    freshness: Projection.atLeast(revision, timeout)
  })

  scenario("returns a state of the revision or a later one, at once if the log has it", function* () {
    const { log, reads } = scripted(yield* logOf(opened("a")))
    const projection = yield* Projection.make(accounts, log)
    const revision = yield* log.append([paid("a", 5)])
    yield* log.append([paid("b", 5)])
    expect(brief(yield* projection.projectOutcome("a", atLeast(revision, 0)))).toBe(
      "Direct Bypassed Fresh Stored g2 5"
    )
    expect(reads()).toBe(1)
  })

  scenario("waits for the log to reach it", function* () {
    const log = yield* logOf(opened("a"))
    const { head: first } = yield* log.head
    const late = lagging(log, first)
    const projection = yield* Projection.make(accounts, late.log)
    const revision = yield* log.append([paid("a", 5)])
    const waiting = yield* started(projection.projectOutcome("a", atLeast(revision, 60_000)))
    yield* log.append([noted("b")])
    yield* settled
    expect(waiting.unsafePoll()).toBe(null)
    late.release()
    yield* log.append([noted("b")])
    expect(brief(yield* Fiber.join(waiting))).toBe("SlotIncremental Hit Fresh Stored g2 5")
  })

  scenario("fails with TimedOut and the log's position; with a timeout of 0 at once", function* () {
    const log = yield* logOf(opened("a"))
    const projection = yield* Projection.make(accounts, log)
    const { head } = yield* log.head
    const future = { ...head, seq: 7 }
    const now = yield* Effect.either(projection.project("a", Projection.atLeast(future, 0)))
    expect(Either.getOrThrow(Either.flip(now))).toMatchObject({
      reason: "TimedOut",
      key: "a",
      message: expect.stringContaining("at revision 1, not yet at 7")
    })
    const waiting = yield* started(Effect.flip(projection.project("a", Projection.atLeast(future, 2_500))))
    yield* TestClock.adjust(2_499)
    expect(waiting.unsafePoll()).toBe(null)
    yield* TestClock.adjust(1)
    expect((yield* Fiber.join(waiting)).reason).toBe("TimedOut")
  })

  scenario("finds without a ring what another process has committed", function* () {
    const log = yield* logOf(opened("a"))
    const { log: silent } = scripted({ ...log, doorbell: () => Effect.void })
    const projection = yield* Projection.make(accounts, silent)
    const { head } = yield* log.head
    const waiting = yield* started(
      Effect.either(projection.project("a", Projection.atLeast({ ...head, seq: 2 }, 60_000)))
    )
    yield* log.append([paid("a", 5)])
    yield* settled
    expect(waiting.unsafePoll()).toBe(null)
    yield* TestClock.adjust(1_000)
    expect(waiting.unsafePoll()).not.toBe(null)
  })

  scenario("refuses a revision of another history", function* () {
    const log = yield* logOf(opened("a"), paid("a", 5))
    const projection = yield* Projection.make(accounts, log)
    const { head } = yield* log.head
    const foreign = [
      { ...head, epoch: "another" },
      { ...head, tag: head.tag + 1 },
      { ...head, seq: 1, tag: head.tag }
    ]
    for (const revision of foreign) {
      const error = yield* Effect.flip(projection.project("a", Projection.atLeast(revision, 60_000)))
      expect(error.reason).toBe("EpochChanged")
    }
    const known = ChangeLog.start(head.epoch)
    expect((yield* projection.projectOutcome("a", atLeast(known, 0))).freshness).toBe("Fresh")
  })
})
