/** What the thread of a SQLite file is asked, and how a batch travels there: column by column. */
import { isBytes } from "../../../internal/realms.js"
import type { Blame, FailureKind, Outcome } from "../../../Storage.js"
import type { Row, Table, TableColumn } from "../dialect.js"
import type { Feed } from "../log/tables.js"
import { budgetOf, sizeOf, spend } from "../statementSize.js"
import type { LoggedEntries } from "../storage/outbox.js"
import { encode } from "./insert.js"

/** The values of one column, in the order of the rows. */
export type ColumnValues = ReadonlyArray<unknown> | Float64Array

/** `open` comes first. The answer to the others is the driver's raw result. */
export type Request =
  /** `again`: another thread had the file open before this one, so that its tables may have to be made anew. */
  | readonly ["open", filename: string, table: Table, feed: Feed | undefined, again: boolean]
  | readonly ["run", text: string, params: ReadonlyArray<unknown>, bigints: boolean]
  | readonly ["insert", count: number, columns: ReadonlyArray<ColumnValues>]
  /** Stores rows and logs the new ones in one transaction, with their time in milliseconds. Answered by `Stored`. */
  | readonly ["store", count: number, columns: ReadonlyArray<ColumnValues>, logged: LoggedEntries, at: number]

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

const numeric = ({ nullable, type }: TableColumn): boolean =>
  !nullable && (type === "integer" || type === "real" || type === "timestamp" || type === "boolean")

/**
 * Encodes checked rows for the way to the thread. One array for each column costs the calling thread about half of
 * what one array of all values costs, and numbers without NULL cost next to nothing.
 */
export const encodeColumns = (table: Table, rows: ReadonlyArray<Row>): ReadonlyArray<ColumnValues> => {
  const budget = budgetOf(table, rows)
  return table.columns.map((column): ColumnValues => {
    const { name } = column
    if (numeric(column)) {
      const values = new Float64Array(rows.length)
      for (let i = 0; i < rows.length; i++) values[i] = encode(column, rows[i]![name]) as number
      return values
    }
    const values = new Array<unknown>(rows.length)
    for (let i = 0; i < rows.length; i++) {
      const value = encode(column, rows[i]![name])
      // A view takes its whole buffer along.
      values[i] = isBytes(value) && value.byteLength < value.buffer.byteLength ? value.slice() : value
      spend(budget, sizeOf(value))
    }
    return values
  })
}

/** The parameters of the statement, one row after the other. */
export const decodeColumns = (count: number, columns: ReadonlyArray<ColumnValues>): Array<unknown> => {
  const params = new Array<unknown>(count * columns.length)
  for (let j = 0; j < columns.length; j++) {
    const values = columns[j]!
    for (let i = 0, at = j; i < count; i++, at += columns.length) params[at] = values[i]
  }
  return params
}
