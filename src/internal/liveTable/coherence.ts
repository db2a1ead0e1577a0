/**
 * What a live table remembers, and what a change does to it. All of it is synchronous.
 *
 * Everything that may have changed takes a stamp, and is noted: a row loses its value, and its load is detached; lists are
 * judged by the journal when they land and when they are read. What a load brings is judged in `landing.ts`.
 */
import { Option } from "effect"
import * as Cells from "../cache/cells.js"
import type { Times } from "../cache/freshness.js"
import * as KeyJournal from "../cache/journal.js"
import type { IdValue } from "../columns/ids.js"
import type { CheckedQuery } from "../columns/query.js"
import type { Revision } from "../log/events.js"
import * as Acknowledged from "./acknowledged.js"
import { type Answer, type AnyRow, answerOf, type Freshness, fresh, type Sharing } from "./answers.js"
import * as Doubts from "./doubts.js"
import * as Journal from "./journal.js"
import type { Counters } from "./stats.js"
import type { Basis } from "./surviving.js"

/** The answer to a read of one row. */
export type RowAnswer = Answer<Option.Option<AnyRow>>
/** The answer to a list or a count. */
export type QueryAnswer = Answer<ReadonlyArray<AnyRow> | number>

/** A list or a count that is kept. */
export interface QueryEntry {
  readonly answer: QueryAnswer
  readonly spec: QuerySpec
  /** What decides whether it survives a change. */
  readonly basis: Basis
  /** The journal was followed up to this stamp. Only `landing.ts` writes it. */
  readonly judgedAt: number
}

/** A list or a count that is asked for. */
export interface QuerySpec {
  readonly kind: "list" | "count"
  readonly query: CheckedQuery
}

/** The normal id of a row, or the text of a query behind {@link queryMark}. */
export type Key = IdValue

/** No id holds U+0000, so the keys of queries are none of rows. */
export const queryMark = "\u0000"

/** The change of one row. */
export type RowChange = Omit<Journal.Change, "stamp"> & { readonly id: Key }

/** What happens outside of the memory when something changes. */
export interface Effects {
  readonly detach: (key: Key) => void
  readonly detachQueries: () => void
  readonly detachAll: () => void
  /** Wakes what follows a key. */
  readonly wake: (key: Key) => void
  /** Wakes what follows lists and counts. */
  readonly wakeQueries: () => void
  readonly wakeAll: () => void
  /** Notes when something is over, in monotonic milliseconds: {@link settleTime} is called then. */
  readonly settleAt: (time: number) => void
  /** When the oldest load under way began, in monotonic milliseconds; `Infinity` without any. */
  readonly oldestLoad: () => number
  /** A call of the master that writes was not settled yet. */
  readonly isWriting: () => boolean
}

/** How long a value lives: rows and lists, and absent rows. */
export interface Lifetimes {
  readonly present: Times
  readonly absent: Times
  /** Of a write of unknown outcome. */
  readonly doubt: number
  /** Of a row that only the target shows. */
  readonly targetLag: number
}

/** Changes that may have been missed. Only this file writes it. */
export interface Gap {
  /** Until then what was loaded before may be served stale, in monotonic milliseconds. */
  servedUntil: number
}

export const makeGap = (): Gap => ({ servedUntil: Number.NEGATIVE_INFINITY })

export interface Coherence {
  /** A cell holds a {@link RowAnswer} under an id, and a {@link QueryEntry} under the key of a query. */
  readonly cells: Cells.Cells<Key, RowAnswer | QueryEntry>
  /** The changes by which lists are judged. */
  readonly journal: Journal.Journal
  /** When rows have changed, and queries were dropped by themselves, for what a load or a tier brings later. */
  readonly changedRows: KeyJournal.Journal<Key>
  /**
   * When the freshness of keys was ended, and rows were dropped though no list falls, for what a list, a write or a tier
   * brings later.
   */
  readonly expiredRows: KeyJournal.Journal<Key>
  /**
   * When rows were last brought, by loads of their own and by lists. Of two loads that were under way together nothing tells
   * which one has read the later state: what lands second replaces nothing, and no caller gets it after the first. A load
   * that has landed while a write was under way may have read what others wrote after it.
   */
  readonly readRows: KeyJournal.Journal<Key>
  readonly listedRows: KeyJournal.Journal<Key>
  readonly doubts: Doubts.Doubts
  readonly acknowledged: Acknowledged.Targets<RowAnswer>
  readonly gap: Gap
  readonly sharing: Sharing
  readonly sizeOf: ((row: AnyRow) => number) | undefined
  readonly lifetimes: Lifetimes
  readonly random: Int32Array
  readonly counters: Counters
  readonly effects: Effects
}

/** Makes the answer of a row, or that there is none. */
export const rowAnswer = (
  c: Coherence,
  row: AnyRow | undefined,
  revision: Revision | undefined,
  freshness: Freshness
): RowAnswer =>
  answerOf(row === undefined ? Option.none() : Option.some(c.sharing.own(row)), revision, freshness)

/** Notes a change that the row in memory holds already: lists are judged by it, the row stays. */
export const queriesMayChange = (c: Coherence, change: RowChange): void => {
  const stamp = Cells.nextStamp(c.cells)
  Journal.add(c.journal, { ...change, stamp })
  c.effects.detach(change.id)
  c.effects.detachQueries()
  c.effects.wakeQueries()
}

/** Notes that a row has changed: drops its value, detaches its load, and judges lists by the journal later. */
export const rowChanged = (c: Coherence, change: RowChange): void => {
  const stamp = Cells.nextStamp(c.cells)
  Journal.add(c.journal, { ...change, stamp })
  KeyJournal.note(c.changedRows, change.id, stamp)
  Cells.invalidate(c.cells, change.id)
  c.effects.detach(change.id)
  c.effects.detachQueries()
  c.counters.invalidated++
  c.effects.wake(change.id)
  c.effects.wakeQueries()
}

/** Notes that anything may have changed. */
export const anythingChanged = (c: Coherence, batch?: string): void => {
  Journal.add(c.journal, { ...unknownChange(undefined), stamp: Cells.nextStamp(c.cells), batch })
  Cells.invalidateAll(c.cells)
  c.effects.detachAll()
  c.counters.invalidated++
  c.effects.wakeAll()
}

/** The highest age of an answer. */
export const longestAge = ({ absent, present }: Pick<Lifetimes, "absent" | "present">): number =>
  Math.max(present.ttl, absent.ttl) + Math.max(present.grace, present.staleWhileRevalidate)

/** Notes that changes may have been missed: what was loaded before is suspect. */
export const changesMissed = (c: Coherence, now: number): void => {
  if (c.cells.map.size > 0) c.gap.servedUntil = now + longestAge(c.lifetimes)
  Cells.suspectAll(c.cells)
  c.effects.wakeAll()
}

/** Drops a row that an outcome has disproved. No list is known to be wrong by it. */
export const rowDisproved = (c: Coherence, id: Key): void => {
  KeyJournal.note(c.changedRows, id, Cells.nextStamp(c.cells))
  KeyJournal.note(c.expiredRows, id, c.cells.lastStamp)
  Cells.invalidate(c.cells, id)
  c.effects.detach(id)
  c.counters.invalidated++
  c.effects.wake(id)
}

/** Drops one list or count. */
export const queryChanged = (c: Coherence, key: Key): void => {
  KeyJournal.note(c.changedRows, key, Cells.nextStamp(c.cells))
  Cells.invalidate(c.cells, key)
  c.effects.detach(key)
  c.counters.invalidated++
  c.effects.wake(key)
}

/** Drops everything that was read with a tag, and detaches the loads that are asked for with it. */
export const tagChanged = (c: Coherence, tag: string, loading: ReadonlyArray<Key>): void => {
  for (const key of [...Cells.invalidateTag(c.cells, tag), ...loading]) {
    KeyJournal.note(c.changedRows, key, c.cells.lastStamp)
    KeyJournal.note(c.expiredRows, key, c.cells.lastStamp)
    c.effects.detach(key)
    c.counters.invalidated++
    c.effects.wake(key)
  }
}

/** Whether the freshness of a key was ended since a stamp was taken. */
export const isExpired = ({ cells, expiredRows }: Coherence, key: Key, stamp: number): boolean =>
  stamp <= cells.expiredUpTo || KeyJournal.isOutdated(expiredRows, key, stamp)

/** The change of a row of which nothing is known; of anything without an id. */
export const unknownChange = <K extends Key | undefined>(id: K) => ({
  id,
  op: "Unknown" as const,
  columns: undefined,
  row: undefined
})

/** What a write of unknown outcome may still change is not stored until its time is over. */
export const doubt = (c: Coherence, doubt: Doubts.Doubt): void => {
  Doubts.add(c.doubts, doubt)
  c.effects.settleAt(doubt.until)
}

/** When the next doubt or acknowledgement is over; `Infinity` without any. */
export const nextSettling = ({ acknowledged, doubts }: Coherence): number =>
  Math.min(Doubts.nextEnd(doubts), Acknowledged.nextEnd(acknowledged))

/** Ends doubts and acknowledgements whose time is over; what they concern counts as changed now. */
export const settleTime = (c: Coherence, now: number): void => {
  if (Doubts.some(c.doubts)) {
    for (const { ids } of Doubts.takeExpired(c.doubts, now)) {
      if (ids === undefined) anythingChanged(c)
      else for (const id of ids) rowChanged(c, unknownChange(id))
    }
  }
  if (now < Acknowledged.nextEnd(c.acknowledged)) return
  for (const id of Acknowledged.takeOver(c.acknowledged, now)) {
    if (id === undefined) anythingChanged(c)
    else rowChanged(c, unknownChange(id))
  }
  // Lists that were read before some load showed the row are not stored, but a follow holds one.
  c.effects.wakeQueries()
}

/** Forgets what the target has acknowledged, once no load of before its end is under way. */
export const forgetAcknowledged = ({ acknowledged, effects }: Coherence): void =>
  Acknowledged.forget(acknowledged, effects.oldestLoad())

/** A target has acknowledged a row, or that there is none: an id, or `undefined` for every row. */
export const acknowledge = (
  c: Coherence,
  id: Key | undefined,
  row: AnyRow | undefined,
  revision: Revision | undefined,
  now: number
): void => {
  const until = now + c.lifetimes.targetLag
  Acknowledged.note(c.acknowledged, id, rowAnswer(c, row, revision, fresh), revision, until)
  c.effects.settleAt(until)
}

/** The log names a change that the master may not show yet: of an id, or `undefined` for every row. */
export const shownLater = (c: Coherence, id: Key | undefined, revision: Revision, now: number): void => {
  const until = now + c.lifetimes.targetLag
  Acknowledged.noteNamed(c.acknowledged, id, revision, until)
  c.effects.settleAt(until)
}
