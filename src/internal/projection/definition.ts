/** What a projection is: plain data, the same in every mode. */
import type { Schema } from "effect"
import type { AnyEvent, EventSet } from "./events.js"

/** A Schema of states `S`, whatever it encodes them to. */
export type StateSchema<S> = Schema.Schema.AnyNoContext & { readonly Type: S }

/** Folds the events of a key into a state, or into none. */
export interface Definition<in out S, in out E extends AnyEvent> {
  /** Names it in tiers, metrics and errors. */
  readonly name: string
  /** Raise it whenever the fold changes: states of other versions are not used. Default 0. */
  readonly version?: number | undefined
  readonly events: EventSet<E>
  /** Only events of these kinds are read. Default: all kinds; then an event of another kind is an error. */
  readonly kinds?: ReadonlyArray<E["kind"]> | undefined
  /** Encodes states for caches. */
  readonly state: StateSchema<S>
  /** The state before the first event. */
  readonly initial: S
  /** `on`: new events are folded into a cached state. `off`: a cached state is replaced by a full fold. Default `off`. */
  readonly incremental?: "on" | "off" | undefined
  /**
   * Returns the state after an event; `undefined` for none, after which the next event gets `initial`. The result may
   * depend on nothing but its arguments.
   */
  readonly apply: (state: S, event: E) => S | undefined
}
