/** What SQLite does in its own way. Tables are STRICT, timestamps are milliseconds since 1970, json is text. */
import * as SqlClient from "@effect/sql/SqlClient"
import { Effect } from "effect"
import type { ColumnType } from "../../../internal/columns/columns.js"
import { isBytes } from "../../../internal/realms.js"
import {
  type Dialect,
  type ExistingTable,
  exactText,
  type Loose,
  plain,
  type Row,
  type Statement,
  type Table,
  type TableColumn
} from "../dialect.js"
import { classify } from "./errors.js"
import { compileInsert, encode, encodeRows, maxRowsOf, returningNew } from "./insert.js"
import { compileUpdate, maxUpdates } from "./update.js"

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

const isNumber = (value: unknown): boolean => typeof value === "number" || typeof value === "bigint"

// A table that is not STRICT holds values of every kind in every column. What is none of the column's stays as it is.
const decode =
  ({ type }: TableColumn) =>
  (value: unknown): unknown => {
    switch (type) {
      // With a bigint column in the table the driver gives every whole number as a bigint.
      case "integer":
      case "real":
        return isNumber(value) ? Number(value) + 0 : value
      case "bigint":
        return Number.isSafeInteger(value) ? BigInt(value as number) : value
      case "boolean":
        return isNumber(value) && (Number(value) === 0 || Number(value) === 1) ? Number(value) === 1 : value
      case "timestamp":
        return isNumber(value) && Number.isInteger(Number(value)) ? new Date(Number(value)) : value
      case "uuid":
        // Compared as text, in lower case.
        return typeof value === "string" && value !== value.toLowerCase() ? undefined : value
      case "json":
        return typeof value === "string" ? JSON.parse(value) : undefined
      case "bytes":
        return isBytes(value) ? new Uint8Array(value.buffer, value.byteOffset, value.byteLength) : value
      default:
        return value
    }
  }

const rows = (result: unknown): ReadonlyArray<Row> =>
  Array.isArray(result)
    ? result
    : ((result as { readonly rows?: ReadonlyArray<Row> } | undefined)?.rows ?? [])

// The clients of other SQLite drivers name it differently; without a number the storage looks the ids up.
const affected = (result: unknown): number => {
  const counts = (result ?? {}) as { readonly changes?: unknown; readonly rowsAffected?: unknown }
  return Number(counts.changes ?? counts.rowsAffected ?? -1)
}

const sameIds = ({ id }: Table) => {
  const text = `${id.sql} IN (SELECT value FROM json_each(?))`
  return (records: ReadonlyArray<Row>): Statement => {
    const ids = records.map((record) => encode(id, record[id.name]))
    // JSON.stringify takes no bigint.
    const list = id.type === "bigint" ? `[${ids.join(",")}]` : JSON.stringify(ids)
    return { text, params: [list] }
  }
}

/** Three texts, of which some collations make fewer. */
const likeTexts = "UNION SELECT 'a' UNION SELECT 'A' UNION SELECT 'a '"

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
    const loose: Array<Loose> = []
    for (const column of exactText(table)) {
      if (!columns.some(({ name }) => name === column.name)) continue
      // In a compound the collation of the first column decides what is the same.
      const probe = `SELECT count(*) AS n FROM (SELECT ${column.sql} FROM ${table.sql} WHERE 1 = 0 ${likeTexts})`
      const counted = rows(yield* run(plain(probe)))[0]
      if (Number(counted?.n) < 3) loose.push({ column: column.name, index: undefined })
    }
    const exact = (name: unknown) => table.exact.some((column) => column.name === name)
    for (const { name: index, partial, unique } of indexes) {
      if (Number(unique) === 0) continue
      const parts = (yield* pragma("index_xinfo", String(index))).filter(({ key }) => Number(key) === 1)
      const isKey = parts.length === table.key.length && parts.every(({ name }) => inKey(name))
      if (isKey && Number(partial) === 0) keyUnique = true
      if (!parts.every(({ name }) => exact(name))) continue
      for (const { coll, name } of parts) {
        const isText = exactText(table).some((column) => column.name === name)
        if (!isText || coll === "BINARY" || loose.some(({ column }) => column === name)) continue
        loose.push({ column: String(name), index: String(index) })
      }
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
      keyUnique,
      partitionedBy: undefined,
      loose
    }
    return existing
  })

const losses: Dialect["losses"] = (tables, run) =>
  Effect.gen(function* () {
    const name = tables[0]?.schema ?? "main"
    const pragma = (text: string) => Effect.map(run(plain(`PRAGMA ${text}`)), (result) => rows(result)[0])
    const files = rows(yield* run(plain("PRAGMA database_list")))
    // A database in memory is gone with the process, which its user has asked for.
    const file = files.find((one) => String(one.name).toLowerCase() === name.toLowerCase())?.file
    if (file === undefined || file === null || file === "") return []
    const synchronous = Number((yield* pragma(`"${name}".synchronous`))?.synchronous)
    const journal = String((yield* pragma(`"${name}".journal_mode`))?.journal_mode).toLowerCase()
    const risks: Array<string> = []
    if (synchronous < 2) {
      const level = synchronous === 0 ? "OFF" : "NORMAL"
      risks.push(
        `synchronous is ${level}, and a power failure takes the last saves; run: PRAGMA synchronous = FULL`
      )
    }
    if (journal === "off" || journal === "memory") {
      risks.push(
        `journal_mode is ${journal.toUpperCase()}, and a crash can destroy the file; run: PRAGMA journal_mode = WAL`
      )
    }
    return risks
  })

export const sqliteDialect: Dialect = {
  name: "sqlite",
  maxBatch: ({ columns }) => maxRowsOf(columns.length),
  maxUpdates,
  maxParams: 32_766,
  insert: (table, returning) => {
    const statement = compileInsert(table, returning)
    return (records) => statement(records.length, encodeRows(table, records))
  },
  insertNew: (table) => {
    const statement = compileInsert(table, returningNew(table))
    return (records) => statement(records.length, encodeRows(table, records))
  },
  affected,
  sameIds,
  update: (table) => compileUpdate(table),
  mayChangeAfter: undefined,
  deleteAll: ({ sql }) => plain(`DELETE FROM ${sql}`),
  // A transaction that reads first could not write any more once another one has written.
  begin: plain("BEGIN IMMEDIATE"),
  forUpdate: "",
  checkDeferred: undefined,
  rows,
  selected: ({ sql }) => sql,
  decode,
  reading: (table) =>
    table.columns.some(({ type }) => type === "bigint")
      ? (effect) => Effect.provideService(effect, SqlClient.SafeIntegers, true)
      : (effect) => effect,
  finer: undefined,
  operand: ({ sql, type }) => (type === "text" ? `${sql} COLLATE BINARY` : sql),
  placeholder: () => "?",
  param: encode,
  classify,
  inspect,
  losses,
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
  exactCollation: "BINARY",
  accepts: ({ type }, existing) =>
    existing === typeNames[type] ||
    (typeNames[type] === "INTEGER" && (existing === "INT" || existing === "BIGINT")),
  defaultLiteral: ({ type }) => defaults[type],
  alterType: () => undefined,
  alterNullable: () => undefined
}
