/**
 * Merges into a pool that is decided in memory: the one place where its state changes. It is synchronous, so nothing is
 * between the judgement and the change; what is refused is taken back whole.
 */
import * as Either from "effect/Either"
import * as Lifetime from "../catalog/lifetime.js"
import { nextStamp, observe } from "./clock.js"
import type { Patch } from "./patch.js"
import { access, changed, type Merged, type Pool } from "./pool.js"
import { MergeError } from "./poolErrors.js"
import { judgeCall, type MergeOptions, mergeJudged } from "./poolJudging.js"
import type { RowChange } from "./row.js"
import { deltaPatch } from "./state.js"

/** Notes which rows end with the session; a row that is written again follows its last writer. */
const noteRows = (pool: Pool, changes: ReadonlyArray<RowChange>, session: string | undefined): void => {
  const { leaving, shared } = pool
  if (leaving === undefined) return
  if (session !== undefined) shared.noteSession(session, pool)
  for (const { key } of changes) {
    const before = leaving.byRow.get(key)
    if (before !== undefined) leaving.bySession.get(before)?.delete(key)
    if (session === undefined) {
      leaving.byRow.delete(key)
      continue
    }
    leaving.byRow.set(key, session)
    const rows = leaving.bySession.get(session)
    if (rows === undefined) leaving.bySession.set(session, new Set([key]))
    else rows.add(key)
  }
}

const nowhereElse = (): boolean => false

/** Merges what the caller may merge. */
const mergeNow = (pool: Pool, patch: Patch, options: MergeOptions): Patch | MergeError => {
  const { bytes, shared, state } = pool
  const early = judgeCall(pool, options)
  if (early !== undefined) return early
  const ground = { state, now: shared.wall(), rows: state.rows.size, bytes, isElsewhere: nowhereElse }
  const judged = mergeJudged(pool, ground, patch, options)
  if (judged instanceof MergeError) return judged
  const { changes, grown } = judged
  pool.bytes += grown
  const delta = deltaPatch(state, changes)
  if (changes.length > 0) {
    noteRows(pool, changes, options.session)
    changed(pool, changes)
  }
  return delta
}

const cellsOf = ({ rows }: Patch): number =>
  rows.reduce((sum, [, reset, cells]) => sum + cells.length + (reset === "" ? 0 : 1), 0)

/** Counts what a merge has come to. */
export const counted = ({ shared: { count } }: Pool, delta: Patch | MergeError): Merged => {
  if (delta instanceof MergeError) {
    count.refused++
    return Either.left(delta)
  }
  if (delta.rows.length === 0) count.unchanged++
  else count.applied++
  count.cells += cellsOf(delta)
  return Either.right(delta)
}

/** Merges a patch, all of it or nothing. Returns the cells that it has changed, as they are joined. */
export const merge = (pool: Pool, patch: Patch, options: MergeOptions): Merged => {
  const { timers } = pool.shared
  const now = timers.now()
  const ended = access(pool, now)
  if (ended !== undefined) return Either.left(ended)
  const delta = mergeNow(pool, patch, options)
  if (!(delta instanceof MergeError)) Lifetime.use(pool, now)
  return counted(pool, delta)
}

/** Removes the rows of a session that has ended. */
export const removeLeft = (pool: Pool, session: string): void => {
  const { clock, leaving, shared, state } = pool
  const keys = leaving?.bySession.get(session)
  leaving?.bySession.delete(session)
  if (keys === undefined || keys.size === 0 || access(pool, shared.timers.now()) !== undefined) return
  observe(clock, state.latest)
  const stamp = nextStamp(clock, shared.wall())
  for (const key of keys) leaving?.byRow.delete(key)
  merge(pool, { horizon: state.horizon, rows: Array.from(keys, (key) => [key, stamp, []]) }, {})
}
