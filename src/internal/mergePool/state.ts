/**
 * What a replica holds: rows of cells.
 *
 * A row that is removed keeps its removal until the horizon passes it, and so does a field: a write that had not seen it
 * brings nothing back.
 */
import type { Json } from "../columns/jsonData.js"
import { canonical } from "./canonical.js"
import type { Cell } from "./cell.js"
import * as Cells from "./cell.js"
import { encodeCell, type Patch, type RowPatch } from "./patch.js"
import { never, type Stamp } from "./stamp.js"
import type { Strategy } from "./strategy.js"

/** The strategies of a pool, by field. */
export interface Strategies {
  readonly [field: string]: Strategy
}

/** A row, as all other files see it. */
export interface Row {
  readonly key: string
  /** Its last removal as a whole: cells of before are gone, whether they were known or not. */
  readonly reset: Stamp
  /** By the number of the field. */
  readonly cells: ReadonlyArray<Cell | undefined>
  /** Its hash as the tree has it, in two halves; 0 if it has none. */
  readonly high: number
  readonly low: number
}

interface RowFields extends Row {
  reset: Stamp
  readonly cells: Array<Cell | undefined>
  high: number
  low: number
  /** It has changed since the tree took its hash. */
  isDirty: boolean
}

/** What a replica holds. Only this file writes it. */
export interface State {
  readonly fields: ReadonlyArray<string>
  readonly strategies: ReadonlyArray<Strategy>
  readonly numbers: ReadonlyMap<string, number>
  readonly rows: ReadonlyMap<string, Row>
  /** Removals up to it are forgotten. */
  readonly horizon: Stamp
  /** The largest stamp that was joined, also of what is forgotten since. */
  readonly newest: Stamp
  /** How many cells are kept of removals, with the removals of whole rows. */
  readonly removals: number
  /** Counts how often everything was replaced. */
  readonly life: number
  /** Rows that have changed since the tree took their hashes; also those that are gone. */
  readonly dirty: ReadonlyArray<Row>
}

interface Fields extends State {
  rows: Map<string, RowFields>
  horizon: Stamp
  newest: Stamp
  removals: number
  life: number
  dirty: Array<Row>
}

/** Makes the state of a pool that is empty. */
export const make = (strategies: Strategies): State => {
  const fields = Object.keys(strategies).sort()
  const numbers = new Map(fields.map((field, number) => [field, number]))
  return emptied({ fields, strategies: fields.map((field) => strategies[field]!), numbers }, never)
}

// Every state was made by `make`: the type of other files hides what only this file may write.
const fieldsOf = (state: State): Fields => state as Fields

/** The number of the field in a change that is the removal of the whole row. */
export const wholeRow = -1

/** A cell that has changed, or the removal of a row. */
export interface Changed {
  readonly row: Row
  /** Of the field, or {@link wholeRow}. */
  readonly field: number
  /** What was held before; of a removal of the row, the earlier one. */
  readonly before: Cell | Stamp | undefined
}

const isRemoval = (cell: Cell | undefined): boolean => cell !== undefined && cell.state === undefined

// As for states: every row was made by `rowOf`.
const fieldsOfRow = (row: Row): RowFields => row as RowFields

const touch = (state: Fields, row: RowFields): void => {
  if (row.isDirty) return
  row.isDirty = true
  state.dirty.push(row)
}

/** Holds a cell, or nothing, in a field of a row. */
export const put = (state: State, row: Row, field: number, cell: Cell | undefined): void => {
  const own = fieldsOf(state)
  const ownRow = fieldsOfRow(row)
  const before = ownRow.cells[field]
  ownRow.cells[field] = cell
  if (isRemoval(before)) own.removals--
  if (isRemoval(cell)) own.removals++
  touch(own, ownRow)
}

/** Notes the removal of a row as a whole. Its cells stay. */
export const putReset = (state: State, row: Row, reset: Stamp): void => {
  const own = fieldsOf(state)
  const ownRow = fieldsOfRow(row)
  if (ownRow.reset !== never) own.removals--
  if (reset !== never) own.removals++
  ownRow.reset = reset
  touch(own, ownRow)
}

/** Whether nothing is held of a row. */
export const isEmpty = ({ cells, reset }: Row): boolean =>
  reset === never && cells.every((cell) => cell === undefined)

/** Undoes what was changed, the last first. */
export const undo = (state: State, changed: ReadonlyArray<Changed>): void => {
  for (let i = changed.length - 1; i >= 0; i--) {
    const { before, field, row } = changed[i]!
    if (field === wholeRow) putReset(state, row, before as Stamp)
    else put(state, row, field, before as Cell | undefined)
    dropEmpty(state, row)
  }
}

/** The row of a key, which may be empty: then it is dropped again, or something is put into it. */
export const rowOf = (state: State, key: string): Row => {
  const own = fieldsOf(state)
  const row = own.rows.get(key)
  if (row !== undefined) return row
  const cells = new Array<Cell | undefined>(own.fields.length).fill(undefined)
  const made: RowFields = { key, reset: never, cells, high: 0, low: 0, isDirty: false }
  own.rows.set(key, made)
  return made
}

/** Drops a row of which nothing is held. */
export const dropEmpty = (state: State, row: Row): void => {
  if (isEmpty(row)) fieldsOf(state).rows.delete(row.key)
}

/** Notes the largest stamp that was joined. */
export const observe = (state: State, newest: Stamp): void => {
  fieldsOf(state).newest = newest
}

/** Returns the rows that have changed since the last call. */
export const takeDirty = (state: State): ReadonlyArray<Row> => {
  const own = fieldsOf(state)
  const { dirty } = own
  own.dirty = []
  for (const row of dirty) fieldsOfRow(row).isDirty = false
  return dirty
}

/** Notes the hash that the tree has of a row. */
export const noteHash = (row: Row, high: number, low: number): void => {
  const own = fieldsOfRow(row)
  own.high = high
  own.low = low
}

/**
 * Raises the horizon: removals up to it are forgotten. Returns the rows of which something was forgotten. A lower horizon
 * changes nothing.
 */
export const raise = (state: State, horizon: Stamp): ReadonlyArray<Row> => {
  const own = fieldsOf(state)
  if (horizon <= own.horizon) return []
  own.horizon = horizon
  if (horizon > own.newest) own.newest = horizon
  const touched: Array<Row> = []
  for (const row of own.rows.values()) {
    let isTouched = false
    if (row.reset !== never && row.reset <= horizon) {
      putReset(own, row, never)
      isTouched = true
    }
    for (let field = 0; field < row.cells.length; field++) {
      const cell = row.cells[field]
      if (cell === undefined) continue
      const left = Cells.forget(own.strategies[field]!, cell, horizon)
      if (left === cell) continue
      put(own, row, field, left)
      isTouched = true
    }
    if (isTouched) touched.push(row)
    dropEmpty(own, row)
  }
  return touched
}

/** An empty state with the strategies of another one. */
export const emptied = (
  { fields, numbers, strategies }: Pick<State, "fields" | "numbers" | "strategies">,
  horizon: Stamp
): State => {
  const state: Fields = {
    fields,
    numbers,
    strategies,
    rows: new Map(),
    horizon,
    newest: horizon,
    removals: 0,
    life: 0,
    dirty: []
  }
  return state
}

/** Takes over what another state of the same strategies holds, which is not used any more. */
export const become = (state: State, other: State): void => {
  const own = fieldsOf(state)
  own.rows = fieldsOf(other).rows
  own.horizon = other.horizon
  own.newest = other.newest
  own.removals = other.removals
  own.life++
  own.dirty = fieldsOf(other).dirty
}

/** A row as it is sent. */
export const encodeRow = ({ fields }: State, { cells, key, reset }: Row): RowPatch => {
  const sent: { [field: string]: RowPatch[2][string] } = {}
  for (let field = 0; field < cells.length; field++) {
    const cell = cells[field]
    if (cell !== undefined) sent[fields[field]!] = encodeCell(cell, reset)
  }
  return [key, reset, sent]
}

/** The one text of a row: rows with equal texts hold the same. */
export const textOf = (state: State, row: Row): string => canonical(encodeRow(state, row) as unknown as Json)

/** Some rows, as a patch. */
export const patchOf = (state: State, rows: Iterable<Row>): Patch => ({
  horizon: state.horizon,
  rows: Array.from(rows, (row) => encodeRow(state, row))
})

/** Everything that a replica holds, as a patch. */
export const whole = (state: State): Patch => patchOf(state, state.rows.values())

/** What was changed, as a patch: each cell as it is now. */
export const deltaOf = (state: State, changed: ReadonlyArray<Changed>): Patch => {
  const byRow = new Map<Row, Set<number>>()
  for (const { field, row } of changed) {
    const fields = byRow.get(row)
    if (fields === undefined) byRow.set(row, new Set([field]))
    else fields.add(field)
  }
  const rows: Array<RowPatch> = []
  for (const [row, fields] of byRow) {
    const reset = fields.has(wholeRow) ? row.reset : never
    const cells: { [field: string]: RowPatch[2][string] } = {}
    for (const field of fields) {
      const cell = field === wholeRow ? undefined : row.cells[field]
      if (cell !== undefined) cells[state.fields[field]!] = encodeCell(cell, reset)
    }
    rows.push([row.key, reset, cells])
  }
  return { horizon: state.horizon, rows }
}

/** Whether a row has a field that is there. */
export const isThere = ({ cells }: Row): boolean =>
  cells.some((cell) => cell !== undefined && cell.state !== undefined)

/** What a user reads of a row: the fields that are there; `undefined`: none is. */
export const read = (state: State, key: string): { readonly [field: string]: unknown } | undefined => {
  const row = state.rows.get(key)
  if (row === undefined || !isThere(row)) return undefined
  const values: { [field: string]: unknown } = {}
  for (let field = 0; field < row.cells.length; field++) {
    const held = row.cells[field]?.state
    if (held !== undefined) values[state.fields[field]!] = state.strategies[field]!.value(held)
  }
  return values
}

/** What the strategies are: replicas with another one do not merge. */
export const strategyNames = ({ fields, strategies }: State): string =>
  JSON.stringify(fields.map((field, number) => [field, strategies[number]!.name]))
