/** One life of a pool: what it holds, and how it ends. */
import type { Effect, Either } from "effect"
import type { StorageError } from "../../Storage.js"
import { endedBy, type StoreEnded } from "../catalog/ended.js"
import type { Following } from "../catalog/following.js"
import * as Lifetime from "../catalog/lifetime.js"
import type * as Policy from "../catalog/policy.js"
import type { Quotas, Rates } from "../catalog/quotas.js"
import type { Reached } from "../catalog/reached.js"
import type { As } from "../catalog/sessionCalls.js"
import type { Life } from "../catalog/slot.js"
import type { Timers } from "../lease/timers.js"
import type { Clock } from "./clock.js"
import { type HashedState, hashState } from "./hashedState.js"
import { noteChanges } from "./hashTree.js"
import { canForget, raiseHorizon } from "./horizon.js"
import type { Patch } from "./patch.js"
import type { PoolCell } from "./poolCells.js"
import type { MergeError } from "./poolErrors.js"
import type { MergeOptions } from "./poolJudging.js"
import type { RowChange } from "./row.js"
import { endOf, type Stamp } from "./stamp.js"
import type { State } from "./state.js"

/** Counts of a catalog since it was made. */
export interface Counters {
  applied: number
  unchanged: number
  refused: number
  quotaRefusals: number
  failed: number
  cells: number
  /** Of pools that have ended. */
  ticks: number
}

/** What all pools of a catalog share. */
export interface Shared {
  readonly timers: Timers
  /** The time of the server, in milliseconds since 1970. It is never set back. */
  readonly wall: () => number
  readonly policy: Policy.Policy<PoolCell>
  readonly quotas: Quotas
  readonly rates: Rates
  /** Whether a session is open, and belongs to the client and the principal; the server itself may name any. */
  readonly isSession: (id: string, as: As | undefined) => boolean
  /** Notes that a pool holds rows of a session. */
  readonly noteSession: (session: string, pool: Pool) => void
  /** Notes that a pool holds rows of a session no more. */
  readonly leaveSession: (session: string, pool: Pool) => void
  /** Runs an effect behind what was given before, outside of the caller's fiber; `false`: no more. */
  readonly inBackground: (task: Effect.Effect<void>) => boolean
  /** Names a save; never the same name again. */
  readonly nextName: () => string
  /** Ends the epochs of permanent pools, where there are rights to judge. Otherwise empty. */
  readonly mark: string
  /** Called once when a pool has ended. */
  readonly onEnded: (pool: Pool) => void
  readonly count: Counters
  isClosed: boolean
}

/** The rows that end with sessions. */
export interface Leaving {
  readonly bySession: Map<string, Set<string>>
  readonly byRow: Map<string, string>
  /** Of a permanent pool that is decided in memory: the sessions of rows as they are given to be stored. */
  readonly stored: Map<string, string>
  /** Whether it was loaded with rows of sessions. */
  isLoaded: boolean
}

/** How what changes in a pool gets to its followers. */
export interface Flow {
  /** Notes what has changed in the state. */
  readonly note: (changes: ReadonlyArray<RowChange>) => void
  /** Appends what waits for the end of its tick. */
  readonly flush: () => void
  /** Appends it, and nothing more. */
  readonly end: () => void
  /** The number of the last revision. */
  readonly seq: () => number
  /** Calls once when the state is that of the last revision, and has what this one has: at once, or later. */
  readonly whenSettled: (seq: number, call: () => void) => void
  /** How many ticks had a change. */
  readonly ticks: () => number
  /**
   * Removes the changes that the log had at an instant, `until`, of a pool in memory; `undefined`: there are none. Where all that
   * is left is that very much was forgotten, it removes that too.
   */
  readonly forget: (now: number, until: number) => Effect.Effect<void> | undefined
}

/** What a pool that other processes write too has beside: it is decided by saves, and its state is what was read here. */
export interface SharedParts {
  readonly reached: Reached
  /** The number of the head that is committed now. */
  readonly head: Effect.Effect<number, StorageError>
  /** Takes a merge. `done` is called once, when it is committed and was read here, or refused. */
  readonly merge: (patch: Patch, options: MergeOptions, done: (merged: Merged) => void) => void
  /** Forgets removals that are old enough. */
  readonly forgetRemovals: () => void
  /** Removes the rows of the keys, in which a session has left something, unless another one has written them since. */
  readonly removeLeft: (session: string, keys: ReadonlyArray<string>) => void
  /** The keys of stored cells with removals up to the horizon, which are not held: the next round takes them away. */
  readonly passed: Set<string>
}

/** The cells that a merge has changed, as they are joined, or why it was refused. */
export type Merged = Either.Either<Patch, MergeError | StoreEnded>

export interface Pool extends Lifetime.Living {
  readonly id: string
  readonly kind: string
  /** Names this life. */
  readonly epoch: string
  readonly life: Life<Pool>
  readonly shared: Shared
  readonly state: State
  /** Stamps what the server itself writes. */
  readonly clock: Clock
  readonly flow: Flow
  readonly parts: SharedParts | undefined
  readonly following: Following<PoolCell>
  readonly marks: Policy.Marks
  /** Which principal a client's id belongs to. */
  readonly owners: Map<string, string>
  /** What is removed when sessions end; none: nothing. */
  readonly leaving: Leaving | undefined
  /** Clients that were subscribed by name. */
  readonly members: Set<string>
  /** Made when a hash is asked for. */
  hashed: HashedState | undefined
  /** About those of its cells as JSON; counted where a quota needs it. */
  bytes: number
  /** The time of the server when removals began to be held; none: none are. */
  removalsSince: number | undefined
  ended: StoreEnded | undefined
  /** How many of its merges or ticks are not stored yet. */
  pending: number
  /** Gives back what it has of a backend, after its end. */
  readonly release: Effect.Effect<void>
}

/** Ends a pool, once, behind its last value. Synchronous: no later call sees it open. */
export const end = (pool: Pool, reason: StoreEnded["reason"], cause?: unknown): boolean => {
  if (pool.ended !== undefined) return false
  pool.ended = endedBy("pool", pool.id, reason, cause)
  const { expiry, flow, life, parts, shared } = pool
  life.ended = pool.ended
  life.store = undefined
  flow.end()
  parts?.reached.end()
  if (expiry !== undefined) shared.timers.cancel(expiry)
  shared.policy.forget(pool.id)
  shared.onEnded(pool)
  return true
}

/** Ends what is over, then answers whether the pool has ended. Every access begins with it. */
export const access = (pool: Pool, now: number): StoreEnded | undefined => {
  if (pool.ended !== undefined) return pool.ended
  if (pool.shared.isClosed) return endedBy("pool", pool.id, "Closed", undefined)
  if (pool.lifetime === undefined) pool.usedAt = now
  if (Lifetime.isOver(pool, now)) end(pool, "Expired")
  return pool.ended
}

/** Notes what has changed in the state: in the hashes, and for the followers. */
export const changed = (pool: Pool, changes: ReadonlyArray<RowChange>): void => {
  if (pool.hashed !== undefined) noteChanges(pool.hashed.tree, changes)
  if (pool.state.removals === 0) pool.removalsSince = undefined
  else pool.removalsSince ??= pool.shared.wall()
  pool.flow.note(changes)
}

/** The hashes of what the pool holds. */
export const hashedOf = (pool: Pool): HashedState => {
  pool.hashed ??= hashState(pool.state)
  return pool.hashed
}

/** For how many milliseconds removals are remembered. */
export const rememberedFor = 60 * 60 * 1000

/** The horizon at which removals are forgotten that are old enough at a time. */
export const horizonAt = (now: number): Stamp => endOf(Math.max(0, Math.floor(now - rememberedFor)))

/** Forgets removals that are old enough, by raising the horizon, and the changes that are as old. */
export const forgetRemovals = (pool: Pool): void => {
  const { flow, parts, removalsSince, shared, state } = pool
  const now = shared.wall()
  const until = now - rememberedFor
  // They hold the values of what is gone.
  const forgetting = flow.forget(now, until)
  if (forgetting !== undefined) shared.inBackground(forgetting)
  const horizon = horizonAt(now)
  const isDue = removalsSince !== undefined && until > removalsSince && canForget(state, horizon)
  if (parts !== undefined && (isDue || parts.passed.size > 0)) parts.forgetRemovals()
  else if (isDue) changed(pool, raiseHorizon(state, horizon))
}
