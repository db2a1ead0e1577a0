/**
 * A set whose additions win over removals that had not seen them. Each addition has a dot of its own, the stamp of its
 * edit, and a removal names the dots that it has seen. It is the observed-remove set of Shapiro et al., "Conflict-free
 * Replicated Data Types" (2011); the dots of removals are forgotten by the horizon.
 */
import type { Json } from "../columns/jsonData.js"
import { canonical } from "./canonical.js"
import { clientOf, isStamp, type Stamp } from "./stamp.js"
import { type Edit, ownValue, type Strategy } from "./strategy.js"

/** An element with the dots of its additions, ascending. */
type Element = readonly [value: Json, dots: ReadonlyArray<Stamp>]

/** Elements ascending by their texts, and the dots that were taken out, ascending. */
type State = readonly [elements: ReadonlyArray<Element>, gone: ReadonlyArray<Stamp>]

const empty: State = [[], []]

const stateOf = (state: Json | undefined): State => (state ?? empty) as unknown as State

const jsonOf = (elements: ReadonlyArray<Element>, gone: ReadonlyArray<Stamp>): Json =>
  Object.freeze([Object.freeze(elements), Object.freeze(gone)]) as unknown as Json

const isAscending = (dots: ReadonlyArray<unknown>): dots is ReadonlyArray<Stamp> =>
  dots.every((dot, i) => isStamp(dot) && (i === 0 || (dots[i - 1] as Stamp) < dot))

const ownElement = (given: unknown): Element | undefined => {
  if (!Array.isArray(given) || given.length !== 2) return undefined
  const value = ownValue(given[0])
  const dots: unknown = given[1]
  if (value === undefined || !Array.isArray(dots) || dots.length === 0 || !isAscending(dots)) return undefined
  return Object.freeze([value, Object.freeze([...dots])] as const)
}

const own = (given: unknown): Json | undefined => {
  if (!Array.isArray(given) || given.length !== 2) return undefined
  const [elements, gone] = given as ReadonlyArray<unknown>
  if (!Array.isArray(elements) || !Array.isArray(gone) || !isAscending(gone)) return undefined
  const taken = new Set(gone)
  const owned: Array<Element> = []
  let before = ""
  for (const one of elements) {
    const element = ownElement(one)
    if (element === undefined || element[1].some((dot) => taken.has(dot))) return undefined
    const text = canonical(element[0])
    if (text <= before) return undefined
    before = text
    owned.push(element)
  }
  return jsonOf(owned, [...gone])
}

/** The union of two ascending lists; the first one itself if the second one adds nothing. */
const union = (a: ReadonlyArray<Stamp>, b: ReadonlyArray<Stamp>): ReadonlyArray<Stamp> => {
  const has = new Set(a)
  const more = b.filter((dot) => !has.has(dot))
  return more.length === 0 ? a : Object.freeze([...a, ...more].sort())
}

const byText = (elements: ReadonlyArray<Element>): Map<string, Element> =>
  new Map(elements.map((element) => [canonical(element[0]), element]))

const without = (element: Element, gone: ReadonlySet<Stamp>): Element | undefined => {
  const dots = element[1].filter((dot) => !gone.has(dot))
  if (dots.length === element[1].length) return element
  return dots.length === 0 ? undefined : Object.freeze([element[0], Object.freeze(dots)] as const)
}

const join = (one: Json, other: Json): Json => {
  const [a, goneA] = stateOf(one)
  const [b, goneB] = stateOf(other)
  const gone = union(goneA, goneB)
  const joined = byText(a)
  let changed = gone !== goneA
  for (const [text, element] of byText(b)) {
    const held = joined.get(text)
    if (held === undefined) joined.set(text, element)
    else {
      const dots = union(held[1], element[1])
      if (dots !== held[1]) joined.set(text, Object.freeze([held[0], dots] as const))
    }
  }
  const taken = new Set(gone)
  const elements: Array<Element> = []
  for (const text of [...joined.keys()].sort()) {
    const element = without(joined.get(text)!, taken)
    if (element === undefined) continue
    changed ||= a[elements.length] !== element
    elements.push(element)
  }
  return changed || elements.length !== a.length ? jsonOf(elements, gone) : one
}

const edit = (held: Json | undefined, edit: Edit, stamp: Stamp): Json | undefined => {
  if (edit._tag !== "Add" && edit._tag !== "Take") return undefined
  const element = ownValue(edit.element)
  if (element === undefined) return undefined
  const text = canonical(element)
  const dots = stateOf(held)[0].find(([value]) => canonical(value) === text)?.[1] ?? []
  // A new addition takes the place of those that it has seen: the dots of an element stay few.
  return edit._tag === "Add" ? jsonOf([[element, Object.freeze([stamp])]], dots) : jsonOf([], dots)
}

/** The dots of additions, and of removals, that a state has and the held one has not. */
const newDots = (held: Json | undefined, given: Json) => {
  const [elements, gone] = stateOf(held)
  const taken = new Set(gone)
  const [more, moreGone] = stateOf(given)
  const known = byText(elements)
  const dots = new Set(elements.flatMap(([, dots]) => dots))
  return {
    // The dot of another element is none of this one.
    added: more.flatMap(([value, added]) => {
      const before = known.get(canonical(value))?.[1] ?? []
      return added.filter((dot) => !before.includes(dot) && !taken.has(dot))
    }),
    // A dot that was never seen cannot be taken out, unless its own client has added it in between.
    unseen: moreGone.filter((dot) => !dots.has(dot) && !taken.has(dot))
  }
}

/** The elements that were added and not taken out, ascending by their JSON. */
export const set = <A extends Json = Json>(): Strategy<ReadonlyArray<A>> => ({
  name: "set",
  expects:
    "[[element, [stamps]], …] ascending by the JSON of elements, and a list of stamps that were taken out",
  own,
  join,
  edit,
  // As for `last`: clients of one pool agree on what it holds.
  value: (state) => stateOf(state)[0].map(([value]) => value) as unknown as ReadonlyArray<A>,
  isDated: true,
  parts: {
    isForeign: (held, given, client) => {
      const { added, unseen } = newDots(held, given)
      return [...added, ...unseen].some((dot) => clientOf(dot) !== client)
    },
    isTooOld: (held, given, horizon) => newDots(held, given).added.some((dot) => dot <= horizon),
    forget: (state, horizon) => {
      const [elements, gone] = stateOf(state)
      const kept = gone.filter((dot) => dot > horizon)
      return kept.length === gone.length ? state : jsonOf(elements, kept)
    }
  }
})
