/** What the events of a table's log do to the memory. */
import * as Cells from "../cache/cells.js"
import { compileIdOf } from "../columns/ids.js"
import { decodeRow } from "../columns/rowCodec.js"
import type { AnyDefinition } from "../columns/writes.js"
import type { Event, Revision } from "../log/events.js"
import { keyPrefix, type TableChange } from "../log/tableChange.js"
import {
  anythingChanged,
  type Coherence,
  type Key,
  queriesMayChange,
  type RowAnswer,
  type RowChange,
  rowChanged,
  shownLater
} from "./coherence.js"
import * as Doubts from "./doubts.js"
import { type Beliefs, noteDelivered } from "./tierEntry.js"

/**
 * The calls by which this live table has written. Only this file and the settling of calls write it.
 *
 * An event of a call that was settled changes nothing: what it shows was done before its writers got their replies. An
 * event that comes before, and one of a call of unknown outcome, invalidates as any other one.
 */
export interface OwnCalls {
  /** The name of this life; the batches of its calls are named by it and their number. */
  readonly life: string
  /** The calls that were settled: all up to this number. */
  settledUpTo: number
  /** The calls of unknown outcome that the log has not shown. */
  readonly unknown: Set<number>
  /** Up to this number a call of unknown outcome may have been forgotten. */
  forgottenUpTo: number
}

/** So many calls of unknown outcome are remembered. */
const maxUnknown = 1_000

export const makeOwnCalls = (life: string): OwnCalls => ({
  life,
  settledUpTo: 0,
  unknown: new Set(),
  forgottenUpTo: 0
})

export const batchOf = ({ life }: OwnCalls, call: number): string => `${life}-${call}`

/** Notes that a call was settled. Calls are settled in their order. */
export const noteSettled = (own: OwnCalls, call: number, hasUnknown: boolean): void => {
  own.settledUpTo = call
  if (!hasUnknown) return
  own.unknown.add(call)
  if (own.unknown.size <= maxUnknown) return
  own.unknown.clear()
  own.forgottenUpTo = call
}

/** Whether an event shows a call whose outcome was settled as done. */
const isSettled = (own: OwnCalls, batch: string | undefined): boolean => {
  if (batch === undefined || !batch.startsWith(`${own.life}-`)) return false
  const call = Number(batch.slice(own.life.length + 1))
  return call <= own.settledUpTo && call > own.forgottenUpTo && !own.unknown.has(call)
}

/** Applies events to one memory. */
export interface Applier {
  readonly apply: (revision: Revision, events: ReadonlyArray<Event<TableChange>>) => void
}

/** Whether a row was read at the revision of an event or later: then it holds the change. */
const holds = (c: Coherence, id: Key, { epoch, seq }: Revision): boolean => {
  const cell = Cells.get(c.cells, id)
  if (cell === undefined || Cells.stateOf(c.cells, cell) === "Empty") return false
  // The cell of a row holds its answer.
  const { revision } = cell.value as RowAnswer
  return revision._tag === "Some" && revision.value.epoch === epoch && revision.value.seq >= seq
}

/** Makes what applies the events. `lateNow` gives the time, if the master shows later what the log names. */
export const makeApplier = (
  c: Coherence,
  own: OwnCalls,
  beliefs: Beliefs,
  { columns, id, name }: AnyDefinition,
  lateNow: (() => number) | undefined
): Applier => {
  const idOf = compileIdOf(columns, id)
  const decode = decodeRow(columns, id)
  const prefix = keyPrefix(name)

  const changeOf = (key: Key, event: Event<TableChange>): RowChange => {
    const unknown = { id: key, op: "Unknown" as const, columns: undefined, row: undefined }
    // A log that is not written by this library may delete keys.
    if (event._tag === "Delete") return { ...unknown, op: "Deleted" }
    const { batch, columns: changed, op, row } = event.value
    if (op === "Changed") return { ...unknown, batch }
    return {
      id: key,
      op,
      columns: changed === undefined ? undefined : new Set(changed),
      row: row === undefined ? undefined : decode(row),
      batch
    }
  }

  const applyOne = (event: Event<TableChange>): void => {
    const batch = event._tag === "Put" ? event.value.batch : undefined
    const isOwn = isSettled(own, batch)
    const key = idOf(event.key.slice(prefix.length))
    if (key === undefined) {
      if (isOwn) return
      anythingChanged(c, batch)
      if (lateNow !== undefined) shownLater(c, undefined, event.revision, lateNow())
    } else {
      noteDelivered(beliefs, key, event.revision)
      if (isOwn) return
      const change = changeOf(key, event)
      if (holds(c, key, event.revision)) queriesMayChange(c, change)
      else {
        rowChanged(c, change)
        if (lateNow !== undefined) shownLater(c, key, event.revision, lateNow())
      }
    }
    if (batch !== undefined) settleDoubt(c, own, batch)
  }

  return { apply: (_revision, events) => events.forEach(applyOne) }
}

/** Ends the doubt of a call that the log shows. */
const settleDoubt = (c: Coherence, own: OwnCalls, batch: string): void => {
  if (own.unknown.size === 0 || !batch.startsWith(`${own.life}-`)) return
  own.unknown.delete(Number(batch.slice(own.life.length + 1)))
  Doubts.resolve(c.doubts, batch)
}
