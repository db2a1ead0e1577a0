/** How large one statement may be: batches are limited by the size of their values too, not by records alone. */
import { Context, Data } from "effect"
import { isBytes } from "../../internal/realms.js"
import type { FailedSave, Row, Table } from "./dialect.js"

/** The most that the values of one statement may hold: UTF-16 units of text, bytes of others. */
export interface SizeLimits {
  /** Of several records: some 20 ms of work for the thread that encodes them. */
  readonly batch: number
  /**
   * Of one record: what a message to a Postgres server may hold (PQ_LARGE_MESSAGE_LIMIT in its libpq.h, 1 GiB), less
   * what else stands in it. The server closes the connection over a larger one, unread.
   */
  readonly record: number
}

export const sizeLimits: SizeLimits = { batch: 8 * 2 ** 20, record: 2 ** 30 - 2 ** 16 }

/** Tests lower them. */
export class CurrentSizeLimits extends Context.Reference<CurrentSizeLimits>()(
  "effect-recorder/sql/SizeLimits",
  { defaultValue: () => sizeLimits }
) {}

/** What is thrown instead of a statement that is too large. */
export class TooLarge extends Data.TaggedError("TooLarge")<{ readonly message: string }> {}

/** What the values of a statement may still hold. */
export interface Budget {
  left: number
}

export const budgetOf = ({ limits }: Table, rows: ReadonlyArray<Row>): Budget => ({
  left: rows.length === 1 ? limits.record : limits.batch
})

/** Throws {@link TooLarge} before memory is taken for values that are never sent. */
export const spend = (budget: Budget, size: number): void => {
  budget.left -= size
  if (budget.left < 0) throw new TooLarge({ message: "the values are too large for one statement" })
}

/** The size of an encoded value. */
export const sizeOf = (value: unknown): number =>
  typeof value === "string" ? value.length : isBytes(value) ? value.byteLength : 8

const rowSize = ({ columns }: Table, row: Row): number => {
  let size = 0
  for (const { name, type } of columns) {
    const value = row[name]
    size += sizeOf(type === "json" && value != null ? JSON.stringify(value) : value)
  }
  return size
}

/** How many records from the start of a batch one statement can hold. At least one, and less than all. */
export const fitting = ({ rows, table }: FailedSave): number => {
  let left = table.limits.batch
  let count = 0
  while (count < rows.length - 1) {
    left -= rowSize(table, rows[count] as Row)
    if (left < 0) break
    count++
  }
  return Math.max(1, count)
}
