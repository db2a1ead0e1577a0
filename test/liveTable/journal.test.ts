/** The ring of the last changes: what it holds, and what it has forgotten. */
import { describe, expect, it } from "@effect/vitest"
import fc from "fast-check"
import * as Journal from "../../src/internal/liveTable/journal.js"
import { ensure, ensureList } from "../support/laws/ensure.js"
import { holds } from "../support/laws/laws.js"

const change = (stamp: number, id: number = stamp): Journal.Change => ({
  stamp,
  id,
  op: "Updated",
  columns: undefined,
  row: undefined
})

/** A journal of four with the changes of these stamps. */
const holding = (...stamps: ReadonlyArray<number>): Journal.Journal => {
  const journal = Journal.make(4)
  for (const stamp of stamps) Journal.add(journal, change(stamp))
  return journal
}

const stamps = (journal: Journal.Journal, after: number) =>
  Journal.since(journal, after)?.map(({ stamp }) => stamp)

describe("the journal", () => {
  it("returns the changes after a stamp, in order", () => {
    const journal = holding(2, 3, 5)
    expect(stamps(journal, 0)).toEqual([2, 3, 5])
    expect(stamps(journal, 2)).toEqual([3, 5])
    expect(stamps(journal, 4)).toEqual([5])
    expect(stamps(journal, 5)).toEqual([])
    expect(stamps(holding(), 0)).toEqual([])
  })

  it("does not answer if one of them is forgotten", () => {
    const journal = holding(1, 2, 3, 4, 5, 6)
    expect(stamps(journal, 2)).toEqual([3, 4, 5, 6])
    expect(stamps(journal, 1)).toBe(undefined)
    expect(Journal.idsSince(journal, 1)).toBe(undefined)
    expect(Journal.idsSince(journal, 4)).toEqual(new Set([5, 6]))
  })

  it("names no ids if any row may have changed", () => {
    const journal = holding(1)
    Journal.add(journal, { ...change(2), id: undefined })
    Journal.add(journal, change(3))
    expect(Journal.idsSince(journal, 1)).toBe(undefined)
    expect(Journal.idsSince(journal, 2)).toEqual(new Set([3]))
  })

  it("returns all changes after a stamp or nothing, and holds no more than its capacity", () => {
    const sample = fc.record({
      capacity: fc.integer({ min: 1, max: 8 }),
      steps: fc.array(fc.nat(2), { maxLength: 30 }),
      after: fc.nat(40)
    })
    holds(sample, 1000, ({ after, capacity, steps }) => {
      const journal = Journal.make(capacity)
      const all: Array<Journal.Change> = []
      for (const step of steps) {
        all.push(change((all.at(-1)?.stamp ?? 0) + step, all.length))
        Journal.add(journal, all.at(-1)!)
      }
      const expected = all.filter(({ stamp }) => stamp > after)
      const found = Journal.since(journal, after)
      ensure(journal.changes.length <= capacity, "the journal is bounded")
      ensure((found === undefined) === expected.length > capacity, "it answers while it holds all of them")
      if (found !== undefined) ensureList(found, expected, "it returns all of them")
    })
  })
})
