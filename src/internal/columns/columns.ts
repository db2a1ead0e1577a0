/**
 * Column definitions: plain data that defines which records a table takes, and their types in TypeScript.
 */
import { InvalidOptions } from "../options.js"
import { isWellFormed, utf8Length } from "../text.js"

/** What a column holds: the type of its values, by the type of the column. */
export interface ColumnTypes {
  readonly text: string
  /** 36 characters with hyphens; stored and read back in lower case. */
  readonly uuid: string
  /** A whole number within ±(2^53 - 1). */
  readonly integer: number
  /** A whole number within int64. */
  readonly bigint: bigint
  /** A finite double; -0 is stored as 0. */
  readonly real: number
  readonly boolean: boolean
  /** An instant with millisecond precision, years 0001 to 9999 (UTC). */
  readonly timestamp: Date
  /**
   * Plain data: objects, arrays, well-formed strings without U+0000, finite numbers, booleans, null; nested at
   * most 1,000 deep. A property that is `undefined`, and one whose key is a symbol, counts as absent. `null` itself
   * is the column's NULL.
   */
  readonly json: unknown
  readonly bytes: Uint8Array
}

/** The name of a type of column. */
export type ColumnType = keyof ColumnTypes

/** One column: its type, and whether a record may leave it out (`null` and `undefined` are the same: NULL). */
export interface Column<Type extends ColumnType = ColumnType, Nullable extends boolean = boolean> {
  readonly type: Type
  readonly nullable: Nullable
}

const column = <Type extends ColumnType>(type: Type): Column<Type, false> => ({ type, nullable: false })

/**
 * The kinds of columns.
 *
 * ```ts
 * const columns = { id: Column.uuid, at: Column.timestamp, actor: Column.text, detail: Column.nullable(Column.json) }
 * ```
 *
 * {@link ColumnTypes} describes what each of them holds. Strings are well-formed Unicode without U+0000.
 */
export const Column = {
  text: column("text"),
  uuid: column("uuid"),
  integer: column("integer"),
  bigint: column("bigint"),
  real: column("real"),
  boolean: column("boolean"),
  timestamp: column("timestamp"),
  json: column("json"),
  bytes: column("bytes"),
  /** Makes a column nullable: a record may leave it out, and then it loads as `null`. */
  nullable: <Type extends ColumnType>(of: Column<Type>): Column<Type, true> => ({
    type: of.type,
    nullable: true
  })
} as const

/** The columns of a table, by name, in order. */
export interface Columns {
  readonly [name: string]: Column
}

type Value<C extends Column> =
  C extends Column<infer Type, infer Nullable>
    ? ColumnTypes[Type] | (Nullable extends true ? null : never)
    : never

type NullableKeys<C extends Columns> = {
  [K in keyof C]: C[K] extends Column<ColumnType, false> ? never : K
}[keyof C]

/** The row that `load` returns: every column has a value, and `null` where a nullable column holds none. */
export type RowOf<C extends Columns> = {
  readonly [K in keyof C]: Value<C[K]>
}

/** The row that `save` takes: it may leave out nullable columns. Each {@link RowOf} is one too. */
export type NewRowOf<C extends Columns> = {
  readonly [K in Exclude<keyof C, NullableKeys<C>>]: Value<C[K]>
} & {
  readonly [K in NullableKeys<C>]?: Value<C[K]> | undefined
}

/** The columns that can be a table's id: text, uuid, integer or bigint, and not nullable. */
export type IdOf<C extends Columns> = {
  [K in keyof C]: C[K] extends Column<"text" | "uuid" | "integer" | "bigint", false> ? K : never
}[keyof C] &
  string

/** The longest text id, in bytes of UTF-8: an index entry of every backend has room for it. */
export const maxIdBytes = 512

const types: ReadonlySet<string> = new Set<ColumnType>([
  "text",
  "uuid",
  "integer",
  "bigint",
  "real",
  "boolean",
  "timestamp",
  "json",
  "bytes"
])

const idTypes: ReadonlySet<string> = new Set<ColumnType>(["text", "uuid", "integer", "bigint"])

/** Returns what is wrong with the name of a table, a column or an index, or `undefined`. */
export const validateName = (name: unknown): string | undefined => {
  if (typeof name !== "string") return "must be a string"
  if (name === "") return "must not be empty"
  if (!isWellFormed(name)) return "must be well-formed Unicode"
  if (name.includes("\0") || name.includes('"')) return "must contain neither U+0000 nor a double quote"
  // Postgres would cut a longer name, silently.
  if (utf8Length(name) > 63) return "must have at most 63 bytes"
  return undefined
}

const invalid = (option: string, message: string) => new InvalidOptions({ option, message })

const validateColumn = (name: string, definition: unknown): InvalidOptions | undefined => {
  const problem = validateName(name)
  if (problem !== undefined) return invalid("columns", `the column name ${JSON.stringify(name)} ${problem}`)
  if (name in Object.prototype) {
    return invalid(
      "columns",
      `the column name "${name}" is a member of every JavaScript object: choose another`
    )
  }
  const { nullable, type } = (definition ?? {}) as { readonly type?: unknown; readonly nullable?: unknown }
  if (typeof type !== "string" || !types.has(type) || typeof nullable !== "boolean") {
    return invalid(
      "columns",
      `the column "${name}" must be one of Column.text, Column.uuid, ..., or Column.nullable of it`
    )
  }
  return undefined
}

/** Returns what is wrong with a set of columns and its id, or `undefined`. */
export const validateColumns = (columns: Columns, id: string): InvalidOptions | undefined => {
  if (typeof columns !== "object" || columns === null)
    return invalid("columns", "must be a record of columns")
  const names = Object.keys(columns)
  if (names.length === 0) return invalid("columns", "must have at least one column")
  const seen = new Map<string, string>()
  for (const name of names) {
    const problem = validateColumn(name, columns[name])
    if (problem !== undefined) return problem
    const lower = name.toLowerCase()
    const other = seen.get(lower)
    if (other !== undefined) {
      return invalid(
        "columns",
        `the columns "${other}" and "${name}" differ by case only, which SQLite takes for one: rename one of them`
      )
    }
    seen.set(lower, name)
  }
  if (typeof id !== "string" || !Object.hasOwn(columns, id))
    return invalid("id", "must name one of the columns")
  const { nullable, type } = columns[id]!
  if (nullable) return invalid("id", `the id column "${id}" must not be nullable`)
  if (!idTypes.has(type))
    return invalid("id", `the id column "${id}" must be of type text, uuid, integer or bigint`)
  return undefined
}
