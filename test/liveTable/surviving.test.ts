/** Which changes leave a list or a count as it is: the judge against the master's own answers. */
import { describe, expect, it } from "@effect/vitest"
import { Effect } from "effect"
import fc from "fast-check"
import type { AnyCondition, CheckedQuery } from "../../src/internal/columns/query.js"
import * as Journal from "../../src/internal/liveTable/journal.js"
import { ofCount, ofList, survives, survivesSince } from "../../src/internal/liveTable/surviving.js"
import { ensure } from "../support/laws/ensure.js"
import { holdsSeeded, seededTimeout } from "../support/laws/laws.js"
import {
  answerOf,
  checked,
  columns,
  countedWhere,
  play,
  query,
  type State,
  sameRows,
  steps,
  table
} from "../support/liveTable/changes.js"

const countOf = (where: AnyCondition | undefined, state: State): number =>
  answerOf({ ...checked({}), where }, state).length

const kindOf = ({ after, limit, offset }: CheckedQuery): string =>
  offset > 0
    ? "later pages"
    : after !== undefined
      ? "pages behind a row"
      : limit === undefined
        ? "whole"
        : "first pages"

/** How many answers a change left as they were, and how many of these survived it. */
const tally = () => {
  const kinds = new Map<string, { same: number; survived: number }>()
  const judged = (kind: string, survived: boolean, same: boolean): void => {
    ensure(same || !survived, `of the ${kind}, what survives is the same`)
    const counts = kinds.get(kind) ?? { same: 0, survived: 0 }
    kinds.set(kind, { same: counts.same + Number(same), survived: counts.survived + Number(survived) })
  }
  return { kinds, judged }
}

const share = (counts: Iterable<{ readonly same: number; readonly survived: number }>): number => {
  const all = [...counts]
  return all.reduce((sum, { survived }) => sum + survived, 0) / all.reduce((sum, { same }) => sum + same, 0)
}

const queries = fc.array(query, { minLength: 1, maxLength: 4 })

describe("a list or a count", () => {
  it.effect(
    "L1: that survives a change is what the master answers after it, and most that are the same survive",
    () =>
      Effect.gen(function* () {
        const { judged, kinds } = tally()
        const sample = fc.record({ table, steps, queries, where: countedWhere })
        yield* holdsSeeded("L1 surviving", sample, 1200, async ({ queries, steps, table, where }) => {
          for (const { after, before, change } of play(table, steps)) {
            for (const query of queries) {
              const rows = answerOf(query, before)
              const survived = survives(ofList(columns, "id", query, rows), change)
              judged(kindOf(query), survived, sameRows(rows, answerOf(query, after)))
            }
            const same = countOf(where, before) === countOf(where, after)
            judged("counts", survives(ofCount(columns, "id", where), change), same)
          }
        })
        for (const [kind, counts] of kinds) {
          console.log(
            `L1 surviving: ${(100 * share([counts])).toFixed(0)} % of the ${kind} that are the same`
          )
          // What was deleted, and what was there before a whole row was set, is not known.
          expect(share([counts]), kind).toBeGreaterThan(kind === "counts" ? 0.3 : 0.5)
        }
        expect(share(kinds.values())).toBeGreaterThan(0.5)
      }),
    seededTimeout
  )

  it.effect(
    "L1: that survives all changes of the journal, also those that it holds already, is what the master answers",
    () => {
      const sample = fc.record({
        table,
        steps,
        queries,
        read: fc.nat(12),
        from: fc.nat(12),
        capacity: fc.integer({ min: 1, max: 16 })
      })
      return holdsSeeded(
        "L1 surviving lazily",
        sample,
        800,
        async ({ capacity, from, queries, read, steps, table }) => {
          const made = play(table, steps)
          const journal = Journal.make(capacity)
          for (const { change } of made) Journal.add(journal, change)
          const states = [table, ...made.map(({ after }) => after)]
          const at = read % states.length
          for (const query of queries) {
            const rows = answerOf(query, states[at]!)
            const basis = ofList(columns, "id", query, rows)
            const survived = survivesSince(basis, journal, from % (at + 1))
            ensure(!survived || sameRows(rows, answerOf(query, states.at(-1)!)), "what survives is the same")
          }
        }
      )
    },
    seededTimeout
  )
})
