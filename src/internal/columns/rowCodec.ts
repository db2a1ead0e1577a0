/**
 * Rows as plain JSON, in one form for logs and tiers: a bigint as text, a date as ISO 8601 in UTC, bytes as base64,
 * everything else as it is.
 */
import { Either, Encoding } from "effect"
import { fingerprint } from "../hash.js"
import { compileCheckRow, compileNormalise, normaliseValue } from "./checkRow.js"
import type { Columns, ColumnType } from "./columns.js"

/** A row as JSON: each column's value in the one form that every backend of logs and tiers holds. */
export type EncodedRow = { readonly [column: string]: unknown }

/** A normalised row. */
export type AnyRow = { readonly [column: string]: unknown }

const encodeValue = (type: ColumnType, value: unknown): unknown => {
  if (value === undefined || value === null) return null
  switch (type) {
    case "bigint":
      return String(value)
    case "timestamp":
      // The column's value is a Date, and bytes are a Uint8Array: the row was checked.
      return (value as Date).toISOString()
    case "bytes":
      return Encoding.encodeBase64(value as Uint8Array)
    default:
      return normaliseValue(type, value)
  }
}

/** Compiles the encoding of checked rows. It copies: who changes the result changes no row. */
export const encodeRow = (columns: Columns): ((row: object) => EncodedRow) => {
  const entries = Object.entries(columns)
  return (row) =>
    Object.fromEntries(
      entries.map(([name, { type }]) => [name, encodeValue(type, (row as AnyRow)[name])] as const)
    )
}

// The row check refuses it in every column.
const garbage = Symbol("garbage")

const decodeValue = (type: ColumnType, value: unknown): unknown => {
  if (value === undefined || value === null) return value
  switch (type) {
    case "bigint":
      return typeof value === "string" && /^-?\d{1,19}$/.test(value) ? BigInt(value) : garbage
    case "timestamp": {
      const date = new Date(typeof value === "string" ? value : Number.NaN)
      return Number.isNaN(date.getTime()) || date.toISOString() !== value ? garbage : date
    }
    case "bytes":
      return typeof value === "string"
        ? Either.getOrElse(Encoding.decodeBase64(value), () => garbage)
        : garbage
    default:
      return value
  }
}

/** Compiles the decoding of rows: the normalised row, or `undefined` for anything that is none. */
export const decodeRow = (columns: Columns, id: string): ((encoded: unknown) => AnyRow | undefined) => {
  const entries = Object.entries(columns)
  const check = compileCheckRow(columns, id)
  const normalise = compileNormalise(columns)
  return (encoded) => {
    if (typeof encoded !== "object" || encoded === null || Array.isArray(encoded)) return undefined
    const row: { [column: string]: unknown } = { ...encoded }
    for (const [name, { type }] of entries) row[name] = decodeValue(type, row[name])
    return check(row) === undefined ? normalise(row) : undefined
  }
}

/**
 * Returns a short text that stands for columns: another one if a column is added, removed, renamed, or of another type.
 * It does not depend on the order of the columns.
 */
export const fingerprintOf = (columns: Columns): string => {
  // A name has no double quote.
  const names = Object.keys(columns).sort()
  const text = names.map((name) => `${name}"${columns[name]!.type}${columns[name]!.nullable ? "?" : ""}`)
  return fingerprint(text.join('"'))
}
