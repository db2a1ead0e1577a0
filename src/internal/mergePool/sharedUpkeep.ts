/** What a process itself saves in pools that several processes write: it forgets removals, and removes what clients have left. */
import type { Save } from "../catalog/backend.js"
import type { Outcome } from "../catalog/saving.js"
import { cellKey, partsOfKey } from "./cell.js"
import { makeClock, nextStamp } from "./clock.js"
import { canForget, forgetPassed, raiseHorizon } from "./horizon.js"
import { leaseOfPool } from "./leavingRows.js"
import { merge } from "./merging.js"
import { end, horizonAt, type Pool } from "./pool.js"
import { horizonKey } from "./poolCells.js"
import { maxCells } from "./poolJudging.js"
import { forEachCell, type RowChange, rowField } from "./row.js"
import { broken, type Sharing, storedChanges, storedState } from "./sharedCells.js"

const beforeOf = (changes: ReadonlyArray<RowChange>) =>
  new Map(changes.map(({ before, key }) => [key, before]))

/** Gives a save of the server itself. What cannot be saved is tried again by a later round. */
const offer = (
  { pool: poolOf, saving }: Sharing,
  keys: ReadonlyArray<string>,
  decide: Save["decide"]
): void => {
  const pool = poolOf()
  const save: Save = { store: pool.id, name: pool.shared.nextName(), keys, id: undefined, decide }
  pool.pending++
  const settled = (outcome: Outcome): void => {
    pool.pending--
    if (outcome._tag === "Broken") end(pool, "Failed", outcome)
  }
  if (!saving.offer(save, settled)) pool.pending--
}

/** The keys of the cells of all rows that hold removals, of those that the horizon has passed, and of the horizon. */
const keysOfRemovals = ({ parts, state: { definition, removed, rows } }: Pool): Set<string> => {
  const keys = new Set([horizonKey, ...(parts?.passed ?? [])])
  for (const key of removed.keys()) {
    keys.add(cellKey(key, rowField))
    forEachCell(definition, rows.get(key)!, (field) => keys.add(cellKey(key, field)))
  }
  return keys
}

/** Raises the horizon by the backend's clock, if that forgets anything that is stored. */
export const forgetRemovals = (sharing: Sharing): void => {
  const keys = Array.from(keysOfRemovals(sharing.pool()))
  offer(sharing, keys, (locked) => {
    const state = storedState(sharing, keys, locked)
    if ("_tag" in state) return state
    const { horizon } = state
    const next = horizonAt(locked.now)
    if (locked.logged !== undefined || !canForget(state, next)) return { revisions: [] }
    return { revisions: storedChanges(state, beforeOf(raiseHorizon(state, next)), horizon, locked) }
  })
}

/** Removes rows in one save, but for those that have another writer by then. */
const removeRows = (sharing: Sharing, lease: string | undefined, rows: ReadonlyArray<string>): void => {
  const { clock, state: ours } = sharing.pool()
  const { names } = ours.definition
  const keysOf = (row: string): ReadonlyArray<string> => names.map((name) => cellKey(row, name))
  const keys = [horizonKey, ...rows.flatMap((row) => [cellKey(row, rowField), ...keysOf(row)])]
  offer(sharing, keys, (locked) => {
    if (locked.logged !== undefined) return { revisions: [] }
    const state = storedState(sharing, keys, locked)
    if ("_tag" in state) return state
    forgetPassed(state)
    const left = rows.filter((row) => keysOf(row).some((key) => locked.get(key)?.session === lease))
    // Above all that is stored of the rows, whatever clock has stamped it: a client that holds it still cannot bring it back.
    const stamp = nextStamp(makeClock(clock.client, state.latest), locked.now)
    const { horizon } = state
    const merged = merge(state, { horizon, rows: left.map((row) => [row, stamp, []]) })
    if (merged._tag === "Refused") return broken(merged.message)
    return { revisions: storedChanges(state, beforeOf(merged.changes), horizon, locked) }
  })
}

/** Removes the rows of keys, unless they have another writer by then. */
export const removeLeft = (sharing: Sharing, session: string, keys: ReadonlyArray<string>): void => {
  const rows = Array.from(new Set(keys.map((key) => partsOfKey(key)[0])))
  const perSave = Math.ceil(maxCells / (sharing.pool().state.definition.names.length + 1))
  for (let n = 0; n < rows.length; n += perSave) {
    removeRows(sharing, leaseOfPool(session), rows.slice(n, n + perSave))
  }
}
