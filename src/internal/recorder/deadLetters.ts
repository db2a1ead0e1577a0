/**
 * What a recorder keeps in memory for its owner after it has an outcome: records set aside without a sink, and those
 * that a sink did not take. Oldest first, and at most so many: what comes beyond that releases the oldest.
 */
import { closeGap, type Gaps, noGaps, noteDrop } from "../actor/bound.js"

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
  // What stands from `start` on is an entry.
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

/** The intervals in which records were released. */
export interface Releases {
  readonly gaps: Gaps
  /** When the last record was released, in monotonic milliseconds. */
  last: number
}

export const noReleases = (): Releases => ({ gaps: noGaps(), last: 0 })

/** After so many milliseconds without a release the interval is over; the next release finds that out. */
export const quietMillis = 60_000

/** Notes the release of one record; true when it begins an interval. */
export const noteRelease = (releases: Releases, wall: number, monotonic: number): boolean => {
  if (monotonic - releases.last >= quietMillis) closeGap(releases.gaps)
  releases.last = monotonic
  return noteDrop(releases.gaps, "released", wall)
}

/** There is room again: the next release begins an interval. */
export const endInterval = ({ gaps }: Releases): void => closeGap(gaps)
