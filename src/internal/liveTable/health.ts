/** How far a live table is behind what it follows. */
import { Option } from "effect"
import type { AnyDefinition } from "../columns/writes.js"
import type { Revision } from "../log/events.js"
import { monotonicMillis } from "../time.js"
import type { Changes } from "./changes.js"
import { longestAge } from "./coherence.js"
import { type Core, lifetimesOf } from "./core.js"
import type { Settings } from "./options.js"

/** The health of a live table. */
export interface Health {
  /**
   * - `Alone`: it follows no log. Foreign writes show after the time to live.
   * - `Starting`: the master is not up, or the log has not been reached yet.
   * - `Live`: every change that the log has delivered is applied.
   * - `Behind`: more changes wait to be applied.
   * - `Suspect`: the log is silent, or is followed anew. Until it is there again, the master answers.
   */
  readonly state: "Alone" | "Starting" | "Live" | "Behind" | "Suspect"
  /** Every change up to it is applied. */
  readonly position: Option.Option<Revision>
  /** Milliseconds since the log was last known to hold nothing newer; none without a log. */
  readonly lag: Option.Option<number>
  /** Why the log is not followed. */
  readonly cause: Option.Option<unknown>
  /** The most milliseconds by which an answer without `atLeast` can be older than the master, as things are. */
  readonly staleness: number
}

const stateOf = (changes: Changes): Health["state"] => {
  const state = changes.state()
  return state === "Silent" || state === "Reopening" ? "Suspect" : state
}

/** The health of a live table; `core`: what exists once its master is up. */
export const healthOf = <D extends AnyDefinition>(
  changes: Changes | undefined,
  core: Core<D> | undefined,
  settings: Settings<D>
): Health => {
  const { changes: followed, grace, staleWhileRevalidate } = settings
  const longest = longestAge(lifetimesOf(settings))
  if (changes === undefined) {
    const state = core !== undefined && followed === undefined ? "Alone" : "Starting"
    return { state, position: Option.none(), lag: Option.none(), cause: Option.none(), staleness: longest }
  }
  const lag = changes.lag()
  const isGapOver = core !== undefined && core.c.gap.servedUntil <= monotonicMillis(core.loading.clock)
  const isTrusted = changes.isTrusted() && isGapOver
  return {
    state: stateOf(changes),
    position: Option.fromNullable(changes.position()),
    lag: Option.some(lag),
    cause: changes.cause(),
    // What is not trusted, or from before a gap, is asked for again; it is served stale only as the options allow.
    staleness: isTrusted ? Math.min(longest, lag + Math.max(grace, staleWhileRevalidate)) : longest
  }
}
