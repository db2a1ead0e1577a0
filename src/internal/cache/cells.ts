/**
 * Cached values by key. No value is put over one that was loaded later, or under a key that was invalidated since its
 * load began: loads take a stamp before they ask their source, and {@link fill} compares it.
 *
 * One counter gives all stamps of loads and invalidations, so any two of them are ordered, whatever was evicted in
 * between. What concerns all cells is one number each, compared when a cell is read: no call walks over the cells.
 * Of a key without a cell nothing is known here: its loads must notice invalidations themselves (flights, a journal).
 *
 * Times are milliseconds of a monotonic clock.
 */
import type { Aged } from "./freshness.js"
import * as Sieve from "./sieve.js"
import * as Tags from "./tags.js"

/** One key. Only this file writes it. */
export interface Cell<K, V> extends Sieve.Node<Cell<K, V>> {
  readonly key: K
  /** Present in a filled cell. */
  value: V | undefined
  /** Of the load that filled it, above 0; of the invalidation that emptied it, below 0; 0 before both. */
  stamp: number
  loadedAt: number
  /** Below 0 when it was expired: the time that it had is its negative. */
  freshUntil: number
  size: number
  /** How often it is kept from eviction. Above 0 it is in no list. */
  pins: number
  tags: ReadonlyArray<string> | undefined
}

export interface Cells<K, V> {
  readonly map: Map<K, Cell<K, V>>
  readonly sieve: Sieve.Sieve<Cell<K, V>>
  readonly tags: Tags.Tags<Cell<K, V>>
  readonly bound: Bound
  readonly onEvict: (cell: Cell<K, V>) => void
  lastStamp: number
  /** Values of loads with stamps up to these are invalidated, suspect, expired. */
  invalidUpTo: number
  suspectUpTo: number
  expiredUpTo: number
  /** While it is true all values are suspect, whenever they were loaded. */
  distrusted: boolean
  /** The highest of these: one comparison for a hit. */
  notCurrentUpTo: number
  bytes: number
  /** Cells that are pinned, and the sizes of their values. */
  pinned: number
  pinnedBytes: number
}

/** The most that cells hold. `Infinity` is no bound; without `maxBytes` sizes need not be known. */
export interface Bound {
  readonly maxEntries: number
  readonly maxBytes: number
}

/** What is known of a value that is put into a cell. */
export interface Load extends Aged {
  /** Taken by {@link nextStamp} before the source was asked. */
  readonly stamp: number
  /** Bytes, if cells are bounded by them. */
  readonly size?: number | undefined
  readonly tags?: ReadonlyArray<string> | undefined
}

/**
 * - `Current`: nothing but its age ends its freshness.
 * - `Expired`: its freshness was ended.
 * - `Suspect`: a change may have been missed.
 * - `Empty`: it has no value, or one that is invalidated.
 */
export type State = "Current" | "Expired" | "Suspect" | "Empty"

export const make = <K, V>(bound: Bound, onEvict: (cell: Cell<K, V>) => void): Cells<K, V> => ({
  map: new Map(),
  sieve: Sieve.make(),
  tags: Tags.make(),
  bound,
  onEvict,
  lastStamp: 0,
  invalidUpTo: 0,
  suspectUpTo: 0,
  expiredUpTo: 0,
  distrusted: false,
  notCurrentUpTo: 0,
  bytes: 0,
  pinned: 0,
  pinnedBytes: 0
})

/** Takes the next stamp, which is higher than all before it. */
export const nextStamp = <K, V>(cells: Cells<K, V>): number => ++cells.lastStamp

/** Returns the cell of a key if its value is fresh, and notes that it was read. */
export const hit = <K, V>(cells: Cells<K, V>, key: K, now: number): Cell<K, V> | undefined => {
  const cell = cells.map.get(key)
  if (cell === undefined || cell.stamp <= cells.notCurrentUpTo || now >= cell.freshUntil) return undefined
  cell.visited = true
  return cell
}

/** Returns the cell of a key if it has a value, fresh or not. A value that is invalidated goes when it is met here. */
export const get = <K, V>(cells: Cells<K, V>, key: K): Cell<K, V> | undefined => {
  const cell = cells.map.get(key)
  if (cell === undefined || cell.stamp > cells.invalidUpTo) return cell
  if (cell.stamp > 0) empty(cells, cell, cells.invalidUpTo)
  return undefined
}

/** Notes that a cell was read: it outlives others that were not. */
export const touch = <K, V>(cell: Cell<K, V>): void => {
  cell.visited = true
}

export const stateOf = <K, V>(cells: Cells<K, V>, cell: Cell<K, V>): State => {
  if (cell.stamp <= cells.invalidUpTo) return "Empty"
  if (cells.distrusted || cell.stamp <= cells.suspectUpTo) return "Suspect"
  return cell.freshUntil < 0 || cell.stamp <= cells.expiredUpTo ? "Expired" : "Current"
}

/** The times of a filled cell, for `judge`. */
export const agedOf = <K, V>({ freshUntil, loadedAt }: Cell<K, V>): Aged => ({
  loadedAt,
  freshUntil: Math.abs(freshUntil)
})

/**
 * Puts a value into the cell of its key, which may be new. Returns `undefined`, and keeps nothing, if the key was
 * invalidated or filled by a later load since the stamp, or if there is no room.
 */
export const fill = <K, V>(cells: Cells<K, V>, key: K, value: V, load: Load): Cell<K, V> | undefined => {
  const { stamp, tags } = load
  if (stamp <= cells.invalidUpTo) return undefined
  if (tags !== undefined && Tags.isOutdated(cells.tags, tags, stamp)) return undefined
  // A pinned cell is there also without a value.
  const known = get(cells, key) ?? cells.map.get(key)
  if (known !== undefined) {
    if (stamp <= Math.abs(known.stamp)) return undefined
    // The value that was there is older, so it goes also if the new one has no room. Its tags stay.
    dropValue(cells, known)
  }
  const size = load.size ?? 0
  const cell = makeRoom(cells, known, size) ? (known ?? addCell(cells, key)) : undefined
  if (cell === undefined) {
    if (known !== undefined) empty(cells, known, stamp)
    return undefined
  }
  cell.value = value
  cell.stamp = stamp
  cell.loadedAt = load.loadedAt
  cell.freshUntil = load.freshUntil
  resize(cells, cell, size)
  if (tags !== undefined) addTags(cells, cell, tags)
  return cell
}

/** Adds tags to a filled cell. It has them until it is emptied, also when it is filled anew. */
export const addTags = <K, V>(cells: Cells<K, V>, cell: Cell<K, V>, tags: ReadonlyArray<string>): void => {
  const known = cell.tags ?? []
  const added = tags.filter((tag) => !known.includes(tag))
  if (added.length === 0) return
  cell.tags = [...known, ...added]
  Tags.add(cells.tags, cell, added)
}

/** Drops the value of a key. No load that has its stamp already can fill the cell, if a pin keeps it. */
export const invalidate = <K, V>(cells: Cells<K, V>, key: K): void => {
  const cell = cells.map.get(key)
  if (cell !== undefined) empty(cells, cell, nextStamp(cells))
}

/** Invalidates all values, and those of all loads that have their stamps already. The values go when they are met. */
export const invalidateAll = <K, V>(cells: Cells<K, V>): void => {
  cells.invalidUpTo = nextStamp(cells)
  updateFloor(cells)
}

/** Invalidates the values that were filled with a tag, and those of loads under way that will be. */
export const invalidateTag = <K, V>(cells: Cells<K, V>, tag: string): ReadonlyArray<K> => {
  const stamp = nextStamp(cells)
  const members = Tags.invalidate(cells.tags, tag, stamp)
  for (const cell of members) empty(cells, cell, stamp)
  return members.map(({ key }) => key)
}

/** Makes all values suspect until they are loaded again, also those of loads that have their stamps already. */
export const suspectAll = <K, V>(cells: Cells<K, V>): void => {
  cells.suspectUpTo = nextStamp(cells)
  updateFloor(cells)
}

/** Makes all values suspect until {@link trust}, also those that are loaded in between. */
export const distrust = <K, V>(cells: Cells<K, V>): void => {
  cells.distrusted = true
  updateFloor(cells)
}

/** Ends {@link distrust}: a value is as it was before, unless something else happened to it. */
export const trust = <K, V>(cells: Cells<K, V>): void => {
  cells.distrusted = false
  updateFloor(cells)
}

/** The keys of the values that have a tag. */
export const keysWith = <K, V>(cells: Cells<K, V>, tag: string): ReadonlyArray<K> =>
  Tags.membersOf(cells.tags, tag).map(({ key }) => key)

/** Ends the freshness of a key's value. That of a load under way is the flight's concern. */
export const expire = <K, V>(cells: Cells<K, V>, key: K): void => {
  const cell = cells.map.get(key)
  if (cell !== undefined) cell.freshUntil = -Math.abs(cell.freshUntil)
}

/** Ends the freshness of all values, and of those of all loads that have their stamps already. */
export const expireAll = <K, V>(cells: Cells<K, V>): void => {
  cells.expiredUpTo = nextStamp(cells)
  updateFloor(cells)
}

/** Keeps the cell of a key from eviction, and makes one if there is none, until each pin is taken off. */
export const pin = <K, V>(cells: Cells<K, V>, key: K): Cell<K, V> => {
  const cell = cells.map.get(key) ?? addCell(cells, key)
  if (cell.pins++ === 0) {
    Sieve.remove(cells.sieve, cell)
    cells.pinned++
    cells.pinnedBytes += cell.size
    evictUntil(cells, cells.bound.maxEntries, cells.bound.maxBytes)
  }
  return cell
}

/** Takes off a pin. After the last one the cell is as the others, the newest of them; without a value it goes. */
export const unpin = <K, V>(cells: Cells<K, V>, cell: Cell<K, V>): void => {
  // It may have been pinned before everything was cleared.
  if (cells.map.get(cell.key) !== cell || --cell.pins > 0) return
  cells.pinned--
  cells.pinnedBytes -= cell.size
  Sieve.add(cells.sieve, cell)
  if (stateOf(cells, cell) === "Empty") empty(cells, cell, cells.lastStamp)
  else evictUntil(cells, cells.bound.maxEntries, cells.bound.maxBytes)
}

/** Drops all cells, also pinned ones. */
export const clear = <K, V>(cells: Cells<K, V>): void => {
  invalidateAll(cells)
  cells.map.clear()
  Tags.clear(cells.tags)
  Object.assign(cells.sieve, Sieve.make())
  cells.bytes = 0
  cells.pinned = 0
  cells.pinnedBytes = 0
}

const updateFloor = <K, V>(cells: Cells<K, V>): void => {
  const { distrusted, expiredUpTo, invalidUpTo, suspectUpTo } = cells
  cells.notCurrentUpTo = distrusted
    ? Number.MAX_SAFE_INTEGER
    : Math.max(invalidUpTo, suspectUpTo, expiredUpTo)
}

const addCell = <K, V>(cells: Cells<K, V>, key: K): Cell<K, V> => {
  const cell: Cell<K, V> = {
    key,
    value: undefined,
    stamp: 0,
    loadedAt: 0,
    freshUntil: 0,
    size: 0,
    pins: 0,
    tags: undefined,
    prev: undefined,
    next: undefined,
    visited: false
  }
  cells.map.set(key, cell)
  Sieve.add(cells.sieve, cell)
  return cell
}

const resize = <K, V>(cells: Cells<K, V>, cell: Cell<K, V>, size: number): void => {
  const by = size - cell.size
  cells.bytes += by
  if (cell.pins > 0) cells.pinnedBytes += by
  cell.size = size
}

const dropValue = <K, V>(cells: Cells<K, V>, cell: Cell<K, V>): void => {
  resize(cells, cell, 0)
  cell.value = undefined
}

/** Takes everything out of a cell. It goes, unless it is pinned: then no load with this stamp or an earlier one fills it. */
const empty = <K, V>(cells: Cells<K, V>, cell: Cell<K, V>, stamp: number): void => {
  if (cell.pins === 0) {
    Sieve.remove(cells.sieve, cell)
    cells.map.delete(cell.key)
  }
  forget(cells, cell, stamp)
}

const forget = <K, V>(cells: Cells<K, V>, cell: Cell<K, V>, stamp: number): void => {
  dropValue(cells, cell)
  if (cell.tags !== undefined) Tags.remove(cells.tags, cell, cell.tags)
  cell.tags = undefined
  cell.stamp = -stamp
}

/** Evicts others until a value of this size has room, in a new cell or in the given, empty one. */
const makeRoom = <K, V>(cells: Cells<K, V>, known: Cell<K, V> | undefined, size: number): boolean => {
  const { maxBytes, maxEntries } = cells.bound
  if (size > maxBytes) return false
  if (known !== undefined && known.pins > 0) {
    evictUntil(cells, maxEntries, maxBytes - size)
    return true
  }
  if (cells.pinned >= maxEntries || cells.pinnedBytes + size > maxBytes) return false
  if (known === undefined) evictUntil(cells, maxEntries - 1, maxBytes - size)
  else if (cells.bytes + size > maxBytes) {
    // The hand must not take the cell itself.
    Sieve.remove(cells.sieve, known)
    evictUntil(cells, maxEntries, maxBytes - size)
    Sieve.add(cells.sieve, known)
  }
  return true
}

const evictUntil = <K, V>(cells: Cells<K, V>, maxEntries: number, maxBytes: number): void => {
  while (cells.map.size > maxEntries || cells.bytes > maxBytes) {
    const cell = Sieve.evict(cells.sieve)
    if (cell === undefined) return
    cells.map.delete(cell.key)
    cells.onEvict(cell)
    forget(cells, cell, cell.stamp)
  }
}
