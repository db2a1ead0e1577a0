/** Joins one row of a patch into the row that is held. */
import { isLonger, validateText } from "../text.js"
import type { Cell } from "./cell.js"
import type { CellName } from "./patch.js"
import { note, type Reading, takeReset, takeStamp } from "./reading.js"
import { makeRow, type RowChange, rowField } from "./row.js"
import { isOf, noStamp, type Stamp } from "./stamp.js"
import type { State } from "./state.js"
import type { FieldState, Strategy } from "./strategy.js"

/** A merge under way. Only this file writes it while it runs. */
export interface Merging {
  readonly state: State
  readonly reading: Reading
  readonly owner: string | undefined
  /** New stamps up to this one are too old; empty: none are. */
  readonly floor: Stamp
  readonly maxKeyBytes: number
  readonly changes: Array<RowChange>
  readonly tooOld: Array<CellName>
  /** How many more cells are taken. */
  cellsLeft: number
  /** A stamp of another client was found. */
  isForeign: boolean
  /** What is being read, for the refusal. */
  row: string
  field: string
  /** A join of the user's is running. */
  isJoining: boolean
}

/** A row while cells are joined into it. */
interface Draft {
  reset: Stamp
  cells: Array<Cell | undefined>
  /** The cells are shared with the row before, until the first change. */
  isChanged: boolean
}

const malformed = "a row or a cell is malformed: send patches as the replica made them"

const keyProblem = (key: unknown, maxBytes: number): string | undefined => {
  const problem = validateText("the key of a row", key)
  if (problem !== undefined) return problem
  if (key === "") return "the key of a row must not be empty"
  // It is a string then.
  return isLonger(key as string, maxBytes)
    ? `the key of a row must have at most ${maxBytes} bytes of UTF-8`
    : undefined
}

/** Whether a stamp that was not held may come in. If not, that is noted. */
const allows = (merging: Merging, stamp: Stamp): boolean => {
  const { field, floor, owner, row, tooOld } = merging
  if (stamp <= floor) {
    const last = tooOld[tooOld.length - 1]
    if (last?.row !== row || last.field !== field) tooOld.push({ row, field })
    return false
  }
  if (owner === undefined || isOf(stamp, owner)) return true
  merging.isForeign = true
  return false
}

const setCell = (draft: Draft, index: number, cell: Cell | undefined): void => {
  if (!draft.isChanged) {
    draft.cells = draft.cells.slice()
    draft.isChanged = true
  }
  draft.cells[index] = cell
}

/** Resets the row, and with it all cells that were reset before. */
const resetRow = (merging: Merging, draft: Draft, reset: Stamp): void => {
  const { horizon } = merging.state
  const goes = (cell: Cell | undefined): boolean =>
    cell !== undefined && (cell.reset < reset || (cell.reset === reset && cell.state === undefined))
  const removes = draft.cells.some(goes)
  // A forgotten removal is no news unless it removes something.
  if (reset <= draft.reset || (reset <= horizon && !removes)) return
  if (!allows(merging, reset)) return
  draft.cells = draft.cells.map((cell) => (goes(cell) ? undefined : cell))
  draft.isChanged = true
  if (reset > horizon) draft.reset = reset
}

/** Keeps a cell, unless it is a removal that the row's own reset implies, or that is forgotten. */
const keepCell = (
  merging: Merging,
  draft: Draft,
  index: number,
  reset: Stamp,
  state: FieldState | undefined
): void => {
  const isImplied = state === undefined && (reset <= draft.reset || reset <= merging.state.horizon)
  setCell(draft, index, isImplied ? undefined : { reset, state })
}

/** Joins two states of the same reset. */
const joinStates = (
  merging: Merging,
  strategy: Strategy,
  held: FieldState,
  incoming: FieldState
): FieldState => {
  merging.isJoining = true
  const joined = strategy.join(held, incoming)
  merging.isJoining = false
  return joined
}

/** Leaves out of an incoming state the removals that remove nothing. */
const pruned = (
  { owner, state: { horizon } }: Merging,
  strategy: Strategy,
  held: FieldState | undefined,
  incoming: FieldState
): FieldState | undefined =>
  strategy.removals(incoming) === 0 ? incoming : strategy.prune(incoming, { horizon, held, owner })

/** Leaves out of what was taken of a server the removals that the horizon has passed. Others are refused. */
const withoutForgotten = (
  { floor, state: { horizon } }: Merging,
  strategy: Strategy,
  joined: FieldState
): FieldState | undefined =>
  floor === horizon || strategy.removals(joined) === 0
    ? joined
    : strategy.prune(joined, { horizon, held: undefined, owner: undefined })

const joinInto = (
  merging: Merging,
  draft: Draft,
  index: number,
  strategy: Strategy,
  reset: Stamp,
  given: FieldState | undefined
): void => {
  const cell = draft.cells[index]
  const heldReset = cell === undefined ? draft.reset : cell.reset
  if (reset < heldReset) return
  const isNewReset = reset !== heldReset
  const held = isNewReset ? undefined : cell?.state
  const incoming = given === undefined ? undefined : pruned(merging, strategy, held, given)
  if (incoming === undefined) {
    // A forgotten removal is no news unless it removes something.
    if (!isNewReset || (reset <= merging.state.horizon && cell?.state === undefined)) return
    if (allows(merging, reset)) keepCell(merging, draft, index, reset, undefined)
    return
  }
  const joined = held === undefined ? incoming : joinStates(merging, strategy, held, incoming)
  if (joined === held) return
  // Where each write resets, another value of the same stamp is new as well.
  if ((isNewReset || strategy.resets) && !allows(merging, reset)) return
  const { floor, owner } = merging
  if (
    (floor !== noStamp || owner !== undefined) &&
    !strategy.allowsNew(held, incoming, (stamp) => allows(merging, stamp))
  ) {
    return
  }
  keepCell(merging, draft, index, reset, withoutForgotten(merging, strategy, joined))
}

const mergeCell = (merging: Merging, draft: Draft, given: unknown): void => {
  const { reading, state } = merging
  const { indexes, strategies } = state.definition
  if (!Array.isArray(given)) {
    note(reading, "InvalidData", malformed)
    return
  }
  const index = indexes.get(given[0])
  if (index === undefined) {
    note(reading, "InvalidData", "there is no such field: add it to the pool's fields, in every process")
    return
  }
  merging.field = given[0]
  const strategy = strategies[index] as Strategy
  const reset = strategy.resets ? takeStamp(reading, given[1]) : takeReset(reading, given[1])
  const incoming = given.length > 2 ? strategy.decode(reading, given, 2) : undefined
  if (incoming === undefined && reset === noStamp) note(reading, "InvalidData", malformed)
  if (reading.problem === undefined) joinInto(merging, draft, index, strategy, reset, incoming)
}

/** Joins a row of a patch, and returns the change of the row; `undefined`: there is none, or the merge is refused. */
export const mergeRow = (merging: Merging, given: unknown): RowChange | undefined => {
  const { reading, state } = merging
  if (!Array.isArray(given) || given.length !== 3 || !Array.isArray(given[2])) {
    note(reading, "InvalidData", malformed)
    return undefined
  }
  const [key, , cells] = given as [key: string, reset: unknown, cells: ReadonlyArray<unknown>]
  const problem = keyProblem(key, merging.maxKeyBytes)
  if (problem !== undefined) note(reading, "InvalidData", problem)
  const reset = takeReset(reading, given[1])
  merging.cellsLeft -= cells.length + (reset === noStamp ? 0 : 1)
  if (merging.cellsLeft < 0) note(reading, "InvalidData", "the patch has too many cells: send it in parts")
  if (reading.problem !== undefined) return undefined
  merging.row = key
  merging.field = rowField
  const before = state.rows.get(key)
  const draft: Draft =
    before === undefined
      ? { reset: noStamp, cells: new Array(state.definition.names.length).fill(undefined), isChanged: true }
      : // They are copied before the first change.
        { reset: before.reset, cells: before.cells as Array<Cell | undefined>, isChanged: false }
  if (reset !== noStamp) resetRow(merging, draft, reset)
  for (let i = 0; i < cells.length && reading.problem === undefined && !merging.isForeign; i++) {
    mergeCell(merging, draft, cells[i])
  }
  if (!draft.isChanged) return undefined
  const after = makeRow(draft.reset, draft.cells)
  return before === undefined && after === undefined ? undefined : { key, before, after }
}
