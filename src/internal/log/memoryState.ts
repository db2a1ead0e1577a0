/** The last values that a change log in memory keeps, in the order in which their keys were changed last. */
import type { Latest } from "./changeLog.js"
import type { Event, KeyValue, Revision } from "./events.js"

export type PutEvent<V> = Event<V> & { readonly _tag: "Put" }

/** A key that has a value, between its neighbours. The last one has none `after` it. */
interface Kept<V> {
  /** The event that put the value. */
  event: PutEvent<V>
  /** The value as readers share it: made when it is read. */
  value: KeyValue<V> | undefined
  before: Kept<V> | undefined
  after: Kept<V> | undefined
}

/**
 * A map, and a chain of its entries. Removing a key from a map and setting it anew keeps the order too, but takes up to
 * twice the time of an append with 100,000 keys, because the map is built anew again and again.
 *
 * Invariant: the chain has the entries of `byKey`, in the order of their changes.
 */
export interface State<V> {
  readonly byKey: Map<string, Kept<V>>
  first: Kept<V> | undefined
  last: Kept<V> | undefined
}

export const makeState = <V>(): State<V> => ({ byKey: new Map(), first: undefined, last: undefined })

/** Puts an entry that is not in the chain behind its end. */
const link = <V>(state: State<V>, kept: Kept<V>): void => {
  kept.before = state.last
  kept.after = undefined
  if (state.last === undefined) state.first = kept
  else state.last.after = kept
  state.last = kept
}

/** Takes an entry out of the chain. */
const unlink = <V>(state: State<V>, { after, before }: Kept<V>): void => {
  if (before === undefined) state.first = after
  else before.after = after
  if (after === undefined) state.last = before
  else after.before = before
}

const set = <V>(state: State<V>, kept: Kept<V> | undefined, event: PutEvent<V>): void => {
  if (kept === undefined) {
    const added: Kept<V> = { event, value: undefined, before: undefined, after: undefined }
    state.byKey.set(event.key, added)
    link(state, added)
    return
  }
  kept.event = event
  kept.value = undefined
  if (kept === state.last) return
  unlink(state, kept)
  link(state, kept)
}

/** Applies a change, and returns the event that put the value before it. */
export const apply = <V>(state: State<V>, event: Event<V>): PutEvent<V> | undefined => {
  const { key } = event
  const kept = state.byKey.get(key)
  const before = kept?.event
  if (event._tag === "Put") set(state, kept, event)
  else if (kept !== undefined) {
    state.byKey.delete(key)
    unlink(state, kept)
  }
  return before
}

const readValue = <V>(kept: Kept<V>): KeyValue<V> => {
  const { key, revision, value } = kept.event
  kept.value ??= Object.freeze({ key, value, revision })
  return kept.value
}

/** Returns the last value of a key, or `undefined`. */
export const valueOf = <V>({ byKey }: State<V>, key: string): KeyValue<V> | undefined => {
  const kept = byKey.get(key)
  return kept && readValue(kept)
}

/** Returns the number of the revision that put the value of a key, or `undefined`. */
export const seqOf = <V>({ byKey }: State<V>, key: string): number | undefined =>
  byKey.get(key)?.event.revision.seq

/** Returns all values, in the order of their changes. */
export const valuesOf = <V>(state: State<V>): ReadonlyArray<KeyValue<V>> => {
  const values: Array<KeyValue<V>> = []
  for (let kept = state.first; kept !== undefined; kept = kept.after) values.push(readValue(kept))
  return values
}

/** Gives each value another revision. The order stays. */
export const moveState = <V>(state: State<V>, move: (revision: Revision) => Revision): void => {
  for (const kept of state.byKey.values()) {
    kept.event = { ...kept.event, revision: move(kept.event.revision) }
    kept.value = undefined
  }
}

/** Reads the state at once. */
export const latestOf = <V>(state: State<V>): Latest<V> => ({
  get: (key) => valueOf(state, key),
  value: (key) => state.byKey.get(key)?.event.value,
  size: () => state.byKey.size,
  bySeq: () => valuesOf(state)
})
