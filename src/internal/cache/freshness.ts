/**
 * What a stored value may be used for, by its age. Times are milliseconds of a monotonic clock; reads extend none. At
 * an exact bound the later rule holds.
 */

/** How long values of one kind live, in milliseconds. */
export interface Times {
  /** The longest that a value is fresh. A cell's own `freshUntil` is earlier by its jitter. */
  readonly ttl: number
  /** After it was fresh, a value is served at once for so long, while one refresh runs. */
  readonly staleWhileRevalidate: number
  /** Beyond `ttl`, a value replaces an answer of the source for so long, if that is slow or fails. */
  readonly grace: number
}

/**
 * - `Fresh`: it is the answer.
 * - `Revalidate`: it is the answer, stale, and one refresh begins.
 * - `Load`: the source is asked; if it is slow or fails, the value may be served stale.
 * - `Dead`: the source is asked, and nothing replaces its answer.
 */
export type Verdict = "Fresh" | "Revalidate" | "Load" | "Dead"

/** The part of a cell that its age is judged by. */
export interface Aged {
  readonly loadedAt: number
  /** The end of its freshness by age, at most `loadedAt + ttl`. */
  readonly freshUntil: number
}

/** The most that jitter takes from a `ttl`. */
const maxJitter = 0.1

/** The `ttl` of one value, in whole milliseconds: less up to 10 %, so that what came together does not go together. */
export const jittered = (ttl: number, unit: number): number => Math.ceil(ttl * (1 - maxJitter * unit))

/** Judges a value. `endedEarly`: it was expired, or is suspect, so that it is not fresh at any age. */
export const judge = (aged: Aged, times: Times, now: number, endedEarly = false): Verdict => {
  if (!endedEarly && now < aged.freshUntil) return "Fresh"
  if (times.staleWhileRevalidate > 0 && now < aged.freshUntil + times.staleWhileRevalidate)
    return "Revalidate"
  return now < aged.loadedAt + times.ttl + times.grace ? "Load" : "Dead"
}
