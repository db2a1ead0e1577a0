/** What a projection answers with. */
import type { Duration, Option } from "effect"
import type { Revision } from "../log/events.js"

/** How old a state may be. */
export type Freshness =
  | { readonly _tag: "Consistent" }
  | { readonly _tag: "MaybeStale"; readonly maxAge: Duration.DurationInput }
  | { readonly _tag: "AtLeast"; readonly revision: Revision; readonly timeout: Duration.DurationInput }

/**
 * Whether a cached state was used.
 * - `Hit`: one was used. `Miss`: there was none that counts.
 * - `Bypassed`: none was looked for, or there is no tier.
 * - `Unavailable`: the tier failed, for the reason.
 */
export type CacheStatus =
  | { readonly _tag: "Hit" }
  | { readonly _tag: "Miss" }
  | { readonly _tag: "Bypassed" }
  | { readonly _tag: "Unavailable"; readonly reason: string }

/**
 * - `Fresh`: the state is that of the log's head.
 * - `StaleAllowed`: it was within the allowed age; the log was not read.
 * - `NotApplicable`: there is no event that concerns the projection.
 */
export type FreshnessStatus = "Fresh" | "StaleAllowed" | "NotApplicable"

/**
 * Where a state comes from.
 * - `Empty`: no event of the key concerns the projection.
 * - `SlotHit`: from memory. `SlotIncremental`: from memory, with new events.
 * - `Tier`: from the tier. `TierIncremental`: from the tier, with new events.
 * - `Replay`: folded from all events, since the tier had no state that counts.
 * - `Direct`: folded from all events, past the tier, or without one.
 */
export type Strategy =
  | "Empty"
  | "SlotHit"
  | "SlotIncremental"
  | "Tier"
  | "TierIncremental"
  | "Direct"
  | "Replay"

/**
 * What became of a state that was folded.
 * - `Stored`: it is cached. `NoSlots`: there is no cache.
 * - `PutFailed`: the tier did not take it.
 * - `NotEncodable`: its Schema cannot encode it, so no cache takes it.
 * - `Skipped`: nothing was to be stored.
 */
export type Stored = "Stored" | "PutFailed" | "NoSlots" | "NotEncodable" | "Skipped"

/** How long the phases of a projection took, in milliseconds of monotonic time. A phase that did not run has 0. */
export interface Times {
  /** The first reading of the log, which decides what is to be done. */
  readonly plan: number
  /** Looking into memory. */
  readonly slot: number
  /** Making the tier's key. */
  readonly key: number
  /** Waiting for the tier's answer after the plan, where it was asked early. */
  readonly prefetch: number
  /** Waiting for the tier's answer otherwise, and decoding it. */
  readonly probe: number
  /** Reading further events. */
  readonly read: number
  readonly fold: number
  /** Encoding the state and storing it. */
  readonly store: number
  /** From the call to the answer, also the wait of another caller's flight. */
  readonly total: number
}

/** A state, and how it came about. */
export interface Outcome<out S> {
  /** None: the key has no state, or no event. It is frozen where it is plain data. */
  readonly state: Option.Option<S>
  /** How many events of any kind the key had, as of this state. */
  readonly generation: number
  /** The last event that is folded into the state; `undefined` if none concerns the projection. */
  readonly applied: Revision | undefined
  readonly cache: CacheStatus
  readonly freshness: FreshnessStatus
  readonly strategy: Strategy
  readonly stored: Stored
  /** The head of the log when it was read for this state. */
  readonly head: Revision
  /** Present if they were requested. */
  readonly times: Times | undefined
}

/** How to project. */
export interface OutcomeOptions {
  /** Default `consistent`. */
  readonly freshness?: Freshness | undefined
  /** Whether phases are timed. Default `off`. */
  readonly times?: "on" | "off" | undefined
}

/** A state of another generation than the caller knows. */
export interface Changed<out S> {
  readonly generation: number
  readonly state: Option.Option<S>
}
