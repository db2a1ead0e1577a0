/** How far a live table is behind what it follows. */
import type { Option } from "effect"
import type { Revision } from "../log/events.js"

/** The health of a live table. */
export interface Health {
  /**
   * - `Alone`: it follows no log. Foreign writes show after the time to live.
   * - `Starting`: the master is not up, or the log has not been reached yet. Nothing is served as fresh.
   * - `Live`: every change that the log has delivered is applied.
   * - `Suspect`: changes may have been missed: what was read before is asked for again.
   */
  readonly state: "Alone" | "Starting" | "Live" | "Suspect"
  /** Every change up to it is applied. */
  readonly position: Option.Option<Revision>
  /** Milliseconds since the log was last known to hold nothing newer; none without a log. */
  readonly lag: Option.Option<number>
  /** Why the log does not answer. */
  readonly cause: Option.Option<unknown>
  /** How old an answer can be at most, in milliseconds, as things are: fresh ones, and stale ones as the options allow. */
  readonly staleness: number
}
