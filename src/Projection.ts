/**
 * The current state of a key, folded from its events in a `ChangeLog` with `keys: "indexed"`.
 *
 * A {@link Definition} is plain data: kinds of events, and how they fold. {@link make} reads a key's events by the log's
 * index and folds them. It keeps states in memory and in a `Tier`, which are never trusted: a state counts only if the log
 * proves it. An {@link Outcome} names how fresh a state is and where it comes from.
 *
 * Guarantees: a state is the fold of all events of its key up to a revision, or the read fails; never the fold of a part.
 * No cache makes a state other than the full fold, and no fault of a cache fails a read.
 */
import type { Duration, Effect, Option } from "effect"
import type { Revision } from "./internal/log/events.js"
import type { Definition } from "./internal/projection/definition.js"
import type { ProjectionError } from "./internal/projection/errors.js"
import type { AnyEvent } from "./internal/projection/events.js"
import type { HasInternals } from "./internal/projection/internals.js"
import type { Changed, Freshness, Outcome, OutcomeOptions } from "./internal/projection/outcome.js"
import type { Stats } from "./internal/projection/stats.js"

export type { Definition } from "./internal/projection/definition.js"
export { ProjectionError } from "./internal/projection/errors.js"
export {
  type AnyEvent,
  type DataOf,
  type EventOf,
  type EventOptions,
  type EventSet,
  type EventValue,
  events,
  type Schemas
} from "./internal/projection/events.js"
export type {
  CacheStatus,
  Changed,
  Freshness,
  FreshnessStatus,
  Outcome,
  OutcomeOptions,
  Stored,
  Strategy,
  Times
} from "./internal/projection/outcome.js"
export type { Stats } from "./internal/projection/stats.js"

/** A state that holds all events of its key. It is the default. */
export const consistent: Freshness = { _tag: "Consistent" }

/**
 * A state of memory that was proven equal to the log less than `maxAge` ago, without reading the log; else a consistent
 * one. 0, or no valid duration: always a consistent one.
 */
export const maybeStale = (maxAge: Duration.DurationInput): Freshness => ({ _tag: "MaybeStale", maxAge })

/**
 * A state of the log at a revision or later, such as that of your own write. It waits for the log to reach the revision,
 * and fails with `TimedOut`; with a `timeout` of 0 at once.
 */
export const atLeast = (revision: Revision, timeout: Duration.DurationInput): Freshness => ({
  _tag: "AtLeast",
  revision,
  timeout
})

/** The handle of a projection. */
export interface Projection<out S> extends HasInternals {
  /** Returns the state of a key, or none. */
  readonly project: (key: string, freshness?: Freshness) => Effect.Effect<Option.Option<S>, ProjectionError>
  /** Returns the state of a key, and how it came about. */
  readonly projectOutcome: (
    key: string,
    options?: OutcomeOptions
  ) => Effect.Effect<Outcome<S>, ProjectionError>
  /** Returns none while the key has this generation, else its generation and its consistent state. */
  readonly projectIfChanged: (
    key: string,
    generation: number
  ) => Effect.Effect<Option.Option<Changed<S>>, ProjectionError>
  /** Removes what the tier holds of lower versions of the definition. */
  readonly sweep: Effect.Effect<void, ProjectionError>
  readonly stats: Effect.Effect<Stats>
  readonly unsafeStats: () => Stats
}

/** The projection of a definition: `Projection.Of<typeof balances>`. */
export type Of<D> = D extends Definition<infer S, infer _E extends AnyEvent> ? Projection<S> : never
