/** Takes rows of the server in place of a client's own, where they differ. */
import type { HashedState } from "./hashedState.js"
import { noteChanges } from "./hashTree.js"
import { merge } from "./merging.js"
import type { CellName, Patch, Refused, RowPatch } from "./patch.js"
import { adoptHorizon, type Replica, receive, type Unsent } from "./replica.js"
import { makeRow, type Row, type RowChange, rowField } from "./row.js"
import { noStamp, type Stamp } from "./stamp.js"
import { deltaPatch, putRow, rowPatch, type State } from "./state.js"

/** What came of it. */
export interface Adopted {
  readonly _tag: "Adopted"
  readonly changes: ReadonlyArray<RowChange>
  /** Edits at or below the server's horizon. */
  readonly tooOld: ReadonlyArray<Unsent>
  /** What the client holds beside that, for a server that takes the cells of all. */
  readonly missing: Patch
}

const withoutCells = (patch: Patch, cells: ReadonlyArray<CellName>): Patch => {
  const names = new Map<string, Set<string>>()
  for (const { field, row } of cells) names.set(row, (names.get(row) ?? new Set()).add(field))
  const rows = patch.rows.map(([key, reset, kept]): RowPatch => {
    const gone = names.get(key)
    return [key, gone?.has(rowField) ? noStamp : reset, kept.filter(([field]) => !gone?.has(field))]
  })
  return { horizon: patch.horizon, rows }
}

/** The cells that a merge was refused for: those that are too old, or the one whose join has failed. */
const refusedCells = (refused: Refused): ReadonlyArray<CellName> => {
  if (refused.reason === "TooOld") return refused.cells
  if (refused.reason !== "JoinFailed") return []
  const { field, row } = refused
  return row === undefined || field === undefined ? [] : [{ row, field }]
}

/**
 * Merges what is above the horizon, or held; the rest was removed and forgotten. Of a cell that does not join, that of the
 * server stays.
 */
const mergeNewer = (state: State, patch: Patch): ReadonlyArray<RowChange> => {
  let left = patch
  // Each round leaves out a cell at least; a refusal for another reason ends it.
  for (;;) {
    const outcome = merge(state, left)
    if (outcome._tag === "Merged") return outcome.changes
    const cells = refusedCells(outcome)
    if (cells.length === 0) return []
    left = withoutCells(left, cells)
  }
}

/** Merges rows that were held before into those of the server. Returns what the server lacks of them. */
export const keepOwn = (
  { state, tree }: HashedState,
  own: ReadonlyArray<readonly [key: string, row: Row]>
): Patch => {
  const { definition, horizon } = state
  const rows = own.map(([key, row]) => rowPatch(definition, key, row))
  const changes = mergeNewer(state, { horizon, rows })
  noteChanges(tree, changes)
  return deltaPatch(state, changes)
}

/** Drops cells that the client may see no more. Returns what has changed. */
export const dropCells = (state: State, gone: ReadonlyArray<CellName>): ReadonlyArray<RowChange> => {
  const changes: Array<RowChange> = []
  for (const { field, row: key } of gone) {
    const before = state.rows.get(key)
    const index = state.definition.indexes.get(field)
    if (before === undefined || (index === undefined && field !== rowField)) continue
    const reset = index === undefined ? noStamp : before.reset
    const after = makeRow(
      reset,
      before.cells.map((cell, i) => (i === index ? undefined : cell))
    )
    putRow(state, key, after)
    changes.push({ key, before, after })
  }
  return changes
}

/**
 * Takes rows of the server in place of what is confirmed, and its horizon. `absent` are keys that it has not. With `own:
 * "keep"` cells above the horizon that only the client holds stay, else the server decides.
 */
export const adoptRows = (
  replica: Replica,
  { state, tree }: HashedState,
  server: {
    readonly rows: ReadonlyArray<RowPatch>
    readonly absent: ReadonlyArray<string>
    readonly horizon: Stamp
  },
  own: "keep" | "drop"
): Adopted | Refused => {
  const before = new Map<string, Row | undefined>()
  for (const key of [...server.rows.map(([key]) => key), ...server.absent])
    before.set(key, state.rows.get(key))
  for (const key of before.keys()) putRow(state, key, undefined)
  const merged = receive(replica, { horizon: server.horizon, rows: server.rows })
  if (merged._tag === "Refused") {
    for (const [key, row] of before) putRow(state, key, row)
    return merged
  }
  const raised = adoptHorizon(replica, server.horizon)
  noteChanges(
    tree,
    [...before].map(([key, row]) => ({ key, before: row }))
  )
  noteChanges(tree, raised.changes)
  const held = [...before].filter((each): each is [string, Row] => each[1] !== undefined)
  const missing = keepOwn({ state, tree }, own === "keep" ? held : [])
  const changes = [...before].map(([key, row]) => ({ key, before: row, after: state.rows.get(key) }))
  return {
    _tag: "Adopted",
    changes: [...changes, ...raised.changes.filter(({ key }) => !before.has(key))],
    tooOld: raised.tooOld,
    missing
  }
}
