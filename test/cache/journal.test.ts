/** The journal of keys that were invalidated: what it knows, what it forgets, and in whose favour. */
import { expect, it } from "@effect/vitest"
import * as Journal from "../../src/internal/cache/journal.js"

it("a load is outdated that began before the last invalidation of its key", () => {
  const journal = Journal.make<string>(10)
  Journal.note(journal, "a", 5)
  expect([4, 5, 6].map((stamp) => Journal.isOutdated(journal, "a", stamp))).toEqual([true, false, false])
  expect(Journal.isOutdated(journal, "b", 4)).toBe(false)
})

it("what is forgotten counts as invalidated for every key", () => {
  const journal = Journal.make<string>(1)
  Journal.note(journal, "a", 5)
  Journal.note(journal, "b", 7)
  expect([4, 5].map((stamp) => Journal.isOutdated(journal, "c", stamp))).toEqual([true, false])
})

it("nothing is kept of it once it is cleared", () => {
  const journal = Journal.make<string>(10)
  Journal.clear(journal)
  Journal.note(journal, "a", 5)
  Journal.clear(journal)
  expect([journal.stamps.size, Journal.isOutdated(journal, "a", 4)]).toEqual([0, false])
})
