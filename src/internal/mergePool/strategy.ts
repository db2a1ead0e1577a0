/**
 * How the states of a field are joined. A join is commutative, associative and idempotent, whatever the strategy: then
 * replicas that have seen the same writes hold the same, in whatever order and however often these came. States are JSON,
 * and each has one form only: equal states have equal texts.
 */
import { type Json, ownJson } from "../columns/jsonData.js"
import { canonical } from "./canonical.js"
import type { Stamp } from "./stamp.js"

/** What a client does to a field. */
export type Edit =
  /** Writes the value of a field of `last`, `max`, `min` or `custom`. */
  | { readonly _tag: "Write"; readonly value: Json }
  /** Adds to a `counter`; below 0 it takes off. */
  | { readonly _tag: "Count"; readonly by: number }
  /** Adds an element to a `set`. */
  | { readonly _tag: "Add"; readonly element: Json }
  /** Takes an element out of a `set`: every addition of it that was seen. */
  | { readonly _tag: "Take"; readonly element: Json }

/** How one field is joined, kept and read. The functions are pure, and change no state. */
export interface Strategy<out Value = unknown> {
  /** A field that is joined by another name is another field: states of both cannot be joined. */
  readonly name: string
  /** What a state has to be, for messages. */
  readonly expects: string
  /** Checks a state, and returns an own frozen copy in the one form that it has; `undefined`: it is no state. */
  readonly own: (state: unknown) => Json | undefined
  /**
   * Joins two states. `newer`: above 0 if the second one was stamped later, 0 if at the same time. Returns the first one
   * itself if the second one adds nothing.
   */
  readonly join: (a: Json, b: Json, newer: number) => Json
  /**
   * What an edit adds to a state, as a state that is joined with it. `held` is `undefined` where there is none. Returns
   * `undefined` for an edit that the strategy does not have, or a value that it does not take.
   */
  readonly edit: (held: Json | undefined, edit: Edit, stamp: Stamp) => Json | undefined
  /** What a user reads. */
  readonly value: (state: Json) => Value
  /** A state has the stamp of each write in it. Of any other state, what it holds may be older than its stamp. */
  readonly isDated: boolean
  /** Of strategies whose states name clients. */
  readonly parts?: Parts
}

/** What strategies know whose states name clients and what these have done. */
export interface Parts {
  /** Whether a state brings something of another client than this one that is not held. */
  readonly isForeign: (held: Json | undefined, given: Json, client: string) => boolean
  /** Whether a state brings something from the horizon or before it that is not held. */
  readonly isTooOld: (held: Json | undefined, given: Json, horizon: Stamp) => boolean
  /** The state without what is kept of removals up to the horizon; itself if there is nothing of that. */
  readonly forget: (state: Json, horizon: Stamp) => Json
}

/** The deepest nesting of a value in a field. Deeper data is slow for everybody who reads it. */
export const maxDepth = 100

/** A frozen copy of a value, or `undefined` if it is no JSON that can be stored. */
export const ownValue = (value: unknown): Json | undefined => {
  switch (typeof value) {
    // The most common ones need no copy.
    case "number":
      return Number.isFinite(value) ? value + 0 : undefined
    case "boolean":
      return value
    default: {
      const own = ownJson(value, maxDepth)
      return typeof own === "string" ? undefined : own.value
    }
  }
}

/** The larger text wins: it decides between values of one stamp, which only a client id that is used twice makes. */
const larger = (a: Json, b: Json): Json => {
  if (a === b) return a
  return canonical(b) > canonical(a) ? b : a
}

const written = (_: Json | undefined, edit: Edit): Json | undefined =>
  edit._tag === "Write" ? ownValue(edit.value) : undefined

/** The value with the largest stamp. */
export const last = <A extends Json = Json>(): Strategy<A> => ({
  name: "last",
  expects: "a value of JSON, at most 100 levels deep",
  own: ownValue,
  join: (a, b, newer) => (newer > 0 ? b : newer < 0 ? a : larger(a, b)),
  edit: written,
  // What is written is not checked further: clients of one pool agree on its fields.
  value: (state) => state as A,
  isDated: true
})

const isOrdered = (value: unknown): value is number | string =>
  typeof value === "number" || typeof value === "string"

/** Numbers in their order, then texts by code unit. */
const isAbove = (a: Json, b: Json): boolean =>
  typeof a === typeof b ? (a as number | string) > (b as number | string) : typeof a === "string"

const ownOrdered = (value: unknown): Json | undefined => (isOrdered(value) ? ownValue(value) : undefined)

const ordered = <A extends number | string>(
  name: string,
  isBetter: (a: Json, b: Json) => boolean
): Strategy<A> => ({
  name,
  expects: "a finite number, or a text",
  own: ownOrdered,
  join: (a, b) => (isBetter(b, a) ? b : a),
  edit: (held, edit) => {
    const made = written(held, edit)
    return made === undefined ? undefined : ownOrdered(made)
  },
  value: (state) => state as A,
  isDated: false
})

/** The largest value: numbers by size, below all texts; texts by code unit. */
export const max = <A extends number | string = number>(): Strategy<A> => ordered("max", isAbove)

/** The smallest value, in the order of {@link max}. */
export const min = <A extends number | string = number>(): Strategy<A> =>
  ordered("min", (a, b) => isAbove(b, a))

/** A user's own strategy. */
export interface Custom<A> {
  /** With its version: replicas with another name follow, and do not merge. */
  readonly name: string
  /** Commutative, associative and idempotent; pure. `MergeLaws` shows whether it is. */
  readonly join: (a: A, b: A) => A
  /** Makes the one JSON form of a value. */
  readonly encode: (value: A) => Json
  /** Checks a JSON form; `undefined`: it is none. */
  readonly decode: (json: Json) => A | undefined
}

/** Joins by a function of the user. */
export const custom = <A>({ decode, encode, join, name }: Custom<A>): Strategy<A> => {
  const own = (state: unknown): Json | undefined => {
    const json = ownValue(state)
    const value = json === undefined ? undefined : decode(json)
    return value === undefined ? undefined : ownValue(encode(value))
  }
  const valueOf = (state: Json): A => decode(state) as A
  return {
    name: `custom:${name}`,
    expects: `what ${name} decodes`,
    own,
    join: (a, b) => {
      const joined = ownValue(encode(join(valueOf(a), valueOf(b))))
      // A state that is no JSON cannot be held: what was held stays.
      if (joined === undefined) throw new TypeError(`the join of ${name} made no JSON`)
      return canonical(joined) === canonical(a) ? a : joined
    },
    edit: (_, edit) => (edit._tag === "Write" ? own(edit.value) : undefined),
    value: valueOf,
    isDated: false
  }
}
