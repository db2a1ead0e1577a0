/** What pools and clients hold, compared with a join of everything that was acknowledged. */
import { Effect } from "effect"
import type { Definition } from "../../../src/internal/mergePool/definition.js"
import { hashState } from "../../../src/internal/mergePool/hashedState.js"
import { rootSum } from "../../../src/internal/mergePool/hashTree.js"
import { merge } from "../../../src/internal/mergePool/merging.js"
import type { Patch } from "../../../src/internal/mergePool/patch.js"
import {
  makeState,
  noteHorizon,
  type State,
  stateText,
  takeBack
} from "../../../src/internal/mergePool/state.js"
import type * as MergePool from "../../../src/MergePool.js"
import { ensureSame } from "../laws/ensure.js"

/** Joins a patch as clients take those of a server. Throws if it is refused. Returns whether anything changed. */
export const take = (state: State, patch: Patch): boolean => {
  const merged = merge(state, patch, { old: "take" })
  if (merged._tag === "Refused") throw new Error(merged.message)
  return merged.changes.length > 0
}

/** Whether a state holds all of a patch. It stays as it is. */
export const holdsAll = (state: State, patch: Patch): boolean => {
  const { latest } = state
  const merged = merge(state, patch, { old: "take" })
  if (merged._tag === "Refused") throw new Error(merged.message)
  takeBack(state, merged.changes, latest)
  return merged.changes.length === 0
}

/** A state of patches. */
export const joinOf = (definition: Definition, patches: ReadonlyArray<Patch>): State => {
  const state = makeState(definition)
  for (const patch of patches) take(state, patch)
  return state
}

/** The state that a pool has sent as a whole. */
export const stateOfPatch = (definition: Definition, patch: Patch): State => {
  const state = makeState(definition)
  noteHorizon(state, patch.horizon)
  take(state, patch)
  return state
}

/** Whether a pool holds a state, and hashes it alike. */
export const ensureHolds = (
  pool: MergePool.PoolHandle,
  state: State,
  law: string
): Effect.Effect<void, MergePool.MergeError | MergePool.ReadFailed> =>
  Effect.gen(function* () {
    const held = stateOfPatch(state.definition, yield* pool.state({ read: "latest" }))
    ensureSame(stateText(held), stateText(state), `${law}: content`)
    ensureSame(yield* pool.hash(), rootSum(hashState(state).tree), `${law}: hash`)
  })
