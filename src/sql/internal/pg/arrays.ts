/**
 * Columns of rows as PostgreSQL arrays in binary format: one parameter a column, whatever the number of rows.
 *
 * The layout is that of `array_recv` in PostgreSQL's src/backend/utils/adt/arrayfuncs.c; all numbers are big-endian:
 * int32 dimensions (1), int32 whether a NULL may occur, int32 element type, int32 length, int32 lower bound (1); then
 * for each element int32 length in bytes (-1 for NULL) and what the `*recv` function of its type reads. `pg` sends a
 * Buffer in binary format and copies it, so nothing is parsed, quoted or escaped on either side.
 *
 * The values have passed the column check: nothing is checked here again.
 */
import type { ColumnType } from "../../../internal/columns/columns.js"
import type { Row } from "../dialect.js"
import { type Budget, spend } from "../statementSize.js"

/**
 * Encodes one column of these rows, in their order. `null` and `undefined` are NULL. Throws `TooLarge` where the
 * values are larger than the budget.
 */
export type ArrayEncoder = (rows: ReadonlyArray<Row>, column: string, budget?: Budget) => Buffer

const headerBytes = 20

const writeHeader = (view: DataView, elementType: number, length: number, hasNull: boolean): void => {
  view.setInt32(0, 1)
  view.setInt32(4, hasNull ? 1 : 0)
  view.setInt32(8, elementType)
  view.setInt32(12, length)
  view.setInt32(16, 1)
}

const viewOf = (buffer: Buffer) => new DataView(buffer.buffer, buffer.byteOffset, buffer.byteLength)

/** Elements of one size. `write` gets what the column check has let through: a `Value`. */
const fixed =
  <Value>(
    elementType: number,
    size: number,
    write: (view: DataView, offset: number, value: Value) => void
  ): ArrayEncoder =>
  (rows, column) => {
    const buffer = Buffer.allocUnsafe(headerBytes + rows.length * (4 + size))
    const view = viewOf(buffer)
    let offset = headerBytes
    let hasNull = false
    for (let i = 0; i < rows.length; i++) {
      const value = rows[i]![column]
      if (value === null || value === undefined) {
        hasNull = true
        view.setInt32(offset, -1)
        offset += 4
      } else {
        view.setInt32(offset, size)
        // The column's type was checked for this row before it came here.
        write(view, offset + 4, value as Value)
        offset += 4 + size
      }
    }
    writeHeader(view, elementType, rows.length, hasNull)
    return offset === buffer.length ? buffer : buffer.subarray(0, offset)
  }

const two32 = 0x1_0000_0000

/** An int64 from a double that is a whole number: `>>>` takes the low 32 bits, also of negative ones. */
const writeWhole = (view: DataView, offset: number, value: number): void => {
  const low = value >>> 0
  view.setInt32(offset, (value - low) / two32)
  view.setUint32(offset + 4, low)
}

/** Milliseconds from 1970-01-01 to 2000-01-01, where PostgreSQL's timestamps begin. */
const postgresEpoch = 946_684_800_000

/**
 * Microseconds since 2000-01-01 as an int64. They exceed 2^53 for most of the years 0001 to 9999, so the product is
 * made of two halves, each of which a double holds exactly.
 */
const writeTimestamp = (view: DataView, offset: number, value: Date): void => {
  const millis = value.getTime() - postgresEpoch
  const low = millis >>> 0
  const product = low * 1000
  const lowest = product >>> 0
  view.setInt32(offset, ((millis - low) / two32) * 1000 + (product - lowest) / two32)
  view.setUint32(offset + 4, lowest)
}

/** The value of a hexadecimal digit by its character code. */
const digits = new Uint8Array(128)
for (let i = 0; i < 16; i++) {
  digits[i.toString(16).charCodeAt(0)] = i
  digits[i.toString(16).toUpperCase().charCodeAt(0)] = i
}

const byteAt = (text: string, at: number): number =>
  (digits[text.charCodeAt(at)]! << 4) | digits[text.charCodeAt(at + 1)]!

// 8-4-4-4-12 digits: the offsets step over the hyphens.
const writeUuid = (view: DataView, offset: number, text: string): void => {
  view.setInt32(
    offset,
    (byteAt(text, 0) << 24) | (byteAt(text, 2) << 16) | (byteAt(text, 4) << 8) | byteAt(text, 6)
  )
  view.setInt32(
    offset + 4,
    (byteAt(text, 9) << 24) | (byteAt(text, 11) << 16) | (byteAt(text, 14) << 8) | byteAt(text, 16)
  )
  view.setInt32(
    offset + 8,
    (byteAt(text, 19) << 24) | (byteAt(text, 21) << 16) | (byteAt(text, 24) << 8) | byteAt(text, 26)
  )
  view.setInt32(
    offset + 12,
    (byteAt(text, 28) << 24) | (byteAt(text, 30) << 16) | (byteAt(text, 32) << 8) | byteAt(text, 34)
  )
}

/** Where a joined column stops to pay, in UTF-16 units; V8 refuses strings above 2^29 - 24. */
const maxJoined = 0x100_0000

/**
 * Strings as they are, in UTF-8.
 *
 * A call into the encoder costs more than the bytes of a short string, so the column is joined by four bytes each,
 * encoded in one call, and the lengths are written over the joints. That is right only while every unit is one byte
 * (ASCII), which shows in the number of bytes written; other columns are encoded string by string.
 */
const encodeStrings = (elementType: number, values: ReadonlyArray<string | null>, units: number): Buffer => {
  if (units <= maxJoined && values.length > 0) {
    // `join` takes null for "", which leaves just the joint, as a NULL does.
    const joined = values.join("\0\0\0\0")
    // With four spare bytes a text that did not fit has written more than its number of units.
    const buffer = Buffer.allocUnsafe(headerBytes + 4 + joined.length + 4)
    if (buffer.write(joined, headerBytes + 4) === joined.length) {
      return finishAscii(elementType, values, buffer.subarray(0, headerBytes + 4 + joined.length))
    }
  }
  let size = headerBytes
  for (const value of values) size += 4 + (value === null ? 0 : Buffer.byteLength(value))
  const buffer = Buffer.allocUnsafe(size)
  const view = viewOf(buffer)
  let offset = headerBytes
  let hasNull = false
  for (const value of values) {
    let bytes = -1
    if (value === null) hasNull = true
    else bytes = buffer.write(value, offset + 4)
    view.setInt32(offset, bytes)
    offset += 4 + Math.max(bytes, 0)
  }
  writeHeader(view, elementType, values.length, hasNull)
  return buffer
}

const finishAscii = (elementType: number, values: ReadonlyArray<string | null>, buffer: Buffer): Buffer => {
  const view = viewOf(buffer)
  let offset = headerBytes
  let hasNull = false
  for (let i = 0; i < values.length; i++) {
    const value = values[i]
    if (value === null || value === undefined) {
      hasNull = true
      view.setInt32(offset, -1)
      offset += 4
    } else {
      view.setInt32(offset, value.length)
      offset += 4 + value.length
    }
  }
  writeHeader(view, elementType, values.length, hasNull)
  return buffer
}

/** Elements of type text: `toText` makes the string that the type's receive function reads. */
const strings =
  (elementType: number, toText: (value: unknown) => string): ArrayEncoder =>
  (rows, column, budget) => {
    const values = new Array<string | null>(rows.length)
    let units = 0
    for (let i = 0; i < rows.length; i++) {
      const value = rows[i]![column]
      if (value === null || value === undefined) values[i] = null
      else {
        const text = toText(value)
        values[i] = text
        units += text.length
        if (budget !== undefined) spend(budget, text.length)
      }
    }
    return encodeStrings(elementType, values, units)
  }

const bytes =
  (elementType: number): ArrayEncoder =>
  (rows, column, budget) => {
    let size = headerBytes
    for (let i = 0; i < rows.length; i++) {
      // The column check admits nothing else.
      const value = rows[i]![column] as Uint8Array | null | undefined
      size += 4 + (value === null || value === undefined ? 0 : value.byteLength)
    }
    if (budget !== undefined) spend(budget, size)
    const buffer = Buffer.allocUnsafe(size)
    const view = viewOf(buffer)
    let offset = headerBytes
    let hasNull = false
    for (let i = 0; i < rows.length; i++) {
      // The column check admits nothing else.
      const value = rows[i]![column] as Uint8Array | null | undefined
      if (value === null || value === undefined) {
        hasNull = true
        view.setInt32(offset, -1)
        offset += 4
      } else {
        view.setInt32(offset, value.byteLength)
        buffer.set(value, offset + 4)
        offset += 4 + value.byteLength
      }
    }
    writeHeader(view, elementType, rows.length, hasNull)
    return buffer
  }

/** The version that `jsonb_recv` expects before the text (src/backend/utils/adt/jsonb.c). */
const jsonbVersion = "\x01"

/** The encoder of each column type. The element types are the oids of PostgreSQL's src/include/catalog/pg_type.dat. */
export const arrayEncoders: { readonly [Type in ColumnType]: ArrayEncoder } = {
  // The column check admits strings only.
  text: strings(25, (value) => value as string),
  uuid: fixed<string>(2950, 16, writeUuid),
  integer: fixed<number>(20, 8, writeWhole),
  bigint: fixed<bigint>(20, 8, (view, offset, value) => view.setBigInt64(offset, value)),
  // -0 + 0 is 0: no backend keeps the sign of zero.
  real: fixed<number>(701, 8, (view, offset, value) => view.setFloat64(offset, value + 0)),
  boolean: fixed<boolean>(16, 1, (view, offset, value) => view.setUint8(offset, value ? 1 : 0)),
  timestamp: fixed<Date>(1184, 8, writeTimestamp),
  json: strings(3802, (value) => jsonbVersion + JSON.stringify(value)),
  bytes: bytes(17)
}
