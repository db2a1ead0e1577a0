import { describe, expect } from "@effect/vitest"
import { Clock, Effect, Fiber, Option, TestClock } from "effect"
import * as ChangeLog from "../../src/ChangeLog.js"
import type { Turn } from "../../src/internal/turn.js"
import { following } from "../support/liveTable/follows.js"
import { microtasks, scenario, settled, started, withTurn } from "../support/time/turn.js"
import { logOf } from "../support/watch/watches.js"

describe("a follow of changes", () => {
  scenario("begins so far back of the head, and is trusted when it has caught up", function* () {
    const log = yield* logOf()
    for (let value = 1; value <= 5; value++) yield* log.append([ChangeLog.put("t/a", value)])
    const { changes, put, taken } = yield* following({ log, history: 2 })
    expect([changes.state(), changes.isTrusted(), changes.position()]).toEqual(["Starting", false, undefined])
    yield* settled
    expect(taken()).toEqual(["gap", "4: t/a=4", "5: t/a=5", "trusted"])
    yield* put("t/b", 6)
    yield* put("other", 7)
    yield* settled
    expect(taken()).toEqual(["6: t/b=6"])
    expect([changes.state(), changes.isTrusted(), changes.position()?.seq]).toEqual(["Live", true, 6])
  })

  scenario("begins at the floor where the log holds fewer", function* () {
    const log = yield* logOf()
    for (let value = 1; value <= 5; value++) yield* log.append([ChangeLog.put("t/a", value)])
    yield* log.compact(3)
    const { changes, taken } = yield* following({ log })
    yield* settled
    expect(taken()).toEqual(["gap", "4: t/a=4", "5: t/a=5", "trusted"])
    expect(changes.knownFrom()).toBe(3)
  })

  scenario("that ends is opened again behind its position, without a gap", function* () {
    const { changes, endLast, put, starts, taken } = yield* following()
    yield* settled
    yield* put("t/a", 1)
    yield* settled
    taken()
    yield* endLast
    yield* settled
    yield* put("t/b", 2)
    expect([changes.state(), changes.isTrusted()]).toEqual(["Reopening", false])
    expect(taken()).toEqual(["untrusted"])
    yield* TestClock.adjust("300 millis")
    expect(taken()).toEqual(["2: t/b=2", "trusted"])
    expect(starts[1]?.after?.seq).toBe(1)
    expect(changes.cause()).toEqual(Option.none())
  })

  scenario("that cannot go on begins anew, as a gap", function* () {
    const { changes, endLast, log, put, starts, taken } = yield* following()
    yield* settled
    taken()
    yield* endLast
    for (let value = 1; value <= 3; value++) yield* put("t/a", value)
    yield* log.compact(2)
    // One pause: the log answers that it cannot go on, and is followed anew at once.
    yield* TestClock.adjust("300 millis")
    expect(taken()).toEqual(["untrusted", "gap", "3: t/a=3", "trusted"])
    expect(starts.map(({ after }) => after?.seq)).toEqual([undefined, 0, undefined])
    expect(changes.knownFrom()).toBe(2)
  })

  scenario("of another epoch is reset before it counts as a gap", function* () {
    const { changes, log, put, taken } = yield* following()
    yield* put("t/a", 1)
    yield* settled
    taken()
    const epoch = yield* log.renewEpoch
    yield* put("t/b", 2)
    yield* TestClock.adjust("2 seconds")
    expect(taken()).toEqual(["untrusted", "reset", "gap", "1: t/b=2", "trusted"])
    expect([changes.position(), changes.lastChangeOf("t/a")]).toMatchObject([{ epoch, seq: 1 }, undefined])
  })

  scenario("of a log that is silent is not trusted so long, and reloads nothing afterwards", function* () {
    const { changes, faults, put, taken } = yield* following({ heartbeat: 10_000 })
    yield* settled
    taken()
    faults.isAway = true
    yield* TestClock.adjust("19 seconds")
    expect([changes.state(), changes.isTrusted()]).toEqual(["Live", true])
    yield* TestClock.adjust("12 seconds")
    expect([changes.state(), changes.isTrusted(), taken()]).toEqual(["Silent", false, ["untrusted"]])
    expect(changes.lag()).toBeGreaterThan(20_000)
    yield* put("t/a", 1)
    faults.isAway = false
    yield* TestClock.adjust("3 seconds")
    expect([changes.state(), taken()]).toEqual(["Live", ["1: t/a=1", "trusted"]])
    expect(changes.lag()).toBeLessThan(10_000)
  })

  scenario("is trusted again when a silent log goes on without a change", function* () {
    const { faults, taken } = yield* following()
    yield* settled
    taken()
    faults.isAway = true
    yield* TestClock.adjust("40 seconds")
    faults.isAway = false
    yield* TestClock.adjust("15 seconds")
    expect(taken()).toEqual(["untrusted", "trusted"])
  })

  scenario("is opened from 200 ms to every 30 s while the log does not answer", function* () {
    const { changes, endLast, faults, starts } = yield* following()
    yield* settled
    yield* endLast
    faults.isAway = true
    const openings = (duration: string) =>
      Effect.suspend(() => {
        const before = starts.length
        return Effect.map(TestClock.adjust(duration as "1 second"), () => starts.length - before)
      })
    expect(yield* openings("100 millis")).toBe(0)
    expect(yield* openings("2 seconds")).toBeOneOf([3, 4])
    yield* openings("5 minutes")
    expect(yield* openings("2 minutes")).toBeOneOf([3, 4, 5])
    expect(changes.cause()).toMatchObject({ value: { _tag: "ChangeLogError", reason: "Unavailable" } })
    faults.isAway = false
    yield* TestClock.adjust("40 seconds")
    expect([changes.state(), changes.cause()]).toEqual(["Live", Option.none()])
    // It has caught up: the next end is followed by an opening soon.
    yield* endLast
    expect(yield* openings("300 millis")).toBe(1)
  })

  scenario("whose cache throws begins anew, as a gap", function* () {
    let throws = true
    const applied: Array<number> = []
    const apply = ({ seq }: ChangeLog.Revision) => {
      if (throws) throw new Error("a cache that throws")
      applied.push(seq)
    }
    const { changes, put, taken } = yield* following({ apply })
    yield* settled
    yield* put("t/a", 1)
    yield* settled
    expect([changes.state(), changes.cause()]).toMatchObject(["Reopening", { value: { _tag: "Defect" } }])
    throws = false
    yield* TestClock.adjust("1 second")
    expect([taken(), applied]).toEqual([["gap", "trusted", "untrusted", "gap", "trusted"], [1]])
  })

  scenario("ends with its scope", function* () {
    const log = yield* logOf()
    const { changes, taken } = yield* Effect.scoped(Effect.zipLeft(following({ log }), settled))
    taken()
    yield* log.append([ChangeLog.put("t/a", 1)])
    yield* TestClock.adjust("1 minute")
    expect([taken(), changes.position()?.seq]).toEqual([[], 0])
  })
})

describe("the last changes", () => {
  scenario("of as many keys are known as the history is long", function* () {
    const { changes, put } = yield* following({ history: 3 })
    yield* settled
    for (const key of ["a", "b", "a", "c", "d"]) yield* put(`t/${key}`, 0)
    yield* settled
    const of = ["a", "b", "c", "d"].map((key) => changes.lastChangeOf(`t/${key}`))
    expect([of, changes.knownFrom()]).toEqual([[3, undefined, 4, 5], 2])
  })

  scenario("are not known from before a change of anything", function* () {
    const { changes, put } = yield* following()
    yield* settled
    for (const key of ["a", "all", "b"]) yield* put(`t/${key}`, 0)
    yield* settled
    expect([changes.lastChangeOf("t/a"), changes.lastChangeOf("t/b"), changes.knownFrom()]).toEqual([
      undefined,
      3,
      2
    ])
  })
})

describe("a read of at least a revision", () => {
  scenario("is there at once when the change was applied", function* () {
    const { changes, put } = yield* following()
    yield* settled
    const revision = yield* put("t/a", 1)
    yield* settled
    expect(yield* changes.awaitRevision(revision, 0)).toBe("Reached")
  })

  scenario("reads the log although no doorbell rang, also for a change that does not match", function* () {
    const { changes, faults, put, taken } = yield* following()
    yield* settled
    faults.isDeaf = true
    yield* put("t/a", 1)
    const revision = yield* put("other", 2)
    expect(yield* changes.awaitRevision(revision, 3000)).toBe("Reached")
    expect(taken()).toContain("1: t/a=1")
    expect(changes.position()).toEqual(revision)
  })

  scenario("gives up after its time", function* () {
    const { changes, faults, put } = yield* following()
    yield* settled
    faults.isAway = true
    const revision = yield* put("t/a", 1)
    const reached = yield* started(changes.awaitRevision(revision, 3000))
    yield* TestClock.adjust("2999 millis")
    expect(reached.unsafePoll()).toBe(null)
    yield* TestClock.adjust("1 millis")
    expect(yield* Fiber.join(reached)).toBe("NotReached")
    // The watch is closed without a wait for the log.
    faults.isAway = false
    yield* TestClock.adjust("3 seconds")
  })

  scenario("of another epoch is not waited for", function* () {
    const { changes, log, put } = yield* following()
    yield* settled
    const revision = yield* put("t/a", 1)
    yield* log.renewEpoch
    yield* TestClock.adjust("2 seconds")
    const reached = yield* started(changes.awaitRevision(revision, 3000))
    expect(yield* Fiber.join(reached)).toBe("NotReached")
  })

  scenario("of an epoch that begins is reached behind the reopening", function* () {
    const { changes, faults, log, put } = yield* following()
    yield* settled
    faults.isDeaf = true
    yield* log.renewEpoch
    const revision = yield* put("t/a", 1)
    const reached = yield* started(changes.awaitRevision(revision, 3000))
    yield* TestClock.adjust("1 second")
    expect(yield* Fiber.join(reached)).toBe("Reached")
  })

  scenario("of an epoch that ends meanwhile is not waited for any more", function* () {
    const { changes, endLast, log, put } = yield* following()
    yield* settled
    yield* endLast
    const revision = yield* put("t/a", 1)
    yield* log.renewEpoch
    const reached = yield* started(changes.awaitRevision(revision, 60_000))
    yield* TestClock.adjust("5 seconds")
    expect(yield* Fiber.join(reached)).toBe("NotReached")
  })

  scenario("of another epoch is not waited for by a follow that is opened again", function* () {
    const { changes, endLast, put } = yield* following()
    yield* settled
    const revision = yield* put("t/a", 1)
    yield* endLast
    yield* settled
    const reached = yield* started(changes.awaitRevision({ ...revision, epoch: "another" }, 60_000))
    yield* TestClock.adjust("1 second")
    expect(reached.unsafePoll()).not.toBe(null)
    expect(yield* Fiber.join(reached)).toBe("NotReached")
  })

  scenario("reads the log of a follow that is opened again meanwhile", function* () {
    const { changes, endLast, faults, put } = yield* following()
    yield* settled
    faults.isDeaf = true
    yield* endLast
    yield* settled
    const revision = yield* put("other", 1)
    const reached = yield* started(changes.awaitRevision(revision, 3000))
    yield* TestClock.adjust("300 millis")
    expect(yield* Fiber.join(reached)).toBe("Reached")
  })
})

describe("many changes at once", () => {
  scenario("are applied in slices, one at the end of each turn", function* () {
    const log = yield* logOf()
    for (let value = 1; value <= 20; value++) yield* log.append([ChangeLog.put("t/a", value)])
    let nanos = 0n
    let applied = 0
    const atTurns: Array<number> = []
    const turn: Turn = {
      schedule: (task) => {
        atTurns.push(applied)
        microtasks.schedule(task)
      }
    }
    const time = yield* TestClock.testClock()
    const clock: Clock.Clock = {
      [Clock.ClockTypeId]: Clock.ClockTypeId,
      unsafeCurrentTimeMillis: () => time.unsafeCurrentTimeMillis(),
      unsafeCurrentTimeNanos: () => nanos,
      currentTimeMillis: time.currentTimeMillis,
      currentTimeNanos: Effect.sync(() => nanos),
      sleep: (duration) => time.sleep(duration)
    }
    // Each revision takes a millisecond of the host.
    const apply = () => {
      nanos += 1_000_000n
      applied++
    }
    yield* following({ log, apply, heartbeat: 0 }).pipe(withTurn(turn), Effect.withClock(clock))
    yield* settled
    const steps = atTurns.map((at, i) => at - (atTurns[i - 1] ?? 0))
    expect([applied, Math.max(...steps)]).toEqual([20, 3])
  })
})
