/** The options of a watch, their rules and their defaults. */
import type { Duration, Effect } from "effect"
import type { ChangeLogError, Snapshot } from "../log/events.js"
import type { Selector } from "../log/selector.js"
import { func, millis, optional, or, resolve, text, whole } from "../options.js"

/** Options of a watch; each has a default. */
export interface Options<V> {
  /** Names it in metrics and log lines. Default `watch`. */
  readonly name?: string | undefined
  /** The most watchers. Default: no limit. */
  readonly maxWatchers?: number | undefined
  /**
   * How often the log is asked for its head, and watchers that wait get a `Progress` frame. Jittered by 10 %. Default
   * 30 seconds; 0: never.
   */
  readonly heartbeat?: Duration.DurationInput | undefined
  /**
   * Takes snapshots when the log keeps no state. Each must be of one revision of this log: the watch reads on from
   * there. A snapshot whose revision the log cannot go on from is not delivered. At most 8 are taken at once, not
   * counting those that take longer than a second. It is never called in the turn of the dispatcher or of another
   * watcher.
   */
  readonly snapshots?: ((selector: Selector) => Effect.Effect<Snapshot<V>, ChangeLogError>) | undefined
  /** The longest time that `close` takes. Default 1 second. */
  readonly closeDeadline?: Duration.DurationInput | undefined
}

const rules = {
  name: or(text, "watch"),
  maxWatchers: or(whole(1), Number.POSITIVE_INFINITY),
  heartbeat: or(millis(), 30_000),
  snapshots: optional(func("that takes a selector")),
  closeDeadline: or(millis(), 1000)
}

export const resolveOptions = <V>(options: Options<V>) => resolve<Options<V>>()(rules, options)
