/**
 * What a live table remembers, and the rules by which nothing older replaces anything newer. All of it is synchronous.
 *
 * A load takes a stamp before it asks the master. What it brings is stored only if nothing has changed since: a row, if
 * its flight was not detached and no doubt concerns it; a row of a list, if the journal names it not since the stamp; a
 * list or a count, if it survives all that the journal holds since the stamp. Lists are judged again when they are read.
 */
import { Option } from "effect"
import * as Cells from "../cache/cells.js"
import { jittered, type Times } from "../cache/freshness.js"
import * as KeyJournal from "../cache/journal.js"
import type { IdValue } from "../columns/ids.js"
import type { CheckedQuery } from "../columns/query.js"
import type { Revision } from "../log/events.js"
import { word } from "../random.js"
import * as Acknowledged from "./acknowledged.js"
import {
  type Answer,
  type AnyRow,
  answerOf,
  bypassed,
  type Freshness,
  fresh,
  type Sharing
} from "./answers.js"
import * as Doubts from "./doubts.js"
import * as Journal from "./journal.js"
import type { Counters } from "./stats.js"
import { type Basis, survives } from "./surviving.js"

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
  /** The journal was followed up to this stamp. Only this file writes it. */
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

export interface Coherence {
  /** A cell holds a {@link RowAnswer} under an id, and a {@link QueryEntry} under the key of a query. */
  readonly cells: Cells.Cells<Key, RowAnswer | QueryEntry>
  /** The changes by which lists are judged. */
  readonly journal: Journal.Journal
  /** When rows have changed, and queries were dropped by themselves, for what a load or a tier brings later. */
  readonly changedRows: KeyJournal.Journal<Key>
  readonly doubts: Doubts.Doubts
  readonly acknowledged: Acknowledged.Targets<RowAnswer>
  readonly sharing: Sharing
  readonly sizeOf: ((row: AnyRow) => number) | undefined
  readonly lifetimes: Lifetimes
  readonly random: Int32Array
  readonly counters: Counters
  readonly effects: Effects
}

/** What a load is known by when it lands. */
export interface Landing {
  readonly stamp: number
  readonly detached: boolean
  /** When the master was asked. */
  readonly askedAt: number
  readonly now: number
  readonly tags: ReadonlyArray<string> | undefined
  /** Its freshness was ended while it was loaded. */
  readonly expired: boolean
}

const unit = (random: Int32Array): number => (word(random) >>> 0) / 2 ** 32

/** Where the cell of a row is known to be one. */
const rowIn = (cell: Cells.Cell<Key, RowAnswer | QueryEntry> | undefined): RowAnswer | undefined =>
  // The keys of rows hold answers only.
  cell?.value as RowAnswer | undefined

const sizeOfRows = ({ sizeOf }: Coherence, rows: ReadonlyArray<AnyRow>): number | undefined => {
  if (sizeOf === undefined) return 0
  try {
    const bytes = rows.reduce((sum, row) => sum + sizeOf(row), 0)
    return bytes >= 0 && Number.isFinite(bytes) ? bytes : undefined
  } catch {
    return undefined
  }
}

type Stored = Pick<Landing, "askedAt" | "stamp" | "tags" | "expired">

/** Puts an answer into its cell, if nothing forbids it. A value without a size is not kept. */
const store = (
  c: Coherence,
  key: Key,
  value: RowAnswer | QueryEntry,
  rows: ReadonlyArray<AnyRow>,
  { askedAt, expired, stamp, tags }: Stored,
  { ttl }: Times
): boolean => {
  const size = sizeOfRows(c, rows)
  if (size === undefined) return false
  const loadedAt = Math.floor(askedAt)
  const freshUntil = loadedAt + jittered(ttl, unit(c.random))
  // Tags stay with the entry when another caller loads it again.
  const known = Cells.get(c.cells, key)?.tags
  const all = known === undefined || tags === undefined ? (tags ?? known) : [...new Set([...known, ...tags])]
  const cell = Cells.fill(c.cells, key, value, { stamp, loadedAt, freshUntil, size, tags: all })
  if (expired) Cells.expire(c.cells, key)
  // A follow looks whether it is another value.
  if (cell !== undefined) c.effects.wake(key)
  c.counters.entries = c.cells.map.size
  c.counters.bytes = c.cells.bytes
  return cell !== undefined
}

const storeRow = (c: Coherence, key: Key, answer: RowAnswer, load: Stored): boolean => {
  const rows = Option.toArray(answer.value)
  return store(c, key, answer, rows, load, rows.length === 0 ? c.lifetimes.absent : c.lifetimes.present)
}

const rowAnswer = (
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

/** Drops a row that an outcome has disproved. No list is known to be wrong by it. */
export const rowDisproved = (c: Coherence, id: Key): void => {
  KeyJournal.note(c.changedRows, id, Cells.nextStamp(c.cells))
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
    c.effects.detach(key)
    c.counters.invalidated++
    c.effects.wake(key)
  }
}

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

/** A write was acknowledged with its row, and nothing else has changed it since it began: the row is kept. */
export const storeAcknowledged = (
  c: Coherence,
  key: Key,
  row: AnyRow | undefined,
  revision: Revision | undefined,
  load: Pick<Landing, "stamp" | "askedAt">
): void => {
  const answer = rowAnswer(c, row, revision, fresh)
  if (!Doubts.concerns(c.doubts, key)) storeRow(c, key, answer, { ...load, tags: undefined, expired: false })
}

/** What the callers of a load get, and whether it is what the load has brought, and was stored. */
interface Landed {
  readonly answer: RowAnswer
  readonly isStored: boolean
}

/** A load of a row has landed. Stores its answer if it may. */
export const landRow = (
  c: Coherence,
  key: Key,
  landing: Landing,
  row: AnyRow | undefined,
  revision: Revision | undefined
): Landed => {
  settleTime(c, landing.now)
  const unshown = Acknowledged.inPlaceOf(c.acknowledged, key, landing.askedAt, revision)
  if (unshown?.answer !== undefined) return { answer: unshown.answer, isStored: false }
  // The end of a doubt, above, is no reason to detach a flight that lands now.
  const isOvertaken = landing.detached || KeyJournal.isOutdated(c.changedRows, key, landing.stamp)
  if (!isOvertaken && unshown === undefined && !Doubts.concerns(c.doubts, key)) {
    const answer = rowAnswer(c, row, revision, fresh)
    if (storeRow(c, key, answer, landing)) return { answer, isStored: true }
  }
  const answer = newer(c, key, landing.stamp) ?? rowAnswer(c, row, revision, bypassed)
  return { answer, isStored: false }
}

/** The answer that a later load has brought: no caller gets an older one after it. */
const newer = (c: Coherence, key: Key, stamp: number): RowAnswer | undefined => {
  const cell = Cells.get(c.cells, key)
  return cell !== undefined && cell.stamp > stamp && Cells.stateOf(c.cells, cell) === "Current"
    ? rowIn(cell)
    : undefined
}

/** Stores the rows of a list of which nothing is known to be newer. */
const storeRowsOf = (
  c: Coherence,
  rows: ReadonlyArray<AnyRow>,
  id: string,
  revision: Revision | undefined,
  landing: Landing
): void => {
  for (const row of rows) {
    // A row has an id, in normal form.
    const key = row[id] as Key
    if (KeyJournal.isOutdated(c.changedRows, key, landing.stamp)) continue
    if (Doubts.concerns(c.doubts, key)) continue
    if (Acknowledged.inPlaceOf(c.acknowledged, key, landing.askedAt, revision) !== undefined) continue
    const cell = Cells.get(c.cells, key)
    // A row that is there and fresh is as good, and keeps its place in the order of eviction.
    if (cell !== undefined && Cells.stateOf(c.cells, cell) === "Current" && landing.now < cell.freshUntil)
      continue
    storeRow(c, key, rowAnswer(c, row, revision, fresh), landing)
  }
}

/** A load of a list or a count has landed. Stores what may be stored, and returns what its callers get. */
export const landQuery = (
  c: Coherence,
  key: Key,
  landing: Landing,
  { basis, spec }: Pick<QueryEntry, "basis" | "spec">,
  value: ReadonlyArray<AnyRow> | number,
  revision: Revision | undefined,
  id: string
): QueryAnswer => {
  settleTime(c, landing.now)
  const rows = typeof value === "number" ? [] : value
  const owned = typeof value === "number" ? value : Object.freeze(rows.map((row) => c.sharing.own(row)))
  storeRowsOf(c, rows, id, revision, landing)
  const changes = Journal.since(c.journal, landing.stamp)
  const isOvertaken = KeyJournal.isOutdated(c.changedRows, key, landing.stamp)
  const isShown = Acknowledged.isShown(c.acknowledged, landing.askedAt, revision)
  const mayStore = !isOvertaken && !Doubts.some(c.doubts) && isShown
  if (mayStore && changes?.every((change) => survives(basis, change)) === true) {
    const answer = answerOf(owned, revision, fresh)
    const entry: QueryEntry = { answer, basis, spec, judgedAt: c.cells.lastStamp }
    if (store(c, key, entry, rows, landing, c.lifetimes.present)) return answer
  }
  return answerOf(owned, revision, bypassed)
}

/** Returns the kept list or count of a key, after it was judged by all that has changed; drops it if it falls. */
export const judgedQuery = (c: Coherence, key: Key): Cells.Cell<Key, RowAnswer | QueryEntry> | undefined => {
  const cell = Cells.get(c.cells, key)
  if (cell === undefined || Cells.stateOf(c.cells, cell) === "Empty") return undefined
  // The keys of queries hold entries only; this file is their owner.
  const entry = cell.value as { -readonly [K in keyof QueryEntry]: QueryEntry[K] }
  const { lastStamp } = c.cells
  if (entry.judgedAt === lastStamp) return cell
  const changes = Journal.since(c.journal, entry.judgedAt)
  if (changes === undefined || !changes.every((change) => survives(entry.basis, change))) {
    Cells.invalidate(c.cells, key)
    return undefined
  }
  entry.judgedAt = lastStamp
  return cell
}
