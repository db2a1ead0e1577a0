/** What SQLite does in its own way. Tables are STRICT, timestamps are milliseconds since 1970, json is text. */
import * as SqlClient from "@effect/sql/SqlClient"
import { Effect } from "effect"
import type { ColumnType } from "../../internal/columns.js"
import type { Dialect, ExistingTable, Row, Statement, Table, TableColumn } from "./dialect.js"
import { classify } from "./sqliteFailure.js"
import { compileInsert, encode, encodeRows, maxBatch, returningNew } from "./sqliteInsert.js"

const typeNames: { readonly [T in ColumnType]: string } = {
  text: "TEXT",
  uuid: "TEXT",
  integer: "INTEGER",
  bigint: "INTEGER",
  real: "REAL",
  boolean: "INTEGER",
  timestamp: "INTEGER",
  json: "TEXT",
  bytes: "BLOB"
}

const defaults: { readonly [T in ColumnType]: string } = {
  text: "''",
  uuid: "'00000000-0000-0000-0000-000000000000'",
  integer: "0",
  bigint: "0",
  real: "0.0",
  boolean: "0",
  timestamp: "0",
  json: "'{}'",
  bytes: "x''"
}

const decode =
  ({ type }: TableColumn) =>
  (value: unknown): unknown => {
    switch (type) {
      // With a bigint column in the table the driver gives every whole number as a bigint.
      case "integer":
      case "real":
        return Number(value)
      case "bigint":
        return BigInt(value as number | bigint)
      case "boolean":
        return Number(value) !== 0
      case "timestamp":
        return new Date(Number(value))
      case "json":
        return JSON.parse(value as string)
      case "bytes": {
        const bytes = value as Uint8Array
        return new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength)
      }
      default:
        return value
    }
  }

const rows = (result: unknown): ReadonlyArray<Row> =>
  Array.isArray(result)
    ? result
    : ((result as { readonly rows?: ReadonlyArray<Row> } | undefined)?.rows ?? [])

// The clients of other SQLite drivers name it differently; one that does not tell makes the storage look the ids up.
const affected = (result: unknown): number => {
  const told = (result ?? {}) as { readonly changes?: unknown; readonly rowsAffected?: unknown }
  return Number(told.changes ?? told.rowsAffected ?? -1)
}

const countIds = (table: Table) => {
  const { id, sql } = table
  const text = `SELECT count(*) AS n FROM ${sql} WHERE ${id.sql} IN (SELECT value FROM json_each(?))`
  return (records: ReadonlyArray<Row>): Statement => {
    const ids = records.map((record) => encode(id, record[id.name]))
    // JSON.stringify takes no bigint.
    const list = id.type === "bigint" ? `[${ids.join(",")}]` : JSON.stringify(ids)
    return { text, params: [list] }
  }
}

const plain = (text: string): Statement => ({ text, params: [] })

const inspect: Dialect["inspect"] = (table, run) =>
  Effect.gen(function* () {
    const schema = table.schema === undefined ? "" : `"${table.schema}".`
    const pragma = (name: string, of: string) =>
      Effect.map(run(plain(`PRAGMA ${schema}${name}("${of}")`)), (result) => rows(result))
    const columns = yield* pragma("table_xinfo", table.name)
    if (columns.length === 0) return undefined
    const indexes = yield* pragma("index_list", table.name)
    const inKey = (name: unknown) => table.key.some((column) => column.name === name)
    let keyUnique = columns.every(({ name, pk }) => inKey(name) === Number(pk) > 0)
    for (const { name, partial, unique } of indexes) {
      if (Number(unique) === 0 || Number(partial) !== 0) continue
      const parts = yield* pragma("index_info", String(name))
      if (parts.length === table.key.length && parts.every(({ name }) => inKey(name))) keyUnique = true
    }
    // SQLite fills such a column by itself.
    const keys = columns.filter(({ pk }) => Number(pk) > 0)
    const rowid = keys.length === 1 && String(keys[0]!.type).toUpperCase() === "INTEGER" ? keys[0] : undefined
    const existing: ExistingTable = {
      columns: columns.map((column) => ({
        name: String(column.name),
        type: String(column.type).toUpperCase(),
        nullable: Number(column.notnull) === 0 && Number(column.pk) === 0,
        hasDefault: column.dflt_value !== null || Number(column.hidden) > 1 || column === rowid
      })),
      indexes: indexes.map(({ name }) => String(name)),
      keyUnique
    }
    return existing
  })

export const sqliteDialect: Dialect = {
  name: "sqlite",
  maxBatch,
  maxParams: 32_766,
  insert: (table) => {
    const statement = compileInsert(table)
    return (records) => statement(records.length, encodeRows(table, records))
  },
  insertNew: (table) => {
    const statement = compileInsert(table, returningNew(table))
    return (records) => statement(records.length, encodeRows(table, records))
  },
  affected,
  countIds,
  rows,
  selected: ({ sql }) => sql,
  decode,
  reading: (table) =>
    table.columns.some(({ type }) => type === "bigint")
      ? (effect) => Effect.provideService(effect, SqlClient.SafeIntegers, true)
      : (effect) => effect,
  operand: ({ sql, type }) => (type === "text" ? `${sql} COLLATE BINARY` : sql),
  placeholder: () => "?",
  param: encode,
  classify,
  inspect,
  lock: () => [plain("BEGIN IMMEDIATE")],
  createTable: (table) => {
    const columns = table.columns.map(
      (column) => `${column.sql} ${typeNames[column.type]}${column.nullable ? "" : " NOT NULL"}`
    )
    const key = table.key.map(({ sql }) => sql).join(", ")
    return `CREATE TABLE IF NOT EXISTS ${table.sql} (${columns.join(", ")}, PRIMARY KEY (${key})) STRICT`
  },
  createIndex: (table, index) => {
    // The schema stands before the index's name, and the table is looked for in it.
    const schema = table.schema === undefined ? "" : `"${table.schema}".`
    const columns = index.columns.map(({ sql }) => sql).join(", ")
    const kind = index.unique ? "UNIQUE INDEX" : "INDEX"
    return `CREATE ${kind} IF NOT EXISTS ${schema}"${index.name}" ON "${table.name}" (${columns})`
  },
  columnType: ({ type }) => typeNames[type],
  accepts: ({ type }, existing) =>
    existing === typeNames[type] ||
    (typeNames[type] === "INTEGER" && (existing === "INT" || existing === "BIGINT")),
  defaultLiteral: ({ type }) => defaults[type],
  alterType: () => undefined,
  alterNullable: () => undefined
}
