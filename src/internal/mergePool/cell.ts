/**
 * A cell is what a replica knows of one field of one row: when it was reset, and what was written since. Cells join by their
 * reset stamps, then by the strategy of the field. A removal is a reset to nothing, alike for all strategies.
 */

import { canonicalText } from "../columns/canonicalText.js"
import type { Json } from "../columns/jsonData.js"
import type { Stamp } from "./stamp.js"
import type { FieldState, Strategy } from "./strategy.js"

/** One field of one row. Immutable. */
export interface Cell {
  /** The stamp of the last reset; of the strategy `last` that of the last write. */
  readonly reset: Stamp
  /** What was written since; `undefined`: nothing. */
  readonly state: FieldState | undefined
}

/** A cell as data: its reset stamp, then its state. A removal is a reset stamp alone. */
export type EncodedCell = readonly [reset: Stamp, ...state: ReadonlyArray<Json>]

/**
 * Joins two cells. Returns `a` itself if `b` adds nothing, and `b` itself if it was reset later. Throws what a custom join
 * throws.
 */
export const joinCells = (strategy: Strategy, a: Cell, b: Cell): Cell => {
  if (a.reset !== b.reset) return a.reset < b.reset ? b : a
  if (b.state === undefined || a.state === b.state) return a
  if (a.state === undefined) return b
  const state = strategy.join(a.state, b.state)
  return state === a.state ? a : { reset: a.reset, state }
}

/** Returns a cell as data. */
export const encodeCell = (strategy: Strategy, { reset, state }: Cell): EncodedCell =>
  state === undefined ? [reset] : [reset, ...strategy.encode(state)]

/** Returns the canonical encoding of a cell: equal cells have equal ones. */
export const cellText = (strategy: Strategy, cell: Cell): string => canonicalText(encodeCell(strategy, cell))

/** Returns the key of a cell in a log: `row/field`. In the row, `~` is `~0` and `/` is `~1`. No field: the row's reset. */
export const cellKey = (row: string, field: string): string =>
  `${row.includes("~") || row.includes("/") ? row.replaceAll("~", "~0").replaceAll("/", "~1") : row}/${field}`

/** Returns the row and the field of a key, as {@link cellKey} makes them. */
export const partsOfKey = (key: string): readonly [row: string, field: string] => {
  const end = key.indexOf("/")
  return [key.slice(0, end).replaceAll("~1", "/").replaceAll("~0", "~"), key.slice(end + 1)]
}
