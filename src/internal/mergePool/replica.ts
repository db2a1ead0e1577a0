/**
 * The core of a replica: what is confirmed, what was edited here since, and what both are together. Edits that were never
 * confirmed can get new stamps; those that are confirmed keep theirs.
 */
import { type Cell, joinCells } from "./cell.js"
import { type Clock, makeClock, nextStamp, observe, setBack, synchronize } from "./clock.js"
import { type Edit, editPatch } from "./edits.js"
import { raiseHorizon } from "./horizon.js"
import { joinFailed, type Merged, merge } from "./merging.js"
import type { Patch, Refused } from "./patch.js"
import type { RowChange } from "./row.js"
import type { Stamp } from "./stamp.js"
import { cellOf, makeState, noteLatest, type State, takeBack } from "./state.js"
import type { Strategy } from "./strategy.js"

/** An edit that is not confirmed. */
export interface Unsent {
  /** Counts the edits of the replica, from 1. It stays when the edit gets a new stamp. */
  readonly n: number
  readonly edit: Edit
  readonly stamp: Stamp
  readonly patch: Patch
}

/** What one client has of a pool. Only this file writes it. */
export interface Replica {
  readonly clock: Clock
  /** What the server has confirmed, or other replicas have sent. */
  confirmed: State
  /** The cells of the edits that are not confirmed. */
  pending: State
  /** The edits that are not confirmed, in order. */
  unsent: ReadonlyArray<Unsent>
  /** How many edits were made. */
  edits: number
}

/** Makes a replica. `confirmed` is what it holds from before, which must be its own. */
export const makeReplica = (client: string, confirmed: State): Replica => ({
  clock: makeClock(client, confirmed.latest),
  confirmed,
  pending: makeState(confirmed.definition),
  unsent: [],
  edits: 0
})

const joinShown = ({ confirmed, pending }: Replica, key: string, index: number): Cell =>
  joinCells(
    confirmed.definition.strategies[index] as Strategy,
    cellOf(confirmed, key, index),
    cellOf(pending, key, index)
  )

/** An edit that does not join with what has come meanwhile shows nothing: it stays unsent, and the server decides. */
const shownCell = (replica: Replica, key: string, index: number): Cell => {
  try {
    return joinShown(replica, key, index)
  } catch {
    return cellOf(replica.confirmed, key, index)
  }
}

/** Returns what a program reads of a field; `undefined`: nothing. Edits that are not confirmed count. */
export const readField = (replica: Replica, key: string, index: number): unknown => {
  const { state } = shownCell(replica, key, index)
  const strategy = replica.confirmed.definition.strategies[index]
  return state === undefined ? undefined : strategy?.read(state)
}

const keysOf = ({ confirmed, pending }: Replica): ReadonlySet<string> =>
  pending.rows.size === 0
    ? new Set(confirmed.rows.keys())
    : new Set([...confirmed.rows.keys(), ...pending.rows.keys()])

/** Returns what a program reads of a row: its fields that are something. `undefined`: there is none. */
export const readRow = (replica: Replica, key: string): ReadonlyMap<string, unknown> | undefined => {
  const fields = new Map<string, unknown>()
  replica.confirmed.definition.names.forEach((name, index) => {
    const value = readField(replica, key, index)
    if (value !== undefined) fields.set(name, value)
  })
  return fields.size === 0 ? undefined : fields
}

/** Returns all that a program reads. */
export const readAll = (replica: Replica): ReadonlyMap<string, ReadonlyMap<string, unknown>> => {
  const rows = new Map<string, ReadonlyMap<string, unknown>>()
  for (const key of keysOf(replica)) {
    const row = readRow(replica, key)
    if (row !== undefined) rows.set(key, row)
  }
  return rows
}

/** Makes the patch of an edit over what is shown, and merges it into what is pending. */
const apply = (replica: Replica, n: number, edit: Edit, stamp: Stamp): Unsent | Refused => {
  const { confirmed, pending } = replica
  const shown = (key: string, index: number) => shownCell(replica, key, index)
  const patch = editPatch(confirmed.definition, confirmed.horizon, shown, edit, stamp)
  if ("_tag" in patch) return patch
  const merged = merge(pending, patch, { old: "take" })
  return merged._tag === "Refused" ? merged : { n, edit, stamp, patch }
}

/** Makes what is pending of the edits that are not confirmed, with the stamps that they have. */
const mergePending = (replica: Replica): void => {
  const { confirmed, unsent } = replica
  replica.pending = makeState(confirmed.definition)
  raiseHorizon(replica.pending, confirmed.horizon)
  for (const { patch } of unsent) merge(replica.pending, patch, { old: "take" })
}

/** Why an edit does not join with what is confirmed: no join but a custom one throws. */
const joinProblem = (replica: Replica, { patch: { rows } }: Unsent): Refused | undefined => {
  const { indexes, strategies } = replica.confirmed.definition
  for (const [row, , cells] of rows) {
    for (const [field] of cells) {
      const index = indexes.get(field) as number
      if (strategies[index]?.kind !== "custom") continue
      try {
        joinShown(replica, row, index)
      } catch (error) {
        return joinFailed(error, row, field)
      }
    }
  }
  return undefined
}

/** Makes an edit. `wall` is the wall clock in milliseconds. It shows at once; a refused one changes nothing. */
export const makeEdit = (replica: Replica, edit: Edit, wall: number): Unsent | Refused => {
  const made = apply(replica, replica.edits + 1, edit, nextStamp(replica.clock, wall))
  if ("_tag" in made) return made
  const problem = joinProblem(replica, made)
  if (problem !== undefined) {
    mergePending(replica)
    return problem
  }
  replica.edits++
  if (made.patch.rows.length > 0) replica.unsent = [...replica.unsent, made]
  return made
}

/** Whether a state holds all that an edit wrote, or what has replaced it since. */
const isHeld = (state: State, { patch }: Unsent): boolean => {
  const { latest } = state
  const merged = merge(state, patch)
  if (merged._tag === "Refused") return false
  takeBack(state, merged.changes, latest)
  return merged.changes.length === 0
}

/**
 * Confirms the edits that are held already: the server has merged them, and its answers were lost. Made anew over themselves
 * they would count twice, and handed out as too old they would be made twice.
 */
const confirmHeld = (replica: Replica, isLeft: (n: number) => boolean = () => false): void => {
  replica.unsent = replica.unsent.filter((each) => isLeft(each.n) || !isHeld(replica.confirmed, each))
}

/**
 * Makes all that is pending anew: each edit in order, with the stamp that it then gets. `undefined` leaves it out, and `keep`
 * leaves it as it is.
 */
const remake = (
  replica: Replica,
  stampOf: (unsent: Unsent) => Stamp | "keep" | undefined
): ReadonlyArray<Unsent> => {
  const left: Array<Unsent> = []
  const kept: Array<Unsent> = []
  const { confirmed, unsent } = replica
  replica.pending = makeState(confirmed.definition)
  raiseHorizon(replica.pending, confirmed.horizon)
  for (const each of unsent) {
    const stamp = stampOf(each)
    if (stamp === "keep") {
      merge(replica.pending, each.patch, { old: "take" })
      kept.push(each)
      continue
    }
    const made = stamp === undefined ? undefined : apply(replica, each.n, each.edit, stamp)
    if (made === undefined || "_tag" in made) left.push(each)
    else if (made.patch.rows.length > 0) kept.push(made)
  }
  replica.unsent = kept
  return left
}

/** Confirms edits by their numbers: what they wrote stays with the stamps that they have. */
export const confirmWhere = (
  replica: Replica,
  isConfirmed: (n: number) => boolean
): ReadonlyArray<RowChange> => {
  const { confirmed, unsent } = replica
  const changes: Array<RowChange> = []
  for (const { n, patch } of unsent) {
    if (!isConfirmed(n)) continue
    const merged = merge(confirmed, patch, { old: "take" })
    // It was merged into what was pending: nothing in it can be refused.
    if (merged._tag === "Merged") changes.push(...merged.changes)
  }
  replica.unsent = unsent.filter(({ n }) => !isConfirmed(n))
  mergePending(replica)
  return changes
}

/** Confirms the edits up to a number. */
export const confirm = (replica: Replica, upTo: number): ReadonlyArray<RowChange> =>
  confirmWhere(replica, (n) => n <= upTo)

/** Merges what the server, or another replica, has sent. The clock goes on after it. */
export const receive = (replica: Replica, patch: Patch): Merged | Refused => {
  const merged = merge(replica.confirmed, patch, { old: "take" })
  if (merged._tag === "Merged") observe(replica.clock, replica.confirmed.latest)
  return merged
}

/**
 * Adopts the horizon of the server, once all that the server held then is merged. Edits above it are made anew over what is
 * left. Returns those at or below it that are not held, in order: they are not sent any more, and the user decides on them.
 */
export const adoptHorizon = (
  replica: Replica,
  horizon: Stamp
): { readonly changes: ReadonlyArray<RowChange>; readonly tooOld: ReadonlyArray<Unsent> } => {
  const changes = raiseHorizon(replica.confirmed, horizon)
  const { horizon: raised } = replica.confirmed
  if (replica.pending.horizon === raised || replica.unsent.length === 0) return { changes, tooOld: [] }
  confirmHeld(replica)
  return { changes, tooOld: remake(replica, ({ stamp }) => (stamp > raised ? stamp : undefined)) }
}

/**
 * Stamps all edits that are not confirmed anew, in order, by the server's time. For edits that were refused as `ClockAhead`,
 * and for those that were made before the server's time was known. Those before `accepted`, an edit that the server has taken,
 * stay as they are: their stamps are before its stamp, and new ones would be after it.
 */
export const stampAnew = (
  replica: Replica,
  serverTime: number,
  wall: number,
  accepted = 0
): ReadonlyArray<Unsent> => {
  const { clock, confirmed } = replica
  synchronize(clock, serverTime, wall)
  setBack(clock, confirmed.latest)
  remake(replica, ({ n }) => (n < accepted ? "keep" : nextStamp(clock, wall)))
  return replica.unsent
}

/**
 * Takes the whole state of the server in place of what is confirmed: what the server does not hold is held no more. Returns
 * the edits that are at or below its horizon.
 */
export const takeState = (replica: Replica, patch: Patch): ReadonlyArray<Unsent> | Refused => {
  const state = makeState(replica.confirmed.definition)
  const merged = merge(state, patch, { old: "take" })
  if (merged._tag === "Refused") return merged
  raiseHorizon(state, patch.horizon)
  noteLatest(state, replica.confirmed.latest)
  replica.confirmed = state
  observe(replica.clock, state.latest)
  confirmHeld(replica)
  return remake(replica, ({ stamp }) => (stamp > state.horizon ? stamp : undefined))
}

/**
 * Leaves out edits that were refused, by their numbers, and makes the others anew with the stamps that they have. Returns
 * what is left out.
 */
export const dropEdits = (replica: Replica, refused: ReadonlySet<number>): ReadonlyArray<Unsent> => {
  confirmHeld(replica, (n) => refused.has(n))
  return remake(replica, ({ n, stamp }) => (refused.has(n) ? undefined : stamp))
}
