/** What a strategy is: how two states of one field become one, and how they are encoded. */
import type { Json } from "../columns/jsonData.js"
import type { Reading } from "./reading.js"
import type { Stamp } from "./stamp.js"

declare const ofStrategy: unique symbol

/** The state of a field. Only the strategy of the field, which made it, looks inside. Immutable. */
export interface FieldState {
  readonly [ofStrategy]: never
}

/** What a program does to one field. */
export type FieldEdit =
  | { readonly _tag: "Set"; readonly value: unknown }
  | { readonly _tag: "Increment"; readonly by: number }
  | { readonly _tag: "Add"; readonly members: ReadonlyArray<unknown> }
  | { readonly _tag: "Remove"; readonly members: ReadonlyArray<unknown> }
  /** Removes the field: it is reset to nothing. */
  | { readonly _tag: "Clear" }

/** An edit that writes. */
export type Write = Exclude<FieldEdit, { readonly _tag: "Clear" }>

/** The names of the strategies. */
export type StrategyKind = "last" | "max" | "min" | "counter" | "set" | "custom"

/**
 * How the states `S` of a field join. A join is commutative, associative and idempotent, and changes neither argument.
 */
export interface StrategyOf<out A, in out S> {
  readonly kind: StrategyKind
  /** Whether each write resets the field with its own stamp, so that the largest stamp wins. */
  readonly resets: boolean
  /** Differs between strategies that do not join alike. */
  readonly fingerprint: string
  /** Joins two states. Returns `a` itself if `b` adds nothing. Throws what a custom join throws. */
  readonly join: (a: S, b: S) => S
  /** Returns the data of a state in its canonical order: what follows the reset stamp in an encoded cell. */
  readonly encode: (state: S) => ReadonlyArray<Json>
  /** Reads a state from foreign data, from an index on. What is wrong is noted in `reading`. */
  readonly decode: (reading: Reading, data: ReadonlyArray<unknown>, from: number) => S
  /** Returns the value that programs read; `undefined`: nothing, as where no state is held. */
  readonly read: (state: S) => A | undefined
  /**
   * Whether `allows` holds for every stamp in `incoming` that `held` has not. A reset stamp is none of them. It is asked only
   * if the join of both is not `held`.
   */
  readonly allowsNew: (held: S | undefined, incoming: S, allows: (stamp: Stamp) => boolean) => boolean
  /**
   * Makes the state that an edit adds, to be joined with the one `before`. What is wrong is noted in `reading`; `undefined`:
   * nothing changes.
   */
  readonly edit: (reading: Reading, before: S | undefined, edit: Write, stamp: Stamp) => S | undefined
  /** Counts the removals that a state holds. */
  readonly removals: (state: S) => number
  /** Leaves out removals. Returns the state itself if all stay, `undefined` if nothing is left. */
  readonly prune: (state: S, pruning: Pruning<S>) => S | undefined
}

/** Which removals of a part inside a field are left out: those up to the horizon, or of what is not there to be removed. */
export interface Pruning<out S> {
  readonly horizon: Stamp
  /** What the state is to be joined with: a removal that acts on it stays. */
  readonly held: S | undefined
  /** A removal by this client of what is neither held nor its own is left out, too. */
  readonly owner: string | undefined
}

/** The strategy of a field whose value programs read as an `A`. */
export interface Strategy<out A = unknown> extends StrategyOf<A, FieldState> {}

/** Hides what the states of a strategy are. */
export const hideState = <A, S>(strategy: StrategyOf<A, S>): Strategy<A> =>
  // A state is given to the strategy of its field alone, which made it.
  strategy as unknown as Strategy<A>
