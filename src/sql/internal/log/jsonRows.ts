/** Tables made of rows that come as one JSON parameter, however many they are. */
import type { Dialect, Row, TableColumn } from "../dialect.js"
import { type Parts, param } from "./compose.js"

/** What stands around the parameter. */
const around: {
  readonly [Name in Dialect["name"]]: (
    dialect: Dialect,
    columns: ReadonlyArray<TableColumn>
  ) => readonly [before: string, behind: string]
} = {
  sqlite: (_, columns) => [
    `(SELECT ${columns.map(({ name, sql }) => `value ->> '${name}' AS ${sql}`).join(", ")} FROM json_each(`,
    "))"
  ],
  pg: (dialect, columns) => [
    "(SELECT * FROM json_to_recordset((",
    `)::json) AS r(${columns.map((column) => `${column.sql} ${dialect.columnType(column)}`).join(", ")}))`
  ]
}

const encodeRows = (
  dialect: Dialect,
  columns: ReadonlyArray<TableColumn>,
  rows: ReadonlyArray<Row>
): string =>
  JSON.stringify(
    rows.map((row) =>
      Object.fromEntries(
        columns.map((column) => {
          const value = row[column.name]
          return [column.name, value === null ? null : dialect.param(column, value)]
        })
      )
    )
  )

/** A subquery that gives these rows, in no order. `text` is any column of text. */
export const rowsOf = (
  dialect: Dialect,
  columns: ReadonlyArray<TableColumn>,
  rows: ReadonlyArray<Row>,
  text: TableColumn
): Parts => {
  const [before, behind] = around[dialect.name](dialect, columns)
  return [before, param(text, encodeRows(dialect, columns, rows)), behind]
}
