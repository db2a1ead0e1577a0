/** How far projections are: what counts, what is waited for, and what holds it back. */
import { describe, expect, it } from "@effect/vitest"
import { Context, Deferred, Effect, Exit, Fiber, Metric, Option, Scope, TestClock } from "effect"
import * as ChangeLog from "../../src/ChangeLog.js"
import * as Metrics from "../../src/Metrics.js"
import * as Projection from "../../src/Projection.js"
import { lawTimeout } from "../support/laws/ensure.js"
import { accounts, indexedLog, logOf, noted, opened, paid, scripted } from "../support/projection/accounts.js"
import { frontierIsItsModel } from "../support/projection/frontiers.js"
import { limits, notes } from "../support/projection/several.js"
import { scenario, settled, started } from "../support/time/turn.js"

const seqOf = (frontier: Projection.Frontier) =>
  Effect.map(frontier.applied, (applied) => Option.getOrUndefined(applied)?.seq)

const poll = (fiber: Fiber.Fiber<void, Projection.NotApplied>) =>
  Effect.map(
    fiber.poll,
    Option.match({
      onNone: () => "waits",
      onSome: Exit.match({
        onFailure: (cause) => (cause._tag === "Fail" ? cause.error.reason : cause._tag),
        onSuccess: () => "applied"
      })
    })
  )

describe("awaitApplied of a projection", () => {
  scenario("completes as soon as the keys that it had projected hold what was committed", function* () {
    const log = yield* logOf(opened("a"), paid("b", 3))
    const projection = yield* Projection.make(accounts, log)
    yield* Effect.all([projection.project("a"), projection.project("b")])
    const revision = yield* log.append([paid("a", 4), paid("b", 1), paid("c", 1)])
    const waiting = yield* started(projection.awaitApplied(revision, "1 second"))
    expect(yield* poll(waiting)).toBe("applied")
    // It has projected them by itself, and each once; what was never asked for is left alone.
    const { answered } = projection.unsafeStats()
    expect(answered.SlotIncremental).toBe(2)
    expect(answered.Direct).toBe(2)
    const next = yield* started(projection.awaitApplied({ ...revision, seq: 4 }, "1 second"))
    expect(yield* poll(next)).toBe("waits")
    yield* log.append([paid("a", 4)])
    yield* settled
    expect(yield* poll(next)).toBe("applied")
  })

  scenario("times out for one that was never used, and names it", function* () {
    const log = yield* logOf(opened("a"))
    const projection = yield* Projection.make(accounts, log)
    const { head } = yield* log.head
    const waiting = yield* started(Effect.flip(projection.awaitApplied(head, "1 second")))
    yield* TestClock.adjust("1 second")
    const error = yield* Fiber.join(waiting)
    expect(error).toMatchObject({
      reason: "TimedOut",
      applied: undefined,
      heldBackBy: ["accounts"],
      revision: head
    })
    expect(error.message).toContain(
      "nothing is applied, not yet revision 1: held back by accounts (never used)"
    )
    expect((yield* Metric.value(Metrics.projectionFrontierLag)).value).toBe(1)
    // With no time to wait it answers at once.
    expect((yield* Effect.flip(projection.awaitApplied(head, 0))).reason).toBe("TimedOut")
  })

  scenario("projects keys that are behind one at a time, and only while a caller waits", function* () {
    const { beforeNext, log, reads } = scripted(yield* indexedLog)
    const projection = yield* Projection.make(accounts, log)
    const keys = ["a", "b", "c"]
    yield* log.append(keys.map((key) => opened(key)))
    for (const key of keys) yield* projection.project(key)
    yield* Effect.exit(projection.awaitApplied((yield* log.head).head, 0))
    const revision = yield* log.append(keys.map((key) => paid(key, 1)))
    yield* settled
    expect(reads()).toBe(3)
    const gate = yield* Deferred.make<void>()
    beforeNext(Deferred.await(gate))
    const waiting = yield* started(projection.awaitApplied(revision, "1 second"))
    expect(reads()).toBe(4)
    yield* Deferred.succeed(gate, undefined)
    yield* settled
    expect([yield* poll(waiting), reads()]).toEqual(["applied", 6])
  })

  scenario("completes for what is applied between the look and the wait", function* () {
    const log = yield* logOf(opened("a"))
    const projection = yield* Projection.make(accounts, log)
    yield* projection.project("a")
    yield* projection.awaitApplied((yield* log.head).head, "1 second")
    const revision = yield* log.append([paid("a", 1)])
    yield* settled
    // The read runs while the wait is being set up: afterwards nothing moves any more.
    const waiting = yield* Effect.fork(projection.awaitApplied(revision, "1 hour"))
    yield* Effect.fork(projection.project("a"))
    yield* settled
    expect(yield* poll(waiting)).toBe("applied")
  })

  scenario("is held back by a key that cannot be projected, until it can", function* () {
    const log = yield* logOf(paid("a", 5), paid("b", 5))
    const projection = yield* Projection.make(limits, log)
    yield* Effect.all([projection.project("a"), projection.project("b")])
    const revision = yield* log.append([paid("a", 100), paid("b", 1)])
    const waiting = yield* started(projection.awaitApplied(revision, "1 minute"))
    yield* TestClock.adjust("2 seconds")
    expect(yield* poll(waiting)).toBe("waits")
    // The other key has not waited for it.
    expect(projection.unsafeStats().answered.SlotIncremental).toBe(1)
    yield* log.append([ChangeLog.forgotten("a")])
    yield* TestClock.adjust("2 seconds")
    expect(yield* poll(waiting)).toBe("applied")
  })

  scenario("fails for a revision of another history, and for one of an epoch that has ended", function* () {
    const log = yield* logOf(opened("a"))
    const projection = yield* Projection.make(accounts, log)
    yield* projection.project("a")
    const { head } = yield* log.head
    const other = yield* Effect.flip(
      projection.awaitApplied({ ...head, tag: (head.tag ^ 1) >>> 0 }, "1 second")
    )
    expect(other.reason).toBe("EpochChanged")
    const waiting = yield* started(projection.awaitApplied({ ...head, seq: 5 }, "1 hour"))
    yield* log.renewEpoch
    const revision = yield* log.append([paid("a", 1)])
    yield* TestClock.adjust("1 minute")
    expect(yield* poll(waiting)).toBe("EpochChanged")
    yield* projection.project("a")
    const next = yield* started(projection.awaitApplied(revision, "1 second"))
    expect(yield* poll(next)).toBe("applied")
  })

  scenario("counts no read of a transaction", function* () {
    const log = yield* logOf(opened("a"))
    const projection = yield* Projection.make(accounts, log)
    const { head } = yield* log.head
    yield* Effect.exit(projection.awaitApplied(head, 0))
    yield* settled
    const Connection = Context.GenericTag<"transaction", string>(
      "@effect/sql/SqlClient/TransactionConnection"
    )
    yield* Effect.provideService(projection.project("a"), Connection, "a connection")
    expect((yield* Effect.flip(projection.awaitApplied(head, 0))).applied).toBe(undefined)
    yield* projection.project("a")
    yield* projection.awaitApplied(head, 0)
  })

  scenario("ends when the projection is closed", function* () {
    const log = yield* logOf(opened("a"))
    const scope = yield* Scope.make()
    const projection = yield* Scope.extend(Projection.make(accounts, log), scope)
    yield* projection.project("a")
    const waiting = yield* started(projection.awaitApplied({ ...(yield* log.head).head, seq: 9 }, "1 hour"))
    yield* Scope.close(scope, Exit.void)
    yield* settled
    expect(yield* poll(waiting)).toBe("Closed")
  })
})

describe("a frontier", () => {
  scenario(
    "is the least of what is registered; only relevant events of projected keys hold it back",
    function* () {
      const log = yield* logOf(opened("a"), noted("a"))
      const account = yield* Projection.make(accounts, log)
      const texts = yield* Projection.make(notes, log)
      const frontier = yield* Projection.frontier(log)
      expect(yield* seqOf(frontier)).toBe(undefined)
      yield* frontier.register(account)
      yield* frontier.register(texts)
      yield* account.project("a")
      yield* settled
      // A newcomer counts from its first report.
      expect(yield* seqOf(frontier)).toBe(undefined)
      yield* texts.project("a")
      expect(yield* seqOf(frontier)).toBe(2)
      yield* log.append([paid("b", 1)])
      yield* settled
      expect(yield* seqOf(frontier)).toBe(3)
      yield* log.append([paid("a", 1)])
      yield* log.append([noted("a")])
      yield* settled
      expect(yield* seqOf(frontier)).toBe(3)
      yield* account.project("a")
      expect(yield* seqOf(frontier)).toBe(4)
      yield* texts.project("a")
      expect(yield* seqOf(frontier)).toBe(5)
    }
  )

  scenario("names those that hold it back, and where it is", function* () {
    const log = yield* logOf(opened("a"), noted("a"))
    const [account, texts, unused] = yield* Effect.all([
      Projection.make(accounts, log),
      Projection.make(notes, log),
      Projection.make(limits, log)
    ])
    const frontier = yield* Projection.frontier(log)
    yield* Effect.all([frontier.register(account), frontier.register(texts), frontier.register(unused)])
    yield* account.project("a")
    yield* texts.project("a")
    const { head } = yield* log.head
    const waiting = yield* started(Effect.flip(frontier.awaitApplied(head, "1 second")))
    yield* TestClock.adjust("1 second")
    expect(yield* Fiber.join(waiting)).toMatchObject({ reason: "TimedOut", heldBackBy: ["limits"] })
    const empty = yield* Projection.frontier(log)
    const error = yield* Effect.flip(empty.awaitApplied(head, 0))
    expect(error.message).toContain("no projection is registered")
  })

  scenario("refuses a second one of a name and one of another log; both end with their scopes", function* () {
    const log = yield* logOf(opened("a"))
    const account = yield* Projection.make(accounts, log)
    const twin = yield* Projection.make(accounts, log)
    const other = yield* Projection.make(notes, yield* indexedLog)
    const frontier = yield* Projection.frontier(log)
    const scope = yield* Scope.make()
    yield* Scope.extend(frontier.register(account), scope)
    expect(yield* Effect.flip(frontier.register(twin))).toMatchObject({
      _tag: "RegisterRefused",
      reason: "NameTaken",
      projection: "accounts"
    })
    expect((yield* Effect.flip(frontier.register(other))).reason).toBe("OtherLog")
    yield* twin.project("a")
    const { head } = yield* log.head
    const waiting = yield* started(frontier.awaitApplied(head, "1 hour"))
    expect(yield* poll(waiting)).toBe("waits")
    yield* Scope.close(scope, Exit.void)
    yield* frontier.register(twin)
    yield* settled
    expect(yield* poll(waiting)).toBe("applied")
  })

  scenario("wakes those that wait for less first, and ends with its scope", function* () {
    const log = yield* logOf(opened("a"))
    const projection = yield* Projection.make(accounts, log)
    const scope = yield* Scope.make()
    const frontier = yield* Scope.extend(Projection.frontier(log), scope)
    yield* frontier.register(projection)
    yield* projection.project("a")
    const { head } = yield* log.head
    const woken: Array<number> = []
    const last: Array<Fiber.Fiber<void, Projection.NotApplied>> = []
    for (const seq of [4, 2, 3, 2, 9]) {
      const waits = frontier.awaitApplied({ ...head, seq }, "1 hour")
      last.push(yield* started(Effect.tap(waits, () => Effect.sync(() => woken.push(seq)))))
    }
    for (const expected of [
      [2, 2],
      [2, 2, 3],
      [2, 2, 3, 4]
    ]) {
      yield* log.append([noted("a")])
      yield* settled
      expect(woken).toEqual(expected)
    }
    yield* Scope.close(scope, Exit.void)
    yield* settled
    expect(yield* poll(last[4] as Fiber.Fiber<void, Projection.NotApplied>)).toBe("Closed")
  })

  it.effect("is what a model makes of the same steps", () => frontierIsItsModel(8), lawTimeout)
})
