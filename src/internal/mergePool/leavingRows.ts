/**
 * The rows of permanent pools that end with sessions. All cells of a row name the lease of its last writer, so a session that
 * has lost a row to another one keeps nothing of it.
 */
import { type Change, put } from "../../ChangeLog.js"
import type { HeldValue } from "../catalog/backend.js"
import { leaseOf, sessionOf } from "../catalog/leasing.js"
import { cellKey, partsOfKey } from "./cell.js"
import type { Leaving, Pool } from "./pool.js"
import { type PoolCell, poolCell } from "./poolCells.js"
import { forEachCell } from "./row.js"
import type { State } from "./state.js"

type Changes = ReadonlyArray<Change<PoolCell>>

export const makeLeaving = (): Leaving => ({
  bySession: new Map(),
  byRow: new Map(),
  stored: new Map(),
  isLoaded: false
})

/** The lease of a session of pools; none: of none. */
export const leaseOfPool = <S extends string | undefined>(session: S): S =>
  (session === undefined ? undefined : leaseOf("pool", session)) as S

/** Adds the cells of rows that have not changed, but for those that are to be left out. */
export const withUnchanged = (
  { definition, rows }: State,
  changes: Changes,
  keys: Iterable<string>,
  isLeftOut: (row: string, key: string) => boolean
): Changes => {
  let changed: Set<string> | undefined
  const more: Array<Change<PoolCell>> = []
  for (const key of keys) {
    const row = rows.get(key)
    if (row === undefined) continue
    changed ??= new Set(changes.map(({ key }) => key))
    const known = changed
    forEachCell(definition, row, (field, index, cell) => {
      const name = cellKey(key, field)
      if (cell.state === undefined || known.has(name) || isLeftOut(key, name)) return
      more.push(put(name, poolCell(definition, key, field, index, cell)))
    })
  }
  return more.length === 0 ? changes : [...changes, ...more]
}

const takenOver = ({ byRow, stored }: Leaving, changes: Changes): Set<string> => {
  const rows = new Set<string>()
  for (const { key } of changes) {
    const [row] = partsOfKey(key)
    const session = byRow.get(row)
    if (stored.get(row) === session) continue
    rows.add(row)
    if (session === undefined) stored.delete(row)
    else stored.set(row, session)
  }
  return rows
}

/** Adds to changes that are to be stored all cells of the rows that another session has taken over. */
export const wholeRows = ({ leaving, state }: Pool, changes: Changes): Changes =>
  leaving === undefined ? changes : withUnchanged(state, changes, takenOver(leaving, changes), () => false)

/** Notes that a pool may hold rows of a session. */
export const noteSession = (pool: Pool, session: string): void => {
  const { leaving, shared } = pool
  if (leaving === undefined) return
  if (!leaving.bySession.has(session)) leaving.bySession.set(session, new Set())
  shared.noteSession(session, pool)
}

/** Notes the rows of sessions as they are stored. */
export const noteStored = (pool: Pool, values: ReadonlyArray<HeldValue>): void => {
  const { leaving, shared } = pool
  if (leaving === undefined) return
  for (const { key, session: lease } of values) {
    const session = lease === undefined ? undefined : sessionOf("pool", lease)
    if (session === undefined) continue
    leaving.isLoaded = true
    // One of another process, or an earlier one, ends by its lease.
    if (shared.isSession(session, undefined)) noteSession(pool, session)
    if (pool.parts !== undefined) continue
    const [row] = partsOfKey(key)
    leaving.byRow.set(row, session)
    leaving.stored.set(row, session)
    const rows = leaving.bySession.get(session)
    if (rows === undefined) leaving.bySession.set(session, new Set([row]))
    else rows.add(row)
  }
}
