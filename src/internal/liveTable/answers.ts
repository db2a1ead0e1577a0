/** What a read answers: a value, how far it holds, and how fresh it is. */
import { Option } from "effect"
import type { Columns } from "../columns/columns.js"
import type { Revision } from "../log/events.js"
import { isBytes, isDate } from "../realms.js"

/** Why an answer is stale: past its time to live, its load is slow or has failed, or changes may have been missed. */
export type StaleReason = "Expired" | "Slow" | "Failed" | "Suspect"

/** How fresh an answer is. */
export type Freshness =
  /** It is not past its time to live, and no change of it is known. */
  | { readonly _tag: "Fresh" }
  /** It comes from the master, and was not stored: something has changed since it was asked for, or may still do. */
  | { readonly _tag: "Bypassed" }
  /** `age`: milliseconds since it was read from the master. */
  | { readonly _tag: "Stale"; readonly age: number; readonly why: StaleReason }

/** The answer of a read. It is the caller's own. */
export interface Answer<out A> {
  readonly value: A
  /** All changes of the table's log up to it are in the value; none where the master does not know it. */
  readonly revision: Option.Option<Revision>
  readonly freshness: Freshness
}

export const fresh: Freshness = Object.freeze({ _tag: "Fresh" })
export const bypassed: Freshness = Object.freeze({ _tag: "Bypassed" })
export const staleFor = (age: number, why: StaleReason): Freshness => ({ _tag: "Stale", age, why })

/** Makes an answer that callers may share: it is frozen. */
export const answerOf = <A>(value: A, revision: Revision | undefined, freshness: Freshness): Answer<A> =>
  Object.freeze({ value, revision: Option.fromNullable(revision), freshness })

/** The same answer with another freshness. */
export const withFreshness = <A>(answer: Answer<A>, freshness: Freshness): Answer<A> =>
  Object.freeze({ value: answer.value, revision: answer.revision, freshness })

/** The same answer with another value, for one caller. */
export const withValue = <A>(answer: Answer<A>, value: A): Answer<A> =>
  Object.freeze({ value, revision: answer.revision, freshness: answer.freshness })

/** A row of any table. */
export interface AnyRow {
  readonly [column: string]: unknown
}

/** Freezes plain data, so that callers can share it. */
const freezeDeep = (value: unknown): void => {
  if (typeof value !== "object" || value === null || Object.isFrozen(value)) return
  Object.freeze(value)
  for (const inner of Object.values(value)) freezeDeep(inner)
}

/** How the rows of a table are shared and copied. */
export interface Sharing {
  /** Freezes what can be frozen of a row that this cache owns. */
  readonly own: (row: AnyRow) => AnyRow
  /** Returns the row for one caller: a copy if a caller could change it. */
  readonly share: <Row extends AnyRow>(row: Row) => Row
  /** No row has to be copied. */
  readonly isFrozen: boolean
}

/** Dates and bytes cannot be frozen: rows that have some are copied for each caller. */
export const sharingOf = (columns: Columns): Sharing => {
  const names = Object.keys(columns)
  const mutable = names.filter((name) => ["timestamp", "bytes"].includes(columns[name]!.type))
  const json = names.filter((name) => columns[name]!.type === "json")
  const own = (row: AnyRow): AnyRow => {
    for (const name of json) freezeDeep(row[name])
    return Object.freeze(row)
  }
  if (mutable.length === 0) return { own, share: (row) => row, isFrozen: true }
  return {
    own,
    isFrozen: false,
    share: (row) => {
      const copy: Record<string, unknown> = { ...row }
      for (const name of mutable) {
        const value = copy[name]
        if (isDate(value)) copy[name] = new Date(value.getTime())
        else if (isBytes(value)) copy[name] = value.slice()
      }
      // It has the columns of the row, with equal values.
      return copy as typeof row
    }
  }
}
