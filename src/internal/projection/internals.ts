/** What the parts of `Projection` that take handles find in one: reading several at once, frontiers, following. */
import type { Effect } from "effect"
import type { ChangeLog } from "../log/changeLog.js"
import type { Revision } from "../log/events.js"
import type { KeyEvent } from "../log/keyIndex.js"
import type { Sharing } from "./decoder.js"
import type { ProjectionError } from "./errors.js"
import type { EventValue } from "./events.js"
import type { Observe } from "./observing.js"
import type { Freshness, Outcome } from "./outcome.js"

/** A fold under way. It belongs to its caller: `add` may change the state of an impure definition. */
export interface AnyFold {
  /** Folds further events, in order. What cannot be folded fails `end`, unless the key is forgotten later. */
  readonly add: (events: ReadonlyArray<KeyEvent<EventValue>>) => void
  /** The outcome of the fold of all that was added, past all caches. */
  readonly end: (generation: number, head: Revision) => Effect.Effect<Outcome<unknown>, ProjectionError>
}

export interface Internals {
  /** The name of the projection: `options.name`, or that of its definition. */
  readonly name: string
  readonly version: number
  readonly log: ChangeLog<EventValue>
  /** The kinds that are read, by the names that they have in the log; `undefined` for all. */
  readonly kinds: ReadonlyArray<string> | undefined
  /** Begins a full fold of a key. */
  readonly fold: (key: string, sharing: Sharing) => AnyFold
  readonly projectOutcome: (
    key: string,
    freshness: Freshness
  ) => Effect.Effect<Outcome<unknown>, ProjectionError>
  /** Observes how far the projection is. */
  readonly observe: Observe
}

/** The member of a handle that is the library's own. */
export const internals: unique symbol = Symbol.for("effect-recorder/Projection/internals")

export interface HasInternals {
  readonly [internals]: Internals
}

/** Returns what is inside a handle; `undefined`: it is none. */
export const internalsOf = (projection: HasInternals | undefined): Internals | undefined =>
  projection?.[internals]
