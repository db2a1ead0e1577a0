/** The limits of what a store may hold, wherever its operations are decided. */
import * as Quotas from "../catalog/quotas.js"
import { sizeOfJson } from "../columns/jsonData.js"
import { utf8Length } from "../text.js"
import type { JsonRow } from "./holding.js"
import type { Changed, Changes, Owned } from "./operation.js"

/** What a store holds before changes. */
export interface Held {
  readonly records: number
  readonly bytes: number
  /** The bytes of the record that a change replaces or removes. */
  readonly sizeBefore: (before: JsonRow, key: string) => number
}

/** The bytes of a record's data as JSON. */
export const bytesOf = ({ data }: JsonRow): number => utf8Length(JSON.stringify(data))

/**
 * The bytes that the revision of a permanent store writes. A patch writes its whole record: a temporary store shares what the
 * record had before, and a backend stores it anew.
 */
export const bytesWritten = ({ bytes, steps }: Owned, { changed }: Changes): number =>
  steps.some(({ _tag }) => _tag === "Patch")
    ? changed.reduce((sum, { after }) => sum + (after === undefined ? 0 : sizeOfJson(after.data)), 0)
    : bytes

/** Adds up what changes write, or returns the limit of one value that is passed. */
const grownBy = (
  quotas: Quotas.Quotas,
  changed: ReadonlyArray<Changed>,
  sizeBefore: Held["sizeBefore"]
): { readonly records: number; readonly bytes: number } | Quotas.Exceeded => {
  const measures = quotas.valueBytes !== undefined || quotas.bytes !== undefined
  let records = 0
  let bytes = 0
  for (const { after, before, key } of changed) {
    records += (after === undefined ? 0 : 1) - (before === undefined ? 0 : 1)
    if (!measures) continue
    const size = after === undefined ? 0 : bytesOf(after)
    const over = after && Quotas.exceeded(quotas, "valueBytes", size)
    if (over !== undefined) return over
    bytes += size - (before === undefined ? 0 : sizeBefore(before, key))
  }
  return { records, bytes }
}

/** Returns the limit that a store would pass by changes, or `undefined`. What only removes always fits. */
export const overQuota = (
  quotas: Quotas.Quotas,
  { changed }: Changes,
  held: () => Held
): Quotas.Exceeded | undefined => {
  const isLimited =
    quotas.records !== undefined || quotas.bytes !== undefined || quotas.valueBytes !== undefined
  if (!isLimited || !changed.some(({ after }) => after !== undefined)) return undefined
  const { bytes, records, sizeBefore } = held()
  const grown = grownBy(quotas, changed, sizeBefore)
  if ("limit" in grown) return grown
  const over = grown.records > 0 ? Quotas.exceeded(quotas, "records", records + grown.records) : undefined
  return over ?? (grown.bytes > 0 ? Quotas.exceeded(quotas, "bytes", bytes + grown.bytes) : undefined)
}
