/** Joins a patch with a state: as a whole, or not at all. */
import type { Json } from "../columns/jsonData.js"
import type { Cell } from "./cell.js"
import * as Cells from "./cell.js"
import { decodeCell, isStampOrNever, type Patch, rowKeyProblem } from "./patch.js"
import { clientOf, isAhead, never, type Stamp } from "./stamp.js"
import * as States from "./state.js"
import { type Changed, type Row, type State, wholeRow } from "./state.js"
import type { Strategy } from "./strategy.js"

/** Where a patch cannot be joined. */
export interface At {
  readonly row: string
  /** Empty: the row as a whole. */
  readonly field: string
}

/** Why a patch was refused. Nothing of it was joined. */
export type Refusal =
  /** It is no patch, or a field, a stamp or a state is not as the strategies have it. */
  | { readonly _tag: "Malformed"; readonly message: string; readonly at: At | undefined }
  /** A stamp is more than 60 s ahead of the server. */
  | { readonly _tag: "ClockAhead"; readonly at: At }
  /** It writes what belongs to another client. */
  | { readonly _tag: "Foreign"; readonly at: At }
  /** It brings what is as old as what was forgotten: all such places. */
  | { readonly _tag: "TooOld"; readonly at: ReadonlyArray<At> }

export type Merged = { readonly _tag: "Merged"; readonly changed: ReadonlyArray<Changed> } | Refusal

/** What a patch is held to. */
export interface MergeRules {
  /** Milliseconds of the server's clock. Left out: no stamp is ahead, because the server has judged it. */
  readonly now?: number | undefined
  /** The client that everything new has to be of. Left out: of any, because the server has judged it. */
  readonly client?: string | undefined
  /** From where the horizon is raised: what is held there was not removed, however old it is. */
  readonly isTrusted?: boolean | undefined
}

/** One join of a patch, while it goes on. */
interface Merging {
  readonly state: State
  readonly rules: MergeRules
  readonly patch: Patch
  readonly changed: Array<Changed>
  readonly tooOld: Array<At>
  newest: Stamp
}

const malformed = (message: string, row?: string, field = ""): Refusal => ({
  _tag: "Malformed",
  message,
  at: row === undefined ? undefined : { row, field }
})

/** Removes a row as a whole: every cell of before, known or not. */
const resetRow = ({ changed, state }: Merging, row: Row, reset: Stamp): void => {
  changed.push({ row, field: wholeRow, before: row.reset })
  States.putReset(state, row, reset)
  for (let field = 0; field < row.cells.length; field++) {
    const cell = row.cells[field]
    if (cell === undefined || cell.reset > reset) continue
    // The removal of the row has the same effect as that of a field at the same time.
    if (cell.reset === reset && cell.state !== undefined) continue
    changed.push({ row, field, before: cell })
    States.put(state, row, field, undefined)
  }
}

/** The state that a given one is joined with. */
const stateUnder = (held: Cell | undefined, reset: Stamp): Json | undefined =>
  held !== undefined && held.reset === reset ? held.state : undefined

/** Whether a cell that adds something adds what is not of this client. */
const isForeign = (
  strategy: Strategy,
  row: Row,
  held: Cell | undefined,
  { reset, stamp, state }: Cell,
  client: string
): boolean => {
  // Without parts in it, the state is what the client of the stamp has written.
  const isOfStamp = strategy.parts === undefined || stamp > (held?.stamp ?? never)
  if (isOfStamp && clientOf(stamp) !== client) return true
  if (reset > (held?.reset ?? row.reset) && clientOf(reset) !== client) return true
  return state !== undefined && strategy.parts?.isForeign(stateUnder(held, reset), state, client) === true
}

/** Whether a cell that adds something may bring back what was removed and forgotten. */
const isTooOld = (
  { patch, rules, state: { horizon } }: Merging,
  strategy: Strategy,
  held: Cell | undefined,
  { reset, stamp, state }: Cell
): boolean => {
  if (horizon === never || rules.isTrusted === true) return false
  if (stamp <= horizon) return true
  if (state === undefined) return false
  // What it holds may be older than its stamp.
  if (patch.horizon < horizon && !strategy.isDated) return true
  return strategy.parts?.isTooOld(stateUnder(held, reset), state, horizon) === true
}

const placeOf = ({ state }: Merging, row: Row, field: number): At => ({
  row: row.key,
  field: state.fields[field]!
})

/** Joins a cell that was checked. Returns why it is refused. */
const joinCell = (merging: Merging, row: Row, field: number, given: Cell): Refusal | undefined => {
  const { rules, state } = merging
  const strategy = state.strategies[field]!
  // Below the removal of the row: it is gone, and brings nothing new.
  if (given.reset < row.reset || (given.state === undefined && given.reset <= row.reset)) return undefined
  const held = row.cells[field]
  const cell = held === undefined ? given : Cells.join(strategy, held, given)
  if (cell === held) return undefined
  const { client } = rules
  if (client !== undefined && isForeign(strategy, row, held, given, client))
    return { _tag: "Foreign", at: placeOf(merging, row, field) }
  if (isTooOld(merging, strategy, held, given)) {
    merging.tooOld.push(placeOf(merging, row, field))
    return undefined
  }
  merging.changed.push({ row, field, before: held })
  States.put(state, row, field, cell)
  return undefined
}

const judgeStamp = (merging: Merging, stamp: Stamp): boolean => {
  if (stamp <= merging.newest) return true
  if (merging.rules.now !== undefined && isAhead(stamp, merging.rules.now)) return false
  merging.newest = stamp
  return true
}

const joinReset = (merging: Merging, row: Row, reset: Stamp): Refusal | undefined => {
  const { rules, state } = merging
  if (reset <= row.reset || reset <= state.horizon) {
    // One that is forgotten by all has nothing left to remove, unless it comes late.
    if (reset > row.reset && row.cells.some((cell) => cell !== undefined && cell.stamp <= reset)) {
      merging.tooOld.push({ row: row.key, field: "" })
    }
    return undefined
  }
  const at = { row: row.key, field: "" }
  if (!judgeStamp(merging, reset)) return { _tag: "ClockAhead", at }
  if (rules.client !== undefined && clientOf(reset) !== rules.client) return { _tag: "Foreign", at }
  resetRow(merging, row, reset)
  return undefined
}

const joinCells = (
  merging: Merging,
  row: Row,
  reset: Stamp,
  cells: { readonly [field: string]: unknown }
): Refusal | undefined => {
  const { state } = merging
  const { horizon } = state
  for (const name of Object.keys(cells)) {
    const field = state.numbers.get(name)
    if (field === undefined) return malformed("there is no such field", row.key, name)
    const strategy = state.strategies[field]!
    const cell = decodeCell(strategy, cells[name], reset)
    if (typeof cell === "string") return malformed(cell, row.key, name)
    if (!judgeStamp(merging, cell.stamp)) return { _tag: "ClockAhead", at: { row: row.key, field: name } }
    const known = horizon === never ? cell : Cells.forget(strategy, cell, horizon)
    if (known === undefined) {
      const held = row.cells[field]
      if (held !== undefined && held.stamp <= cell.stamp) merging.tooOld.push({ row: row.key, field: name })
      continue
    }
    const refusal = joinCell(merging, row, field, known)
    if (refusal !== undefined) return refusal
  }
  return undefined
}

const joinRow = (merging: Merging, given: unknown): Refusal | undefined => {
  const { state } = merging
  if (!Array.isArray(given) || given.length !== 3) return malformed("a row must be [key, reset, cells]")
  const [key, reset, cells] = given as ReadonlyArray<unknown>
  const problem = rowKeyProblem(key)
  if (problem !== undefined) return malformed(problem)
  const name = key as string
  if (!isStampOrNever(reset)) return malformed("its reset must be a stamp, or empty", name)
  if (typeof cells !== "object" || cells === null || Array.isArray(cells)) {
    return malformed("its cells must be an object", name)
  }
  const row = States.rowOf(state, name)
  try {
    const refusal = reset === never ? undefined : joinReset(merging, row, reset)
    return refusal ?? joinCells(merging, row, reset, cells as { readonly [field: string]: unknown })
  } finally {
    // Also after the join of a user has thrown.
    States.dropEmpty(state, row)
  }
}

const isPatch = (given: unknown): given is Patch => {
  if (typeof given !== "object" || given === null) return false
  const { horizon, rows } = given as Partial<Patch>
  return isStampOrNever(horizon) && Array.isArray(rows)
}

const joinAll = (merging: Merging): Refusal | undefined => {
  for (const row of merging.patch.rows as ReadonlyArray<unknown>) {
    const refusal = joinRow(merging, row)
    if (refusal !== undefined) return refusal
  }
  const { rules, tooOld } = merging
  return tooOld.length === 0 || rules.isTrusted === true ? undefined : { _tag: "TooOld", at: tooOld }
}

/**
 * Joins a patch, or refuses it and changes nothing. A join of a user that throws is thrown on, and nothing has changed then
 * either.
 */
export const merge = (state: State, patch: unknown, rules: MergeRules = {}): Merged => {
  if (!isPatch(patch)) return malformed("a patch must be { horizon, rows }")
  if (patch.horizon > state.horizon) return malformed("its horizon must not be above that of the pool")
  const merging: Merging = { state, rules, patch, changed: [], tooOld: [], newest: state.newest }
  let joined = false
  try {
    const refusal = joinAll(merging)
    if (refusal !== undefined) return refusal
    joined = true
  } finally {
    if (!joined) States.undo(state, merging.changed)
  }
  States.observe(state, merging.newest)
  return { _tag: "Merged", changed: merging.changed }
}
