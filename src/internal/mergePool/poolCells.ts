/** The cells of a pool as its log has them: one key for each, in the order of the keys of rows. */
import { type Change, put, remove } from "../../ChangeLog.js"
import { type Cell, cellKey, type EncodedCell, encodeCell } from "./cell.js"
import type { Definition } from "./definition.js"
import type { Patch, RowPatch } from "./patch.js"
import { forEachChange, type Row, rowField } from "./row.js"
import { noStamp, type Stamp } from "./stamp.js"
import type { State } from "./state.js"

/** A cell as followers get it, and as views judge it. */
export interface PoolCell {
  /** The key of the row; empty: the horizon of the pool, as the reset of a cell. */
  readonly row: string
  /** Empty: the removal of the row. */
  readonly field: string
  /** As data: the stamp of its reset, then its state. */
  readonly cell: EncodedCell
  /** What programs read; `undefined`: it was removed. */
  readonly value: unknown
}

const resetOf = (row: string, reset: Stamp): PoolCell =>
  Object.freeze<PoolCell>({ row, field: rowField, cell: [reset], value: undefined })

/** Makes the cell of a field; the index -1 stands for the removal of the row. */
export const poolCell = (
  { strategies }: Definition,
  row: string,
  field: string,
  index: number,
  cell: Cell
): PoolCell => {
  const strategy = strategies[index]
  if (strategy === undefined) return resetOf(row, cell.reset)
  const value = cell.state === undefined ? undefined : strategy.read(cell.state)
  return Object.freeze({ row, field, cell: Object.freeze(encodeCell(strategy, cell)), value })
}

/** The key of the horizon in a log. */
export const horizonKey = cellKey("", rowField)

/** The change of a log by which followers learn the horizon. */
export const horizonChange = (horizon: Stamp): Change<PoolCell> => put(horizonKey, horizonCell(horizon))

/** Makes the cell by which followers learn the horizon. */
export const horizonCell = (horizon: Stamp): PoolCell => resetOf("", horizon)

/** Adds the changes of a log for a row that changed. */
const addChanges = (
  changes: Array<Change<PoolCell>>,
  definition: Definition,
  key: string,
  before: Row | undefined,
  after: Row | undefined
): void =>
  forEachChange(definition, { key, before, after }, (field, index, _, cell) => {
    const name = cellKey(key, field)
    changes.push(cell === undefined ? remove(name) : put(name, poolCell(definition, key, field, index, cell)))
  })

/** The changes of a log that lead to a state: from rows and a horizon as they were before. */
export const changesOf = (
  { definition, horizon, rows }: State,
  before: ReadonlyMap<string, Row | undefined>,
  horizonBefore: Stamp
): ReadonlyArray<Change<PoolCell>> => {
  const changes: Array<Change<PoolCell>> = []
  if (horizonBefore !== horizon) changes.push(horizonChange(horizon))
  for (const [key, row] of before) addChanges(changes, definition, key, row, rows.get(key))
  return changes
}

/** Makes the patch of cells that followers got, to merge them into a replica. */
export const patchOf = (cells: Iterable<PoolCell>): Patch => {
  let horizon: Stamp = noStamp
  const rows = new Map<string, { reset: Stamp; readonly cells: Array<RowPatch[2][number]> }>()
  for (const { cell, field, row } of cells) {
    const [reset, ...state] = cell
    if (row === "") {
      horizon = reset
      continue
    }
    const known = rows.get(row) ?? { reset: noStamp, cells: [] }
    rows.set(row, known)
    if (field === rowField) known.reset = reset
    else known.cells.push([field, reset, ...state])
  }
  return { horizon, rows: Array.from(rows, ([key, { cells, reset }]): RowPatch => [key, reset, cells]) }
}
