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
}

/** What decides whether an entry is believed. Only this file writes it. */
export interface Beliefs {
  readonly life: string
  /** The prefix of the table's keys in the log. */
  readonly prefix: string
  readonly changes: KnownChanges | undefined
  /** When rows have changed in this life. */
  readonly changedRows: KeyJournal.Journal<IdValue>
  /** The stamp up to which entries of this life are outdated as a whole. */
  readonly outdatedUpTo: () => number
  /** Own writes that the log has not delivered yet, and the revisions that they got. */
  readonly unshown: Map<IdValue, Revision | undefined>
  /** Entries of other lives count. An invalidation without a revision ends it. */
  othersCount: boolean
}

/** So many own writes are remembered one by one. */
const maxUnshown = 10_000

/** Notes a change of a row by this live table, which the log will deliver later. */
export const noteOwnChange = (beliefs: Beliefs, id: IdValue, revision: Revision | undefined): void => {
  if (!beliefs.othersCount) return
  beliefs.unshown.set(id, revision)
  if (beliefs.unshown.size > maxUnshown) outdateOthers(beliefs)
}

/** Notes that the log has delivered a change of a row. */
export const noteDelivered = ({ unshown }: Beliefs, id: IdValue): void => {
  unshown.delete(id)
}

/** Notes an invalidation that has no revision: no entry of another life can be compared with it. */
export const outdateOthers = (beliefs: Beliefs): void => {
  beliefs.othersCount = false
  beliefs.unshown.clear()
}

const isOwnValid = ({ changedRows, outdatedUpTo }: Beliefs, id: IdValue, { stamp }: TierEntry): boolean =>
  stamp > outdatedUpTo() && !KeyJournal.isOutdated(changedRows, id, stamp)

const isOtherValid = (beliefs: Beliefs, id: IdValue, key: string, { revision }: TierEntry): boolean => {
  const { changes, othersCount, prefix, unshown } = beliefs
  if (!othersCount || changes === undefined || revision === undefined || !changes.isTrusted()) return false
  const position = changes.position()
  if (position === undefined || position.epoch !== revision.epoch || revision.seq < changes.knownFrom())
    return false
  if ((changes.lastChangeOf(prefix + key) ?? 0) > revision.seq) return false
  if (!unshown.has(id)) return true
  const written = unshown.get(id)
  return written !== undefined && written.epoch === revision.epoch && revision.seq >= written.seq
}

/** Whether an entry is proven to be as good as an answer of the master. */
export const isValid = (beliefs: Beliefs, id: IdValue, key: string, entry: TierEntry): boolean =>
  entry.life === beliefs.life ? isOwnValid(beliefs, id, entry) : isOtherValid(beliefs, id, key, entry)
