/** What Postgres does in its own way. Text is compared in the collation "C", json is jsonb, a save is one `unnest`. */
import type { ColumnType } from "../../../internal/columns/columns.js"
import { fnv1a } from "../../../internal/hash.js"
import {
  type Dialect,
  type Layout,
  plain,
  type Row,
  type Statement,
  type Table,
  type TableColumn
} from "../dialect.js"
import { columnOf } from "../orderBy.js"
import { arrayEncoders } from "./arrays.js"
import { classifyPg } from "./errors.js"
import { arrayOf, insert, literal, typeNames } from "./insert.js"
import { inspect, losses, rows } from "./inspect.js"
import { behindMillisecond, firstInstants, millisecondOf } from "./instants.js"
import { update } from "./update.js"

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

const sameIds = ({ id }: Table) => {
  const text = `${id.sql} = ANY($1::${arrayOf(id)})`
  return (rows: ReadonlyArray<Row>): Statement => ({ text, params: [arrayEncoders[id.type](rows, id.name)] })
}

const operand = ({ finer, sql, type }: TableColumn): string =>
  type === "text" ? `${sql} COLLATE "C"` : finer ? millisecondOf(sql) : sql

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
  maxUpdates: () => 1_000,
  // The protocol counts them in 16 bits.
  maxParams: 65_535,
  insert,
  insertNew: (table) => insert(table, ` RETURNING ${table.id.sql}::text AS "row"`),
  affected,
  sameIds,
  update,
  // Constraints may be triggers too.
  mayChangeAfter: ({ sql }) =>
    `(SELECT c.relhastriggers::text FROM pg_catalog.pg_class c WHERE c.oid = to_regclass(${literal(sql)}))`,
  // Every bulk statement locks rows in the order of their ids. No table has the name of the locked ones.
  deleteAll: ({ id, sql }) =>
    plain(
      `WITH "locked""" AS (SELECT r.${id.sql} AS "id" FROM ${sql} AS r` +
        ` ORDER BY ${operand(columnOf("r", id))} FOR UPDATE)` +
        ` DELETE FROM ${sql} AS r USING "locked""" AS l WHERE r.${id.sql} = l."id"`
    ),
  // A view from before the wait for a row's lock would not show the commit before.
  begin: plain("BEGIN ISOLATION LEVEL READ COMMITTED"),
  forUpdate: " FOR UPDATE",
  checkDeferred: plain("SET CONSTRAINTS ALL IMMEDIATE"),
  rows,
  selected,
  decode,
  reading: () => (effect) => effect,
  operand,
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
