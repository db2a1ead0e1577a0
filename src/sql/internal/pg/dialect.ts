/** What Postgres does in its own way. Text is compared in the collation "C", json is jsonb, a save is one `unnest`. */
import type { ColumnType } from "../../../internal/columns/columns.js"
import { fnv1a } from "../../../internal/hash.js"
import type { Dialect, Layout, Row, Statement, Table, TableColumn } from "../dialect.js"
import { budgetOf, spend } from "../statementSize.js"
import { arrayEncoders } from "./arrays.js"
import { classifyPg } from "./errors.js"
import { inspect, losses, rows } from "./inspect.js"
import { behindMillisecond, firstInstants, millisecondOf } from "./instants.js"

/** A statement that a connection may keep parsed and planned under `name`. The same name has the same text always. */
export interface PgStatement extends Statement {
  readonly name?: string
}

const typeNames: { readonly [T in ColumnType]: string } = {
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

const defaults: { readonly [T in ColumnType]: string } = {
  text: "''",
  uuid: "'00000000-0000-0000-0000-000000000000'",
  integer: "0",
  bigint: "0",
  real: "0",
  boolean: "false",
  timestamp: "'epoch'",
  json: "'{}'",
  bytes: "''"
}

/** Types of an existing column, as `format_type` spells them, that hold the same values besides the type's own. */
const accepted: { readonly [T in ColumnType]?: RegExp } = {
  text: /^character varying$/,
  timestamp: /^timestamp\([3-6]\) with time zone$/
}

// What others write is rounded to what is read. A column that exists may hold finer values.
const milliseconds = "timestamp(3) with time zone"

const columnType = ({ type }: TableColumn): string =>
  type === "text" ? 'text COLLATE "C"' : type === "timestamp" ? milliseconds : typeNames[type]

/**
 * Each value as text that depends on no setting of the session (DateStyle, TimeZone, extra_float_digits,
 * bytea_output) and on no type parser of the process: a double by its bits, an instant by its milliseconds.
 */
const selected = ({ finer, sql, type }: TableColumn): string => {
  switch (type) {
    case "integer":
    case "bigint":
    case "boolean":
    case "json":
      return `${sql}::text`
    case "real":
      return `encode(float8send(${sql}), 'hex')`
    case "timestamp":
      return `round(extract(epoch FROM ${finer ? millisecondOf(sql) : sql}) * 1000)::text`
    case "bytes":
      return `encode(${sql}, 'base64')`
    default:
      return sql
  }
}

const decode =
  ({ type }: TableColumn) =>
  (value: unknown): unknown => {
    // Every expression of `selected` is text.
    const text = value as string
    switch (type) {
      case "integer":
        return Number(text)
      case "bigint":
        return BigInt(text)
      case "real":
        return Buffer.from(text, "hex").readDoubleBE() + 0
      case "boolean":
        return text === "true"
      case "timestamp":
        return new Date(Number(text))
      case "json":
        return JSON.parse(text)
      case "bytes":
        return new Uint8Array(Buffer.from(text, "base64"))
      default:
        return text
    }
  }

const param = ({ type }: TableColumn, value: unknown): unknown => {
  switch (type) {
    case "timestamp":
      return (value as Date).toISOString()
    case "bytes": {
      // As it is and in binary format: the driver takes no other kind of bytes.
      const bytes = value as Uint8Array
      return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    }
    default:
      return String(value)
  }
}

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

const insert = (table: Table, returning = ""): ((rows: ReadonlyArray<Row>) => PgStatement) => {
  const text = `${insertText(table)}${returning}`
  const name = statementName(text)
  return (rows) => ({ text, name, params: encodeTable(table, rows) })
}

const countIds = (table: Table) => {
  const { id, sql } = table
  const text = `SELECT count(*)::text AS n FROM ${sql} WHERE ${id.sql} = ANY($1::${typeNames[id.type]}[])`
  return (rows: ReadonlyArray<Row>): Statement => ({ text, params: [arrayEncoders[id.type](rows, id.name)] })
}

const affected = (result: unknown): number =>
  (result as { readonly rowCount?: number | null } | undefined)?.rowCount ?? -1

/** Sets our advisory locks apart from those of applications: "efre" in ASCII. */
const lockSpace = 0x65667265

/** A table's advisory lock. Two tables may share one: their starters wait for each other then, no more. */
const lockKey = ({ name, schema }: Layout): bigint =>
  BigInt.asUintN(31, fnv1a(JSON.stringify([schema ?? null, name])))

export const pgDialect: Dialect = {
  name: "pg",
  // Larger statements were measured to be slower for each row.
  maxBatch: () => 1_000,
  // The protocol counts them in 16 bits.
  maxParams: 65_535,
  insert: (table) => insert(table),
  insertNew: (table) => insert(table, ` RETURNING ${table.id.sql}::text AS "row"`),
  affected,
  countIds,
  rows,
  selected,
  decode,
  reading: () => (effect) => effect,
  operand: ({ finer, sql, type }) =>
    type === "text" ? `${sql} COLLATE "C"` : finer ? millisecondOf(sql) : sql,
  finer: {
    holds: ({ type }, existing) => type === "timestamp" && existing !== milliseconds,
    behind: behindMillisecond,
    first: firstInstants
  },
  placeholder: (index, { type }) => `$${index}::${typeNames[type]}`,
  param,
  classify: classifyPg,
  inspect,
  losses,
  // Read committed: a snapshot from before the wait for the lock would not show the table of the starter before.
  lock: (table) => [
    { text: "BEGIN ISOLATION LEVEL READ COMMITTED", params: [] },
    { text: `SELECT pg_advisory_xact_lock(${lockSpace}, ${lockKey(table)})`, params: [] }
  ],
  createTable: (table) => {
    const columns = table.columns.map(
      (column) => `${column.sql} ${columnType(column)}${column.nullable ? "" : " NOT NULL"}`
    )
    const key = table.key.map(({ sql }) => sql).join(", ")
    return `CREATE TABLE IF NOT EXISTS ${table.sql} (${columns.join(", ")}, PRIMARY KEY (${key}))`
  },
  createIndex: (table, index) => {
    // Both clauses are those of an ORDER BY of such a column; an index that differs would not serve it.
    const columns = index.columns.map(
      ({ nullable, sql, type }) =>
        `${sql}${type === "text" ? ' COLLATE "C"' : ""}${nullable ? " NULLS FIRST" : ""}`
    )
    const kind = index.unique ? "UNIQUE INDEX" : "INDEX"
    return `CREATE ${kind} IF NOT EXISTS "${index.name}" ON ${table.sql} (${columns.join(", ")})`
  },
  columnType,
  exactCollation: '"C"',
  accepts: ({ type }, existing) => existing === typeNames[type] || accepted[type]?.test(existing) === true,
  defaultLiteral: ({ type }) => defaults[type],
  alterType: (table, column) =>
    `ALTER TABLE ${table.sql} ALTER COLUMN ${column.sql} TYPE ${columnType(column)} USING ${column.sql}::${typeNames[column.type]}`,
  alterNullable: (table, { sql }) => `ALTER TABLE ${table.sql} ALTER COLUMN ${sql} DROP NOT NULL`
}
