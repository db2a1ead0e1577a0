/** Bounds of a mailbox: what happens to an item that would take it over its bound. */
import * as Rules from "../options.js"

/**
 * What happens over the bound. Under `reject` and `suspend` the call reports it: it is refused, or waits. Under
 * `drop-newest` and `drop-oldest` the call is accepted, and the item that was given up is counted as dropped.
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

const rulesOf = <Item>() =>
  Rules.nested<Bound<Item>>()({
    overflow: Rules.oneOf("reject", "suspend", "drop-newest", "drop-oldest"),
    count: Rules.optional(Rules.whole(1, "records")),
    bytes: Rules.optional(Rules.whole(1, "bytes")),
    sizeOf: Rules.optional(Rules.func("that gives a record's size in bytes"))
  })

/** What is wrong with a bound whose options are right one by one. */
const validateBound = <Item>(option: string, bound: Bound<Item>): Rules.InvalidOptions | undefined => {
  const { bytes, count, sizeOf } = bound
  if (count === undefined && bytes === undefined) {
    return Rules.invalid(`${option}.count`, `a number of records, or ${option}.bytes one of bytes`, count)
  }
  if (bytes !== undefined && sizeOf === undefined) {
    return Rules.invalid(`${option}.sizeOf`, `a function, because ${option}.bytes is given`, sizeOf)
  }
  return undefined
}

/** The rule of a bound. */
export const boundRule = <Item>(): Rules.Rule<Bound<Item>> => ({
  read: (option, given) => {
    const bound = rulesOf<Item>().read(option, given)
    return bound instanceof Rules.InvalidOptions ? bound : (validateBound(option, bound) ?? bound)
  }
})

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
