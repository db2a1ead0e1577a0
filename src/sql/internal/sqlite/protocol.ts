/** What the thread of a SQLite file is asked, and how a batch travels there. */
import type { WorkerError } from "@effect/platform/WorkerError"
import type { Blame, FailureKind, Outcome } from "../../../Storage.js"
import type { Row, Table, TableColumn } from "../dialect.js"
import type { Feed } from "../log/tables.js"
import { type Budget, budgetOf, sizeOf, spend } from "../statementSize.js"
import type { LoggedEntries } from "../storage/outbox.js"
import { encode, encodeRows } from "./insert.js"

/** The length of NULL. */
const absent = -1

/** Texts in a row, and the length of each in UTF-16 units. */
interface Texts {
  readonly text: string
  readonly lengths: Int32Array
}

/** Bytes in a row, and the length of each. */
interface Bytes {
  readonly bytes: Uint8Array
  readonly lengths: Int32Array
}

/** Integers of 64 bits, and 1 where there is NULL. */
interface Bigints {
  readonly bigints: BigInt64Array
  readonly nulls: Uint8Array
}

/** The values of one column, in the order of the rows. */
export type ColumnValues = Texts | Bytes | Bigints | Float64Array

/** The parameters of a few rows, one row after the other; of more rows their columns. */
export type Batch = ReadonlyArray<unknown> | { readonly columns: ReadonlyArray<ColumnValues> }

/** `open` comes first. `run` is answered by the driver's raw result, `insert` by the number of rows that were new. */
export type Request =
  /** `again`: another thread had the file open before this one, so that its tables may have to be made anew. */
  | readonly ["open", filename: string, table: Table, feed: Feed | undefined, again: boolean]
  | readonly ["run", text: string, params: ReadonlyArray<unknown>, bigints: boolean]
  | readonly ["insert", count: number, batch: Batch]
  /** Stores rows and logs the new ones in one transaction, with their time in milliseconds. Answered by `Stored`. */
  | readonly ["store", count: number, batch: Batch, logged: LoggedEntries, at: number]

/** A request with its number, or `null`: the thread closes its file and exits. */
export type Message = readonly [id: number, request: Request] | null

/** The answer to the request with this number. */
export type Reply =
  | readonly [id: number, what: "done", result: unknown]
  | readonly [id: number, what: "refused", refusal: Refusal]
  | readonly [id: number, what: "died", cause: Parameters<typeof WorkerError.decodeCause>[0]]

/** An error of the driver, of opening the file, or of a transaction or a lost file (`store`), as plain data. */
export type Refusal =
  | {
      readonly of: "store"
      readonly kind: FailureKind
      readonly outcome: Outcome
      readonly blame: Blame | undefined
      readonly code: string | undefined
      readonly constraint: string | undefined
      readonly message: string
    }
  | {
      readonly of: "driver"
      readonly name: string
      readonly code: string | undefined
      readonly message: string
    }
  | {
      readonly of: "open"
      readonly kind: "Transient" | "Fatal"
      readonly code: string
      readonly message: string
    }

/** Numbers without a gap, where NULL is NaN: the check of the columns refuses NaN. */
const encodeNumbers = (column: TableColumn, rows: ReadonlyArray<Row>): Float64Array => {
  const values = new Float64Array(rows.length)
  for (let i = 0; i < rows.length; i++) {
    const value = encode(column, rows[i]![column.name])
    values[i] = value === null ? Number.NaN : (value as number)
  }
  return values
}

const encodeTexts = (column: TableColumn, rows: ReadonlyArray<Row>, budget: Budget): Texts => {
  const texts = new Array<string>(rows.length)
  const lengths = new Int32Array(rows.length)
  for (let i = 0; i < rows.length; i++) {
    const value = encode(column, rows[i]![column.name]) as string | null
    texts[i] = value ?? ""
    lengths[i] = value === null ? absent : value.length
    spend(budget, sizeOf(value))
  }
  return { text: texts.join(""), lengths }
}

const encodeBytes = (column: TableColumn, rows: ReadonlyArray<Row>, budget: Budget): Bytes => {
  const lengths = new Int32Array(rows.length)
  const values = rows.map((row, i) => {
    const value = encode(column, row[column.name]) as Uint8Array | null
    lengths[i] = value === null ? absent : value.byteLength
    spend(budget, sizeOf(value))
    return value
  })
  const bytes = new Uint8Array(lengths.reduce((sum, length) => sum + Math.max(0, length), 0))
  let at = 0
  for (const value of values) {
    if (value === null) continue
    bytes.set(value, at)
    at += value.byteLength
  }
  return { bytes, lengths }
}

/** They have been checked to fit into 64 bits. */
const encodeBigints = (column: TableColumn, rows: ReadonlyArray<Row>): Bigints => {
  const nulls = new Uint8Array(rows.length)
  const bigints = new BigInt64Array(rows.length)
  for (let i = 0; i < rows.length; i++) {
    const value = encode(column, rows[i]![column.name]) as bigint | null
    if (value === null) nulls[i] = 1
    else bigints[i] = value
  }
  return { bigints, nulls }
}

const encodeColumns = (table: Table, rows: ReadonlyArray<Row>): ReadonlyArray<ColumnValues> => {
  const budget = budgetOf(table, rows)
  return table.columns.map((column): ColumnValues => {
    switch (column.type) {
      case "text":
      case "uuid":
      case "json":
        return encodeTexts(column, rows, budget)
      case "bytes":
        return encodeBytes(column, rows, budget)
      case "bigint":
        return encodeBigints(column, rows)
      default:
        return encodeNumbers(column, rows)
    }
  })
}

/** Gives the values of a column, one after the other. */
const readerOf = (values: ColumnValues): ((row: number) => unknown) => {
  if (values instanceof Float64Array) {
    return (row) => (Number.isNaN(values[row]) ? null : values[row])
  }
  if ("bigints" in values) return (row) => (values.nulls[row] === 1 ? null : values.bigints[row])
  const { lengths } = values
  const all = "text" in values ? values.text : values.bytes
  let at = 0
  return (row) => {
    const length = lengths[row]!
    if (length === absent) return null
    const start = at
    at += length
    return typeof all === "string" ? all.slice(start, at) : all.subarray(start, at)
  }
}

/**
 * The most rows that travel as they are. Beyond them each column is one text or buffer: the way takes its time by the
 * number of things, and an array of texts costs both threads several times what one text costs. Measured with 10
 * columns, there and back: 3 µs plain and 19 µs by columns for 1 row, 8 and 22 for 4, 32 and 32 for 20, 154 and 104
 * for 100.
 */
const maxPlain = 16

/** Encodes checked rows for the way to the thread. Bytes never travel as they are: all of the buffer below would. */
export const encodeBatch = (table: Table, rows: ReadonlyArray<Row>): Batch =>
  rows.length > maxPlain || table.columns.some(({ type }) => type === "bytes")
    ? { columns: encodeColumns(table, rows) }
    : encodeRows(table, rows)

/** The parameters of the statement, one row after the other. */
export const decodeBatch = (count: number, batch: Batch): Array<unknown> =>
  "columns" in batch ? decodeColumns(count, batch.columns) : [...batch]

const decodeColumns = (count: number, columns: ReadonlyArray<ColumnValues>): Array<unknown> => {
  const params = new Array<unknown>(count * columns.length)
  for (const [j, values] of columns.entries()) {
    const read = readerOf(values)
    for (let i = 0, at = j; i < count; i++, at += columns.length) params[at] = read(i)
  }
  return params
}
