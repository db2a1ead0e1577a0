/**
 * The horizon: the stamp up to which removals are forgotten. All replicas adopt it. Afterwards a cell at or below it that is
 * not held may be one that was removed, so that a merge refuses it.
 */
import type { Cell } from "./cell.js"
import type { Definition } from "./definition.js"
import { makeRow, type Row, type RowChange } from "./row.js"
import { isStamp, noStamp, type Stamp } from "./stamp.js"
import { noteHorizon, putRow, type State } from "./state.js"

const forgetCell = (definition: Definition, index: number, cell: Cell, horizon: Stamp): Cell | undefined => {
  const strategy = definition.strategies[index]
  const state =
    cell.state === undefined || strategy === undefined || strategy.removals(cell.state) === 0
      ? cell.state
      : strategy.prune(cell.state, { horizon, held: undefined, owner: undefined })
  if (state !== undefined) return state === cell.state ? cell : { reset: cell.reset, state }
  return cell.reset <= horizon ? undefined : cell.state === undefined ? cell : { reset: cell.reset, state }
}

const forgetRow = (definition: Definition, { cells, reset }: Row, horizon: Stamp): Row | undefined => {
  const rest = reset <= horizon ? noStamp : reset
  const kept = cells.map((cell, index) => {
    const left = cell && forgetCell(definition, index, cell, horizon)
    // A removal that the row's own one implies is not held.
    return left?.state === undefined && left !== undefined && left.reset <= rest ? undefined : left
  })
  return makeRow(rest, kept)
}

/** What a horizon makes of a row; `undefined`: the row holds nothing that it forgets. */
const forgottenIn = ({ definition, rows }: State, key: string, horizon: Stamp): RowChange | undefined => {
  const before = rows.get(key) as Row
  const after = forgetRow(definition, before, horizon)
  const isKept =
    after !== undefined &&
    after.reset === before.reset &&
    after.cells.every((cell, i) => cell === before.cells[i])
  return isKept ? undefined : { key, before, after }
}

/** Whether a horizon forgets anything. */
export const canForget = (state: State, horizon: Stamp): boolean => {
  if (horizon <= state.horizon) return false
  for (const key of state.removed.keys()) if (forgottenIn(state, key, horizon) !== undefined) return true
  return false
}

/** Forgets what a horizon forgets in rows. Returns what is no longer held. */
const forgetIn = (state: State, keys: Iterable<string>, horizon: Stamp): ReadonlyArray<RowChange> => {
  const changes: Array<RowChange> = []
  for (const key of Array.from(keys)) {
    const change = state.removed.has(key) ? forgottenIn(state, key, horizon) : undefined
    if (change === undefined) continue
    putRow(state, key, change.after)
    changes.push(change)
  }
  return changes
}

/**
 * Forgets the removals up to the present horizon in rows that were put as they are stored; by default in all. Returns what is
 * no longer held.
 *
 * Invariant: no state that merges or clients see holds a removal up to its horizon. Where several processes write, one raises
 * the horizon by the removals that it has read: another one may have merged an old removal meanwhile, which stays stored for
 * a while. All who adopt the horizon forget that removal. If it were held, their hashes would differ, and what they write
 * over nothing would be taken for older than it.
 */
export const forgetPassed = (
  state: State,
  keys: Iterable<string> = state.removed.keys()
): ReadonlyArray<RowChange> => (state.horizon === noStamp ? [] : forgetIn(state, keys, state.horizon))

/**
 * Raises the horizon and forgets the removals up to it. Returns what is no longer held: replicas with the same cells and the
 * same horizon hold the same. A horizon that is no stamp, or not above the present one, changes nothing.
 */
export const raiseHorizon = (state: State, horizon: Stamp): ReadonlyArray<RowChange> => {
  if (!isStamp(horizon) || horizon <= state.horizon) return []
  const changes = forgetIn(state, state.removed.keys(), horizon)
  noteHorizon(state, horizon)
  return changes
}
