/** SIEVE against a list of records that follows the paper word by word, and what it keeps that an LRU loses. */
import { describe, expect, it } from "@effect/vitest"
import fc from "fast-check"
import * as Sieve from "../../src/internal/cache/sieve.js"
import { ensureList, ensureSame } from "../support/laws/ensure.js"
import { holds } from "../support/laws/laws.js"

interface Entry extends Sieve.Node<Entry> {
  readonly id: number
}

const entry = (id: number): Entry => ({ id, prev: undefined, next: undefined, visited: false })

/** The newest first. */
const idsOf = (sieve: Sieve.Sieve<Entry>): ReadonlyArray<number> => {
  const ids: Array<number> = []
  for (let node = sieve.newest; node !== undefined; node = node.next) ids.push(node.id)
  return ids
}

const backwards = (sieve: Sieve.Sieve<Entry>): ReadonlyArray<number> => {
  const ids: Array<number> = []
  for (let node = sieve.oldest; node !== undefined; node = node.prev) ids.unshift(node.id)
  return ids
}

/** The paper's queue: the newest first, and a hand that moves from the tail to the head. */
const model = () => {
  const queue: Array<{ readonly id: number; visited: boolean }> = []
  let hand: number | undefined
  const newerThan = (id: number) => queue[queue.findIndex((each) => each.id === id) - 1]?.id
  const remove = (id: number): void => {
    if (hand === id) hand = newerThan(id)
    queue.splice(
      queue.findIndex((each) => each.id === id),
      1
    )
  }
  return {
    ids: () => queue.map(({ id }) => id),
    add: (id: number) => queue.unshift({ id, visited: false }),
    touch: (id: number) => {
      queue.find((each) => each.id === id)!.visited = true
    },
    remove,
    evict: (): number | undefined => {
      for (;;) {
        const at = hand ?? queue.at(-1)?.id
        const found = queue.find(({ id }) => id === at)
        if (found === undefined) return undefined
        hand = found.id
        if (!found.visited) {
          remove(found.id)
          return found.id
        }
        found.visited = false
        hand = newerThan(found.id)
      }
    }
  }
}

const step = fc.record({
  kind: fc.constantFrom("add", "touch", "touch", "remove", "evict" as const),
  at: fc.nat(20)
})

describe("SIEVE", () => {
  it("evicts as the paper does, whatever is added, read, removed and evicted", () => {
    holds(fc.array(step, { maxLength: 60 }), 1_000, (steps) => {
      const sieve = Sieve.make<Entry>()
      const expected = model()
      const entries = new Map<number, Entry>()
      for (const [id, { at, kind }] of steps.entries()) {
        const chosen = [...entries.values()][at % Math.max(1, entries.size)]
        if (kind === "add") {
          entries.set(id, entry(id))
          Sieve.add(sieve, entries.get(id)!)
          expected.add(id)
        } else if (kind === "evict") {
          const evicted = Sieve.evict(sieve)?.id
          ensureSame(evicted, expected.evict(), "the same entry goes")
          entries.delete(evicted ?? -1)
        } else if (chosen !== undefined && kind === "touch") {
          chosen.visited = true
          expected.touch(chosen.id)
        } else if (chosen !== undefined) {
          Sieve.remove(sieve, chosen)
          expected.remove(chosen.id)
          entries.delete(chosen.id)
        }
        ensureList(idsOf(sieve), expected.ids(), "the same entries stay, in their order")
        ensureList(backwards(sieve), expected.ids(), "and so from the oldest")
      }
    })
  })

  it("goes on where it stopped: what it has spared has until the next round to be read again", () => {
    const sieve = Sieve.make<Entry>()
    const entries = [1, 2, 3, 4].map(entry)
    for (const each of entries) Sieve.add(sieve, each)
    entries[0]!.visited = true
    const evicted = [1, 2, 3, 4].map(() => Sieve.evict(sieve)?.id)
    expect([...evicted, Sieve.evict(sieve)]).toEqual([2, 3, 4, 1, undefined])
  })

  it("stays where it stopped when another entry is taken out", () => {
    const sieve = Sieve.make<Entry>()
    const [spared, first, next, other] = [1, 2, 3, 4].map(entry) as [Entry, Entry, Entry, Entry]
    for (const each of [spared, first, next, other]) Sieve.add(sieve, each)
    spared.visited = true
    expect(Sieve.evict(sieve)).toBe(first)
    Sieve.remove(sieve, other)
    expect(Sieve.evict(sieve)).toBe(next)
  })

  it("spares so many entries in one search at most, although all were read", () => {
    const sieve = Sieve.make<Entry>()
    for (let id = 0; id < 3 * Sieve.maxSpared; id++) Sieve.add(sieve, entry(id))
    for (let node = sieve.newest; node !== undefined; node = node.next) node.visited = true
    expect(Sieve.evict(sieve)?.id).toBe(Sieve.maxSpared)
    expect(sieve.oldest?.visited).toBe(false)
    expect(sieve.newest?.visited).toBe(true)
  })
})
