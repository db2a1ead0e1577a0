/**
 * The one way to an ORDER BY. In it a bare name means the one of the SELECT list, which may be a conversion: a number
 * that is read as text would be sorted as text. A qualified name is always the column itself.
 */
import type { Dialect, TableColumn } from "./dialect.js"

/** A column of the table that is known by this quoted name or alias. */
export const columnOf = (alias: string, column: TableColumn): TableColumn => ({
  ...column,
  sql: `${alias}.${column.sql}`
})

/** Ascending, by columns of the table that is known by this alias. */
export const orderBy = (dialect: Dialect, alias: string, column: TableColumn): string =>
  ` ORDER BY ${dialect.operand(columnOf(alias, column))}`
