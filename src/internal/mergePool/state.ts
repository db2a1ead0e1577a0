/** What a replica holds of a pool. Only this file writes a state. */

import { canonicalText } from "../columns/canonicalText.js"
import { type Cell, cellText, encodeCell } from "./cell.js"
import type { Definition } from "./definition.js"
import type { CellPatch, Patch, RowPatch } from "./patch.js"
import { type Row, type RowChange, removalsOf } from "./row.js"
import { later, noStamp, type Stamp } from "./stamp.js"
import type { Strategy } from "./strategy.js"

/** What a replica holds of a pool. */
export interface State {
  readonly definition: Definition
  readonly rows: Map<string, Row>
  /** The rows that hold removals, with how many. */
  readonly removed: Map<string, number>
  /** How many removals are held. */
  removals: number
  /** Removals up to this stamp are forgotten. */
  horizon: Stamp
  /** The largest stamp that was ever merged: a clock goes on after it. */
  latest: Stamp
}

/** Makes a state that holds nothing. */
export const makeState = (definition: Definition): State => ({
  definition,
  rows: new Map(),
  removed: new Map(),
  removals: 0,
  horizon: noStamp,
  latest: noStamp
})

/** Puts another row in the place of one; `undefined` takes it away. */
export const putRow = (state: State, key: string, row: Row | undefined): void => {
  const { definition, removed, rows } = state
  if (row === undefined) rows.delete(key)
  else rows.set(key, row)
  const count = row === undefined ? 0 : removalsOf(definition, row)
  if (count === 0 && removed.size === 0) return
  state.removals += count - (removed.get(key) ?? 0)
  if (count === 0) removed.delete(key)
  else removed.set(key, count)
}

/** Takes changes back, the last one first. */
export const undo = (state: State, changes: ReadonlyArray<RowChange>): void => {
  for (let i = changes.length - 1; i >= 0; i--) {
    const { before, key } = changes[i] as RowChange
    putRow(state, key, before)
  }
}

/** Takes a whole merge back. `latest`: the largest stamp before it. */
export const takeBack = (state: State, changes: ReadonlyArray<RowChange>, latest: Stamp): void => {
  undo(state, changes)
  state.latest = latest
}

/** Notes the largest stamp of what was merged. */
export const noteLatest = (state: State, stamp: Stamp): void => {
  state.latest = later(state.latest, stamp)
}

/** Notes the horizon up to which removals were forgotten. */
export const noteHorizon = (state: State, horizon: Stamp): void => {
  state.horizon = horizon
}

/** Returns the cell of a field. One that is not held is nothing since the reset of its row. */
export const cellOf = (state: State, key: string, index: number): Cell => {
  const row = state.rows.get(key)
  return row?.cells[index] ?? { reset: row?.reset ?? noStamp, state: undefined }
}

const cellPatches = (
  { names, strategies }: Definition,
  cells: ReadonlyArray<Cell | undefined>,
  known: ReadonlyArray<Cell | undefined> | undefined
): ReadonlyArray<CellPatch> => {
  const made: Array<CellPatch> = []
  for (let i = 0; i < cells.length; i++) {
    const cell = cells[i]
    if (cell !== undefined && cell !== known?.[i]) {
      made.push([names[i] as string, ...encodeCell(strategies[i] as Strategy, cell)])
    }
  }
  return made
}

/** Returns a row as data. */
export const rowPatch = (definition: Definition, key: string, { cells, reset }: Row): RowPatch => [
  key,
  reset,
  cellPatches(definition, cells, undefined)
]

/** Returns a row that is held as data; `undefined`: there is none. */
export const rowOf = ({ definition, rows }: State, key: string): RowPatch | undefined => {
  const row = rows.get(key)
  return row && rowPatch(definition, key, row)
}

/** Returns all that is held as a patch. */
export const statePatch = ({ definition, horizon, rows }: State): Patch => {
  const made: Array<RowPatch> = []
  for (const [key, row] of rows) made.push(rowPatch(definition, key, row))
  return { horizon, rows: made }
}

/** Returns the cells that changes made, as a patch. What was forgotten is no part of it. */
export const deltaPatch = ({ definition, horizon }: State, changes: ReadonlyArray<RowChange>): Patch => {
  const made: Array<RowPatch> = []
  for (const { after, before, key } of changes) {
    if (after === undefined) continue
    const reset = after.reset === before?.reset ? noStamp : after.reset
    const cells = cellPatches(definition, after.cells, before?.cells)
    if (reset !== noStamp || cells.length > 0) made.push([key, reset, cells])
  }
  return { horizon, rows: made }
}

/** Returns the canonical text of all that is held: equal states have equal ones, whatever way they came about. */
export const stateText = (state: State): string => {
  const { horizon, rows } = statePatch(state)
  const sorted = [...rows].sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0))
  return canonicalText([horizon, ...sorted])
}

/** Returns the canonical text of one cell; the index -1 stands for the reset of a row. */
export const textOf = ({ strategies }: Definition, index: number, cell: Cell): string =>
  index < 0 ? canonicalText([cell.reset]) : cellText(strategies[index] as Strategy, cell)
