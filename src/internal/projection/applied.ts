/**
 * What a live projection has applied, by what its reads have proven and by what its log has delivered since.
 *
 * A projection has applied a revision if each key that it has projected in this epoch holds all of its relevant events up
 * to that revision. A key that was never read holds nothing back: its first read folds it. Of many keys the
 * {@link maxKeys} that were projected last are counted. All of it is synchronous.
 */
import type { Event, Revision } from "../log/events.js"

/** A key that was projected. */
interface Counted {
  /** The key's state was equal to the log at this revision. It only grows. */
  proven: Revision
  /** The number of the last revision with a relevant event of the key, or one that may have such an event. */
  last: number
}

/** Only this file writes it. */
export interface Applied {
  readonly isRelevant: (event: Event<unknown>) => boolean
  /** The log was delivered up to here; `undefined` before it is followed. */
  passed: Revision | undefined
  readonly keys: Map<string, Counted>
  /** Keys that lack events, in the order in which they are to be projected. */
  readonly behind: Set<string>
  /** Reports of epochs in which the log is not followed yet. */
  readonly early: Map<string, Revision>
}

/** Bounds the memory of a projection that is asked for ever new keys. */
const maxKeys = 10_000

export const make = (isRelevant: Applied["isRelevant"]): Applied => ({
  isRelevant,
  passed: undefined,
  keys: new Map(),
  behind: new Set(),
  early: new Map()
})

/** Returns up to which revision everything is applied; `undefined`: nothing was reported in this epoch. */
export const appliedOf = ({ behind, keys, passed }: Applied): Revision | undefined => {
  if (keys.size === 0) return undefined
  let least = passed
  for (const key of behind) {
    const proven = keys.get(key)?.proven
    if (proven !== undefined && least !== undefined && proven.seq < least.seq) least = proven
  }
  return least
}

/** Sets an entry behind all others, and returns the key of the first one if there are too many. */
const setLast = <A>(map: Map<string, A>, key: string, value: A): string | undefined => {
  map.delete(key)
  map.set(key, value)
  if (map.size <= maxKeys) return undefined
  const [first] = map.keys()
  if (first !== undefined) map.delete(first)
  return first
}

/** Notes that a key may have an event up to a revision, behind what was delivered before. */
const noteEvent = (applied: Applied, key: string, counted: Counted, { seq }: Revision): void => {
  const { behind, passed } = applied
  counted.last = seq
  // One that is behind already keeps its turn, and what it was proven at.
  if (behind.has(key)) return
  if (passed !== undefined && passed.seq > counted.proven.seq) counted.proven = passed
  arrange(applied, key, counted)
}

const arrange = ({ behind }: Applied, key: string, { last, proven }: Counted): void => {
  behind.delete(key)
  if (last > proven.seq) behind.add(key)
}

const count = (applied: Applied, passed: Revision, key: string, proven: Revision): boolean => {
  const known = applied.keys.get(key)
  if (known !== undefined && known.proven.seq >= proven.seq) return false
  // What came between an older proof of a new key and now is not known.
  const last = known?.last ?? (proven.seq < passed.seq ? passed.seq : 0)
  const counted: Counted = { proven, last }
  const dropped = setLast(applied.keys, key, counted)
  if (dropped !== undefined) applied.behind.delete(dropped)
  arrange(applied, key, counted)
  return true
}

/** Notes that the state of a key was equal to the log at a revision. Returns whether that is new. */
export const report = (applied: Applied, key: string, proven: Revision): boolean => {
  const { early, passed } = applied
  if (passed !== undefined && proven.epoch === passed.epoch) return count(applied, passed, key, proven)
  setLast(early, key, proven)
  return false
}

/** Puts a key behind the others that are to be projected. */
export const postpone = ({ behind }: Applied, key: string): void => {
  if (behind.delete(key)) behind.add(key)
}

/** Begins to follow the log after a revision. */
const begin = (applied: Applied, passed: Revision): void => {
  const { behind, early, keys } = applied
  applied.passed = passed
  keys.clear()
  behind.clear()
  for (const [key, proven] of early) if (proven.epoch === passed.epoch) count(applied, passed, key, proven)
  early.clear()
}

/** Notes that events up to a revision were not delivered: any key may have got one. */
const skip = (applied: Applied, revision: Revision): void => {
  for (const [key, counted] of applied.keys) noteEvent(applied, key, counted, revision)
  applied.passed = revision
}

/** Notes that the log is followed from a revision on, for the first time or again. */
export const start = (applied: Applied, revision: Revision): void => {
  if (applied.passed?.epoch === revision.epoch) skip(applied, revision)
  else begin(applied, revision)
}

/** Notes that the log has delivered everything up to a revision, with the events of that one. */
export const pass = (applied: Applied, revision: Revision, events: ReadonlyArray<Event<unknown>>): void => {
  for (const event of events) {
    const counted = applied.isRelevant(event) ? applied.keys.get(event.key) : undefined
    if (counted !== undefined) noteEvent(applied, event.key, counted, revision)
  }
  applied.passed = revision
}
