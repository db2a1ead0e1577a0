/** Joins patches into a state: all of a patch or nothing. A refused one leaves the state as it was. */
import { maxAhead } from "./clock.js"
import type { Patch, Refused } from "./patch.js"
import type { Problem } from "./reading.js"
import type { RowChange } from "./row.js"
import { type Merging, mergeRow } from "./rowMerging.js"
import { endOf, millisOf, noStamp } from "./stamp.js"
import { noteLatest, putRow, type State, undo } from "./state.js"

/** What is checked of a patch, beside its form. */
export interface MergeOptions {
  /** The client that all new stamps must be of. Default: any. */
  readonly owner?: string | undefined
  /** The server's time in milliseconds: stamps over a minute ahead are refused. Default: none are. */
  readonly now?: number | undefined
  /**
   * What is done with cells at or below the horizon that are not held. A client takes those of its server, which has decided
   * already. Default: `"refuse"`.
   */
  readonly old?: "refuse" | "take" | undefined
  /** The most cells of a patch, resets of rows included. Default: any number. */
  readonly maxCells?: number | undefined
  /** The most bytes of a value, about. Default: 1 MiB. */
  readonly maxValueBytes?: number | undefined
  /** The most bytes of a row's key in UTF-8. Default: 512. */
  readonly maxKeyBytes?: number | undefined
}

/** A patch that was joined. */
export interface Merged {
  readonly _tag: "Merged"
  /** What changed, in order: nothing, if all was held already. */
  readonly changes: ReadonlyArray<RowChange>
}

const beginMerge = (state: State, options: MergeOptions): Merging => ({
  state,
  reading: {
    problem: undefined,
    latest: noStamp,
    limit: options.now === undefined ? "~" : endOf(options.now + maxAhead),
    maxValueBytes: options.maxValueBytes ?? 2 ** 20
  },
  owner: options.owner,
  floor: options.old === "take" ? noStamp : state.horizon,
  maxKeyBytes: options.maxKeyBytes ?? 512,
  changes: [],
  tooOld: [],
  cellsLeft: options.maxCells ?? Number.POSITIVE_INFINITY,
  isForeign: false,
  row: "",
  field: "",
  isJoining: false
})

/** Why the merge cannot go on, if it cannot. */
const refusalOf = (
  { field, isForeign, reading: { problem }, row }: Merging,
  now: number | undefined
): Refused | undefined => {
  if (problem !== undefined) return refusalBy(problem, row, field, now)
  if (!isForeign) return undefined
  const message =
    "a stamp, a part or a dot of another client is new: a client sends what it has written itself"
  return { _tag: "Refused", reason: "Forbidden", message, row, field }
}

const refusalBy = (problem: Problem, row: string, field: string, now: number | undefined): Refused => {
  const { message, reason } = problem
  if (reason !== "ClockAhead") return { _tag: "Refused", reason, message, row, field }
  const takenAt = millisOf(problem.stamp) - maxAhead
  return { _tag: "Refused", reason, message, serverTime: now ?? 0, takenAt }
}

const mergeRows = (merging: Merging, patch: Patch, now: number | undefined): Refused | undefined => {
  const { changes, reading, state } = merging
  const rows: unknown = typeof patch === "object" && (patch as unknown) !== null ? patch.rows : undefined
  if (!Array.isArray(rows)) {
    return refusalBy({ reason: "InvalidData", message: "a patch must have an array of rows" }, "", "", now)
  }
  for (let i = 0; i < rows.length; i++) {
    const change = mergeRow(merging, rows[i])
    if (reading.problem !== undefined || merging.isForeign) return refusalOf(merging, now)
    if (change === undefined) continue
    putRow(state, change.key, change.after)
    changes.push(change)
  }
  if (merging.tooOld.length === 0) return undefined
  const message =
    "cells are older than what is remembered of removals: take the state, and decide on them anew"
  return { _tag: "Refused", reason: "TooOld", message, horizon: state.horizon, cells: merging.tooOld }
}

/** Makes the refusal of what a join, or the codec of its values, has thrown. */
export const joinFailed = (error: unknown, row: string, field: string): Refused => {
  const message = `a join, or the codec of its values, failed: ${String(error)}. Mend it: MergeLaws shows by which values`
  return { _tag: "Refused", reason: "JoinFailed", message, row, field }
}

/** Runs the merge; what throws is what a join or a property of the patch throws. */
const attempt = (merging: Merging, patch: Patch, now: number | undefined): Refused | undefined => {
  try {
    return mergeRows(merging, patch, now)
  } catch (error) {
    const { field, isJoining, row } = merging
    if (isJoining) return joinFailed(error, row, field)
    const message = "a property of the patch cannot be read: pass plain data"
    return refusalBy({ reason: "InvalidData", message }, row, field, now)
  }
}

/**
 * Joins a patch into a state, and returns what changed. It takes the patch as foreign data, which may be anything, and
 * keeps no part of it that the sender could change.
 *
 * - The horizon of the patch is not adopted: see `raiseHorizon`.
 * - A row or a cell may be in the patch twice.
 */
export const merge = (state: State, patch: Patch, options: MergeOptions = {}): Merged | Refused => {
  const merging = beginMerge(state, options)
  const refused = attempt(merging, patch, options.now)
  if (refused !== undefined) {
    undo(state, merging.changes)
    return refused
  }
  noteLatest(state, merging.reading.latest)
  return { _tag: "Merged", changes: merging.changes }
}
