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
import { type Context, type Duration, Effect, type Layer, type Option, type Scope, type Stream } from "effect"
import * as Arguments from "./internal/arguments.js"
import type { ChangeLog } from "./internal/log/changeLog.js"
import type { Revision } from "./internal/log/events.js"
import { type InvalidOptions, resolve } from "./internal/options.js"
import { all } from "./internal/projection/all.js"
import { type Decided, type DecideOptions, type Decision, decide } from "./internal/projection/decide.js"
import type { Definition } from "./internal/projection/definition.js"
import type { ProjectionError } from "./internal/projection/errors.js"
import type { AnyEvent, EventValue } from "./internal/projection/events.js"
import { type Followed, follow } from "./internal/projection/following.js"
import * as Frontiers from "./internal/projection/frontier.js"
import { type HasInternals, internals, internalsOf } from "./internal/projection/internals.js"
import { type Options, rules } from "./internal/projection/options.js"
import type { Changed, Freshness, Outcome, OutcomeOptions } from "./internal/projection/outcome.js"
import { ifChanged, outcome, state } from "./internal/projection/projecting.js"
import * as Slots from "./internal/projection/slots.js"
import { type Started, start } from "./internal/projection/starting.js"
import { type Stats, statsOf } from "./internal/projection/stats.js"
import type { Made } from "./internal/remedy.js"
import type { TierError } from "./Tier.js"

export { InvalidOptions } from "./internal/options.js"
export type { Decided, DecideOptions, Decision } from "./internal/projection/decide.js"
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
export type { Followed } from "./internal/projection/following.js"
export { type Frontier, NotApplied, RegisterRefused } from "./internal/projection/frontier.js"
export type { Options } from "./internal/projection/options.js"
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

/** Returns a definition as it is, with its types: those of states by `state`, those of events by `events`. */
export const define = <S, E extends AnyEvent>(definition: Definition<S, E>): Definition<S, E> => definition

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

/** The handle of a projection of states `S`. Events `E` can be appended by it. */
export interface Projection<out S, in E extends AnyEvent = never> extends HasInternals {
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
  /**
   * Appends the events that a function returns for the key's consistent state, if the key is still in that state; else
   * decides again, after a random pause that grows up to 1 second. No event is appended to a state that it was not
   * decided on, and none that cannot be folded.
   *
   * - Fails with what the function fails with.
   * - Fails with `Contended` after `attempts` conflicts, and with `Malformed` for what is no event of the definition.
   * - Fails with `Refused` in a transaction of a database, which could roll back without the events.
   */
  readonly decide: <X = never, R = never>(
    key: string,
    decision: Decision<S, E, X, R>,
    options?: DecideOptions
  ) => Effect.Effect<Decided<S>, X | ProjectionError | InvalidOptions, R>
  /**
   * Follows a key: its state now, then its state after each change, by growing generations. A slow reader gets the last
   * state instead of all. A compacted log ends nothing.
   *
   * Fails with `EpochChanged` if the log is renewed, with `Log` if it fails for good or the projection is closed, and with
   * any other reason if a state cannot be returned.
   */
  readonly follow: (key: string) => Stream.Stream<Followed<S>, ProjectionError>
  /**
   * Waits until the projection has applied a revision: each key that it has projected holds all of its events up to there.
   * A key that was never projected holds nothing back, but a projection that was never used has applied nothing.
   */
  readonly awaitApplied: (
    revision: Revision,
    timeout: Duration.DurationInput
  ) => Effect.Effect<void, Frontiers.NotApplied>
  /** Removes what the tier holds of lower versions of the definition. */
  readonly sweep: Effect.Effect<void, TierError>
  readonly stats: Effect.Effect<Stats>
  readonly unsafeStats: () => Stats
}

const handleOf = <S, E extends AnyEvent>({
  calls,
  internals: inside,
  own
}: Started<S, E>): Projection<S, E> => {
  const { runtime } = calls
  const unsafeStats = (): Stats => statsOf(runtime.counters, Slots.size(runtime.slots))
  return {
    project: (key, freshness) => state(calls, key, freshness),
    projectOutcome: (key, options) => outcome(calls, key, options),
    projectIfChanged: (key, generation) => ifChanged(calls, key, generation),
    decide: (key, decision, options = {}) => decide(calls, key, decision, options),
    follow: (key) => follow(calls, key),
    awaitApplied: (revision, timeout) =>
      Effect.flatMap(own, (state) => Frontiers.awaitApplied(state, revision, timeout)),
    sweep: runtime.tier?.sweep ?? Effect.void,
    stats: Effect.sync(unsafeStats),
    unsafeStats,
    [internals]: inside
  }
}

/**
 * Makes a projection over a log with `keys: "indexed"`, until the scope ends. It starts nothing and reads nothing before
 * the first call. Fails with {@link InvalidOptions}, also for a definition that cannot work and a log without an index.
 */
export const make = <S, E extends AnyEvent>(
  definition: Definition<S, E>,
  log: Made & ChangeLog<EventValue>,
  options: Options = {}
): Effect.Effect<Projection<S, E>, InvalidOptions, Scope.Scope> =>
  Effect.flatMap(resolve<Options>()(rules, options), (settings) =>
    Effect.map(start(definition, log, settings), handleOf)
  )

/**
 * Makes a layer with a projection under a tag of your own:
 *
 * ```ts
 * class Balances extends Context.Tag("Balances")<Balances, Projection.Of<typeof balances>>() {}
 * ```
 */
export const layer = <Id, S, E extends AnyEvent>(
  tag: Context.Tag<Id, Projection<S, E>>,
  definition: Definition<S, E>,
  log: Made & ChangeLog<EventValue>,
  options: Options = {}
): Layer.Layer<Id, InvalidOptions> => Arguments.layer(tag, make(definition, log, options))

/** What each projection of a tuple answers with. */
export type Outcomes<P extends ReadonlyArray<Projection<unknown>>> = {
  readonly [I in keyof P]: P[I] extends Projection<infer S> ? Outcome<S> : never
}

/**
 * Projects a key by several projections of one log, from one reading of the events of all their kinds. Each answers with
 * its own outcome, in their order, as a consistent `projectOutcome` does; all are of one instant. It folds past all caches.
 *
 * If events of the key are removed, each projects for itself, so that a cached state may stand for them. Fails as the first
 * projection that fails, and with `Refused` if they read different logs.
 */
export const projectAll = <const P extends ReadonlyArray<Projection<unknown>>>(
  projections: P,
  key: string
): Effect.Effect<Outcomes<P>, ProjectionError> =>
  // Each place holds the outcome of the projection at the same place.
  Effect.suspend(() =>
    all(Array.isArray(projections) ? projections.map(internalsOf) : undefined, key)
  ) as Effect.Effect<Outcomes<P>, ProjectionError>

/** Makes a frontier of the projections of a log that are registered with it. It ends with the scope. */
export const frontier = (
  log: Made & ChangeLog<EventValue>
): Effect.Effect<Frontiers.Frontier, InvalidOptions, Scope.Scope> =>
  Arguments.check("log", Arguments.handle("a ChangeLog", "head", "doorbell"), log).pipe(
    Effect.andThen(() => Frontiers.make(log)),
    Effect.map(Frontiers.handleOf)
  )

/** The projection of a definition: `Projection.Of<typeof balances>`. */
export type Of<D> = D extends Definition<infer S, infer E extends AnyEvent> ? Projection<S, E> : never
