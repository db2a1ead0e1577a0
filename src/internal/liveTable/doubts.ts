/**
 * Writes of unknown outcome. They may still be committed: until the log shows one, or its time is over, what it concerns
 * is not stored. Only this file writes a doubt.
 */

import type { IdValue } from "../columns/ids.js"

/** A call of the master whose outcome is not known. */
export interface Doubt {
  readonly batch: string
  /** The ids of its writes; `undefined`: any row. */
  readonly ids: ReadonlySet<IdValue> | undefined
  /** Monotonic milliseconds. */
  readonly until: number
}

export interface Doubts {
  readonly open: ReadonlyArray<Doubt>
  /** Ids of all open doubts. */
  readonly ids: number
}

interface Fields {
  open: ReadonlyArray<Doubt>
  ids: number
}

/** So many ids are held one by one: beyond it a new doubt concerns any row. */
const maxIds = 10_000

/** So many doubts are held one by one: beyond it the oldest become one that concerns any row. */
const maxDoubts = 100

export const make = (): Doubts => ({ open: [], ids: 0 })

const set = (doubts: Doubts, open: ReadonlyArray<Doubt>): void => {
  // This file is the owner: others see readonly fields.
  const fields = doubts as Fields
  fields.open = open
  fields.ids = open.reduce((sum, { ids }) => sum + (ids?.size ?? 0), 0)
}

export const add = (doubts: Doubts, doubt: Doubt): void => {
  const tooMany = doubts.ids + (doubt.ids?.size ?? 0) > maxIds || doubts.open.length >= maxDoubts
  set(doubts, tooMany ? [{ ...doubt, ids: undefined }] : [...doubts.open, doubt])
}

/** Whether a row may still be changed by a write of unknown outcome. */
export const concerns = ({ open }: Doubts, id: IdValue): boolean => {
  for (const { ids } of open) if (ids === undefined || ids.has(id)) return true
  return false
}

/** Whether any row may be. Then no list is stored. */
export const some = ({ open }: Doubts): boolean => open.length > 0

/** When the first of them is over; `Infinity` without any. */
export const nextEnd = ({ open }: Doubts): number =>
  open.reduce((first, { until }) => Math.min(first, until), Number.POSITIVE_INFINITY)

/** Ends the doubt of a call that the log shows. */
export const resolve = (doubts: Doubts, batch: string): void => {
  if (doubts.open.some((doubt) => doubt.batch === batch))
    set(
      doubts,
      doubts.open.filter((doubt) => doubt.batch !== batch)
    )
}

/**
 * Takes out the doubts whose time is over. What they concern counts as changed now: a load that began before may have
 * read the master before the commit.
 */
export const takeExpired = (doubts: Doubts, now: number): ReadonlyArray<Doubt> => {
  const expired = doubts.open.filter(({ until }) => now >= until)
  if (expired.length > 0)
    set(
      doubts,
      doubts.open.filter(({ until }) => now < until)
    )
  return expired
}
