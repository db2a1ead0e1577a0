/** A field of a row: the reset that it lives under, and the state of its strategy. */
import type { Json } from "../columns/jsonData.js"
import { never, type Stamp } from "./stamp.js"
import type { Strategy } from "./strategy.js"

/** A field of a row. It is never changed: a join makes another one. */
export interface Cell {
  /** The removal after which it was written; `never`: there was none. */
  readonly reset: Stamp
  /** The largest stamp of what was written, or of the removal. */
  readonly stamp: Stamp
  /** `undefined`: it was removed, and nothing was written after. */
  readonly state: Json | undefined
}

/** A field that was removed, and that nothing was written to after. */
export const removed = (reset: Stamp): Cell => ({ reset, stamp: reset, state: undefined })

const compare = (a: Stamp, b: Stamp): number => (a === b ? 0 : a < b ? -1 : 1)

/** Joins two cells: the later removal decides, then the strategy. The first one itself if the second one adds nothing. */
export const join = (strategy: Strategy, a: Cell, b: Cell): Cell => {
  if (a.reset !== b.reset) return b.reset > a.reset ? b : a
  if (b.state === undefined) return a
  if (a.state === undefined) return b
  const newer = compare(b.stamp, a.stamp)
  const state = strategy.join(a.state, b.state, newer)
  if (state === a.state && newer <= 0) return a
  return { reset: a.reset, stamp: newer > 0 ? b.stamp : a.stamp, state }
}

/** The cell as it is when removals up to the horizon are forgotten; `undefined`: nothing of it is left. */
export const forget = (strategy: Strategy, cell: Cell, horizon: Stamp): Cell | undefined => {
  const { reset, stamp } = cell
  if (cell.state === undefined) return reset <= horizon ? undefined : cell
  const state = strategy.parts?.forget(cell.state, horizon) ?? cell.state
  const isOfOld = reset !== never && reset <= horizon
  return isOfOld || state !== cell.state ? { reset: isOfOld ? never : reset, stamp, state } : cell
}
