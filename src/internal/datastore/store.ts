/** One life of a store: what it holds, and how it ends. */
import type { Effect } from "effect"
import type { StorageError } from "../../Storage.js"
import type { Save } from "../catalog/backend.js"
import { endedBy } from "../catalog/ended.js"
import type { Following } from "../catalog/following.js"
import * as Lifetime from "../catalog/lifetime.js"
import type { Operations } from "../catalog/operations.js"
import type * as Policy from "../catalog/policy.js"
import type { Quotas, Rates } from "../catalog/quotas.js"
import type { Life } from "../catalog/slot.js"
import type { JsonObject } from "../columns/jsonData.js"
import type { Timer, Timers } from "../lease/timers.js"
import type { As } from "./accept.js"
import type { Limits } from "./check.js"
import type { StoreEnded } from "./errors.js"
import type { Holding, JsonRow } from "./holding.js"
import type { Owned } from "./operation.js"
import * as Records from "./records.js"
import type { Reply } from "./reply.js"
import type { SharedParts } from "./sharedStore.js"

/** What all stores of a catalog share. */
export interface Shared {
  readonly timers: Timers
  readonly policy: Policy.Policy<JsonRow>
  /**
   * Ends the epochs of permanent stores, where there are rights to judge: what any other process has judged, or this one
   * before its restart, is judged anew. Otherwise empty.
   */
  readonly mark: string
  readonly quotas: Quotas
  readonly rates: Rates
  /** Whether a session is open, and belongs to the client and the principal; the server itself may name any. */
  readonly isSession: (id: string, as: As | undefined) => boolean
  /** Notes that a store may hold records of a session. */
  readonly noteSession: (session: string, store: Store) => void
  /** Forgets that a store which has ended holds records of a session, unless it is permanent. */
  readonly leaveSession: (session: string, store: Store) => void
  /** Runs an effect behind what was given before, outside of the caller's fiber; `false`: no more. */
  readonly inBackground: (task: Effect.Effect<void>) => boolean
  /** Names a save; never the same name again. */
  readonly nextName: () => string
  /** Called once when a store has ended. */
  readonly onEnded: (store: Store) => void
  readonly count: Counters
  /** Nothing is accepted any more; what was accepted is being saved. */
  isClosed: boolean
}

/** Counts of a catalog since it was made. */
export interface Counters {
  applied: number
  refused: number
  repeated: number
  quotaRefusals: number
  failed: number
}

/** Takes what a permanent store has accepted, to save it. `false`: it cannot, and the store ends. */
export type Outbox = (save: Save, steps: Owned["steps"]) => boolean

export interface Store {
  readonly id: string
  readonly kind: string
  readonly primary: string
  /** Of the schema of what it writes. */
  readonly version: number
  /** Names this life, as cursors do. */
  readonly epoch: string
  readonly life: Life<Store>
  readonly shared: Shared
  readonly limits: Limits
  /** Returns why data is not as the schema has it, or `undefined`. */
  readonly problem: ((data: JsonObject) => string | undefined) | undefined
  readonly holding: Holding
  readonly operations: Operations<Reply>
  readonly records: Records.Records
  readonly marks: Policy.Marks
  readonly lifetime: Lifetime.Lifetime | undefined
  /** Ends the store; moved lazily: it looks at `usedAt` when it is due. */
  expiry: Timer | undefined
  /** Monotonic milliseconds of the last write or `touch`; of a permanent store of the last call. */
  usedAt: number
  ended: StoreEnded | undefined
  /** Of a permanent store. */
  readonly outbox: Outbox | undefined
  /** Milliseconds of the backend's clock less those of the timers. */
  readonly clockOffset: number
  readonly following: Following<JsonRow>
  /** Of a store that other processes write too. */
  readonly parts: SharedParts | undefined
  /** How many of its operations are not stored yet. */
  pending: number
  /** Of a permanent store: lets the backend forget what is remembered for long enough. */
  readonly tidy: Effect.Effect<void, StorageError> | undefined
  /** Monotonic milliseconds of the last time. */
  tidiedAt: number
  /** Gives back what it has of the backend, after its end. */
  readonly release: Effect.Effect<void>
  /** The sessions that it was noted for, and that have not ended. */
  readonly sessions: Set<string>
  /** Clients that were subscribed by name. */
  readonly members: Set<string>
}

/** Ends a store, once. Synchronous: no later call sees it open. */
export const end = (store: Store, reason: StoreEnded["reason"], cause?: unknown): boolean => {
  if (store.ended !== undefined) return false
  store.ended = endedBy("store", store.id, reason, cause)
  store.life.ended = store.ended
  store.life.store = undefined
  store.parts?.mirror.end()
  if (store.expiry !== undefined) store.shared.timers.cancel(store.expiry)
  for (const session of store.sessions) store.shared.leaveSession(session, store)
  Records.end(store.records)
  store.shared.policy.forget(store.id)
  store.shared.onEnded(store)
  return true
}

/** Begins the time of a store. */
export const startExpiry = (store: Store): void =>
  Lifetime.start(store, store.shared.timers, () => end(store, "Expired"))

/** Extends a sliding lifetime. */
export const use = Lifetime.use

/**
 * Ends what is over, then answers whether the store has ended. Every access begins with it, so nothing is met after its
 * time, however late the fiber of the timers is.
 */
export const access = (store: Store, now: number): StoreEnded | undefined => {
  const { lifetime, shared } = store
  if (store.ended !== undefined) return store.ended
  if (shared.isClosed) return endedBy("store", store.id, "Closed", undefined)
  if (lifetime === undefined) store.usedAt = now
  if (store.records.extras.size > 0) shared.timers.runDue()
  if (Lifetime.isOver(store, now)) end(store, "Expired")
  return store.ended
}
