/**
 * The history that a change log in memory holds: a ring of revisions, bounded by count and bytes, and the last value
 * of each key when it keeps the state. All of it is synchronous.
 *
 * Invariant: the ring holds the revisions `floor.seq + 1` to `head.seq`, without gaps.
 */
import { Either, Option } from "effect"
import { word } from "../random.js"
import { validateEntry } from "./entry.js"
import {
  type Change,
  type ChangeLogError,
  type Compacted,
  type Entry,
  type EpochChanged,
  type Event,
  type KeyValue,
  type LoggedRevision,
  type Revision,
  refusal,
  start,
  validateCursor
} from "./events.js"
import { compareKeys, matcherOf, type Selector } from "./selector.js"

interface Row<V> extends LoggedRevision<V> {
  readonly bytes: number
  readonly id: string | undefined
}

export interface History<V> {
  readonly maxRevisions: number
  readonly maxBytes: number
  readonly sizeOf: (change: Change<V>) => number
  readonly random: Int32Array
  head: Revision
  floor: Revision
  /** A circle: `rows[start]` is the oldest row. Its length is a power of two. */
  rows: Array<Row<V> | undefined>
  start: number
  bytes: number
  readonly ids: Set<string>
  readonly state: Map<string, KeyValue<V>> | undefined
}

export const make = <V>(options: {
  readonly epoch: string
  readonly maxRevisions: number
  readonly maxBytes: number
  readonly sizeOf: (change: Change<V>) => number
  readonly random: Int32Array
  readonly keepsState: boolean
}): History<V> => {
  const first = start(options.epoch)
  return {
    maxRevisions: options.maxRevisions,
    maxBytes: options.maxBytes,
    sizeOf: options.sizeOf,
    random: options.random,
    head: first,
    floor: first,
    rows: new Array(64),
    start: 0,
    bytes: 0,
    ids: new Set(),
    state: options.keepsState ? new Map() : undefined
  }
}

/** Counts the revisions that the history holds. */
const countOf = <V>({ floor, head }: History<V>): number => head.seq - floor.seq

const rowAt = <V>(history: History<V>, index: number): Row<V> =>
  history.rows[(history.start + index) & (history.rows.length - 1)] as Row<V>

const evict = <V>(history: History<V>): void => {
  const row = rowAt(history, 0)
  history.rows[history.start] = undefined
  history.start = (history.start + 1) & (history.rows.length - 1)
  history.bytes -= row.bytes
  history.floor = row.revision
  if (row.id !== undefined) history.ids.delete(row.id)
}

const grow = <V>(history: History<V>): void => {
  const count = countOf(history)
  const rows = new Array<Row<V> | undefined>(history.rows.length * 2)
  for (let i = 0; i < count; i++) rows[i] = rowAt(history, i)
  history.rows = rows
  history.start = 0
}

const add = <V>(history: History<V>, row: Row<V>): void => {
  const count = countOf(history)
  if (count === history.rows.length) grow(history)
  history.rows[(history.start + count) & (history.rows.length - 1)] = row
  history.bytes += row.bytes
  history.head = row.revision
  if (row.id !== undefined) history.ids.add(row.id)
  while (countOf(history) > history.maxRevisions || history.bytes > history.maxBytes) evict(history)
}

const apply = <V>(state: Map<string, KeyValue<V>>, event: Event<V>): Option.Option<V> => {
  const before = state.get(event.key)
  if (event._tag === "Delete") state.delete(event.key)
  else state.set(event.key, Object.freeze({ key: event.key, value: event.value, revision: event.revision }))
  return before === undefined ? Option.none() : Option.some(before.value)
}

const eventOf = <V>(change: Change<V>, revision: Revision): Event<V> =>
  Object.freeze(
    change._tag === "Put"
      ? { _tag: "Put" as const, key: change.key, value: change.value, revision }
      : { _tag: "Delete" as const, key: change.key, revision }
  )

const append = <V>(history: History<V>, { changes, id }: Entry<V>, bytes: number): Revision => {
  const { head, state } = history
  const revision: Revision = Object.freeze({
    epoch: head.epoch,
    seq: head.seq + 1,
    tag: word(history.random) >>> 0
  })
  const events = new Array<Event<V>>(changes.length)
  const previous = state === undefined ? undefined : new Array<Option.Option<V>>(changes.length)
  for (let i = 0; i < changes.length; i++) {
    const event = eventOf(changes[i] as Change<V>, revision)
    events[i] = event
    if (state !== undefined && previous !== undefined) previous[i] = apply(state, event)
  }
  // All readers share these objects.
  Object.freeze(events)
  if (previous !== undefined) Object.freeze(previous)
  add(history, Object.freeze({ revision, events, previous, bytes, id }))
  return revision
}

/** Measures changes; NaN if `sizeOf` throws, or if a value cannot be read. */
const bytesOf = <V>(history: History<V>, changes: ReadonlyArray<Change<V>>): number => {
  let bytes = 0
  try {
    for (let i = 0; i < changes.length; i++) bytes += history.sizeOf(changes[i] as Change<V>)
  } catch {
    return Number.NaN
  }
  // Any other value that the caller's function returns would stay in the sum of the log's bytes.
  return typeof bytes === "number" ? bytes : Number.NaN
}

/** Returns the size of an entry, or why it cannot be appended. */
const measure = <V>(history: History<V>, entry: Entry<V>): Either.Either<number, ChangeLogError> => {
  const problem = validateEntry(entry)
  if (problem !== undefined) return Either.left(refusal("Invalid", problem))
  const bytes = bytesOf(history, entry.changes)
  if (!(bytes >= 0)) return Either.left(refusal("Invalid", "sizeOf must return a number of bytes from 0"))
  if (bytes <= history.maxBytes) return Either.right(bytes)
  const message = `a revision of ${bytes} bytes does not fit into a log of ${history.maxBytes}`
  return Either.left(refusal("TooLarge", `${message}: raise maxBytes, or split it`))
}

/** Returns the size of each entry, or why one of them cannot be appended. */
const measureAll = <V>(
  history: History<V>,
  entries: ReadonlyArray<Entry<V>>
): Either.Either<ReadonlyArray<number>, ChangeLogError> => {
  const sizes: Array<number> = []
  for (const [index, entry] of entries.entries()) {
    const size = measure(history, entry)
    if (Either.isLeft(size)) return Either.left(refusal(size.left.reason, size.left.message, index))
    sizes.push(size.right)
  }
  return Either.right(sizes)
}

/** Returns why an entry cannot be appended, or `undefined`. */
export const check = <V>(history: History<V>, entry: Entry<V>): ChangeLogError | undefined =>
  Option.getOrUndefined(Either.getLeft(measure(history, entry)))

/** The result of a commit. */
export interface CommitResult {
  /** The revisions of the entries that were new, in order. */
  readonly revisions: ReadonlyArray<Revision>
  /** How many entries had an id that the log held already. */
  readonly duplicates: number
}

/** Appends all of the entries, or none if one of them cannot be appended. */
export const commit = <V>(
  history: History<V>,
  entries: ReadonlyArray<Entry<V>>
): Either.Either<CommitResult, ChangeLogError> =>
  Either.map(measureAll(history, entries), (sizes) => {
    const revisions: Array<Revision> = []
    for (const [index, entry] of entries.entries()) {
      if (entry.id !== undefined && history.ids.has(entry.id)) continue
      revisions.push(append(history, entry, sizes[index] as number))
    }
    return { revisions, duplicates: entries.length - revisions.length }
  })

/** Reads at most `limit` revisions after the cursor, in order. */
export const read = <V>(
  history: History<V>,
  after: Revision,
  limit: number
): Either.Either<ReadonlyArray<LoggedRevision<V>>, Compacted | EpochChanged> => {
  const problem = validateCursor(
    after,
    history,
    (seq) => rowAt(history, seq - history.floor.seq - 1).revision.tag
  )
  if (problem !== undefined) return Either.left(problem)
  const first = after.seq - history.floor.seq
  const count = Math.min(limit, countOf(history) - first)
  const rows = new Array<LoggedRevision<V>>(count)
  for (let i = 0; i < count; i++) rows[i] = rowAt(history, first + i)
  return Either.right(rows)
}

/** Returns the revision of a number, from the floor to the head. */
export const revisionAt = <V>(history: History<V>, seq: number): Revision | undefined => {
  const { floor, head } = history
  if (seq === floor.seq) return floor
  const isHeld = Number.isInteger(seq) && seq > floor.seq && seq <= head.seq
  return isHeld ? rowAt(history, seq - floor.seq - 1).revision : undefined
}

/** Removes the revisions up to `upTo`. */
export const compact = <V>(history: History<V>, upTo: number): void => {
  while (countOf(history) > 0 && history.floor.seq < upTo) evict(history)
}

/** Begins another epoch: the history is removed, the state stays as it is. */
export const renew = <V>(history: History<V>, epoch: string): void => {
  compact(history, history.head.seq)
  history.ids.clear()
  history.head = start(epoch)
  history.floor = history.head
  if (history.state === undefined) return
  for (const [key, kept] of history.state) {
    history.state.set(key, Object.freeze({ ...kept, revision: history.head }))
  }
}

/** Reads what a selector matches now, ordered by key; `undefined` if the log keeps no state. */
export const snapshot = <V>(
  { state }: History<V>,
  selector: Selector
): ReadonlyArray<KeyValue<V>> | undefined => {
  if (state === undefined) return undefined
  if (selector._tag === "Key") {
    const kept = state.get(selector.key)
    return kept === undefined ? [] : [kept]
  }
  const entries: Array<KeyValue<V>> = []
  const isMatch = matcherOf(selector)
  for (const kept of state.values()) if (isMatch(kept.key)) entries.push(kept)
  return entries.sort((a, b) => compareKeys(a.key, b.key))
}

const deepest = 64

const estimate = (value: unknown, depth: number): number => {
  switch (typeof value) {
    case "string":
      return 2 * value.length
    case "object": {
      if (value === null || depth === deepest) return 8
      if (ArrayBuffer.isView(value)) return value.byteLength
      let bytes = 16
      if (Array.isArray(value)) for (const item of value) bytes += estimate(item, depth + 1)
      else {
        for (const key in value) {
          bytes += 2 * key.length + estimate((value as { readonly [key: string]: unknown })[key], depth + 1)
        }
      }
      return bytes
    }
    default:
      return 8
  }
}

/** Estimates the bytes of memory of a change of plain data: two for each UTF-16 unit, eight for a number. */
export const estimateSize = (change: Change<unknown>): number =>
  64 + 2 * change.key.length + (change._tag === "Put" ? estimate(change.value, 0) : 0)
