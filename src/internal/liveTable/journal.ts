/**
 * The last changes of a table, in the order of their stamps. A read uses it to judge what it holds: a list that was
 * judged up to a stamp, or rows whose load began at one.
 */

import type { IdValue } from "../columns/ids.js"
import type { AnyRow } from "../columns/rowCodec.js"

/**
 * One change of a table.
 *
 * - `Inserted`: there was no row with this id.
 * - `Updated`: there was a row with this id, or there was none and there is none; the id is the same.
 * - `Deleted`: there is no row with this id.
 * - `Unknown`: any of these.
 */
export interface Change {
  readonly stamp: number
  /** `undefined`: any rows may have changed. */
  readonly id: IdValue | undefined
  readonly op: "Inserted" | "Updated" | "Deleted" | "Unknown"
  /** Of an update, the columns that may have changed; `undefined`: all but the id. */
  readonly columns: ReadonlySet<string> | undefined
  /** The row after the change; `undefined`: not known, or none. */
  readonly row: AnyRow | undefined
  /** The name of the call that wrote it, where it is known. */
  readonly batch?: string | undefined
}

/** A ring of changes. Only the functions of this file write it. */
export interface Journal {
  readonly capacity: number
  /** The place of a change is its number modulo the capacity. */
  readonly changes: Array<Change>
  /** How many changes were ever added. */
  added: number
  /** The stamp of the last change that the ring does not hold any more; with an earlier one nothing can be judged. */
  forgotten: number
}

/**
 * A list that was not read for so many changes falls unjudged. Judging all of them takes 0.1 ms, and holding them, without
 * their rows, 0.1 MB.
 */
const defaultCapacity = 1024

export const make = (capacity = defaultCapacity): Journal => ({
  capacity,
  changes: [],
  added: 0,
  forgotten: Number.NEGATIVE_INFINITY
})

/** Adds a change, whose stamp is that of the change before or a later one. */
export const add = (journal: Journal, change: Change): void => {
  const at = journal.added % journal.capacity
  const before = journal.changes[at]
  if (before !== undefined) journal.forgotten = before.stamp
  journal.changes[at] = change
  journal.added++
}

const none: ReadonlyArray<Change> = []

const changeAt = (journal: Journal, number: number): Change => journal.changes[number % journal.capacity]!

/** The number of the first change after a stamp. */
const firstAfter = (journal: Journal, stamp: number): number => {
  let from = journal.added - journal.changes.length
  let to = journal.added
  while (from < to) {
    const middle = Math.floor((from + to) / 2)
    if (changeAt(journal, middle).stamp <= stamp) from = middle + 1
    else to = middle
  }
  return from
}

/** Returns the changes after a stamp, in order, or `undefined` if the journal does not hold all of them any more. */
export const since = (journal: Journal, stamp: number): ReadonlyArray<Change> | undefined => {
  if (stamp < journal.forgotten) return undefined
  const first = firstAfter(journal, stamp)
  if (first === journal.added) return none
  const from = first % journal.capacity
  const to = journal.added % journal.capacity
  return from < to
    ? journal.changes.slice(from, to)
    : [...journal.changes.slice(from), ...journal.changes.slice(0, to)]
}

/** Returns the ids of the rows that have changed after a stamp, or `undefined` if any row may have. */
export const idsSince = (journal: Journal, stamp: number): ReadonlySet<IdValue> | undefined => {
  const changes = since(journal, stamp)
  if (changes === undefined) return undefined
  const ids = new Set<IdValue>()
  for (const { id } of changes) {
    if (id === undefined) return undefined
    ids.add(id)
  }
  return ids
}
