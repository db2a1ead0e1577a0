/**
 * The revisions that a change log in memory holds: a ring, bounded by count and bytes, with the ids and, if the log has
 * one, the index of its keys.
 *
 * Invariant: the ring holds the revisions `floor.seq + 1` to `head.seq`, without gaps.
 */
import { Option } from "effect"
import type { Keeps } from "./entry.js"
import {
  type Change,
  type Compacted,
  type EpochChanged,
  type Event,
  type LoggedRevision,
  type Revision,
  start,
  validateCursor
} from "./events.js"
import { dropRevision, indexRevision, type Keys, makeKeys, moveKeys } from "./memoryKeys.js"
import { makeState, type PutEvent, type State } from "./memoryState.js"

/** A revision as it is held. What readers share is made of it when the first of them reads it, and kept. */
export interface Row<V> {
  readonly revision: Revision
  readonly events: ReadonlyArray<Event<V>>
  /** The event that put the value before each of them, if there was one; if the log keeps the state. */
  readonly before: ReadonlyArray<PutEvent<V> | undefined> | undefined
  readonly bytes: number
  readonly id: string | undefined
  logged: LoggedRevision<V> | undefined
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
  readonly keeps: Keeps
  readonly state: State<V> | undefined
  readonly keys: Keys<V> | undefined
  /** By the name of a reader: the revision after which it keeps everything from the bounds. */
  readonly holds: Map<string, number>
  /** The least of these. */
  heldAfter: number
}

const makeLogged = <V>({ before, events, revision }: Row<V>): LoggedRevision<V> => {
  for (const event of events) Object.freeze(event)
  const previous = before && Object.freeze(before.map((event) => (event ? Option.some(event.value) : none)))
  return Object.freeze({ revision, events: Object.freeze(events), previous })
}

const none = Option.none<never>()

/**
 * Returns a row as readers get it, which is frozen. To freeze takes longer than to append: a log that is written in bursts
 * does it between them, and one without a reader never.
 */
export const loggedOf = <V>(row: Row<V>): LoggedRevision<V> => {
  row.logged ??= makeLogged(row)
  return row.logged
}

export const make = <V>(options: {
  readonly epoch: string
  readonly maxRevisions: number
  readonly maxBytes: number
  readonly sizeOf: (change: Change<V>) => number
  readonly random: Int32Array
  readonly keeps: Keeps
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
    keeps: options.keeps,
    state: options.keeps.state === "latest" ? makeState() : undefined,
    keys: options.keeps.keys === "indexed" ? makeKeys() : undefined,
    holds: new Map(),
    heldAfter: Number.POSITIVE_INFINITY
  }
}

/** Counts the revisions that the history holds. */
export const countOf = <V>({ floor, head }: History<V>): number => head.seq - floor.seq

/** Returns a row by its position: 0 is the oldest. */
export const rowAt = <V>(history: History<V>, index: number): Row<V> =>
  history.rows[(history.start + index) & (history.rows.length - 1)] as Row<V>

/** Returns the row of a revision above the floor. */
export const rowOf = <V>(history: History<V>, seq: number): Row<V> =>
  rowAt(history, seq - history.floor.seq - 1)

/** Returns why reading after a cursor is not possible, or `undefined`. */
export const cursorProblem = <V>(
  history: History<V>,
  after: Revision
): Compacted | EpochChanged | undefined =>
  validateCursor(after, history, (seq) => rowOf(history, seq).revision.tag)

/** Returns the revision of a number, from the floor to the head. */
export const revisionAt = <V>(history: History<V>, seq: number): Revision | undefined => {
  const { floor, head } = history
  if (seq === floor.seq) return floor
  const isHeld = Number.isInteger(seq) && seq > floor.seq && seq <= head.seq
  return isHeld ? rowOf(history, seq).revision : undefined
}

const evict = <V>(history: History<V>): void => {
  const row = rowAt(history, 0)
  history.rows[history.start] = undefined
  history.start = (history.start + 1) & (history.rows.length - 1)
  history.bytes -= row.bytes
  history.floor = row.revision
  if (row.id !== undefined) history.ids.delete(row.id)
  if (history.keys !== undefined) dropRevision(history.keys, row)
}

const grow = <V>(history: History<V>): void => {
  const count = countOf(history)
  const rows = new Array<Row<V> | undefined>(history.rows.length * 2)
  for (let i = 0; i < count; i++) rows[i] = rowAt(history, i)
  history.rows = rows
  history.start = 0
}

/** Removes the oldest revisions beyond the bounds, but none that is held. */
const trim = <V>(history: History<V>): void => {
  while (
    (countOf(history) > history.maxRevisions || history.bytes > history.maxBytes) &&
    history.floor.seq < history.heldAfter
  ) {
    evict(history)
  }
}

/** Adds the revision behind the head. */
export const add = <V>(history: History<V>, row: Row<V>): void => {
  const count = countOf(history)
  if (count === history.rows.length) grow(history)
  history.rows[(history.start + count) & (history.rows.length - 1)] = row
  history.bytes += row.bytes
  history.head = row.revision
  if (row.id !== undefined) history.ids.add(row.id)
  if (history.keys !== undefined) indexRevision(history.keys, loggedOf(row))
  trim(history)
}

/** Removes the revisions up to `upTo`. */
export const compact = <V>(history: History<V>, upTo: number): void => {
  while (countOf(history) > 0 && history.floor.seq < upTo) evict(history)
}

const updateHolds = <V>(history: History<V>): void => {
  history.heldAfter = Math.min(...history.holds.values(), Number.POSITIVE_INFINITY)
  trim(history)
}

/** Keeps what comes after a revision from the bounds, in the name of a reader. */
export const hold = <V>(history: History<V>, name: string, after: Revision): void => {
  history.holds.set(name, after.seq)
  updateHolds(history)
}

export const release = <V>(history: History<V>, name: string): void => {
  if (history.holds.delete(name)) updateHolds(history)
}

/** Begins another epoch without any revision, from number 1 on. */
export const restart = <V>(history: History<V>, epoch: string): void => {
  compact(history, history.head.seq)
  history.ids.clear()
  history.head = start(epoch)
  history.floor = history.head
}

/**
 * Moves all revisions into another epoch; numbers, tags and ids stay. Readers share the old objects, so it makes new ones
 * at once: a renewal is rare, and reads stay as fast as they are.
 */
export const moveTo = <V>(history: History<V>, keys: Keys<V>, epoch: string): void => {
  const moved = (revision: Revision): Revision => Object.freeze({ ...revision, epoch })
  history.floor = moved(history.floor)
  history.head = moved(history.head)
  const rows: Array<Row<V>> = []
  for (let i = 0; i < countOf(history); i++) {
    const row = rowAt(history, i)
    const revision = moved(row.revision)
    const events = row.events.map((event): Event<V> => ({ ...event, revision }))
    rows.push({ ...row, revision, events, logged: undefined })
  }
  for (const [i, row] of rows.entries()) history.rows[(history.start + i) & (history.rows.length - 1)] = row
  moveKeys(keys, epoch, rows.map(loggedOf))
}
