/** What replicas send each other: rows with cells, as JSON. A whole state is a patch too. */
import type { Json } from "../columns/jsonData.js"
import { validateText } from "../columns/jsonData.js"
import type { Cell } from "./cell.js"
import { isStamp, never, type Stamp } from "./stamp.js"
import type { Strategy } from "./strategy.js"

/**
 * A cell: its stamp, its state, and its reset where that is not the row's. A stamp alone: the field was removed then. It is
 * as large as a write needs, because a state of 100,000 rows has many.
 */
export type CellPatch =
  | readonly [stamp: Stamp]
  | readonly [stamp: Stamp, state: Json]
  | readonly [stamp: Stamp, state: Json, reset: Stamp]

/** A row: its key, its last removal as a whole or "", and cells by field. */
export type RowPatch = readonly [key: string, reset: Stamp, cells: { readonly [field: string]: CellPatch }]

/** Rows to join. */
export interface Patch {
  /** Removals up to it were forgotten where the patch was made. */
  readonly horizon: Stamp
  readonly rows: ReadonlyArray<RowPatch>
}

/** The most UTF-16 units of a row's key. A key of the log has it with its field. */
export const maxRowKey = 1024

/** Why a key cannot be one of a row; `undefined`: it can. */
export const rowKeyProblem = (key: unknown): string | undefined => {
  if (typeof key !== "string" || key === "") return "the key of a row must be a text that is not empty"
  if (key.length > maxRowKey) return `the key of a row must have ${maxRowKey} characters at most`
  return validateText(key) === undefined
    ? undefined
    : "the key of a row must have no U+0000 and no lone surrogate"
}

export const isStampOrNever = (value: unknown): value is Stamp => value === never || isStamp(value)

/** Encodes a cell of a row with this reset. */
export const encodeCell = ({ reset, stamp, state }: Cell, rowReset: Stamp): CellPatch => {
  if (state === undefined) return [stamp]
  return reset === rowReset ? [stamp, state] : [stamp, state, reset]
}

/** Reads a cell of a row with this reset, or returns what is wrong with it. */
export const decodeCell = (strategy: Strategy, given: unknown, rowReset: Stamp): Cell | string => {
  if (!Array.isArray(given) || given.length === 0 || given.length > 3) {
    return "a cell must be [stamp], [stamp, state] or [stamp, state, reset]"
  }
  const stamp: unknown = given[0]
  if (!isStamp(stamp)) return "its stamp must have 23 characters of a stamp"
  if (given.length === 1) return { reset: stamp, stamp, state: undefined }
  const reset: unknown = given.length === 3 ? given[2] : rowReset
  if (!isStampOrNever(reset) || reset >= stamp) return "its reset must be a stamp below its own, or empty"
  const state = strategy.own(given[1])
  return state === undefined ? `its state must be ${strategy.expects}` : { reset, stamp, state }
}
