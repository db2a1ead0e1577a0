/** Cells as a backend keeps them, under the keys that they have in the log, and back to rows. */
import type { Change } from "../../ChangeLog.js"
import type { StoredChange, StoredValue } from "../catalog/backend.js"
import type { Json } from "../columns/jsonData.js"
import { isLonger } from "../text.js"
import { type Cell, cellKey, partsOfKey } from "./cell.js"
import type { Definition } from "./definition.js"
import type { Patch } from "./patch.js"
import { horizonCell, horizonKey, type PoolCell, poolCell } from "./poolCells.js"
import { note, type Problem, type Reading, takeReset, takeStamp } from "./reading.js"
import { forEachChange, makeRow, type Row, type RowChange, rowField } from "./row.js"
import { noStamp, type Stamp } from "./stamp.js"
import { noteHorizon, noteLatest, putRow, type State } from "./state.js"

/** A cell that was read. `index` -1: the reset of a row. */
export interface ReadCell {
  readonly row: string
  readonly index: number
  readonly cell: Cell
  /** The largest stamp in it. */
  readonly latest: Stamp
}

/** What a stored value is not. */
export type Unreadable = Problem & { readonly key: string }

const startReading = (): Reading => ({
  problem: undefined,
  latest: noStamp,
  limit: "~",
  maxValueBytes: Number.POSITIVE_INFINITY
})

const readState = (
  reading: Reading,
  { indexes, strategies }: Definition,
  field: string,
  data: ReadonlyArray<Json>
): Omit<ReadCell, "row" | "latest"> | undefined => {
  if (field === rowField) return { index: -1, cell: { reset: takeStamp(reading, data[0]), state: undefined } }
  const index = indexes.get(field)
  const strategy = index === undefined ? undefined : strategies[index]
  if (index === undefined || strategy === undefined) {
    note(reading, "InvalidData", "the pool has no such field")
    return undefined
  }
  const reset = strategy.resets ? takeStamp(reading, data[0]) : takeReset(reading, data[0])
  return { index, cell: { reset, state: data.length > 1 ? strategy.decode(reading, data, 1) : undefined } }
}

/** Reads a cell as it is stored. */
export const readCell = (
  definition: Definition,
  row: string,
  field: string,
  data: Json
): ReadCell | Problem => {
  const reading = startReading()
  if (!Array.isArray(data)) return { reason: "InvalidData", message: "it is no cell" }
  const cell = readState(reading, definition, field, data)
  // Without a cell there is a problem.
  if (reading.problem !== undefined || cell === undefined) return reading.problem as Problem
  return { row, ...cell, latest: reading.latest }
}

/** The horizon of a pool as it is stored, and the fingerprint of its strategies, once either was written. */
export interface StoredHorizon {
  readonly horizon: Stamp
  readonly fingerprint: string | undefined
}

/** Reads the value of {@link horizonKey}. */
export const readHorizon = (value: { readonly data: Json } | undefined): StoredHorizon => {
  // What a pool has written.
  const [horizon = noStamp, fingerprint] = (value?.data ?? []) as ReadonlyArray<string>
  return { horizon, fingerprint }
}

/** The lease that a cell ends with, by its row and its key. */
export type LeaseOf = (row: string, key: string) => string | undefined

const noLease: LeaseOf = () => undefined

/** Makes the change of a backend of one of a log. The fingerprint is kept with the horizon. */
const storedChange = (
  change: Change<PoolCell>,
  seq: number,
  fingerprint: string,
  leaseOf: LeaseOf
): StoredChange => {
  const { key } = change
  if (change._tag === "Delete") return { _tag: "Delete", key }
  const { cell, row } = change.value
  const data = key === horizonKey ? [cell[0], fingerprint] : cell
  // What is removed already ends with nothing.
  const session = cell.length > 1 ? leaseOf(row, key) : undefined
  return { _tag: "Put", key, value: { data, seq, ...(session !== undefined && { session }) } }
}

/** Makes revisions of a backend, of which the first is behind a number. */
export const storedRevisions = (
  revisions: ReadonlyArray<ReadonlyArray<Change<PoolCell>>>,
  last: number,
  { fingerprint }: Definition,
  leaseOf: LeaseOf = noLease
): ReadonlyArray<ReadonlyArray<StoredChange>> =>
  revisions.map((changes, n) =>
    changes.map((change) => storedChange(change, last + 1 + n, fingerprint, leaseOf))
  )

interface RowDraft {
  readonly before: Row | undefined
  reset: Stamp
  readonly cells: Array<Cell | undefined>
}

/** Rows under way. */
export interface Draft {
  readonly state: State
  readonly rows: Map<string, RowDraft>
}

export const makeDraft = (state: State): Draft => ({ state, rows: new Map() })

const draftOf = ({ rows, state }: Draft, key: string): RowDraft => {
  const known = rows.get(key)
  if (known !== undefined) return known
  const before = state.rows.get(key)
  const cells = before?.cells.slice() ?? new Array(state.definition.names.length).fill(undefined)
  const draft: RowDraft = { before, reset: before?.reset ?? noStamp, cells }
  rows.set(key, draft)
  return draft
}

/** Puts a cell as it was stored, whatever was there. */
export const putCell = (draft: Draft, { cell, index, latest, row }: ReadCell): void => {
  const of = draftOf(draft, row)
  if (index < 0) of.reset = cell.reset
  else of.cells[index] = cell
  noteLatest(draft.state, latest)
}

/** Takes a cell away that is stored no more. */
export const takeAway = (draft: Draft, key: string): void => {
  const [row, field] = partsOfKey(key)
  const of = draftOf(draft, row)
  const index = draft.state.definition.indexes.get(field)
  if (field === rowField) of.reset = noStamp
  else if (index !== undefined) of.cells[index] = undefined
}

/** Takes all cells away. */
export const takeAllAway = (draft: Draft): void => {
  for (const key of draft.state.rows.keys()) {
    const of = draftOf(draft, key)
    of.reset = noStamp
    of.cells.fill(undefined)
  }
}

/** Puts the rows into the state. Returns what has changed. */
export const finishDraft = ({ rows, state }: Draft): ReadonlyArray<RowChange> => {
  const changes: Array<RowChange> = []
  for (const [key, { before, cells, reset }] of rows) {
    const after = makeRow(reset, cells)
    putRow(state, key, after)
    changes.push({ key, before, after })
  }
  return changes
}

/** Puts values into a state that holds nothing of their rows. Returns the first that cannot be read. */
export const putStored = (
  state: State,
  values: Iterable<{ readonly key: string; readonly data: Json }>
): Unreadable | undefined => {
  const draft = makeDraft(state)
  for (const { data, key } of values) {
    if (key === horizonKey) {
      noteHorizon(state, readHorizon({ data }).horizon)
      continue
    }
    const [row, field] = partsOfKey(key)
    const read = readCell(state.definition, row, field, data)
    if ("reason" in read) return { ...read, key }
    putCell(draft, read)
  }
  finishDraft(draft)
  noteLatest(state, state.horizon)
  return undefined
}

/** The keys of the cells that changes change. */
export const keysOfChanges = (
  { definition }: State,
  changes: ReadonlyArray<RowChange>
): ReadonlyArray<string> => {
  const keys: Array<string> = []
  for (const change of changes) {
    forEachChange(definition, change, (field) => keys.push(cellKey(change.key, field)))
  }
  return keys
}

/** What was read of a value. */
export type Read = ReadCell | Problem | StoredHorizon

/** Reads a value for followers. One that cannot be read has no value, and `onRead` gets the problem. */
export const cellReader =
  (definition: Definition, onRead: (cell: PoolCell, read: Read) => void) =>
  (key: string, { data }: StoredValue): PoolCell => {
    const [row, field] = partsOfKey(key)
    if (row === "") {
      const stored = readHorizon({ data })
      const made = horizonCell(stored.horizon)
      onRead(made, stored)
      return made
    }
    const read = readCell(definition, row, field, data)
    const made =
      "reason" in read
        ? // What a pool has written is a cell, of whatever strategy.
          Object.freeze<PoolCell>({ row, field, cell: data as PoolCell["cell"], value: undefined })
        : poolCell(definition, row, field, read.index, read.cell)
    onRead(made, read)
    return made
  }

/** The most bytes of the key of a row: the same as a merge takes. */
const maxRowBytes = 512

const addRowKeys = (
  keys: Set<string>,
  { indexes, names }: Definition,
  given: unknown,
  isWhole: boolean
): number => {
  const [row, reset, cells] = Array.isArray(given) ? (given as ReadonlyArray<unknown>) : []
  if (typeof row !== "string" || isLonger(row, maxRowBytes) || !Array.isArray(cells)) return 0
  keys.add(cellKey(row, rowField))
  if (isWhole || reset !== noStamp) for (const name of names) keys.add(cellKey(row, name))
  for (const cell of cells) {
    const field: unknown = Array.isArray(cell) ? cell[0] : undefined
    if (typeof field === "string" && indexes.has(field)) keys.add(cellKey(row, field))
  }
  return cells.length + (reset === noStamp ? 0 : 1)
}

/**
 * Adds the keys that a merge of a patch looks at or changes. The patch may be anything. `isWhole`: all keys of its rows, where
 * the cells of a row end together. Returns how many cells it has.
 */
export const addKeys = (
  keys: Set<string>,
  definition: Definition,
  { rows }: Patch,
  isWhole: boolean
): number => {
  let cells = 0
  if (Array.isArray(rows)) for (const row of rows) cells += addRowKeys(keys, definition, row, isWhole)
  return cells
}
