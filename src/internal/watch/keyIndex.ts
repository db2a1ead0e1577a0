/**
 * The watchers of a key. A look-up costs by the depth of the key and by what it finds, not by how many are registered:
 * one for the key, one for each prefix that ends at a `/` in it, and one in the tree of ranges.
 */

import { type Part, partsOf, type Selector } from "../log/selector.js"
import * as IntervalTree from "./intervalTree.js"

export interface Owner extends IntervalTree.Owner {
  readonly selector: Selector
}

export interface KeyIndex<O extends Owner> {
  /** A single owner has no list: following one would cost two more misses of the processor's cache. */
  readonly byKey: Map<string, O | Array<O>>
  readonly byPrefix: Map<string, O | Array<O>>
  readonly ranges: IntervalTree.IntervalTree<O>
}

export const make = <O extends Owner>(): KeyIndex<O> => ({
  byKey: new Map(),
  byPrefix: new Map(),
  ranges: IntervalTree.make()
})

/** The position of an owner in a list ordered by id, or where it is to be inserted. */
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

const addTo = <O extends Owner>(lists: Map<string, O | Array<O>>, key: string, owner: O): void => {
  const found = lists.get(key)
  if (found === undefined) lists.set(key, owner)
  else if (!Array.isArray(found)) {
    if (found !== owner) lists.set(key, found.id < owner.id ? [found, owner] : [owner, found])
  } else {
    const position = positionIn(found, owner.id)
    if (found[position] !== owner) found.splice(position, 0, owner)
  }
}

const removeFrom = <O extends Owner>(lists: Map<string, O | Array<O>>, key: string, owner: O): void => {
  const found = lists.get(key)
  if (!Array.isArray(found)) {
    if (found === owner) lists.delete(key)
    return
  }
  const position = positionIn(found, owner.id)
  if (found[position] !== owner) return
  found.splice(position, 1)
  if (found.length === 1) lists.set(key, found[0]!)
}

const addPart = <O extends Owner>(index: KeyIndex<O>, part: Part, owner: O): void => {
  if (part._tag === "Key") addTo(index.byKey, part.key, owner)
  else if (part._tag === "Prefix") addTo(index.byPrefix, part.prefix, owner)
  else IntervalTree.add(index.ranges, part.from, part.to, owner)
}

const removePart = <O extends Owner>(index: KeyIndex<O>, part: Part, owner: O): void => {
  if (part._tag === "Key") removeFrom(index.byKey, part.key, owner)
  else if (part._tag === "Prefix") removeFrom(index.byPrefix, part.prefix, owner)
  else IntervalTree.remove(index.ranges, part.from, part.to, owner)
}

export const add = <O extends Owner>(index: KeyIndex<O>, owner: O): void => {
  for (const part of partsOf(owner.selector)) addPart(index, part, owner)
}

export const remove = <O extends Owner>(index: KeyIndex<O>, owner: O): void => {
  for (const part of partsOf(owner.selector)) removePart(index, part, owner)
}

/** Whether it holds no key, prefix or range. */
export const isEmpty = <O extends Owner>({ byKey, byPrefix, ranges }: KeyIndex<O>): boolean =>
  byKey.size === 0 && byPrefix.size === 0 && ranges.root === undefined

const addAll = <O extends Owner>(found: Array<O>, more: O | Array<O> | undefined): void => {
  if (Array.isArray(more)) for (const owner of more) found.push(owner)
  else if (more !== undefined) found.push(more)
}

/**
 * Finds the owners of a key, each once, in the order of their ids: none, one, or a list. The list must be read before
 * the index changes.
 */
export const find = <O extends Owner>(index: KeyIndex<O>, key: string): O | ReadonlyArray<O> | undefined => {
  const own = index.byKey.get(key)
  if (index.byPrefix.size === 0 && index.ranges.root === undefined) return own
  const found: Array<O> = []
  addAll(found, index.byPrefix.get(""))
  for (let end = key.indexOf("/"); end !== -1; end = key.indexOf("/", end + 1)) {
    addAll(found, index.byPrefix.get(key.slice(0, end + 1)))
  }
  IntervalTree.collect(index.ranges, key, found)
  if (found.length === 0) return own
  addAll(found, own)
  found.sort((a, b) => a.id - b.id)
  return found.filter((owner, i) => i === 0 || owner !== found[i - 1])
}

/** {@link find} as a list of its own. */
export const findAll = <O extends Owner>(index: KeyIndex<O>, key: string): ReadonlyArray<O> => {
  const found: Array<O> = []
  // `addAll` only reads the list; `Array.isArray` does not narrow a readonly one.
  addAll(found, find(index, key) as O | Array<O> | undefined)
  return found
}
