import { describe, expect, it } from "vitest"
import { intervalOf, judge, quantile, ratios } from "./support/statistics.js"

const upTo = (n: number) => Array.from({ length: n }, (_, i) => i + 1)

describe("the statistics of the benchmarks", () => {
  it("takes the 4th and the 12th of 15 samples", () => {
    const interval = intervalOf(upTo(15).reverse())
    expect(interval).toMatchObject({ median: 8, low: 4, high: 12 })
    expect(interval.confidence).toBeCloseTo(0.9648, 4)
  })

  it("takes the 1st and the last of 6 samples, and gives how sure fewer are", () => {
    expect(intervalOf(upTo(6))).toMatchObject({ median: 3.5, low: 1, high: 6, confidence: 0.96875 })
    expect(intervalOf(upTo(5))).toMatchObject({ median: 3, low: 1, high: 5, confidence: 0.9375 })
    expect(intervalOf([7])).toMatchObject({ median: 7, low: 7, high: 7, confidence: 0 })
  })

  it("interpolates quantiles", () => {
    expect(quantile([10, 20], 0.5)).toBe(15)
    expect(quantile(upTo(101), 0.99)).toBe(100)
  })

  it("pairs the samples of a round", () => {
    expect(ratios([2, 9], [1, 3])).toEqual([2, 3])
  })

  it("judges by the median, and near to 1 by the interval", () => {
    const at = (median: number, low: number, high: number) => ({ median, low, high, confidence: 0.95 })
    expect(judge(at(1.4, 1.3, 1.6), { atMost: 1.5 })).toBe("met")
    expect(judge(at(1.6, 1.4, 1.7), { atMost: 1.5 })).toBe("missed")
    expect(judge(at(0.88, 0.85, 0.91), { atLeast: 0.9 })).toBe("met within the interval")
    expect(judge(at(0.88, 0.85, 0.89), { atLeast: 0.9 })).toBe("missed")
    expect(judge(at(0.7, 0.6, 0.8), { atLeast: 0.75 })).toBe("missed")
  })
})
