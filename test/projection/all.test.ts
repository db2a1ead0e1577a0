/** Several projections from one reading: what they answer, and what is read for it. */
import { describe, expect, it } from "@effect/vitest"
import { Effect, Either, Option } from "effect"
import fc from "fast-check"
import * as ChangeLog from "../../src/ChangeLog.js"
import * as Projection from "../../src/Projection.js"
import { lawTimeout } from "../support/laws/ensure.js"
import { holdsEffect } from "../support/laws/laws.js"
import {
  accounts,
  closed,
  indexedLog,
  type Log,
  logOf,
  noted,
  opened,
  paid,
  scripted
} from "../support/projection/accounts.js"
import { counts, limits, notes } from "../support/projection/several.js"
import { scenario } from "../support/time/turn.js"

const several = (log: Log) =>
  Effect.all([
    Projection.make(accounts, log),
    Projection.make(notes, log),
    Projection.make(counts, log),
    Projection.make(limits, log)
  ])

type Answer = Either.Either<ReadonlyArray<Projection.Outcome<unknown>>, Projection.ProjectionError>

/** All but whether it was cached: reading several at once caches nothing. */
const shortOf = (answer: Answer) =>
  Either.mapBoth(answer, {
    onLeft: ({ projection, reason }) => ({ projection, reason }),
    onRight: (outcomes) => outcomes.map(({ stored: _, ...outcome }) => outcome)
  })

const event = fc.oneof(
  {
    weight: 3,
    arbitrary: fc.record({ kind: fc.constant("Paid" as const), amount: fc.integer({ max: 9, min: 1 }) })
  },
  {
    weight: 5,
    arbitrary: fc.record({
      kind: fc.constantFrom("Opened", "Noted", "Closed", "Erased", "Forgotten", "Foreign")
    })
  }
)

const changeOf = (key: string, given: { readonly kind: string; readonly amount?: number }) => {
  switch (given.kind) {
    case "Paid":
      return paid(key, given.amount ?? 0)
    case "Opened":
      return opened(key)
    case "Noted":
      return noted(key, "n")
    case "Closed":
      return closed(key)
    case "Forgotten":
      return ChangeLog.forgotten(key)
    case "Erased":
      return ChangeLog.put(key, { kind: "Paid", erased: true })
    default:
      // Rare: it spoils what reads all kinds, until the key is forgotten.
      return ChangeLog.put(key, { kind: "Foreign", data: 1 })
  }
}

const schedule = fc.record({
  revisions: fc.array(
    fc.array(fc.record({ key: fc.constantFrom("a", "b"), event }), { minLength: 1, maxLength: 4 }),
    { maxLength: 12 }
  ),
  compactTo: fc.option(fc.nat(12), { freq: 4 }),
  renews: fc.boolean()
})

describe("projectAll", () => {
  it.live(
    "answers as each projection does by itself, or fails as the first that fails",
    () =>
      holdsEffect(schedule, 40, ({ compactTo, renews, revisions }) =>
        Effect.gen(function* () {
          const log = yield* indexedLog
          for (const events of revisions) {
            yield* log.append(events.map(({ event, key }) => changeOf(key, event)))
          }
          if (compactTo !== null) yield* log.compact(Math.min(compactTo, revisions.length))
          if (renews) yield* log.renewEpoch
          for (const key of ["a", "b", "c"]) {
            const together = yield* several(log)
            const alone = yield* several(log)
            const calls: ReadonlyArray<Projection.Projection<unknown>> = alone
            const expected = yield* Effect.either(
              Effect.forEach(calls, (projection) => projection.projectOutcome(key))
            )
            const found = yield* Effect.either(Projection.projectAll(together, key))
            expect(shortOf(found)).toEqual(shortOf(expected))
          }
        }).pipe(Effect.scoped)
      ),
    lawTimeout
  )

  scenario("reads once for all, in pages of one instant", function* () {
    const log = yield* logOf(
      opened("a"),
      ...Array.from({ length: 1_199 }, () => paid("a", 0)),
      noted("a", "x")
    )
    const held = scripted(log)
    const projections = yield* several(held.log)
    held.afterNext(log.append([paid("a", 7), noted("a", "late")]))
    const [account, texts, count] = yield* Projection.projectAll(projections, "a")
    expect(held.reads()).toBe(2)
    expect(Option.getOrThrow(account.state).balance).toBe(0)
    expect(Option.getOrThrow(texts.state)).toEqual(["x"])
    expect(Option.getOrThrow(count.state)).toBe(1201)
    expect(new Set([account, texts, count].map(({ generation }) => generation))).toEqual(new Set([1201]))
  })

  scenario("uses what each has cached if events are removed", function* () {
    const log = yield* logOf(opened("a"), paid("a", 5), noted("a", "x"))
    const projections = yield* Effect.all([Projection.make(accounts, log), Projection.make(notes, log)])
    for (const projection of projections) yield* projection.project("a")
    yield* log.append([paid("a", 2)])
    yield* log.compact(3)
    const [account, texts] = yield* Projection.projectAll(projections, "a")
    expect(Option.getOrThrow(account.state).balance).toBe(7)
    expect(Option.getOrThrow(texts.state)).toEqual(["x"])
  })

  scenario("refuses projections of different logs, and takes none", function* () {
    const one = yield* Projection.make(accounts, yield* logOf(opened("a")))
    const other = yield* Projection.make(notes, yield* logOf(noted("a")))
    const error = yield* Effect.flip(Projection.projectAll([one, other], "a"))
    expect([error.reason, error.projection, error.key]).toEqual(["Refused", "notes", "a"])
    expect(error.message).toMatch(/another log than "accounts": call projectAll once for each log/)
    expect(yield* Projection.projectAll([], "a")).toEqual([])
  })
})
