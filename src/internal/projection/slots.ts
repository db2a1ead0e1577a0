/**
 * States in memory, one for each key, bounded by SIEVE. They only go forward: within an epoch by position, between epochs
 * by when the log was asked. Times are milliseconds of a monotonic clock.
 */
import * as Cells from "../cache/cells.js"
import type { Revision } from "../log/events.js"
import type { KeyPosition } from "../log/keyIndex.js"
import type { Cached } from "./cached.js"

/** When the log was asked. */
export interface Asked {
  readonly at: number
  /** How often it had been asked by then: it orders what was asked in one moment. */
  readonly count: number
}

/** The state of a key. Only this file writes it. */
export interface Slot<S> extends Cached<S> {
  at: KeyPosition
  /** The head of the log when the state was last proven equal to it. */
  head: Revision
  /** When the log was asked for that. */
  proven: Asked
  /** Events that were folded since the tier got a state of the key. */
  unsaved: number
}

export interface Slots<S> {
  /** `undefined`: there are none. */
  readonly cells: Cells.Cells<string, Slot<S>> | undefined
  /** How often the log was asked. */
  asked: number
}

export const make = <S>(maxEntries: number): Slots<S> => ({
  cells:
    maxEntries === 0
      ? undefined
      : Cells.make({ maxEntries, maxBytes: Number.POSITIVE_INFINITY }, () => undefined),
  asked: 0
})

/** Notes that the log is asked now. */
export const ask = <S>(slots: Slots<S>, now: number): Asked => ({ at: now, count: ++slots.asked })

export const size = <S>({ cells }: Slots<S>): number => cells?.map.size ?? 0

/** Returns each key, and the head of the log when its state was last proven equal to it. */
export const heads = <S>({ cells }: Slots<S>): ReadonlyArray<readonly [key: string, head: Revision]> =>
  Array.from(cells?.map ?? []).flatMap(([key, { value }]) => (value === undefined ? [] : [[key, value.head]]))

/** Returns the slot of a key, and notes that it was read. */
export const get = <S>({ cells }: Slots<S>, key: string): Slot<S> | undefined => {
  const cell = cells?.map.get(key)
  if (cell === undefined) return undefined
  cell.visited = true
  return cell.value
}

/** Whether `next` is a later state than `slot`, or the same one. */
const isForward = (slot: Slot<unknown>, next: Slot<unknown>): boolean => {
  const { generation, revision } = slot.at
  if (revision.epoch !== next.at.revision.epoch) return next.proven.count >= slot.proven.count
  const { seq } = next.at.revision
  return seq > revision.seq || (seq === revision.seq && next.at.generation >= generation)
}

/** Puts a slot, unless the key has a later one. */
export const put = <S>({ cells }: Slots<S>, key: string, slot: Slot<S>): void => {
  if (cells === undefined) return
  const known = cells.map.get(key)?.value
  if (known !== undefined && !isForward(known, slot)) return
  const never = Number.POSITIVE_INFINITY
  Cells.fill(cells, key, slot, { stamp: Cells.nextStamp(cells), loadedAt: 0, freshUntil: never })
}

/** Notes that a slot is still equal to the log, at a position that may be later. */
export const prove = (slot: Slot<unknown>, at: KeyPosition, head: Revision, asked: Asked): void => {
  // Of two answers that cross, the earlier one may be noted last.
  if (at.generation < slot.at.generation || asked.count < slot.proven.count) return
  slot.at = at
  slot.head = head
  slot.proven = asked
}

/** Removes a slot that counts for nothing, unless another one is in its place. */
export const drop = <S>({ cells }: Slots<S>, key: string, slot: Slot<S>): void => {
  if (cells !== undefined && cells.map.get(key)?.value === slot) Cells.invalidate(cells, key)
}

/** Notes that the tier has the state. */
export const saved = (slot: Slot<unknown>): void => {
  slot.unsaved = 0
}
