/**
 * A replica of a client: what it holds, its clock, and its edits that the server has not acknowledged. An edit shows at once.
 * When the replica has to begin anew with a whole state, its edits are made again on it.
 */

import * as Edits from "./edits.js"
import * as Merge from "./merge.js"
import type { Patch } from "./patch.js"
import type { Stamp } from "./stamp.js"
import * as Stamps from "./stamp.js"
import * as States from "./state.js"
import type { Edit } from "./strategy.js"

/** What a client does: to a field, or to a whole row. */
export type Change =
  | { readonly key: string; readonly field: string; readonly edit: Edit }
  /** Removes a field. */
  | { readonly key: string; readonly field: string; readonly edit: "remove" }
  /** Removes a row. */
  | { readonly key: string; readonly edit: "remove" }

/** An edit that the server has not acknowledged. */
export interface Unsent {
  readonly change: Change
  readonly stamp: Stamp
  /** What is sent. */
  readonly patch: Patch
}

/** A replica, as all other files see it. */
export interface Replica {
  readonly state: States.State
  readonly clock: Stamps.Clock
  /** In the order of their stamps. */
  readonly unsent: ReadonlyArray<Unsent>
}

interface Fields extends Replica {
  clock: Stamps.Clock
  unsent: Array<Unsent>
}

/** Makes a replica of a client that is empty. `last`: the largest stamp that an earlier one of this client had seen. */
export const make = (strategies: States.Strategies, client: string, last: Stamp = Stamps.never): Replica => {
  const replica: Fields = {
    state: States.make(strategies),
    clock: Stamps.clockOf(client, last),
    unsent: []
  }
  return replica
}

// Every replica was made by `make`.
const fieldsOf = (replica: Replica): Fields => replica as Fields

const patchOf = (state: States.State, change: Change, stamp: Stamp): Patch | string => {
  if (!("field" in change)) return Edits.removeRow(state, change.key, stamp)
  const { edit, field, key } = change
  return edit === "remove"
    ? Edits.removeField(state, key, field, stamp)
    : Edits.edit(state, key, field, edit, stamp)
}

/** Joins an edit with the state, and keeps it until it is acknowledged. */
const keep = (replica: Fields, change: Change, stamp: Stamp): ReadonlyArray<States.Changed> | string => {
  const patch = patchOf(replica.state, change, stamp)
  if (typeof patch === "string") return patch
  const merged = Merge.merge(replica.state, patch)
  if (merged._tag !== "Merged") return `the edit was refused: ${merged._tag}`
  replica.unsent.push({ change, stamp, patch })
  return merged.changed
}

/** The clock, beyond all that the state has joined. */
const ticked = ({ clock, state }: Replica, now: number): Stamps.Clock =>
  Stamps.tick(Stamps.observe(clock, state.newest), now)

/**
 * Makes an edit. `now`: milliseconds of the server's clock, as the replica knows it. Returns what has changed, or what is
 * wrong with the edit.
 */
export const change = (
  replica: Replica,
  change: Change,
  now: number
): ReadonlyArray<States.Changed> | string => {
  const own = fieldsOf(replica)
  const clock = ticked(own, now)
  const made = keep(own, change, clock.last)
  if (typeof made !== "string") own.clock = clock
  return made
}

/** Joins what the server has sent. */
export const receive = (replica: Replica, patch: unknown): Merge.Merged =>
  Merge.merge(replica.state, patch, { isTrusted: true })

/** The server has everything up to the edit with this stamp. */
export const acknowledge = (replica: Replica, stamp: Stamp): void => {
  const own = fieldsOf(replica)
  own.unsent = own.unsent.filter((edit) => edit.stamp > stamp)
}

/** Adopts the horizon of the server. */
export const raise = (replica: Replica, horizon: Stamp): void => {
  States.raise(replica.state, horizon)
}

/** Makes the edits again, in their order. Returns those that cannot be made any more. */
const again = (
  replica: Fields,
  edits: ReadonlyArray<Unsent>,
  stampOf: (edit: Unsent) => Stamp
): Array<Change> => {
  const lost: Array<Change> = []
  replica.unsent = []
  for (const edit of edits) {
    const stamp = stampOf(edit)
    if (stamp <= replica.state.horizon || typeof keep(replica, edit.change, stamp) === "string") {
      lost.push(edit.change)
    }
  }
  return lost
}

/** What came of a new beginning; refused, nothing has changed. */
export type Replaced =
  /** Edits that were not made again. */
  { readonly _tag: "Replaced"; readonly tooOld: ReadonlyArray<Change> } | Merge.Refusal

/**
 * Begins anew with the whole state of the server. Edits that were not acknowledged are made again on it. Those from the
 * horizon or before it are returned: whether what they change was removed since cannot be known, so the user decides.
 *
 * `now`, milliseconds of the server's clock: the server has refused the edits as ahead of it, and they are stamped anew, in
 * their order. Left out: they keep their stamps.
 */
export const replace = (replica: Replica, whole: Patch, now?: number): Replaced => {
  const own = fieldsOf(replica)
  const found = States.emptied(own.state, whole.horizon)
  const merged = Merge.merge(found, whole, { isTrusted: true })
  if (merged._tag !== "Merged") return merged
  States.become(own.state, found)
  if (now === undefined) return { _tag: "Replaced", tooOld: again(own, own.unsent, ({ stamp }) => stamp) }
  let clock = Stamps.clockOf(own.clock.client, found.newest)
  const tooOld = again(own, own.unsent, () => {
    clock = Stamps.tick(clock, now)
    return clock.last
  })
  own.clock = clock
  return { _tag: "Replaced", tooOld }
}
