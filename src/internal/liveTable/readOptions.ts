/** The options of reads and follows, their rules and their defaults. Callers pass them, perhaps from untyped code. */
import { type Duration, Effect } from "effect"
import { InvalidQuery } from "../columns/query.js"
import { isRevision, type Revision } from "../log/events.js"
import * as Rules from "../options.js"

/** How to read. */
export interface ReadOptions {
  /**
   * A revision of the table's log: the answer holds everything up to it. Passed on from an earlier answer or write, it
   * makes reads monotonic across processes. `"queued"`: the answer holds the writes that were queued before. Before a
   * write target, the read waits until the master shows the revision, or `targetLag` is over; it fails as `TimedOut` if the
   * master's own revision is lower then.
   */
  readonly atLeast?: Revision | "queued" | undefined
  /** How long to wait for the log to deliver `atLeast`, before the master is asked. Default 3 seconds. */
  readonly wait?: Duration.DurationInput | undefined
  /** `master`: asks the master in any case. Default `cache`. */
  readonly use?: "cache" | "master" | undefined
  /** `refuse`: waits for a fresh answer, whatever it takes. Default `allow`. */
  readonly stale?: "allow" | "refuse" | undefined
  /** `include`: shows staged writes that have no outcome yet. Default `omit`. */
  readonly pending?: "include" | "omit" | undefined
  /** Names by which the entry can be invalidated together with others. */
  readonly tags?: ReadonlyArray<string> | undefined
}

/** Options of a follow: what its answers show, and the tags of its entry. */
export type FollowOptions = Pick<ReadOptions, "pending" | "tags">

const followRules = {
  pending: Rules.or(Rules.oneOf("include", "omit"), "omit"),
  tags: Rules.optional(Rules.each(Rules.text))
} satisfies Rules.Rules<FollowOptions>

const readRules = {
  ...followRules,
  atLeast: Rules.optional(
    Rules.that('a revision of the log, or "queued"', (given) => given === "queued" || isRevision(given))
  ),
  wait: Rules.or(Rules.millis(), 3_000),
  use: Rules.or(Rules.oneOf("cache", "master"), "cache"),
  stale: Rules.or(Rules.oneOf("allow", "refuse"), "allow")
} satisfies Rules.Rules<ReadOptions>

/** The options of a read with their defaults. `wait` is in milliseconds. */
export type ReadSettings = Rules.Resolved<ReadOptions, typeof readRules>

/** The options of a follow with their defaults. */
export type FollowSettings = Rules.Resolved<FollowOptions, typeof followRules>

/** An option that is not allowed, as callers of reads get it. */
export const refused = ({ message, option }: Rules.InvalidOptions): InvalidQuery =>
  new InvalidQuery({ part: option, message: `${option}: ${message}` })

/** Runs a read by its options. Without any nothing is checked: the defaults are those of `undefined`. */
export const withRead = <A, E>(
  options: ReadOptions | undefined,
  use: (settings: ReadSettings | undefined) => Effect.Effect<A, E>
): Effect.Effect<A, E | InvalidQuery> => {
  if (options === undefined) return use(undefined)
  return Effect.suspend((): Effect.Effect<A, E | InvalidQuery> => {
    const settings = Rules.readOptions<ReadOptions>()(readRules, options)
    return settings instanceof Rules.InvalidOptions ? Effect.fail(refused(settings)) : use(settings)
  })
}

/** Resolves the options of a follow. */
export const resolveFollow = (options: FollowOptions): Effect.Effect<FollowSettings, InvalidQuery> =>
  Effect.mapError(Rules.resolve<FollowOptions>()(followRules, options), refused)
