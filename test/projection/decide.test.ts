/** Deciding: events are appended to the state that they were decided on, or not at all. */
import { describe, expect, it } from "@effect/vitest"
import { Context, Data, Effect, Fiber, Option, Random, TestClock } from "effect"
import fc from "fast-check"
import * as ChangeLog from "../../src/ChangeLog.js"
import * as Projection from "../../src/Projection.js"
import { holdsEffect } from "../support/laws/laws.js"
import {
  type Account,
  accounts,
  balanceOf,
  indexedLog,
  type Log,
  logOf,
  noted,
  opened,
  paid,
  scripted
} from "../support/projection/accounts.js"
import { limits } from "../support/projection/several.js"
import { scenario, started } from "../support/time/turn.js"

class Overdrawn extends Data.TaggedError("Overdrawn")<{ readonly balance: number }> {}

const balance = Option.match({ onNone: () => 0, onSome: (account: Account) => account.balance })

/** Takes an amount, if the account has it. */
const spend = (amount: number) => (state: Option.Option<Account>) =>
  balance(state) < amount
    ? Effect.fail(new Overdrawn({ balance: balance(state) }))
    : Effect.succeed([{ kind: "Paid", data: { amount: -amount } } as const])

const pay = (amount: number) => () => [{ kind: "Paid", data: { amount } } as const]

/** A log to which another writer appends before each of so many commits. */
const contended = (log: Log, times: number) => {
  let commits = 0
  return {
    commits: () => commits,
    log: {
      ...log,
      commit: (entries: ReadonlyArray<ChangeLog.Entry<Projection.EventValue>>) =>
        Effect.suspend(() =>
          commits++ < times
            ? Effect.andThen(log.append([paid("a", 1)]), () => log.commit(entries))
            : log.commit(entries)
        )
    }
  }
}

/** The amounts that the log holds of a key. */
const amountsOf = (log: Log) =>
  Effect.map(
    Effect.flatMap(log.head, ({ floor }) => log.read({ after: floor, limit: 1_000 })),
    (revisions) =>
      revisions.flatMap(({ events }) =>
        events.map((event) => (event._tag === "Put" ? (event.value.data as { amount: number }).amount : 0))
      )
  )

/** 64 writers of two processes, each with its own cache, on a log that does not answer during the call. */
const manyWriters = (stopped: ReadonlyArray<number>) =>
  Effect.gen(function* () {
    const log = yield* indexedLog
    const handles = yield* Effect.all([
      Projection.make(accounts, scripted(log).log),
      Projection.make(accounts, scripted(log).log)
    ])
    const writers = yield* Effect.forEach(
      Array.from({ length: 64 }, (_, n) => n),
      (n) =>
        Effect.fork(
          handles[n % 2 === 0 ? 0 : 1].decide("a", () => Effect.as(Effect.yieldNow(), pay(n + 1)()), {
            id: `writer ${n}`
          })
        )
    )
    for (const n of stopped) {
      yield* TestClock.adjust("2 millis")
      yield* Fiber.interrupt(writers[n] as (typeof writers)[number])
    }
    yield* TestClock.adjust("1 minute")
    const amounts = yield* amountsOf(log)
    expect(new Set(amounts).size).toBe(amounts.length)
    const outcome = yield* handles[0].projectOutcome("a")
    expect(Option.getOrThrow(outcome.state).payments).toEqual(amounts)
    expect(outcome.generation).toBe(amounts.length)
    for (const [n, writer] of writers.entries()) {
      const exit = yield* Fiber.await(writer)
      if (!stopped.includes(n)) expect(exit._tag).toBe("Success")
      if (exit._tag === "Success") expect(amounts).toContain(n + 1)
    }
  })

describe("decide", () => {
  scenario("appends what was decided in one revision, and answers with the state after it", function* () {
    const log = yield* logOf(opened("a", "ann"))
    const projection = yield* Projection.make(accounts, log)
    const decided = yield* projection.decide("a", (state) => {
      expect(Option.getOrThrow(state).owner).toBe("ann")
      return [
        { kind: "Paid", data: { amount: 5 } },
        { kind: "Noted", data: "a note" },
        { kind: "Paid", data: { amount: 2 } }
      ]
    })
    const { head } = yield* log.head
    expect(decided).toMatchObject({ outcome: "Appended", revision: head, generation: 4, attempts: 1 })
    expect(decided.state).toEqual(yield* projection.project("a"))
    expect(Option.getOrThrow(decided.state).payments).toEqual([5, 2])
    expect(head.seq).toBe(2)
  })

  scenario("decides on none for a new key, and appends nothing for no event", function* () {
    const log = yield* indexedLog
    const projection = yield* Projection.make(accounts, log)
    const decided = yield* projection.decide("a", (state) => (Option.isNone(state) ? [] : pay(1)()))
    expect(decided).toEqual({
      outcome: "Nothing",
      revision: undefined,
      state: Option.none(),
      generation: 0,
      attempts: 1
    })
    expect((yield* log.head).head.seq).toBe(0)
  })

  scenario("decides anew on the state that another writer has made", function* () {
    const other = contended(yield* logOf(paid("a", 3)), 2)
    const projection = yield* Projection.make(accounts, other.log)
    const seen: Array<string> = []
    const deciding = yield* started(
      projection.decide("a", (state) => {
        seen.push(balanceOf(state))
        return pay(10)()
      })
    )
    yield* TestClock.adjust("1 second")
    const decided = yield* Fiber.join(deciding)
    expect(seen).toEqual(["3", "4", "5"])
    expect([balanceOf(decided.state), decided.generation, decided.attempts]).toEqual(["15", 4, 3])
  })

  scenario("notices an event that does not concern the projection too", function* () {
    const { afterNext, log } = scripted(yield* logOf(paid("a", 3)))
    const projection = yield* Projection.make(accounts, log)
    afterNext(log.append([noted("a")]))
    const deciding = yield* started(projection.decide("a", pay(1)))
    yield* TestClock.adjust("1 second")
    expect((yield* Fiber.join(deciding)).attempts).toBe(2)
  })

  scenario("pauses longer after each conflict, and gives up after `attempts`, which it names", function* () {
    const other = contended(yield* logOf(paid("a", 3)), 100)
    const projection = yield* Projection.make(accounts, other.log)
    const deciding = yield* Effect.fork(
      Effect.withRandom(
        Effect.flip(projection.decide("a", pay(1), { attempts: 4 })),
        Random.fixed([0.99, 0.99, 0.99])
      )
    )
    const commits: Array<number> = []
    for (const pause of [0, 2, 4, 8]) {
      yield* TestClock.adjust(pause)
      commits.push(other.commits())
    }
    expect(commits).toEqual([1, 2, 3, 4])
    const error = yield* Fiber.join(deciding)
    expect(error).toMatchObject({
      _tag: "ProjectionError",
      reason: "Contended",
      projection: "accounts",
      key: "a"
    })
    expect(error.message).toContain("4 times")
  })

  scenario("passes what the decision fails with, and appends nothing", function* () {
    const log = yield* logOf(paid("a", 3))
    const projection = yield* Projection.make(accounts, log)
    const error = yield* Effect.flip(projection.decide("a", spend(4)))
    expect(error).toEqual(new Overdrawn({ balance: 3 }))
    const conflict = new ChangeLog.Conflict({
      reason: "Changed",
      index: 0,
      condition: { key: "a", generation: 0 },
      message: "the caller's own"
    })
    expect(yield* Effect.flip(projection.decide("a", () => Effect.fail(conflict)))).toBe(conflict)
    expect((yield* log.head).head.seq).toBe(1)
  })

  scenario("answers a repeated id as done, also if the state refuses it by now", function* () {
    const log = yield* logOf(paid("a", 3))
    const projection = yield* Projection.make(accounts, log)
    const first = yield* projection.decide("a", spend(2), { id: "spend" })
    expect([first.outcome, balanceOf(first.state)]).toEqual(["Appended", "1"])
    for (const decision of [spend(2), spend(1), () => []]) {
      const again = yield* projection.decide("a", decision, { id: "spend" })
      expect([again.outcome, again.revision, balanceOf(again.state), again.generation]).toEqual([
        "Duplicate",
        undefined,
        "1",
        2
      ])
    }
    expect(yield* Effect.flip(projection.decide("a", spend(2), { id: "other" }))).toBeInstanceOf(Overdrawn)
    expect((yield* projection.decide("a", () => [], { id: "none" })).outcome).toBe("Nothing")
    expect((yield* log.head).head.seq).toBe(2)
  })

  scenario("refuses what is no event of the definition, and what cannot be folded", function* () {
    const log = yield* logOf(paid("a", 3))
    const projection = yield* Projection.make(accounts, log)
    // Types do not let these through.
    const wrong = [
      [{ kind: "Paid", data: { amount: "5" } }],
      [{ kind: "Foreign", data: 1 }],
      [null],
      "Paid",
      "",
      null
    ]
    for (const events of wrong) {
      const error = yield* Effect.flip(projection.decide("a", () => events as never))
      expect([error._tag, (error as Projection.ProjectionError).reason]).toEqual([
        "ProjectionError",
        "Malformed"
      ])
    }
    const bounded = yield* Projection.make(limits, log)
    const error = yield* Effect.flip(bounded.decide("a", pay(100)))
    expect((error as Projection.ProjectionError).reason).toBe("Fold")
    expect((yield* log.head).head.seq).toBe(1)
  })

  scenario("refuses to run in a transaction, and fails as Log if the log does not answer", function* () {
    const log = yield* logOf(paid("a", 3))
    const projection = yield* Projection.make(accounts, log)
    const Connection = Context.GenericTag<"transaction", string>(
      "@effect/sql/SqlClient/TransactionConnection"
    )
    const refused = yield* Effect.flip(
      Effect.provideService(projection.decide("a", pay(1)), Connection, "a connection")
    )
    expect((refused as Projection.ProjectionError).reason).toBe("Refused")
    const down = new ChangeLog.ChangeLogError({ reason: "Unavailable", message: "down", outcome: "Unknown" })
    const broken = yield* Projection.make(accounts, { ...log, commit: () => Effect.fail(down) })
    const error = yield* Effect.flip(broken.decide("a", pay(1)))
    expect(error).toMatchObject({ reason: "Log", cause: down })
    expect((yield* log.head).head.seq).toBe(1)
  })

  it.effect("of 64 writers that are interrupted at random adds up, and none starves", () =>
    holdsEffect(
      fc.record({ seed: fc.integer(), stopped: fc.uniqueArray(fc.nat(63), { maxLength: 12 }) }),
      2,
      ({ seed, stopped }) => Effect.withRandom(Effect.scoped(manyWriters(stopped)), Random.make(seed))
    )
  )
})
