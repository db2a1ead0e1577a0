/**
 * Bulk inserts on Postgres: one array a column, whatever the number of rows, so that one text of a statement serves.
 */
import type { ColumnType } from "../../../internal/columns/columns.js"
import { fnv1a } from "../../../internal/hash.js"
import type { Row, Statement, Table, TableColumn } from "../dialect.js"
import { budgetOf, spend } from "../statementSize.js"
import { arrayEncoders } from "./arrays.js"

/** A statement that a connection may keep parsed and planned under `name`. The same name has the same text always. */
export interface PgStatement extends Statement {
  readonly name?: string
}

/** The types of columns, as Postgres names them. */
export const typeNames: { readonly [T in ColumnType]: string } = {
  text: "text",
  uuid: "uuid",
  integer: "bigint",
  bigint: "bigint",
  real: "double precision",
  boolean: "boolean",
  timestamp: "timestamp with time zone",
  json: "jsonb",
  bytes: "bytea"
}

/**
 * A text where no parameter can be: a statement of several has none, and a name may be no identifier. It is written in
 * digits, which no setting of the server reads in another way.
 */
export const literal = (text: string): string =>
  `convert_from(decode('${Buffer.from(text).toString("hex")}', 'hex'), 'UTF8')`

/** A statement's name, made of the text alone: behind a pooler another process may have given it to the server first. */
export const statementName = (text: string): string => `effect_recorder_${fnv1a(text).toString(16)}`

/** The type of an array of a column's values. */
export const arrayOf = ({ type }: TableColumn): string => `${typeNames[type]}[]`

/** The parameters of {@link insertText}. */
export const encodeTable = (table: Table, rows: ReadonlyArray<Row>): ReadonlyArray<unknown> => {
  const budget = budgetOf(table, rows)
  const arrays = table.columns.map((column) => arrayEncoders[column.type](rows, column.name, budget))
  // A unit of text is up to three bytes.
  spend(
    { left: table.limits.record },
    arrays.reduce((sum, { byteLength }) => sum + byteLength, 0)
  )
  return arrays
}

/** Inserts rows that are given as one array a column, and ignores those whose id is there. */
export const insertText = (table: Table): string => {
  const columns = table.columns.map(({ sql }) => sql).join(", ")
  // In the SELECT list the sets advance in lockstep, in order, row by row. In FROM each one would be stored first,
  // which was measured to cost a tenth of the statement.
  const arrays = table.columns
    .map((column) => `unnest($${column.position + 1}::${arrayOf(column)})`)
    .join(", ")
  return `INSERT INTO ${table.sql} (${columns}) SELECT ${arrays} ON CONFLICT (${table.id.sql}) DO NOTHING`
}

/** Compiles the insert of a table. */
export const insert = (table: Table, returning = ""): ((rows: ReadonlyArray<Row>) => PgStatement) => {
  const text = `${insertText(table)}${returning}`
  const name = statementName(text)
  return (rows) => ({ text, name, params: encodeTable(table, rows) })
}
