/**
 * Entries of a tier: what they hold, and whether one may be believed. A tier is shared, slow to change, and never
 * trusted: an entry counts only if it is proven that no later change of its key is known.
 */
import { Option, Schema } from "effect"
import * as KeyJournal from "../cache/journal.js"
import type { Columns } from "../columns/columns.js"
import type { IdValue } from "../columns/ids.js"
import { decodeRow, type EncodedRow, encodeRow, fingerprintOf } from "../columns/rowCodec.js"
import type { Revision } from "../log/events.js"
import type { AnyRow } from "./answers.js"

/** A decoded entry. */
export interface TierEntry {
  readonly row: AnyRow
  /** All changes of the log up to it are in the row. */
  readonly revision: Revision | undefined
  /** The live table that put it. */
  readonly life: string
  /** The stamp of the load that brought the row, in that life. */
  readonly stamp: number
  /** When the master was asked, in monotonic milliseconds of that life. */
  readonly askedAt: number
}

const Encoded = Schema.parseJson(
  Schema.Struct({
    /** The fingerprint of the columns. */
    columns: Schema.String,
    life: Schema.String,
    stamp: Schema.Number,
    askedAt: Schema.Number,
    revision: Schema.NullOr(Schema.Struct({ epoch: Schema.String, seq: Schema.Number, tag: Schema.Number })),
    row: Schema.Record({ key: Schema.String, value: Schema.Unknown })
  })
)

const decodeText = Schema.decodeUnknownOption(Encoded)

/** Encodes and decodes the entries of one table. */
export interface TierCodec {
  readonly encode: (entry: TierEntry) => string
  /** `undefined`: it is no entry of these columns, or of another row. */
  readonly decode: (text: string, of: IdValue) => TierEntry | undefined
}

export const codecOf = (columns: Columns, id: string): TierCodec => {
  const fingerprint = fingerprintOf(columns)
  const encode = encodeRow(columns)
  const decode = decodeRow(columns, id)
  return {
    encode: ({ revision, row, ...own }) =>
      JSON.stringify({ ...own, columns: fingerprint, revision: revision ?? null, row: encode(row) }),
    decode: (text, of) => {
      const entry = Option.getOrUndefined(decodeText(text))
      if (entry === undefined || entry.columns !== fingerprint) return undefined
      const row = decode(entry.row as EncodedRow)
      if (row === undefined || row[id] !== of) return undefined
      const { askedAt, life, stamp } = entry
      return { row, revision: entry.revision ?? undefined, life, stamp, askedAt }
    }
  }
}

/** What is known of the changes of a table, where it has a log. */
export interface KnownChanges {
  readonly isTrusted: () => boolean
  readonly position: () => Revision | undefined
  /** Every change after this number is known. */
  readonly knownFrom: () => number
  /** The number of the last revision that changed a key of the log; `undefined`: none since `knownFrom`. */
  readonly lastChangeOf: (key: string) => number | undefined
  /** All that the log held at this time is applied, in monotonic milliseconds. */
  readonly currentAt: () => number
}

/**
 * What an entry of another life must hold: a revision; or, as a time in monotonic milliseconds, everything that was
 * committed until then, which only an entry of after the head of that time is known to hold.
 */
export type Bar = Revision | number

/** What decides whether an entry is believed. Only this file writes it. */
export interface Beliefs {
  readonly life: string
  /** The prefix of the table's keys in the log. */
  readonly prefix: string
  /** `undefined`: no entry of another life is believed. */
  readonly changes: KnownChanges | undefined
  readonly now: () => number
  /** When rows have changed, and when their freshness was ended, in this life. */
  readonly changedRows: KeyJournal.Journal<IdValue>
  readonly expiredRows: KeyJournal.Journal<IdValue>
  /** The stamps up to which entries of this life are outdated as a whole. */
  readonly outdatedUpTo: () => number
  ownOutdatedUpTo: number
  /** What entries of other lives must hold: of a row, and of any row. */
  readonly bars: Map<IdValue, Bar>
  bar: Bar | undefined
}

/** So many rows have a bar of their own. */
const maxBars = 10_000

/** Notes a change of a row that entries of other lives must hold. Without a revision it may be done until a time. */
export const noteChange = (
  beliefs: Beliefs,
  id: IdValue,
  revision: Revision | undefined,
  until: number = beliefs.now()
): void => {
  const { bars, changes } = beliefs
  if (changes === undefined) return
  const known = bars.get(id)
  // What was written by now is there at a time of now or later.
  bars.set(id, typeof known === "number" ? Math.max(known, until) : (revision ?? until))
  if (bars.size <= maxBars) return
  for (const bar of bars.values()) outdateOthers(beliefs, typeof bar === "number" ? bar : until)
  bars.clear()
}

/** Notes that the log has delivered a change of a row. One that came earlier than the bar does not end it. */
export const noteDelivered = ({ bars, changes }: Beliefs, id: IdValue, { epoch, seq }: Revision): void => {
  const bar = bars.get(id)
  if (bar === undefined || changes === undefined) return
  const isHeld = typeof bar === "number" ? changes.currentAt() > bar : bar.epoch === epoch && bar.seq <= seq
  if (isHeld) bars.delete(id)
}

/** Notes a change that has no revision, until a time: no entry of another life can be compared with it. */
export const outdateOthers = (beliefs: Beliefs, until: number = beliefs.now()): void => {
  beliefs.bar = typeof beliefs.bar === "number" ? Math.max(beliefs.bar, until) : until
}

/** Notes that any entry of this life, of a load with a stamp up to this one, may be outdated. */
export const outdateOwn = (beliefs: Beliefs, stamp: number): void => {
  beliefs.ownOutdatedUpTo = stamp
}

const isOwnValid = (
  { changedRows, expiredRows, outdatedUpTo, ownOutdatedUpTo }: Beliefs,
  id: IdValue,
  { stamp }: TierEntry
): boolean =>
  stamp > Math.max(outdatedUpTo(), ownOutdatedUpTo) &&
  !KeyJournal.isOutdated(changedRows, id, stamp) &&
  !KeyJournal.isOutdated(expiredRows, id, stamp)

/** A time becomes a revision when all that was there then is applied. */
const settledBar = (changes: KnownChanges, position: Revision, bar: Bar): Bar =>
  typeof bar === "number" && changes.currentAt() > bar ? { ...position, seq: position.seq + 1 } : bar

/** Whether an entry of a revision holds what it must: of any row, and of its own. */
const meetsBars = (
  beliefs: Beliefs,
  changes: KnownChanges,
  position: Revision,
  id: IdValue,
  { epoch, seq }: Revision
): boolean => {
  if (beliefs.bar !== undefined) {
    const bar = settledBar(changes, position, beliefs.bar)
    beliefs.bar = bar
    if (typeof bar === "number") return false
    // It is of a position, and no position is of an epoch again that was left.
    if (bar.epoch === epoch && seq < bar.seq) return false
  }
  const own = beliefs.bars.get(id)
  if (own === undefined) return true
  const bar = settledBar(changes, position, own)
  beliefs.bars.set(id, bar)
  return typeof bar !== "number" && bar.epoch === epoch && seq >= bar.seq
}

const isOtherValid = (beliefs: Beliefs, id: IdValue, key: string, { revision }: TierEntry): boolean => {
  const { changes, prefix } = beliefs
  if (changes === undefined || revision === undefined || !changes.isTrusted()) return false
  const position = changes.position()
  if (position === undefined || position.epoch !== revision.epoch || revision.seq < changes.knownFrom())
    return false
  if ((changes.lastChangeOf(prefix + key) ?? 0) > revision.seq) return false
  return meetsBars(beliefs, changes, position, id, revision)
}

/** Whether an entry is proven to be as good as an answer of the master. */
export const isValid = (beliefs: Beliefs, id: IdValue, key: string, entry: TierEntry): boolean =>
  entry.life === beliefs.life ? isOwnValid(beliefs, id, entry) : isOtherValid(beliefs, id, key, entry)
