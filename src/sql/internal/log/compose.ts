/** What statements of logs are made of: text, values, and what several of them have. */
import type { Dialect, Statement, TableColumn } from "../dialect.js"
import { columnOf } from "../orderBy.js"
import type { Feed } from "./tables.js"

/** A value that goes to the database as a parameter. */
interface Param {
  readonly column: TableColumn
  readonly value: unknown
}

export const param = (column: TableColumn, value: unknown): Param => ({ column, value })

/** Text and values of a statement, in their order. */
export type Parts = ReadonlyArray<string | Param>

/** A statement made of text and values, in their order. */
export const compose = (dialect: Dialect, ...parts: Parts): Statement => {
  const params: Array<unknown> = []
  let text = ""
  for (const part of parts) {
    if (typeof part === "string") text += part
    else {
      params.push(dialect.param(part.column, part.value))
      text += dialect.placeholder(params.length, part.column)
    }
  }
  return { text, params }
}

/** Columns of a table that is known by an alias, as they are read. */
export const selected = (dialect: Dialect, alias: string, columns: ReadonlyArray<TableColumn>): string =>
  columns.map((column) => `${dialect.selected(columnOf(alias, column))} AS ${column.sql}`).join(", ")

/** The head's columns. */
export const headList = (dialect: Dialect, { heads }: Feed): string =>
  selected(dialect, "h", heads.columns.slice(1))

/** Parts of statements that several have. */
export const partsOfFeed = ({ feed, heads, log }: Feed) => {
  const ofFeed = param(heads.column.feed, feed)
  const where: Parts = [` WHERE "feed" = `, ofFeed]
  return { ofFeed, where, seq: (value: number) => param(log.column.seq, value) }
}
