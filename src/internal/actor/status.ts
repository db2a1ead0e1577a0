/** The status of an actor, as its users see it. */
import { Cause, Option } from "effect"
import type * as Engine from "./engine.js"

/**
 * What an actor is doing.
 *
 * - `Starting`: its resource is not there yet. `attempt` failed so far, the last one with `cause`.
 * - `Running`: in order.
 * - `Degraded`: its resource is away since `since` (milliseconds since the epoch); exactly one attempt is under way.
 * - `Closing`: it finishes what it has accepted; `cause` says what it waits for, if it waits.
 * - `Closed`, `Failed`: it has ended.
 *
 * `released` is there once items that it kept for its owner were released from memory: how many until now. A change is
 * published when an interval of releases begins, not for each of them.
 */
export type Status =
  | { readonly _tag: "Starting"; readonly attempt: number; readonly cause: Option.Option<unknown> }
  | { readonly _tag: "Running"; readonly released?: number }
  | {
      readonly _tag: "Degraded"
      readonly since: number
      readonly cause: unknown
      readonly attempt: number
      readonly released?: number
    }
  | { readonly _tag: "Closing"; readonly cause: Option.Option<unknown>; readonly released?: number }
  | { readonly _tag: "Closed" }
  | { readonly _tag: "Failed"; readonly cause: unknown }

/** What keeps an actor from its resource. */
export interface Trouble {
  readonly cause: unknown
  readonly attempt: number
  readonly since: number
}

export const statusOf = <R, I>(engine: Engine.Engine<R, I>, trouble: Trouble | undefined): Status => {
  const cause = Option.map(Option.fromNullable(trouble), (known) => known.cause)
  if (engine.phase === "Closed") return { _tag: "Closed" }
  if (engine.phase === "Failed") return { _tag: "Failed", cause: Cause.squash(engine.cause ?? Cause.empty) }
  const released = engine.intake.released === 0 ? {} : { released: engine.intake.released }
  if (engine.closing) return { _tag: "Closing", cause, ...released }
  if (engine.phase === "Starting") return { _tag: "Starting", attempt: trouble?.attempt ?? 0, cause }
  return trouble === undefined
    ? { _tag: "Running", ...released }
    : { _tag: "Degraded", ...trouble, ...released }
}
