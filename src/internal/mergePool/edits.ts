/** What a program does to a pool, as patches of the cells that it writes. */
import { type Cell, encodeCell } from "./cell.js"
import type { Definition } from "./definition.js"
import type { CellPatch, Patch, Refused } from "./patch.js"
import type { Reading } from "./reading.js"
import { noStamp, type Stamp } from "./stamp.js"
import type { FieldEdit, Strategy } from "./strategy.js"

/** What a program does at once to one row: all of it gets one stamp. */
export type Edit =
  /** Edits fields of a row, which need not be there. */
  | {
      readonly _tag: "Row"
      readonly key: string
      readonly fields: { readonly [name: string]: FieldEdit | undefined }
    }
  /** Removes a row: all its fields are reset, seen or not. */
  | { readonly _tag: "Remove"; readonly key: string }

/** Returns the cell of a field, by its index, as the program sees it. */
export type CellOf = (key: string, index: number) => Cell

const editCell = (
  reading: Reading,
  strategy: Strategy,
  held: Cell,
  edit: FieldEdit,
  stamp: Stamp
): Cell | undefined => {
  if (edit._tag === "Clear") return { reset: stamp, state: undefined }
  const state = strategy.edit(reading, held.state, edit, stamp)
  return state === undefined ? undefined : { reset: strategy.resets ? stamp : held.reset, state }
}

const refuse = (message: string, row: string, field: string): Refused => ({
  _tag: "Refused",
  reason: "InvalidData",
  message,
  row,
  field
})

const makePatch = (
  definition: Definition,
  horizon: Stamp,
  cellOf: CellOf,
  edit: Edit,
  stamp: Stamp
): Patch | Refused => {
  const { key } = edit
  if (edit._tag === "Remove") return { horizon, rows: [[key, stamp, []]] }
  const reading: Reading = {
    problem: undefined,
    latest: noStamp,
    limit: "~",
    maxValueBytes: Number.POSITIVE_INFINITY
  }
  const cells: Array<CellPatch> = []
  for (const name of Object.keys(edit.fields)) {
    const index = definition.indexes.get(name)
    if (index === undefined) return refuse("there is no such field: add it to the pool's fields", key, name)
    const given = edit.fields[name]
    if (given === undefined) continue
    const strategy = definition.strategies[index] as Strategy
    const cell = editCell(reading, strategy, cellOf(key, index), given, stamp)
    if (reading.problem !== undefined) return refuse(reading.problem.message, key, name)
    if (cell !== undefined) cells.push([name, ...encodeCell(strategy, cell)])
  }
  return { horizon, rows: cells.length === 0 ? [] : [[key, noStamp, cells]] }
}

/**
 * Makes the patch of an edit, to be merged into what the program sees. Its key and its values are checked by that merge; a
 * patch without rows changes nothing.
 */
export const editPatch = (...given: Parameters<typeof makePatch>): Patch | Refused => {
  try {
    return makePatch(...given)
  } catch (error) {
    return refuse(`an edit is none of Set, Increment, Add, Remove and Clear: ${String(error)}`, "", "")
  }
}
