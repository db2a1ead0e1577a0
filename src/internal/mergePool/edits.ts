/** What the edits of a client come to, as patches that are not joined yet. */
import type { Json } from "../columns/jsonData.js"
import { type Patch, type RowPatch, rowKeyProblem } from "./patch.js"
import { never, type Stamp } from "./stamp.js"
import type { State } from "./state.js"
import type { Edit } from "./strategy.js"

const patchOf = ({ horizon }: State, key: string, reset: Stamp, cells: RowPatch[2]): Patch => ({
  horizon,
  rows: [[key, reset, cells]]
})

/**
 * What an edit of a field adds, as a patch that is not joined yet. `stamp` is above all that the state has joined. Returns
 * what is wrong with the edit.
 */
export const edit = (state: State, key: string, field: string, edit: Edit, stamp: Stamp): Patch | string => {
  const number = state.numbers.get(field)
  if (number === undefined) return `there is no field ${JSON.stringify(field)}`
  const problem = rowKeyProblem(key)
  if (problem !== undefined) return problem
  const strategy = state.strategies[number]!
  const row = state.rows.get(key)
  const cell = row?.cells[number]
  const made: Json | undefined = strategy.edit(cell?.state, edit, stamp)
  if (made === undefined) {
    return `the field ${JSON.stringify(field)} is of ${strategy.name}, whose state is ${strategy.expects}`
  }
  const reset = cell?.reset ?? row?.reset ?? never
  return patchOf(state, key, never, { [field]: reset === never ? [stamp, made] : [stamp, made, reset] })
}

/** Removes a field: whatever was written to it before, seen or not. */
export const removeField = (state: State, key: string, field: string, stamp: Stamp): Patch | string => {
  if (!state.numbers.has(field)) return `there is no field ${JSON.stringify(field)}`
  return rowKeyProblem(key) ?? patchOf(state, key, never, { [field]: [stamp] })
}

/** Removes a row: whatever was written to its fields before, seen or not. */
export const removeRow = (state: State, key: string, stamp: Stamp): Patch | string =>
  rowKeyProblem(key) ?? patchOf(state, key, stamp, {})
