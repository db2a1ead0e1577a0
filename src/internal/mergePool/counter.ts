/**
 * A counter: what each client has added, and what it has taken off. It is the PN-counter of Shapiro et al., "A
 * comprehensive study of Convergent and Commutative Replicated Data Types" (2011), 3.1.3.
 */
import type { Json } from "../columns/jsonData.js"
import { clientOf, isClient } from "./stamp.js"
import type { Edit, Strategy } from "./strategy.js"

/** What one client has added and taken off. Both only grow. */
type Part = readonly [client: string, added: number, taken: number]

/** Ascending by client. */
type State = ReadonlyArray<Part>

const stateOf = (state: Json | undefined): State => (state ?? []) as unknown as State

const jsonOf = (state: State): Json => Object.freeze(state) as unknown as Json

const isAmount = (value: unknown): value is number =>
  typeof value === "number" && value >= 0 && value <= Number.MAX_SAFE_INTEGER

const ownPart = (given: unknown): Part | undefined => {
  if (!Array.isArray(given) || given.length !== 3) return undefined
  const [client, added, taken] = given as ReadonlyArray<unknown>
  if (!isClient(client) || !isAmount(added) || !isAmount(taken)) return undefined
  return Object.freeze([client, added + 0, taken + 0] as const)
}

const own = (given: unknown): Json | undefined => {
  if (!Array.isArray(given)) return undefined
  const parts: Array<Part> = []
  for (const one of given) {
    const part = ownPart(one)
    const before = parts[parts.length - 1]
    if (part === undefined || (before !== undefined && before[0] >= part[0])) return undefined
    parts.push(part)
  }
  return jsonOf(parts)
}

const joinParts = (a: Part, b: Part): Part =>
  b[1] <= a[1] && b[2] <= a[2]
    ? a
    : Object.freeze([a[0], Math.max(a[1], b[1]), Math.max(a[2], b[2])] as const)

const join = (one: Json, other: Json): Json => {
  const a = stateOf(one)
  const b = stateOf(other)
  const joined: Array<Part> = []
  let changed = false
  let i = 0
  let j = 0
  while (i < a.length || j < b.length) {
    const left = a[i]
    const right = b[j]
    if (right === undefined || (left !== undefined && left[0] < right[0])) {
      joined.push(left!)
      i++
    } else if (left === undefined || right[0] < left[0]) {
      joined.push(right)
      changed = true
      j++
    } else {
      const part = joinParts(left, right)
      changed ||= part !== left
      joined.push(part)
      i++
      j++
    }
  }
  return changed ? jsonOf(joined) : one
}

const partOf = (state: State, client: string): Part => state.find(([id]) => id === client) ?? [client, 0, 0]

const edit = (held: Json | undefined, edit: Edit, stamp: string): Json | undefined => {
  if (edit._tag !== "Count" || !Number.isFinite(edit.by)) return undefined
  const [client, added, taken] = partOf(stateOf(held), clientOf(stamp))
  const part = edit.by < 0 ? [client, added, taken - edit.by] : [client, added + edit.by, taken]
  return own([part])
}

/** The sum of what all clients have counted. */
export const counter = (): Strategy<number> => ({
  name: "counter",
  expects: "a list of [client, added, taken], ascending by client, with amounts from 0 to 2^53 - 1",
  own,
  join,
  edit,
  value: (state) => stateOf(state).reduce((sum, [, added, taken]) => sum + added - taken, 0),
  isDated: false,
  parts: {
    isForeign: (held, given, client) => {
      const before = held ?? jsonOf([])
      return join(before, jsonOf(stateOf(given).filter(([id]) => id !== client))) !== before
    },
    isTooOld: () => false,
    forget: (state) => state
  }
})
