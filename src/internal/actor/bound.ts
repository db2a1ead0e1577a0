/**
 * Bounds of a mailbox: what happens to an item that would take it over its bound.
 */
import { InvalidOptions } from "../options.js"

/**
 * What happens over the bound. `reject` and `suspend` tell the caller; `drop-newest` and `drop-oldest` tell the
 * account: the call says accepted, and the item that was given up is counted as dropped.
 */
export type Overflow = "reject" | "suspend" | "drop-newest" | "drop-oldest"

/**
 * A bound by count, by bytes, or both. It counts all that is pending, what is being saved included. `sizeOf` gives
 * an item's size in bytes and is required with `bytes`; when it throws, the item is refused.
 */
export interface Bound<in Item> {
  readonly count?: number | undefined
  readonly bytes?: number | undefined
  readonly sizeOf?: ((item: Item) => number) | undefined
  readonly overflow: Overflow
}

/**
 * An interval in which items were dropped by the bound's policy (`drop-newest`, `drop-oldest`), or in which records
 * that had been set aside were released from memory (`released`). Times are milliseconds since the epoch.
 */
export interface GapNote {
  readonly from: number
  readonly to: number
  readonly count: number
  readonly reason: "drop-newest" | "drop-oldest" | "released"
}

const overflows: ReadonlyArray<string> = ["reject", "suspend", "drop-newest", "drop-oldest"]

export const invalidBound = <Item>(bound: Bound<Item>): InvalidOptions | undefined => {
  const wrong = (option: string, message: string) =>
    new InvalidOptions({ option: `bound.${option}`, message })
  const whole = (n: number | undefined) => n === undefined || (Number.isSafeInteger(n) && n > 0)
  if (!overflows.includes(bound.overflow)) return wrong("overflow", `must be one of ${overflows.join(", ")}`)
  if (bound.count === undefined && bound.bytes === undefined) {
    return wrong("count", "a bound needs a number of records, of bytes, or both")
  }
  if (!whole(bound.count)) return wrong("count", "must be a whole number of records above 0")
  if (!whole(bound.bytes)) return wrong("bytes", "must be a whole number of bytes above 0")
  if (bound.bytes !== undefined && bound.sizeOf === undefined) {
    return wrong("sizeOf", "is required with a bound in bytes")
  }
  if (bound.sizeOf !== undefined && typeof bound.sizeOf !== "function") {
    return wrong("sizeOf", "must be a function that gives a record's size in bytes")
  }
  return undefined
}

/** The size of an item, or none when it has no sensible one. */
export const sizeIn = <Item>(bound: Bound<Item>, item: Item): number | undefined => {
  if (bound.sizeOf === undefined) return 0
  try {
    const bytes = bound.sizeOf(item)
    return bytes >= 0 && Number.isFinite(bytes) ? bytes : undefined
  } catch {
    return undefined
  }
}

export const fits = <Item>(bound: Bound<Item>, items: number, bytes: number): boolean =>
  items <= (bound.count ?? Number.POSITIVE_INFINITY) && bytes <= (bound.bytes ?? Number.POSITIVE_INFINITY)

/** Below half of the bound an interval of drops is over. */
export const belowHalf = <Item>(bound: Bound<Item>, items: number, bytes: number): boolean =>
  items < (bound.count ?? Number.POSITIVE_INFINITY) / 2 &&
  bytes < (bound.bytes ?? Number.POSITIVE_INFINITY) / 2

/** So many gap notes are kept. */
export const maxGaps = 100

/** Gap notes of one kind; the last ones are kept. */
export interface Gaps {
  readonly closed: Array<GapNote>
  open: { from: number; to: number; count: number; reason: GapNote["reason"] } | undefined
}

export const noGaps = (): Gaps => ({ closed: [], open: undefined })

/** Notes one drop; true when it begins an interval. */
export const noteDrop = (gaps: Gaps, reason: GapNote["reason"], now: number): boolean => {
  if (gaps.open !== undefined) {
    gaps.open.count++
    gaps.open.to = now
    return false
  }
  gaps.open = { from: now, to: now, count: 1, reason }
  return true
}

export const closeGap = (gaps: Gaps): void => {
  if (gaps.open === undefined) return
  gaps.closed.push(gaps.open)
  gaps.open = undefined
  if (gaps.closed.length > maxGaps) gaps.closed.shift()
}

export const gapNotes = (gaps: Gaps): ReadonlyArray<GapNote> => {
  const notes = gaps.open === undefined ? [...gaps.closed] : [...gaps.closed, { ...gaps.open }]
  return notes.slice(-maxGaps)
}
