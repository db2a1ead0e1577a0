/** Rows of cells. They are immutable: a change is a row before and a row after. */
import type { Cell } from "./cell.js"
import type { Definition } from "./definition.js"
import { noStamp, type Stamp } from "./stamp.js"

/**
 * One row. It holds no cell that was reset before the row, and no removal that is not after that of the row: equal rows are
 * held alike. A field without a cell is nothing since the reset of the row.
 */
export interface Row {
  /** The stamp of the row's last removal, unless that is forgotten. */
  readonly reset: Stamp
  /** By the indexes of the fields. */
  readonly cells: ReadonlyArray<Cell | undefined>
}

/** A change of one row; `undefined`: nothing is held of it. */
export interface RowChange {
  readonly key: string
  readonly before: Row | undefined
  readonly after: Row | undefined
}

/** The name of the field that stands for the reset of a row. */
export const rowField = ""

/** Makes a row, or `undefined` if it would hold nothing. */
export const makeRow = (reset: Stamp, cells: ReadonlyArray<Cell | undefined>): Row | undefined => {
  if (reset !== noStamp) return { reset, cells }
  for (let i = 0; i < cells.length; i++) if (cells[i] !== undefined) return { reset, cells }
  return undefined
}

/** Counts the removals that a row holds. */
export const removalsOf = ({ strategies }: Definition, row: Row): number => {
  let count = row.reset === noStamp ? 0 : 1
  for (let i = 0; i < row.cells.length; i++) {
    const cell = row.cells[i]
    if (cell === undefined) continue
    count += cell.state === undefined ? 1 : strategies[i]!.removals(cell.state)
  }
  return count
}

/** The reset of a row as a cell, if it has one. */
const resetCell = (row: Row | undefined): Cell | undefined =>
  row === undefined || row.reset === noStamp ? undefined : { reset: row.reset, state: undefined }

/**
 * Visits each cell that a change changes; `undefined`: it is not held. The index -1 stands for the reset of the row, whose
 * field is {@link rowField}.
 */
export const forEachChange = (
  { names }: Definition,
  { after, before }: RowChange,
  visit: (field: string, index: number, before: Cell | undefined, after: Cell | undefined) => void
): void => {
  if (before?.reset !== after?.reset) {
    const [from, to] = [resetCell(before), resetCell(after)]
    if (from !== to) visit(rowField, -1, from, to)
  }
  for (let i = 0; i < names.length; i++) {
    const from = before?.cells[i]
    const to = after?.cells[i]
    if (from !== to) visit(names[i] as string, i, from, to)
  }
}

/** Visits each cell of a row, as {@link forEachChange} does. */
export const forEachCell = (
  { names }: Definition,
  row: Row,
  visit: (field: string, index: number, cell: Cell) => void
): void => {
  const reset = resetCell(row)
  if (reset !== undefined) visit(rowField, -1, reset)
  for (let i = 0; i < row.cells.length; i++) {
    const cell = row.cells[i]
    if (cell !== undefined) visit(names[i] as string, i, cell)
  }
}
