/**
 * How loads land, and the rules by which nothing older replaces anything newer. All of it is synchronous.
 *
 * A load takes a stamp before it asks the master. What it brings is stored only if nothing has changed since: a row, if
 * its flight was not detached and no doubt concerns it; a row of a list, if the journal names it not since the stamp; a
 * list or a count, if it survives all that the journal holds since the stamp. Lists are judged again when they are read.
 */
import { Option } from "effect"
import * as Cells from "../cache/cells.js"
import { jittered, type Times } from "../cache/freshness.js"
import * as KeyJournal from "../cache/journal.js"
import type { Revision } from "../log/events.js"
import { word } from "../random.js"
import * as Acknowledged from "./acknowledged.js"
import { type AnyRow, answerOf, bypassed, fresh } from "./answers.js"
import {
  type Coherence,
  isExpired,
  type Key,
  type QueryAnswer,
  type QueryEntry,
  type RowAnswer,
  rowAnswer,
  settleTime
} from "./coherence.js"
import * as Doubts from "./doubts.js"
import * as Journal from "./journal.js"
import { survives } from "./surviving.js"

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
  if (expired || isExpired(c, key, stamp)) Cells.expire(c.cells, key)
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

/** Every load that has begun until now is older than what is noted, and none that begins from now on. */
const noteRead = ({ cells }: Coherence, rows: KeyJournal.Journal<Key>, key: Key): void =>
  KeyJournal.note(rows, key, cells.lastStamp + 1)

/** Forgets what loads have brought, while no load and no write is under way. */
export const forgetReads = ({ listedRows, readRows }: Coherence): void => {
  KeyJournal.clear(listedRows)
  KeyJournal.clear(readRows)
}

/** A write was acknowledged with its row, and nothing else has changed it since it began. Whether the row is kept. */
export const storeAcknowledged = (
  c: Coherence,
  key: Key,
  row: AnyRow | undefined,
  revision: Revision | undefined,
  load: Pick<Landing, "stamp" | "askedAt">
): boolean =>
  !Doubts.concerns(c.doubts, key) &&
  storeRow(c, key, rowAnswer(c, row, revision, fresh), { ...load, tags: undefined, expired: false })

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
  const isListed = KeyJournal.isOutdated(c.listedRows, key, landing.stamp)
  const isOvertaken = landing.detached || isListed || KeyJournal.isOutdated(c.changedRows, key, landing.stamp)
  noteRead(c, c.readRows, key)
  if (!isOvertaken && unshown === undefined && !Doubts.concerns(c.doubts, key)) {
    const answer = rowAnswer(c, row, revision, fresh)
    if (storeRow(c, key, answer, landing)) return { answer, isStored: true }
  }
  const answer =
    newer(c, key, isListed ? 0 : landing.stamp, landing.tags) ?? rowAnswer(c, row, revision, bypassed)
  return { answer, isStored: false }
}

/** The answer that a later load has brought: no caller gets an older one after it. It was read with these tags then. */
const newer = (c: Coherence, key: Key, stamp: number, tags: Landing["tags"]): RowAnswer | undefined => {
  const cell = Cells.get(c.cells, key)
  if (cell === undefined || cell.stamp <= stamp || Cells.stateOf(c.cells, cell) !== "Current")
    return undefined
  if (tags !== undefined) Cells.addTags(c.cells, cell, tags)
  return rowIn(cell)
}

/** Whether a load has brought a row since a stamp was taken. */
export const isReadSince = ({ listedRows, readRows }: Coherence, key: Key, stamp: number): boolean =>
  KeyJournal.isOutdated(readRows, key, stamp) || KeyJournal.isOutdated(listedRows, key, stamp)

/** Whether a row was changed, or brought by another load, since a list was asked for. */
const isRowOutdated = (c: Coherence, key: Key, stamp: number): boolean =>
  KeyJournal.isOutdated(c.changedRows, key, stamp) || isReadSince(c, key, stamp)

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
    if (isRowOutdated(c, key, landing.stamp)) continue
    if (Doubts.concerns(c.doubts, key)) continue
    if (Acknowledged.inPlaceOf(c.acknowledged, key, landing.askedAt, revision) !== undefined) continue
    const cell = Cells.get(c.cells, key)
    // A row that is there and fresh is as good, and keeps its place in the order of eviction.
    if (cell !== undefined && Cells.stateOf(c.cells, cell) === "Current" && landing.now < cell.freshUntil)
      continue
    if (storeRow(c, key, rowAnswer(c, row, revision, fresh), landing)) noteRead(c, c.listedRows, key)
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
  // The keys of queries hold entries only, which this file makes.
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
