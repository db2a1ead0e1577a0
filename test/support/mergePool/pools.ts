/** A pool with a field of every strategy, states of it, and what tests ask of both. */

import { canonicalText } from "../../../src/internal/columns/canonicalText.js"
import type { Json } from "../../../src/internal/columns/jsonData.js"
import { counter } from "../../../src/internal/mergePool/counter.js"
import { type Definition, define, type Fields } from "../../../src/internal/mergePool/definition.js"
import type { Edit } from "../../../src/internal/mergePool/edits.js"
import { raiseHorizon } from "../../../src/internal/mergePool/horizon.js"
import { set } from "../../../src/internal/mergePool/members.js"
import { merge } from "../../../src/internal/mergePool/merging.js"
import type { Patch } from "../../../src/internal/mergePool/patch.js"
import { confirm, makeEdit, makeReplica, type Replica } from "../../../src/internal/mergePool/replica.js"
import { clientOfBits, makeStamp, type Stamp } from "../../../src/internal/mergePool/stamp.js"
import { makeState, type State, statePatch } from "../../../src/internal/mergePool/state.js"
import type { FieldEdit } from "../../../src/internal/mergePool/strategy.js"
import { custom, last, max, min } from "../../../src/internal/mergePool/values.js"

/** Sorted words, joined by their union. */
export const words = custom<ReadonlyArray<string>>({
  name: "words",
  join: (a, b) => [...new Set([...a, ...b])].sort(),
  encode: (all) => all,
  decode: (data) => {
    if (!Array.isArray(data) || !data.every((each) => typeof each === "string")) throw new Error("no words")
    return [...new Set<string>(data)].sort()
  }
})

/** Words as above, of which its codec takes two: a join of more gives what it does not decode. */
export const few = custom<ReadonlyArray<string>>({
  name: "few",
  join: (a, b) => [...new Set([...a, ...b])].sort(),
  encode: (all) => all,
  decode: (data) => {
    if (!Array.isArray(data) || data.length > 2) throw new Error("there are too many words")
    return [...new Set<string>(data as ReadonlyArray<string>)].sort()
  }
})

/** Returns the definition of fields that are right. */
export const defined = (fields: Fields): Definition => {
  const definition = define(fields)
  if ("_tag" in definition) throw new Error(definition.message)
  return definition
}

/** A field of every strategy. */
export const definition = defined({
  high: max,
  low: min,
  tags: set<string>(),
  title: last(),
  votes: counter,
  words
})

/** Clients, by their numbers. */
export const client = (n: number): string => clientOfBits(BigInt(n) * 0x1000_0000_0001n)

/** A stamp of a client. */
export const stampOf = (millis: number, counter: number, n: number): Stamp =>
  makeStamp(millis, counter, client(n))

/** A patch of cells as they are given. */
export const patchOf = (...rows: ReadonlyArray<unknown>): Patch =>
  // Some are hostile.
  ({ horizon: "", rows }) as unknown as Patch

/** Makes a state at a horizon, of patches that are merged as those of a server. */
export const stateOf = (horizon: Stamp, ...patches: ReadonlyArray<Patch>): State => {
  const state = makeState(definition)
  for (const patch of patches) {
    const merged = merge(state, patch, { old: "take" })
    if (merged._tag === "Refused") throw new Error(merged.message)
  }
  raiseHorizon(state, horizon)
  return state
}

/** Joins states of one horizon into a new one. */
export const joined = (...[first, ...others]: readonly [State, ...ReadonlyArray<State>]): State => {
  const state = stateOf(first.horizon, statePatch(first))
  for (const other of others) merge(state, statePatch(other), { old: "take" })
  return state
}

/** Makes a replica that holds nothing. */
export const replicaOf = (n: number): Replica => makeReplica(client(n), makeState(definition))

/** Edits fields of a row. */
export const row = (key: string, fields: { readonly [name: string]: FieldEdit }): Edit => ({
  _tag: "Row",
  key,
  fields
})

export const remove = (key: string): Edit => ({ _tag: "Remove", key })

export const put = (value: unknown): FieldEdit => ({ _tag: "Set", value })

export const increment = (by: number): FieldEdit => ({ _tag: "Increment", by })

export const add = (...members: ReadonlyArray<unknown>): FieldEdit => ({ _tag: "Add", members })

export const drop = (...members: ReadonlyArray<unknown>): FieldEdit => ({ _tag: "Remove", members })

export const clear: FieldEdit = { _tag: "Clear" }

/** Edits a replica that has no server, and returns what others are sent. */
export const edited = (replica: Replica, edit: Edit, wall: number): Patch => {
  const made = makeEdit(replica, edit, wall)
  if ("_tag" in made) throw new Error(made.message)
  confirm(replica, made.n)
  return made.patch
}

/** What programs read of a state, as text. */
export const contentOf = ({ definition: { names, strategies }, rows }: State): string => {
  const read = [...rows]
    .map(
      ([key, { cells }]): Json => [
        key,
        cells.flatMap((cell, i): ReadonlyArray<Json> => {
          const value = cell?.state === undefined ? undefined : strategies[i]!.read(cell.state)
          // What these strategies read is JSON.
          return value === undefined ? [] : [[names[i]!, value as Json]]
        })
      ]
    )
    .filter((each) => canonicalText(each) !== canonicalText([(each as ReadonlyArray<Json>)[0]!, []]))
  return canonicalText(read.map((each) => canonicalText(each)).sort())
}

/** Reads a field of a state; `undefined`: nothing. */
export const valueOf = ({ definition, rows }: State, key: string, name: string): unknown => {
  const index = definition.indexes.get(name)!
  const state = rows.get(key)?.cells[index]?.state
  return state === undefined ? undefined : definition.strategies[index]!.read(state)
}
