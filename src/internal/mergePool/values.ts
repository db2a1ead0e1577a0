/** The strategies of fields that hold one value: `last`, `max`, `min` and `custom`. */

import { canonicalText } from "../columns/canonicalText.js"
import { type Json, jsonProblem, ownJson } from "../columns/jsonData.js"
import { compareText } from "../text.js"
import { note, noteEdit, takeJson, takeNumber, takeStamp } from "./reading.js"
import { later, type Stamp } from "./stamp.js"
import { hideState, type Strategy, type StrategyOf } from "./strategy.js"

const noRemovals = { removals: () => 0, prune: <S>(state: S) => state }

const malformed = "a cell is malformed: send cells as the replica made them"

/** Of equal stamps with different values, as of a client id used twice, the larger canonical text wins. */
const largerText = (a: Json, b: Json): Json =>
  a === b || compareText(canonicalText(a), canonicalText(b)) >= 0 ? a : b

const lastStrategy: StrategyOf<Json, Json> = {
  kind: "last",
  resets: true,
  fingerprint: "last",
  join: largerText,
  encode: (value) => [value],
  decode: (reading, data, from) => {
    if (data.length !== from + 1) note(reading, "InvalidData", malformed)
    return takeJson(reading, data[from])
  },
  read: (value) => value,
  allowsNew: () => true,
  edit: (reading, _, edit) => {
    if (edit._tag === "Set") return takeJson(reading, edit.value)
    noteEdit(reading, "last", "Set")
    return undefined
  },
  ...noRemovals
}

/**
 * Keeps the value of the last write, by its stamp. The strategy of a field that names none. An edit that was made meanwhile elsewhere, with an earlier stamp, is lost.
 * A removal counts as a write: a later write wins over one that it has not seen. Fields of other strategies keep what was
 * written over the removal that the writer had seen: a removal made meanwhile elsewhere wins.
 */
export const last = <A = Json>(): Strategy<A> =>
  // The value is the one that was set, as JSON has it.
  hideState(lastStrategy) as Strategy<A>

/** A value and the stamp of its write. */
interface Stamped<out A> {
  readonly stamp: Stamp
  readonly value: A
}

/** Keeps the value that is first by `isBefore`; of equal ones that of the first write. */
const extreme = (
  kind: "max" | "min",
  isBefore: (a: number, b: number) => boolean
): StrategyOf<number, Stamped<number>> => ({
  kind,
  resets: false,
  fingerprint: kind,
  join: (a, b) => (isBefore(b.value, a.value) || (a.value === b.value && b.stamp < a.stamp) ? b : a),
  encode: ({ stamp, value }) => [stamp, value],
  decode: (reading, data, from) => {
    if (data.length !== from + 2) note(reading, "InvalidData", malformed)
    return { stamp: takeStamp(reading, data[from]), value: takeNumber(reading, data[from + 1]) }
  },
  read: ({ value }) => value,
  allowsNew: (_, { stamp }, allows) => allows(stamp),
  edit: (reading, _, edit, stamp) => {
    if (edit._tag === "Set") return { stamp, value: takeNumber(reading, edit.value) }
    noteEdit(reading, kind, "Set")
    return undefined
  },
  ...noRemovals
})

/** Keeps the largest number that was set since the field was removed. */
export const max: Strategy<number> = hideState(extreme("max", (a, b) => a > b))

/** Keeps the smallest number that was set since the field was removed. */
export const min: Strategy<number> = hideState(extreme("min", (a, b) => a < b))

/** Returns what a codec made as JSON, frozen. Throws if it is none. */
const ownResult = (given: unknown): Json => {
  const own = ownJson(given)
  if (typeof own === "string") throw new TypeError(jsonProblem[own])
  return own.value
}

/** How values of your own join, and how they are kept. */
export interface Custom<in out A> {
  /** Differs between joins that do not join alike: change it with the join. */
  readonly name: string
  /** Joins two values: commutative, associative, idempotent. `MergeLaws` of the testing package checks that. */
  readonly join: (a: A, b: A) => A
  /** Encodes a value as JSON: equal values alike. */
  readonly encode: (value: A) => Json
  /** Decodes a value, or throws. It must decode what a join gives: a merge that leads to another value is refused as `JoinFailed`. */
  readonly decode: (data: Json) => A
}

/** Joins the values by a function of yours. Values are kept encoded: no join can change what is held. */
export const custom = <A>({ decode, encode, join, name }: Custom<A>): Strategy<A> => {
  const strategy: StrategyOf<A, Stamped<Json>> = {
    kind: "custom",
    resets: false,
    fingerprint: `custom/${name}`,
    join: (a, b) => {
      const value = ownResult(encode(join(decode(a.value), decode(b.value))))
      const stamp = later(a.stamp, b.stamp)
      const text = canonicalText(value)
      if (stamp === a.stamp && text === canonicalText(a.value)) return a
      if (stamp === b.stamp && text === canonicalText(b.value)) return b
      // What cannot be decoded could be neither read nor joined any more, and a pool that has stored it could not be opened.
      decode(value)
      return { stamp, value }
    },
    encode: ({ stamp, value }) => [stamp, value],
    decode: (reading, data, from) => {
      if (data.length !== from + 2) note(reading, "InvalidData", malformed)
      const stamp = takeStamp(reading, data[from])
      const value = takeJson(reading, data[from + 1])
      if (reading.problem !== undefined) return { stamp, value }
      try {
        return { stamp, value: ownResult(encode(decode(value))) }
      } catch (error) {
        note(reading, "InvalidData", `a value cannot be decoded: ${String(error)}`)
        return { stamp, value }
      }
    },
    read: ({ value }) => decode(value),
    allowsNew: (_, { stamp }, allows) => allows(stamp),
    edit: (reading, _, edit, stamp) => {
      if (edit._tag !== "Set") {
        noteEdit(reading, "custom", "Set")
        return undefined
      }
      try {
        // Only values of the field's type are set; what else there is fails to be encoded or decoded.
        return { stamp, value: takeJson(reading, encode(decode(ownResult(encode(edit.value as A))))) }
      } catch (error) {
        note(reading, "InvalidData", `a value cannot be encoded: ${String(error)}`)
        return undefined
      }
    },
    ...noRemovals
  }
  return hideState(strategy)
}
