/**
 * Appends to the revisions that a change log in memory holds, and reads them; it keeps the last value of each key if the
 * log has state. All of it is synchronous.
 */
import { Either } from "effect"
import { word } from "../random.js"
import { validateEntries, validateEntry } from "./entry.js"
import {
  type Change,
  type ChangeLogError,
  type Compacted,
  type Conflict,
  type Entry,
  type EpochChanged,
  type Event,
  type KeyValue,
  type LoggedRevision,
  type Revision,
  refusal
} from "./events.js"
import { type Fresh, freshOf, judge } from "./judge.js"
import { add, countOf, cursorProblem, type History, loggedOf, moveTo, restart, rowAt } from "./memoryRows.js"
import { evidenceOf } from "./memoryScan.js"
import { apply, moveState, type PutEvent, valueOf, valuesOf } from "./memoryState.js"
import { compareKeys, matcherOf, type Selector } from "./selector.js"

const eventOf = <V>(change: Change<V>, revision: Revision): Event<V> =>
  change._tag === "Put"
    ? { _tag: "Put", key: change.key, value: change.value, revision }
    : { _tag: "Delete", key: change.key, revision }

const write = <V>(history: History<V>, { changes, id }: Entry<V>, bytes: number): Revision => {
  const { head, state } = history
  const revision: Revision = Object.freeze({
    epoch: head.epoch,
    seq: head.seq + 1,
    tag: word(history.random) >>> 0
  })
  const events = new Array<Event<V>>(changes.length)
  const before = state === undefined ? undefined : new Array<PutEvent<V> | undefined>(changes.length)
  for (let i = 0; i < changes.length; i++) {
    const event = eventOf(changes[i] as Change<V>, revision)
    events[i] = event
    if (state !== undefined && before !== undefined) before[i] = apply(state, event)
  }
  add(history, { revision, events, before, bytes, id, logged: undefined })
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
const measure = <V>(history: History<V>, entry: Entry<V>): number | ChangeLogError => {
  const problem = validateEntry(entry, history.keeps)
  if (problem !== undefined) return refusal("Invalid", problem)
  const bytes = bytesOf(history, entry.changes)
  if (!(bytes >= 0)) return refusal("Invalid", "sizeOf must return a number of bytes from 0")
  if (bytes <= history.maxBytes) return bytes
  const message = `a revision of ${bytes} bytes does not fit into a log of ${history.maxBytes}`
  return refusal("TooLarge", `${message}: raise maxBytes, or split it`)
}

/** Returns the size of each entry, or why one of them cannot be appended. */
const measureAll = <V>(
  history: History<V>,
  entries: ReadonlyArray<Entry<V>>
): Either.Either<ReadonlyArray<number>, ChangeLogError> => {
  const problem = validateEntries(entries)
  if (problem !== undefined) return Either.left(refusal("Invalid", problem))
  const sizes: Array<number> = []
  for (const [index, entry] of entries.entries()) {
    const size = measure(history, entry)
    if (typeof size !== "number") return Either.left(refusal(size.reason, size.message, index))
    sizes.push(size)
  }
  return Either.right(sizes)
}

/** Returns why an entry cannot be appended, or `undefined`. */
export const check = <V>(history: History<V>, entry: Entry<V>): ChangeLogError | undefined => {
  const size = measure(history, entry)
  return typeof size === "number" ? undefined : size
}

/** The result of a commit. */
export interface CommitResult {
  /** The revisions of the entries that were new, in order. */
  readonly revisions: ReadonlyArray<Revision>
  /** How many entries had an id that the log held already. */
  readonly duplicates: number
}

/** Appends one revision of changes that expect nothing. */
export const append = <V>(
  history: History<V>,
  changes: ReadonlyArray<Change<V>>
): Either.Either<Revision, ChangeLogError> => {
  const entry = { changes }
  const bytes = measure(history, entry)
  return typeof bytes === "number"
    ? Either.right(write(history, entry, bytes))
    : Either.left(refusal(bytes.reason, bytes.message, 0))
}

/** Returns the first conflict of new entries with the log, or `undefined`. */
const conflictOf = <V>(history: History<V>, fresh: ReadonlyArray<Fresh<V>>): Conflict | undefined => {
  if (!fresh.some(({ entry }) => entry.expect !== undefined)) return undefined
  return judge(fresh, evidenceOf(history))
}

/** Appends all of the entries, or none if one of them cannot be appended. */
export const commit = <V>(
  history: History<V>,
  entries: ReadonlyArray<Entry<V>>
): Either.Either<CommitResult, ChangeLogError | Conflict> =>
  Either.flatMap(measureAll(history, entries), (sizes) => {
    const fresh = freshOf(entries, (id) => history.ids.has(id))
    const conflict = conflictOf(history, fresh)
    if (conflict !== undefined) return Either.left(conflict)
    const revisions = fresh.map(({ entry, index }) => write(history, entry, sizes[index] as number))
    return Either.right({ revisions, duplicates: entries.length - revisions.length })
  })

/** Reads at most `limit` revisions after the cursor, in order. */
export const read = <V>(
  history: History<V>,
  after: Revision,
  limit: number
): Either.Either<ReadonlyArray<LoggedRevision<V>>, Compacted | EpochChanged> => {
  const problem = cursorProblem(history, after)
  if (problem !== undefined) return Either.left(problem)
  const first = after.seq - history.floor.seq
  const count = Math.min(limit, countOf(history) - first)
  const rows = new Array<LoggedRevision<V>>(count)
  for (let i = 0; i < count; i++) rows[i] = loggedOf(rowAt(history, first + i))
  return Either.right(rows)
}

/** Begins another epoch. The state stays as it is, and so do the revisions if the log has an index of its keys. */
export const renew = <V>(history: History<V>, epoch: string): void => {
  const { keys, state } = history
  if (keys === undefined) restart(history, epoch)
  else moveTo(history, keys, epoch)
  if (state === undefined) return
  moveState(state, (revision) => (keys === undefined ? history.head : Object.freeze({ ...revision, epoch })))
}

/** Reads what a selector matches now, ordered by key; `undefined` if the log keeps no state. */
export const snapshot = <V>(
  { state }: History<V>,
  selector: Selector
): ReadonlyArray<KeyValue<V>> | undefined => {
  if (state === undefined) return undefined
  if (selector._tag === "Key") {
    const kept = valueOf(state, selector.key)
    return kept === undefined ? [] : [kept]
  }
  const entries: Array<KeyValue<V>> = []
  const isMatch = matcherOf(selector)
  for (const kept of valuesOf(state)) if (isMatch(kept.key)) entries.push(kept)
  return entries.sort((a, b) => compareKeys(a.key, b.key))
}
