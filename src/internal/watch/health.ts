/** The health of a watch as a whole. */
import { Option } from "effect"
import { ChangeLogError, type Revision } from "../log/events.js"
import { type Dispatcher, isSuspect } from "./dispatcherState.js"
import { isBehind } from "./watcher.js"

/** The health of a watch. */
export interface Health {
  /**
   * `Suspect`: the log has not answered for more than two heartbeats. `Failed`: the log failed with something other
   * than `Unavailable` while it was read for the live watchers, or a call of it died. That is final: every watcher has
   * ended as `Failed`, `open` is refused as `Log`, both with the cause, and `publish` still appends. `Closed`: the
   * watch was closed or ended, or its scope was, whatever it was before.
   */
  readonly state: "Live" | "Suspect" | "Failed" | "Closed"
  readonly watchers: number
  /** Watchers that read on from the log, or wait for a snapshot. */
  readonly behind: number
  /** Everything up to it has been dispatched; none while there is no watcher. */
  readonly position: Option.Option<Revision>
  /** Why the log does not answer, or what the watch has failed with. */
  readonly cause: Option.Option<ChangeLogError>
}

/** What a watch has failed with, as an error of its log. */
const causeOf = (cause: unknown): ChangeLogError =>
  cause instanceof ChangeLogError
    ? cause
    : new ChangeLogError({ reason: "Unavailable", message: "a call of the log died", cause })

const stateOf = <V>(dispatcher: Dispatcher<V>): Health["state"] => {
  const { failure, phase } = dispatcher
  if (phase === "Closed") return "Closed"
  return failure !== undefined ? "Failed" : isSuspect(dispatcher) ? "Suspect" : "Live"
}

export const healthOf = <V>(dispatcher: Dispatcher<V>): Health => {
  const { cause, failure, registry } = dispatcher
  let behind = 0
  for (const watcher of registry.watchers.values()) if (isBehind(watcher)) behind++
  return {
    state: stateOf(dispatcher),
    watchers: registry.watchers.size,
    behind,
    position: Option.fromNullable(registry.position),
    cause: Option.fromNullable(failure === undefined ? cause : causeOf(failure.cause))
  }
}
