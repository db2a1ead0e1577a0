/** Finds revisions of a log in memory by the keys and kinds of their events, with as few looks as the index allows. */
import type { Compacted, EpochChanged, Event, LoggedRevision, NothingCondition, Revision } from "./events.js"
import type { Evidence } from "./judge.js"
import { forgottenKind, type KindMatcher, matcherOfKinds } from "./kinds.js"
import { generationOf, itemAt, type Keys, lengthOf } from "./memoryKeys.js"
import { cursorProblem, type History, loggedOf, rowOf } from "./memoryRows.js"
import { seqOf as stateSeqOf } from "./memoryState.js"
import { matcherOf, partsOf, type Selector } from "./selector.js"

/** Numbers of revisions that do not fall, such as those of the events of a key. */
interface Numbers {
  readonly length: number
  readonly at: (index: number) => number
}

/** Returns the position of the first number above `after`; `length` if there is none. */
const firstAbove = ({ at, length }: Numbers, after: number): number => {
  let low = 0
  let high = length
  while (low < high) {
    const middle = (low + high) >>> 1
    if (at(middle) <= after) low = middle + 1
    else high = middle
  }
  return low
}

const numbersOfKinds = <V>({ kinds }: Keys<V>, wanted: Iterable<string>): ReadonlyArray<Numbers> => {
  const lists: Array<Numbers> = []
  for (const kind of wanted) {
    const queue = kinds.get(kind)
    if (queue !== undefined) lists.push({ length: lengthOf(queue), at: (index) => itemAt(queue, index) })
  }
  return lists
}

/** Returns `undefined` if the selector is more than single keys. */
const numbersOfKeys = <V>({ records }: Keys<V>, selector: Selector): ReadonlyArray<Numbers> | undefined => {
  const lists: Array<Numbers> = []
  for (const part of partsOf(selector)) {
    if (part._tag !== "Key") return undefined
    const held = records.get(part.key)?.held
    if (held !== undefined) {
      lists.push({ length: lengthOf(held), at: (index) => itemAt(held, index).revision.seq })
    }
  }
  return lists
}

const sizeOf = (lists: ReadonlyArray<Numbers>): number => lists.reduce((sum, { length }) => sum + length, 0)

/** Which events to find, after a cursor and up to a number. */
export interface Wanted {
  readonly after: number
  readonly upTo: number
  readonly selector?: Selector | undefined
  readonly kinds?: ReadonlyArray<string> | undefined
}

/** Returns the shortest lists that have every revision that is wanted. */
const candidatesOf = <V>(
  { floor, head }: History<V>,
  keys: Keys<V>,
  { kinds, selector }: Wanted
): ReadonlyArray<Numbers> => {
  const all = [{ length: head.seq - floor.seq, at: (index: number) => floor.seq + 1 + index }]
  const ofKinds = kinds && numbersOfKinds(keys, new Set([...kinds, forgottenKind]))
  const ofKeys = selector && numbersOfKeys(keys, selector)
  const shorter = ofKinds !== undefined && sizeOf(ofKinds) < sizeOf(all) ? ofKinds : all
  return ofKeys !== undefined && sizeOf(ofKeys) < sizeOf(shorter) ? ofKeys : shorter
}

/** Merges lists into one, from the first number above `after` on, each number once. */
const merge = (lists: ReadonlyArray<Numbers>, after: number): (() => number) => {
  const next = lists.map((list) => firstAbove(list, after))
  const numberOf = (n: number): number => {
    const list = lists[n] as Numbers
    const index = next[n] as number
    return index < list.length ? list.at(index) : Number.POSITIVE_INFINITY
  }
  return () => {
    let least = Number.POSITIVE_INFINITY
    for (let n = 0; n < lists.length; n++) least = Math.min(least, numberOf(n))
    if (least === Number.POSITIVE_INFINITY) return least
    for (let n = 0; n < lists.length; n++) {
      while (numberOf(n) === least) next[n] = (next[n] as number) + 1
    }
    return least
  }
}

/** Returns the revision with those of its events that match, or `undefined` if none does. */
const partOf = <V>(
  { events, revision }: LoggedRevision<V>,
  isMatch: ((key: string) => boolean) | undefined,
  isOfKinds: KindMatcher | undefined
): LoggedRevision<V> | undefined => {
  const isWanted = (event: Event<V>): boolean =>
    (isMatch === undefined || isMatch(event.key)) && (isOfKinds === undefined || isOfKinds(event))
  const matching = events.filter(isWanted)
  if (matching.length === 0) return undefined
  const shared = matching.length === events.length ? events : Object.freeze(matching)
  return Object.freeze({ revision, events: shared, previous: undefined })
}

/** Finds at most `limit` revisions that have a wanted event, in order. */
export const search = <V>(
  history: History<V>,
  keys: Keys<V>,
  wanted: Wanted,
  limit: number
): ReadonlyArray<LoggedRevision<V>> => {
  const isMatch = wanted.selector && matcherOf(wanted.selector)
  const isOfKinds = matcherOfKinds(wanted.kinds)
  const next = merge(candidatesOf(history, keys, wanted), wanted.after)
  const found: Array<LoggedRevision<V>> = []
  for (let seq = next(); seq <= wanted.upTo && found.length < limit; seq = next()) {
    const part = partOf(loggedOf(rowOf(history, seq)), isMatch, isOfKinds)
    if (part !== undefined) found.push(part)
  }
  return found
}

/** What conditions are judged by. An entry with a condition that needs what the log does not keep is refused before. */
export const evidenceOf = <V>(history: History<V>): Evidence => ({
  head: history.head.seq,
  seqOf: (key) => (history.state && stateSeqOf(history.state, key)) ?? "absent",
  generationOf: (key) => (history.keys === undefined ? 0 : generationOf(history.keys, key)),
  firstAfter: ({
    after,
    kinds,
    nothing
  }: NothingCondition): Revision | Compacted | EpochChanged | undefined =>
    cursorProblem(history, after) ??
    (history.keys &&
      search(
        history,
        history.keys,
        { after: after.seq, upTo: history.head.seq, selector: nothing, kinds },
        1
      )[0]?.revision)
})
