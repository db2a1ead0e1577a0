/** How far a live table is behind what it follows. */
import { Option } from "effect"
import type { AnyDefinition } from "../columns/writes.js"
import type { Revision } from "../log/events.js"
import type { Changes } from "./changes.js"
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

/** The health of a live table; `isUp`: its master is there. */
export const healthOf = <D extends AnyDefinition>(
  changes: Changes | undefined,
  isUp: boolean,
  { changes: followed, grace, staleWhileRevalidate, ttl }: Settings<D>
): Health => {
  const served = Math.max(grace, staleWhileRevalidate)
  const longest = ttl + served
  if (changes === undefined) {
    const state = isUp && followed === undefined ? "Alone" : "Starting"
    return { state, position: Option.none(), lag: Option.none(), cause: Option.none(), staleness: longest }
  }
  const lag = changes.lag()
  return {
    state: stateOf(changes),
    position: Option.fromNullable(changes.position()),
    lag: Option.some(lag),
    cause: changes.cause(),
    // What is not trusted is asked for again; it is served stale only as the options allow.
    staleness: Math.min(longest, changes.isTrusted() ? lag + served : longest)
  }
}
