/** Reads the events of one key from the index of a log in memory. */
import { Either } from "effect"
import {
  type Compacted,
  compacted,
  type EpochChanged,
  type Event,
  epochChanged,
  type Revision
} from "./events.js"
import type { HistoryOptions, KeyEvent, KeyHistory, KeyPosition } from "./keyIndex.js"
import { matcherOfKinds } from "./kinds.js"
import { itemAt, type KeyRecord, type Keys, lengthOf } from "./memoryKeys.js"
import { cursorProblem, type History, revisionAt } from "./memoryRows.js"

const isAt = (revision: Revision | undefined, { seq, tag }: Revision): boolean =>
  revision?.seq === seq && revision.tag === tag

/** Returns the position of the first held event to read, or why that is not possible. */
const firstOf = <V>(
  { floor, head }: History<V>,
  record: KeyRecord<V> | undefined,
  after: KeyPosition | undefined
): number | Compacted | EpochChanged => {
  const gone = record?.gone ?? 0
  if (after === undefined) return gone > 0 ? compacted(floor.seq) : 0
  const { generation, revision } = after
  const isPlace = Number.isInteger(generation) && generation > 0 && revision.epoch === head.epoch
  if (!isPlace || record === undefined || generation > gone + lengthOf(record.held)) {
    return epochChanged(head.epoch)
  }
  if (generation < gone) return compacted(floor.seq)
  const known = generation === gone ? record.goneAt : itemAt(record.held, generation - gone - 1).revision
  return isAt(known, revision) ? generation - gone : epochChanged(head.epoch)
}

/** Counts the held events up to a number. */
const heldUpTo = <V>({ held }: KeyRecord<V>, seq: number): number => {
  let low = 0
  let high = lengthOf(held)
  if (high === 0 || itemAt(held, high - 1).revision.seq <= seq) return high
  while (low < high) {
    const middle = (low + high) >>> 1
    if (itemAt(held, middle).revision.seq <= seq) low = middle + 1
    else high = middle
  }
  return low
}

const lastOf = <V>({ gone, goneAt, held }: KeyRecord<V>, end: number): KeyPosition | undefined => {
  const revision = end > 0 ? itemAt(held, end - 1).revision : goneAt
  return revision && { generation: gone + end, revision }
}

/** Returns the events of a page, and whether more follow before `end`. */
const pageOf = <V>(
  { gone, held }: KeyRecord<V>,
  first: number,
  end: number,
  { kinds, limit }: HistoryOptions
): { readonly events: ReadonlyArray<KeyEvent<V>>; readonly more: boolean } => {
  const events: Array<KeyEvent<V>> = []
  const isOfKinds = matcherOfKinds(kinds)
  for (let i = first; i < end; i++) {
    const event: Event<V> = itemAt(held, i)
    if (isOfKinds !== undefined && !isOfKinds(event)) continue
    if (events.length === limit) return { events, more: true }
    events.push({ generation: gone + i + 1, event })
  }
  return { events, more: false }
}

const nothing: ReturnType<typeof pageOf<never>> = { events: Object.freeze([]), more: false }

/** Reads at most `limit` events of a key. Options are valid. */
export const readHistory = <V>(
  history: History<V>,
  { records }: Keys<V>,
  key: string,
  options: HistoryOptions
): Either.Either<KeyHistory<V>, Compacted | EpochChanged> => {
  const { after, upTo } = options
  const problem = upTo && cursorProblem(history, upTo)
  if (problem !== undefined) return Either.left(problem)
  const record = records.get(key)
  const first = firstOf(history, record, after)
  if (typeof first !== "number") return Either.left(first)
  const head = (upTo && revisionAt(history, upTo.seq)) ?? history.head
  if (record === undefined) return Either.right({ events: [], more: false, last: undefined, head })
  const end = heldUpTo(record, head.seq)
  // A reader that has read everything costs no more than a look at the key.
  const { events, more } = first < end ? pageOf(record, first, end, options) : nothing
  return Either.right({ events, more, last: lastOf(record, end), head })
}
