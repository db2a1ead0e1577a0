/** The cells of a pool that several processes write, as a save finds them while the head is locked. */
import type { Broken, Decision, Locked } from "../catalog/backend.js"
import type { Saving } from "../catalog/saving.js"
import { withUnchanged } from "./leavingRows.js"
import type { Pool } from "./pool.js"
import { changesOf, horizonKey } from "./poolCells.js"
import type { Row } from "./row.js"
import { makeState, type State } from "./state.js"
import { putStored, readHorizon, storedRevisions } from "./storedCells.js"
import { revisionsOf } from "./ticking.js"

/** What sharing a pool needs. */
export interface Sharing {
  readonly pool: () => Pool
  readonly saving: Saving
  /** Of the strategies that it was made with. */
  readonly fingerprint: string
}

export const broken = (message: string): Broken => ({ _tag: "Broken", message })

/** Why a process that joins by former strategies can go on no more. */
export const otherStrategies = "the pool has other strategies by now: load the program anew"

/** The part of the pool that a save names, as it is stored. */
export const storedState = (
  { fingerprint, pool }: Sharing,
  keys: ReadonlyArray<string>,
  locked: Locked
): State | Broken => {
  const { definition } = pool().state
  const stored = readHorizon(locked.get(horizonKey))
  if ((stored.fingerprint ?? fingerprint) !== definition.fingerprint) return broken(otherStrategies)
  const state = makeState(definition)
  const problem = putStored(
    state,
    keys.flatMap((key) => locked.get(key) ?? [])
  )
  return problem === undefined ? state : broken(`the cell ${JSON.stringify(problem.key)}: ${problem.message}`)
}

/** The leases of the rows that are written by the save; `undefined`: they end with none. */
export type Writers = ReadonlyMap<string, string | undefined>

/** The revisions that lead to a state. Rows that another lease has taken over are stored whole. */
export const storedChanges = (
  state: State,
  before: ReadonlyMap<string, Row | undefined>,
  horizon: string,
  { get, head }: Locked,
  writers: Writers = new Map()
): Decision["revisions"] => {
  const changes = withUnchanged(
    state,
    changesOf(state, before, horizon),
    writers.keys(),
    (row, key) => get(key)?.session === writers.get(row)
  )
  return storedRevisions(revisionsOf(changes), head.seq, state.definition, (row, key) =>
    writers.has(row) ? writers.get(row) : get(key)?.session
  )
}
