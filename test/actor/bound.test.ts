import { describe, expect, it } from "@effect/vitest"
import { type Bound, belowHalf, boundRule, fits, sizeIn } from "../../src/internal/actor/bound.js"
import { closeGap, gapNotes, noGaps, noteDrop } from "../../src/internal/actor/gaps.js"
import { InvalidOptions } from "../../src/internal/options.js"

const sizeOf = (item: number): number => item

const wrong = (bound: Bound<number>): string | undefined => {
  const checked = boundRule<number>().read("bound", bound)
  return checked instanceof InvalidOptions ? checked.option : undefined
}

describe("bounds", () => {
  it("are refused by the name of the option", () => {
    expect(wrong({ count: 3, overflow: "reject" })).toBeUndefined()
    expect(wrong({ bytes: 3, sizeOf, overflow: "suspend" })).toBeUndefined()
    expect(wrong({ overflow: "reject" })).toBe("bound.count")
    for (const count of [0, -1, 0.5, Number.NaN, Number.POSITIVE_INFINITY]) {
      expect(wrong({ count, overflow: "reject" })).toBe("bound.count")
      expect(wrong({ bytes: count, sizeOf, overflow: "reject" })).toBe("bound.bytes")
    }
    expect(wrong({ bytes: 3, overflow: "reject" })).toBe("bound.sizeOf")
    const unheard: Bound<number> = JSON.parse('{ "count": 3, "overflow": "explode" }')
    expect(wrong(unheard)).toBe("bound.overflow")
  })

  it("hold up to their number and no further", () => {
    expect(fits({ count: 3, overflow: "reject" }, 3, 1e9)).toBe(true)
    expect(fits({ count: 3, overflow: "reject" }, 4, 0)).toBe(false)
    expect(fits({ bytes: 3, sizeOf, overflow: "reject" }, 1e9, 3)).toBe(true)
    expect(fits({ bytes: 3, sizeOf, overflow: "reject" }, 1, 3.5)).toBe(false)
  })

  it("are half empty when each of them is", () => {
    const both: Bound<number> = { count: 4, bytes: 10, sizeOf, overflow: "drop-newest" }
    expect(belowHalf(both, 1, 4)).toBe(true)
    expect(belowHalf(both, 2, 4)).toBe(false)
    expect(belowHalf(both, 1, 5)).toBe(false)
    expect(belowHalf({ count: 4, overflow: "drop-newest" }, 1, 1e9)).toBe(true)
  })
})

describe("sizes", () => {
  it("are none for what has no sensible one", () => {
    const bound: Bound<number> = { bytes: 10, sizeOf, overflow: "reject" }
    expect(sizeIn(bound, 3)).toBe(3)
    expect(sizeIn(bound, 0)).toBe(0)
    for (const size of [-1, Number.NaN, Number.POSITIVE_INFINITY]) expect(sizeIn(bound, size)).toBeUndefined()
    const throwing = {
      ...bound,
      sizeOf: (): number => {
        throw new Error("no size")
      }
    }
    expect(sizeIn(throwing, 1)).toBeUndefined()
  })

  it("cost nothing where they are not asked for", () => {
    expect(sizeIn({ count: 3, overflow: "reject" }, 7)).toBe(0)
  })
})

describe("gap notes", () => {
  it("are the last 100 with the open one, and no others are kept", () => {
    const gaps = noGaps()
    for (let at = 0; at < 150; at++) {
      expect(noteDrop(gaps, "drop-newest", at)).toBe(true)
      closeGap(gaps)
    }
    expect(gaps.closed.length).toBe(100)
    expect(gapNotes(gaps).map(({ from }) => from)).toEqual(Array.from({ length: 100 }, (_, i) => 50 + i))
    noteDrop(gaps, "drop-newest", 150)
    expect(gapNotes(gaps).map(({ from }) => from)).toEqual(Array.from({ length: 100 }, (_, i) => 51 + i))
  })
})
