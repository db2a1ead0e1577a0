/** Cells: what is kept of a load that lands late, what a call for all cells does, and what has room. */
import { describe, expect, it } from "@effect/vitest"
import * as Cells from "../../src/internal/cache/cells.js"

const unbounded = { maxEntries: Number.POSITIVE_INFINITY, maxBytes: Number.POSITIVE_INFINITY }

const made = (bound: Partial<Cells.Bound> = {}) => {
  const evicted: Array<string> = []
  const cells = Cells.make<string, string>({ ...unbounded, ...bound }, ({ key, value }) =>
    evicted.push(`${key}=${value}`)
  )
  /** Fills by a load that begins now, unless it has begun before. */
  const fill = (key: string, value: string, over: Partial<Cells.Load> = {}) =>
    Cells.fill(cells, key, value, {
      stamp: over.stamp ?? Cells.nextStamp(cells),
      loadedAt: 0,
      freshUntil: 100,
      ...over
    })
  const value = (key: string) => Cells.get(cells, key)?.value
  const state = (key: string) => {
    const cell = Cells.get(cells, key)
    return cell && Cells.stateOf(cells, cell)
  }
  return {
    cells,
    evicted,
    fill,
    value,
    state,
    hit: (key: string, now = 0) => Cells.hit(cells, key, now)?.value
  }
}

describe("a load that lands", () => {
  it("is stored, and hit until it is not fresh any more", () => {
    const { fill, hit } = made()
    fill("a", "A")
    expect([hit("a", 0), hit("a", 99), hit("a", 100), hit("b")]).toEqual(["A", "A", undefined, undefined])
  })

  it("is not stored over a value that a later load has brought", () => {
    const { cells, fill, value } = made()
    const [earlier, later] = [Cells.nextStamp(cells), Cells.nextStamp(cells)]
    fill("a", "new", { stamp: later })
    expect([fill("a", "old", { stamp: earlier }), value("a")]).toEqual([undefined, "new"])
  })

  it("is not stored if its key was invalidated since it began, though its cell is kept by a pin", () => {
    const { cells, fill, value } = made()
    const stamp = Cells.nextStamp(cells)
    Cells.pin(cells, "a")
    Cells.invalidate(cells, "a")
    expect([fill("a", "old", { stamp }), value("a")]).toEqual([undefined, undefined])
    expect(fill("a", "new")?.value).toBe("new")
  })

  it("is not stored in a cell that was made after the eviction of the one that it knew", () => {
    const { cells, evicted, fill, value } = made({ maxEntries: 1 })
    fill("a", "first")
    const stamp = Cells.nextStamp(cells)
    fill("b", "B")
    fill("a", "second")
    expect([fill("a", "old", { stamp }), value("a"), evicted]).toEqual([
      undefined,
      "second",
      ["a=first", "b=B"]
    ])
  })

  it("is not stored if everything was invalidated since it began", () => {
    const { cells, fill } = made()
    const stamp = Cells.nextStamp(cells)
    Cells.invalidateAll(cells)
    expect([fill("a", "old", { stamp }), fill("a", "new")?.value]).toEqual([undefined, "new"])
  })

  it("is stored but suspect, or expired, if all cells became so since it began", () => {
    const { cells, fill, hit, state } = made()
    const [first, second] = [Cells.nextStamp(cells), Cells.nextStamp(cells)]
    Cells.suspectAll(cells)
    Cells.expireAll(cells)
    const third = Cells.nextStamp(cells)
    Cells.expireAll(cells)
    fill("a", "A", { stamp: first })
    fill("b", "B", { stamp: second })
    fill("c", "C", { stamp: third })
    fill("d", "D")
    expect(["a", "b", "c", "d"].map(state)).toEqual(["Suspect", "Suspect", "Expired", "Current"])
    expect(["a", "b", "c", "d"].map((key) => hit(key))).toEqual([undefined, undefined, undefined, "D"])
  })
})

describe("an invalidation", () => {
  it("drops the value, and the cell if it is not pinned", () => {
    const { cells, fill, value } = made()
    fill("a", "A")
    fill("b", "B")
    const pinned = Cells.pin(cells, "b")
    Cells.invalidate(cells, "a")
    Cells.invalidate(cells, "b")
    expect([value("a"), value("b"), pinned.value]).toEqual([undefined, undefined, undefined])
    expect([...cells.map.keys()]).toEqual(["b"])
    Cells.unpin(cells, pinned)
    expect(cells.map.size).toBe(0)
  })

  it("of all values drops each when it is met", () => {
    const { cells, fill, hit, value } = made()
    fill("a", "A")
    fill("b", "B")
    Cells.invalidateAll(cells)
    expect([hit("a"), value("a"), cells.map.size]).toEqual([undefined, undefined, 1])
  })

  it("by a tag drops the cells that have it, and what loads under way bring with it", () => {
    const { cells, fill, value } = made()
    const stamp = Cells.nextStamp(cells)
    fill("a", "A", { tags: ["x"] })
    fill("b", "B", { tags: ["y"] })
    expect(Cells.invalidateTag(cells, "x")).toEqual(["a"])
    expect([value("a"), value("b")]).toEqual([undefined, "B"])
    expect(fill("a", "old", { stamp, tags: ["x", "z"] })).toBe(undefined)
    expect(fill("a", "other", { stamp, tags: ["z"] })?.value).toBe("other")
    expect(fill("c", "new", { tags: ["x"] })?.value).toBe("new")
  })

  it("by a tag reaches a value that a refresh without tags has replaced", () => {
    const { cells, fill, value } = made()
    fill("a", "A", { tags: ["x"] })
    Cells.addTags(cells, fill("a", "A2")!, ["y"])
    expect(Cells.invalidateTag(cells, "x")).toEqual(["a"])
    expect([value("a"), cells.tags.members.size]).toEqual([undefined, 0])
  })

  it("by very many tags is forgotten in favour of the loads: they are not stored", () => {
    const { cells, fill } = made()
    const stamp = Cells.nextStamp(cells)
    for (let i = 0; i < 1_500; i++) Cells.invalidateTag(cells, `tag ${i}`)
    expect(cells.tags.invalidated.stamps.size).toBe(1_000)
    expect(fill("a", "A", { stamp, tags: ["other"] })).toBe(undefined)
    expect(fill("a", "A", { stamp })?.value).toBe("A")
    expect(fill("b", "B", { tags: ["tag 1"] })?.value).toBe("B")
  })
})

describe("a tag", () => {
  it("has the values that were filled with it, until they are gone", () => {
    const { cells, fill, value } = made()
    fill("a", "A", { tags: ["t"] })
    fill("b", "B", { tags: ["t", "u"] })
    fill("c", "C")
    expect([Cells.keysWith(cells, "t"), Cells.keysWith(cells, "none")]).toEqual([["a", "b"], []])
    Cells.invalidate(cells, "a")
    expect(Cells.keysWith(cells, "t")).toEqual(["b"])
    expect([Cells.invalidateTag(cells, "t"), value("b"), value("c")]).toEqual([["b"], undefined, "C"])
  })
})

describe("suspicion", () => {
  it("ends for a value with its next load", () => {
    const { cells, fill, hit, state } = made()
    fill("a", "A")
    Cells.suspectAll(cells)
    expect([state("a"), hit("a")]).toEqual(["Suspect", undefined])
    fill("a", "A")
    expect([state("a"), hit("a")]).toEqual(["Current", "A"])
  })

  it("of all that is loaded meanwhile ends with it, and leaves what was suspect or expired before", () => {
    const { cells, fill, hit, state } = made()
    fill("a", "A")
    Cells.suspectAll(cells)
    fill("b", "B")
    fill("c", "C")
    Cells.expire(cells, "c")
    Cells.distrust(cells)
    fill("d", "D")
    expect(["a", "b", "c", "d"].map(state)).toEqual(["Suspect", "Suspect", "Suspect", "Suspect"])
    expect(hit("d")).toBe(undefined)
    Cells.trust(cells)
    expect(["a", "b", "c", "d"].map(state)).toEqual(["Suspect", "Current", "Expired", "Current"])
    expect(hit("b")).toBe("B")
  })
})

describe("an expired value", () => {
  it("is as old as it was, and stays until it is loaded again", () => {
    const { cells, fill, hit, state, value } = made()
    fill("a", "A", { loadedAt: 7, freshUntil: 50 })
    Cells.expire(cells, "a")
    Cells.expire(cells, "a")
    Cells.expire(cells, "b")
    expect([hit("a"), value("a"), state("a")]).toEqual([undefined, "A", "Expired"])
    expect(Cells.agedOf(Cells.get(cells, "a")!)).toEqual({ loadedAt: 7, freshUntil: 50 })
    fill("a", "A")
    expect(hit("a")).toBe("A")
  })
})

describe("what has room", () => {
  it("are so many entries; what was read stays", () => {
    const { cells, evicted, fill, hit } = made({ maxEntries: 3 })
    for (const key of ["a", "b", "c"]) fill(key, key)
    hit("a")
    Cells.touch(Cells.get(cells, "b")!)
    fill("d", "d")
    expect([evicted, [...cells.map.keys()]]).toEqual([["c=c"], ["a", "b", "d"]])
  })

  it("are so many bytes; a value that alone has more is not kept, nor the older one", () => {
    const { cells, evicted, fill, value } = made({ maxBytes: 10 })
    fill("a", "a", { size: 4 })
    fill("b", "b", { size: 4 })
    fill("c", "c", { size: 4 })
    expect([evicted, cells.bytes]).toEqual([["a=a"], 8])
    expect(fill("c", "too large", { size: 11 })).toBe(undefined)
    expect([value("c"), cells.bytes]).toEqual([undefined, 4])
    fill("b", "larger", { size: 10 })
    expect([value("b"), cells.bytes, cells.map.size]).toEqual(["larger", 10, 1])
  })

  it("grows for a value that becomes larger, at the cost of others", () => {
    const { cells, evicted, fill, value } = made({ maxBytes: 10 })
    fill("a", "a", { size: 4 })
    fill("b", "b", { size: 4 })
    fill("a", "larger", { size: 7 })
    expect([evicted, value("a"), cells.bytes]).toEqual([["b=b"], "larger", 7])
  })

  it("holds what is pinned, and nothing else if that takes all of it", () => {
    const { cells, evicted, fill, value } = made({ maxEntries: 2 })
    const pinned = [Cells.pin(cells, "a"), Cells.pin(cells, "b"), Cells.pin(cells, "c")]
    for (const key of ["a", "b", "c"]) fill(key, key)
    expect([fill("d", "d"), cells.map.size, evicted]).toEqual([undefined, 3, []])
    for (const cell of pinned) Cells.unpin(cells, cell)
    expect([cells.map.size, evicted]).toEqual([2, ["a=a"]])
    expect(value("c")).toBe("c")
  })

  it("is not of the oldest value if that was read, nor of one more than is needed", () => {
    const { evicted, fill, hit } = made({ maxEntries: 2 })
    fill("a", "A")
    fill("b", "B")
    hit("a")
    fill("c", "C")
    expect(evicted).toEqual(["b=B"])
    const bytes = made({ maxBytes: 12 })
    bytes.fill("a", "A", { size: 6 })
    bytes.fill("b", "B", { size: 6 })
    expect(bytes.evicted).toEqual([])
  })

  it("is as before when a pin is taken off", () => {
    for (const bound of [{ maxEntries: 1 }, { maxBytes: 10 }]) {
      const { cells, fill, value } = made(bound)
      fill("a", "A", { size: 6 })
      Cells.unpin(cells, Cells.pin(cells, "a"))
      expect([fill("b", "B", { size: 6 })?.value, value("a")]).toEqual(["B", undefined])
    }
  })

  it("is counted in bytes also for values that are pinned", () => {
    const { cells, fill, value } = made({ maxBytes: 10 })
    fill("b", "B", { size: 6 })
    Cells.pin(cells, "a")
    expect([fill("a", "A", { size: 11 }), value("b")]).toEqual([undefined, "B"])
    expect([fill("a", "A", { size: 6 })?.value, value("b")]).toEqual(["A", undefined])
    expect([fill("c", "C", { size: 6 }), value("a")]).toEqual([undefined, "A"])
  })

  it("is freed by everything that is cleared, also what is pinned", () => {
    const { cells, fill, value } = made({ maxBytes: 10 })
    const cell = Cells.pin(cells, "a")
    fill("a", "a", { size: 5, tags: ["x"] })
    const stamp = Cells.nextStamp(cells)
    Cells.clear(cells)
    Cells.unpin(cells, cell)
    expect([cells.map.size, cells.bytes, cells.pinned, cells.tags.members.size]).toEqual([0, 0, 0, 0])
    expect([fill("a", "old", { stamp }), Cells.stateOf(cells, cell)]).toEqual([undefined, "Empty"])
    fill("b", "b", { size: 10 })
    expect(value("b")).toBe("b")
  })
})
