/**
 * Who follows a key. A look-up costs by the depth of the key and by those it finds, not by how many are registered:
 * one for the key, one for each prefix that ends at a `/` in it, and one in the tree of ranges.
 */
import * as Intervals from "./intervals.js"
import { type Part, partsOf, type Selector } from "./selector.js"

export interface Owner extends Intervals.Owner {
  readonly selector: Selector
}

export interface KeyIndex<O extends Owner> {
  /** In the order of their ids. */
  readonly byKey: Map<string, Array<O>>
  readonly byPrefix: Map<string, Array<O>>
  readonly ranges: Intervals.Intervals<O>
}

export const make = <O extends Owner>(): KeyIndex<O> => ({
  byKey: new Map(),
  byPrefix: new Map(),
  ranges: Intervals.make()
})

/** Where an owner stands, or would stand, in a list ordered by id. */
const positionIn = <O extends Owner>(owners: ReadonlyArray<O>, id: number): number => {
  let from = 0
  let to = owners.length
  while (from < to) {
    const middle = (from + to) >>> 1
    if (owners[middle]!.id < id) from = middle + 1
    else to = middle
  }
  return from
}

const addTo = <O extends Owner>(lists: Map<string, Array<O>>, key: string, owner: O): void => {
  const list = lists.get(key)
  if (list === undefined) {
    lists.set(key, [owner])
    return
  }
  const position = positionIn(list, owner.id)
  if (list[position] !== owner) list.splice(position, 0, owner)
}

const removeFrom = <O extends Owner>(lists: Map<string, Array<O>>, key: string, owner: O): void => {
  const list = lists.get(key)
  if (list === undefined) return
  const position = positionIn(list, owner.id)
  if (list[position] !== owner) return
  list.splice(position, 1)
  if (list.length === 0) lists.delete(key)
}

const addPart = <O extends Owner>(index: KeyIndex<O>, part: Part, owner: O): void => {
  if (part._tag === "Key") addTo(index.byKey, part.key, owner)
  else if (part._tag === "Prefix") addTo(index.byPrefix, part.prefix, owner)
  else Intervals.add(index.ranges, part.from, part.to, owner)
}

const removePart = <O extends Owner>(index: KeyIndex<O>, part: Part, owner: O): void => {
  if (part._tag === "Key") removeFrom(index.byKey, part.key, owner)
  else if (part._tag === "Prefix") removeFrom(index.byPrefix, part.prefix, owner)
  else Intervals.remove(index.ranges, part.from, part.to, owner)
}

export const add = <O extends Owner>(index: KeyIndex<O>, owner: O): void => {
  for (const part of partsOf(owner.selector)) addPart(index, part, owner)
}

export const remove = <O extends Owner>(index: KeyIndex<O>, owner: O): void => {
  for (const part of partsOf(owner.selector)) removePart(index, part, owner)
}

/** How many keys, prefixes and ranges somebody follows: none when nobody does. */
export const isEmpty = <O extends Owner>({ byKey, byPrefix, ranges }: KeyIndex<O>): boolean =>
  byKey.size === 0 && byPrefix.size === 0 && ranges.root === undefined

const nobody: ReadonlyArray<never> = []

/** Everybody who follows a key, once, in the order of their ids. The answer is read before the index changes. */
export const find = <O extends Owner>(index: KeyIndex<O>, key: string): ReadonlyArray<O> => {
  const own = index.byKey.get(key) ?? nobody
  if (index.byPrefix.size === 0 && index.ranges.root === undefined) return own
  const found: Array<O> = []
  const all = index.byPrefix.get("")
  if (all !== undefined) found.push(...all)
  for (let end = key.indexOf("/"); end !== -1; end = key.indexOf("/", end + 1)) {
    const list = index.byPrefix.get(key.slice(0, end + 1))
    if (list !== undefined) for (const owner of list) found.push(owner)
  }
  Intervals.collect(index.ranges, key, found)
  if (found.length === 0) return own
  for (const owner of own) found.push(owner)
  found.sort((a, b) => a.id - b.id)
  return found.filter((owner, i) => i === 0 || owner !== found[i - 1])
}
