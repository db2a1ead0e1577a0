/** What can be said of a few noisy samples without assuming how they are distributed. */

export interface Interval {
  readonly median: number
  readonly low: number
  readonly high: number
  /** How sure it is that the interval holds the true median, from 0 to 1. */
  readonly confidence: number
}

const sorted = (values: ReadonlyArray<number>): ReadonlyArray<number> => [...values].sort((a, b) => a - b)

/** The value below which this share of the values lies. */
export const quantile = (values: ReadonlyArray<number>, share: number): number => {
  const ordered = sorted(values)
  const at = (ordered.length - 1) * share
  const below = ordered[Math.floor(at)] ?? Number.NaN
  const above = ordered[Math.ceil(at)] ?? Number.NaN
  return below + (above - below) * (at - Math.floor(at))
}

export const median = (values: ReadonlyArray<number>): number => quantile(values, 0.5)

/** The chance that at most `k` of `n` samples lie on one side of the median. */
const tail = (n: number, k: number): number => {
  let term = 0.5 ** n
  let sum = term
  for (let i = 1; i <= k; i++) {
    term = (term * (n - i + 1)) / i
    sum += term
  }
  return sum
}

/**
 * The median, and the narrowest pair of order statistics that holds it with 95 % confidence (the sign test turned
 * round: each sample lies above the median with the chance of a coin). Of 15 samples these are the 4th and the 12th
 * (96.5 %). Below 6 samples no pair is that sure: then it is the smallest and the largest.
 */
export const intervalOf = (values: ReadonlyArray<number>): Interval => {
  const ordered = sorted(values)
  const n = ordered.length
  let rank = 0
  while (rank + 1 < n / 2 && 1 - 2 * tail(n, rank + 1) >= 0.95) rank++
  return {
    median: median(values),
    low: ordered[rank] ?? Number.NaN,
    high: ordered[n - 1 - rank] ?? Number.NaN,
    confidence: Math.max(0, 1 - 2 * tail(n, rank))
  }
}

/** The ratio of two samples of each round. Both sides of a pair met the same weather. */
export const ratios = (over: ReadonlyArray<number>, under: ReadonlyArray<number>): ReadonlyArray<number> =>
  over.map((value, i) => value / (under[i] ?? Number.NaN))

export interface Target {
  readonly atMost?: number
  readonly atLeast?: number
}

export type Verdict = "met" | "met within the interval" | "missed"

const reaches = (value: number, { atLeast, atMost }: Target): boolean =>
  (atMost === undefined || value <= atMost) && (atLeast === undefined || value >= atLeast)

/** A ratio this near to 1 is told from 1 only by its interval. */
const near = 1.15

/**
 * Judges a ratio: by its median, and where the target is nearer to 1 than 1.15 by whether the interval reaches it.
 */
export const judge = ({ high, low, median }: Interval, target: Target): Verdict => {
  if (reaches(median, target)) return "met"
  const bound = target.atMost ?? target.atLeast ?? 1
  const close = bound < near && bound > 1 / near
  return close && (reaches(low, target) || reaches(high, target)) ? "met within the interval" : "missed"
}
