/**
 * What a recorder keeps in memory for its owner after it has an outcome: records set aside without a sink, and those
 * that a sink did not take. Oldest first, and at most so many: what comes beyond that releases the oldest.
 */
import type { Outcome, StorageError } from "../../Storage.js"

/** A record that its storage cannot hold. */
export interface SetAside<out Record> {
  readonly record: Record
  readonly cause: StorageError
  /** `Unknown` when an earlier attempt that held this record had an unknown outcome. */
  readonly outcome: Outcome
  /** Milliseconds since the epoch. */
  readonly at: number
}

/** A queue from which the oldest are taken one by one, at a constant cost. */
export interface Queue<A> {
  /** Those before `start` are gone. */
  entries: Array<A | undefined>
  start: number
}

export const make = <A>(): Queue<A> => ({ entries: [], start: 0 })

export const size = <A>({ entries, start }: Queue<A>): number => entries.length - start

export const add = <A>(queue: Queue<A>, entry: A): void => {
  queue.entries.push(entry)
}

// The slots of what is gone are given back when they are half of all.
const slack = 1024

/** Takes the oldest; there is one. */
export const shift = <A>(queue: Queue<A>): A => {
  // From `start` on every slot holds an entry.
  const oldest = queue.entries[queue.start] as A
  queue.entries[queue.start++] = undefined
  if (queue.start >= slack && queue.start * 2 >= queue.entries.length) {
    queue.entries = queue.entries.slice(queue.start)
    queue.start = 0
  }
  return oldest
}

/** Takes all. */
export const takeAll = <A>(queue: Queue<A>): Array<A> => {
  const all = queue.entries.slice(queue.start) as Array<A>
  queue.entries = []
  queue.start = 0
  return all
}

/** All of them, oldest first. */
export function* entriesOf<A>({ entries, start }: Queue<A>): Generator<A> {
  for (let i = start; i < entries.length; i++) yield entries[i] as A
}
