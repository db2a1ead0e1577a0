/** The server of an exchange between replicas: a state, and its last changes in their order. */
import { type HashedState, hashState } from "./hashedState.js"
import { noteChanges } from "./hashTree.js"
import { raiseHorizon } from "./horizon.js"
import { type Merged, type MergeOptions, merge } from "./merging.js"
import type { Accepts, Delta, Position } from "./messages.js"
import type { Patch, Refused } from "./patch.js"
import type { Served } from "./serving.js"
import type { Stamp } from "./stamp.js"
import { deltaPatch, rowOf, type State } from "./state.js"

/** A state that clients follow. Only this file writes it. */
export interface Hub {
  readonly hashed: HashedState
  readonly served: Served
  readonly maxDeltas: number
  readonly deltas: Array<Delta>
  position: number
}

/** What a merge did: its outcome, and the change that all connections are sent before it is answered. */
export interface HubMerge {
  readonly outcome: Merged | Refused
  readonly delta: Delta | undefined
}

const since = ({ deltas, position }: Hub, after: Position): ReadonlyArray<Delta> | undefined => {
  const missed = position - Number(after)
  // Of what is no number, too.
  return missed >= 0 && missed <= deltas.length ? deltas.slice(deltas.length - missed) : undefined
}

/** Makes the server of a state. `epoch` is new whenever the state does not go on from its last position. */
export const makeHub = (
  state: State,
  options: { readonly epoch: string; readonly accepts: Exclude<Accepts, "none">; readonly maxDeltas: number }
): Hub => {
  const hashed = hashState(state)
  const hub: Hub = {
    hashed,
    served: {
      definition: state.definition,
      epoch: options.epoch,
      accepts: options.accepts,
      horizon: () => state.horizon,
      position: () => String(hub.position),
      since: (position) => since(hub, position),
      hashed: () => hashed,
      keys: () => Array.from(state.rows.keys()),
      row: (key) => rowOf(state, key)
    },
    maxDeltas: options.maxDeltas,
    deltas: [],
    position: 0
  }
  return hub
}

/** Gives a change the next position. */
const append = (hub: Hub, patch: Patch): Delta => {
  const delta: Delta = { _tag: "Delta", position: String(++hub.position), patch, gone: [] }
  hub.deltas.push(delta)
  if (hub.deltas.length > hub.maxDeltas) hub.deltas.shift()
  return delta
}

/** Merges a patch of a client, or of the server itself. */
export const mergeIntoHub = (hub: Hub, patch: Patch, options: MergeOptions): HubMerge => {
  const { state, tree } = hub.hashed
  const outcome = merge(state, patch, options)
  if (outcome._tag === "Refused" || outcome.changes.length === 0) return { outcome, delta: undefined }
  noteChanges(tree, outcome.changes)
  return { outcome, delta: append(hub, deltaPatch(state, outcome.changes)) }
}

/** Raises the horizon, and returns the change that connections are sent; `undefined`: it is that high. */
export const raiseHub = (hub: Hub, horizon: Stamp): Delta | undefined => {
  const { state, tree } = hub.hashed
  const before = state.horizon
  noteChanges(tree, raiseHorizon(state, horizon))
  return state.horizon === before ? undefined : append(hub, { horizon: state.horizon, rows: [] })
}
