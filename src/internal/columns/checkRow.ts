/**
 * Checks every record before any statement: what one backend stores, every backend stores, and it reads back equal.
 * All of it is pure.
 */
import { isBytes, isDate } from "../realms.js"
import { utf8Length } from "../text.js"
import { type Column, type Columns, type ColumnType, maxIdBytes } from "./columns.js"
import { type JsonRule, maxJsonDepth, validateJson, validateText } from "./jsonData.js"

/** Why a value cannot be stored. */
export type Rule =
  | "NotARecord"
  | "UnknownColumn"
  | "IsId"
  | "Missing"
  | "WrongType"
  | JsonRule
  | "NotInteger"
  | "OutOfRange"
  | "InvalidDate"
  | "InvalidUuid"
  | "TooLong"

/** The first rule that a record breaks, and the column; no part of the record's data is in the message. */
export interface Reason {
  readonly column: string
  readonly rule: Rule
  readonly message: string
}

const minTime = -62_135_596_800_000
const maxTime = 253_402_300_799_999
const minInt64 = -(2n ** 63n)
const maxInt64 = 2n ** 63n - 1n

const isHex = new Uint8Array(128)
for (const digit of "0123456789abcdefABCDEF") isHex[digit.charCodeAt(0)] = 1

// Half the time of a regular expression.
const isUuid = (text: string): boolean => {
  if (text.length !== 36) return false
  for (let i = 0; i < 36; i++) {
    const unit = text.charCodeAt(i)
    if (i === 8 || i === 13 || i === 18 || i === 23) {
      if (unit !== 0x2d) return false
    } else if (unit > 127 || isHex[unit] === 0) return false
  }
  return true
}

/** Returns the rule that a value of a column breaks, or `undefined`. The value is neither null nor undefined. */
export const validateValue = (type: ColumnType, value: unknown): Rule | undefined => {
  switch (type) {
    case "text":
      return typeof value === "string" ? validateText(value) : "WrongType"
    case "uuid":
      return typeof value !== "string" ? "WrongType" : isUuid(value) ? undefined : "InvalidUuid"
    case "integer":
      if (typeof value !== "number") return "WrongType"
      if (Number.isSafeInteger(value)) return undefined
      return !Number.isFinite(value) ? "NotFinite" : Number.isInteger(value) ? "OutOfRange" : "NotInteger"
    case "bigint":
      if (typeof value !== "bigint") return "WrongType"
      return value >= minInt64 && value <= maxInt64 ? undefined : "OutOfRange"
    case "real":
      return typeof value !== "number" ? "WrongType" : Number.isFinite(value) ? undefined : "NotFinite"
    case "boolean":
      return typeof value === "boolean" ? undefined : "WrongType"
    case "timestamp": {
      if (!isDate(value)) return "WrongType"
      const time = value.getTime()
      if (time >= minTime && time <= maxTime) return undefined
      return Number.isNaN(time) ? "InvalidDate" : "OutOfRange"
    }
    case "json":
      return validateJson(value, 0)
    case "bytes":
      return isBytes(value) ? undefined : "WrongType"
  }
}

const messageOf: { readonly [R in Rule]: (type: ColumnType) => string } = {
  NotARecord: () => "the record is not an object, or one of its properties cannot be read",
  UnknownColumn: () => "the table has no such column, and a part of a record is not stored",
  IsId: () => "a patch cannot change the id: delete the row, and insert another one",
  Missing: () => "a value is required",
  WrongType: (type) => `the value is not of the column's type ${type}`,
  NotFinite: () => "NaN and infinities cannot be stored",
  NotInteger: () => "the number is not whole",
  OutOfRange: (type) =>
    type === "timestamp"
      ? "the date is outside of the years 0001 to 9999"
      : `the number is outside of ${type === "bigint" ? "int64" : "±(2^53 - 1)"}`,
  InvalidDate: () => "the date is invalid",
  InvalidUuid: () => "the text is not a uuid of 36 characters",
  NullCharacter: () => "text must not contain U+0000",
  LoneSurrogate: () => "text must not contain a lone surrogate",
  NotPlainData: () =>
    "json takes objects, arrays, strings, numbers, booleans and null only; no undefined in arrays, no classes, functions, symbols, bigints",
  TooDeep: () => `json is nested deeper than ${maxJsonDepth}, or contains itself`,
  TooLong: () => `an id must have at most ${maxIdBytes} bytes of UTF-8`
}

/** Makes the reason, with its message. */
export const reason = (column: string, rule: Rule, type: ColumnType): Reason => ({
  column,
  rule,
  message: `column ${JSON.stringify(column)}: ${messageOf[rule](type)}`
})

const validateId = (value: unknown): Rule | undefined => {
  if (typeof value !== "string") return undefined
  if (value === "") return "Missing"
  // A code unit has at most 3 bytes, and at least one.
  if (value.length * 3 <= maxIdBytes) return undefined
  return value.length > maxIdBytes || utf8Length(value) > maxIdBytes ? "TooLong" : undefined
}

const checkValue = (name: string, { nullable, type }: Column, value: unknown): Reason | undefined => {
  if (value === undefined || value === null) return nullable ? undefined : reason(name, "Missing", type)
  const rule = validateValue(type, value)
  return rule === undefined ? undefined : reason(name, rule, type)
}

/** Returns why a value cannot be an id, or `undefined`. */
export const checkId = (name: string, column: Column, value: unknown): Reason | undefined => {
  const wrong = checkValue(name, column, value)
  if (wrong !== undefined) return wrong
  const rule = validateId(value)
  return rule === undefined ? undefined : reason(name, rule, column.type)
}

// A key is not a value, but records that are made of foreign input may carry data there.
const shownKey = (key: string): string => (/^\w{1,63}$/.test(key) ? key : "(not shown)")

/**
 * Compiles the check of a whole record. The check returns why the record cannot be stored, or `undefined`, and never
 * throws. The columns and the id must be valid.
 */
export const compileCheckRow = (columns: Columns, id: string): ((record: unknown) => Reason | undefined) => {
  const names = Object.keys(columns)
  const count = names.length
  const definitions = names.map((name) => columns[name]!)
  const idAt = names.indexOf(id)

  const position = new Map(names.map((name, at) => [name, at]))

  const checkColumn = (at: number, value: unknown): Reason | undefined =>
    at === idAt
      ? checkId(names[at]!, definitions[at]!, value)
      : checkValue(names[at]!, definitions[at]!, value)

  const check = (record: { readonly [key: string]: unknown }): Reason | undefined => {
    let next = 0
    let found = 0
    // Reading a property by the key of such a loop costs a third of reading it by a name; and most records have their
    // keys in the order of the columns.
    for (const key in record) {
      const value = record[key]
      const at = key === names[next] ? next : position.get(key)
      if (at === undefined) {
        if (value !== undefined) return reason(shownKey(key), "UnknownColumn", "text")
        continue
      }
      next = at + 1
      found++
      const wrong = checkColumn(at, value)
      if (wrong !== undefined) return wrong
    }
    // What is absent may be NULL; what is there without being enumerable is checked like the rest.
    for (let at = 0; found < count && at < count; at++) {
      const wrong = checkColumn(at, record[names[at]!])
      if (wrong !== undefined) return wrong
    }
    return undefined
  }

  return (record) => {
    if (typeof record !== "object" || record === null) return reason(id, "NotARecord", "text")
    try {
      return check(record as { readonly [key: string]: unknown })
    } catch {
      return reason(id, "NotARecord", "text")
    }
  }
}

/** The columns that a patch sets, normalised, or why it cannot. */
export type CheckedFields =
  | { readonly _tag: "Fields"; readonly fields: { readonly [column: string]: unknown } }
  | { readonly _tag: "Bad"; readonly reason: Reason }

/** Compiles the check of the columns that a patch sets. A property that is `undefined` counts as absent. */
export const compileCheckFields = (columns: Columns, id: string) => {
  const checkField = (name: string, value: unknown): Reason | undefined => {
    if (!Object.hasOwn(columns, name)) return reason(shownKey(name), "UnknownColumn", "text")
    return name === id ? reason(id, "IsId", "text") : checkValue(name, columns[name]!, value)
  }
  return (given: unknown): CheckedFields => {
    if (typeof given !== "object" || given === null) {
      return { _tag: "Bad", reason: reason(id, "NotARecord", "text") }
    }
    const fields: { [column: string]: unknown } = {}
    for (const [name, value] of Object.entries(given)) {
      if (value === undefined) continue
      const wrong = checkField(name, value)
      if (wrong !== undefined) return { _tag: "Bad", reason: wrong }
      fields[name] = normaliseValue(columns[name]!.type, value)
    }
    return { _tag: "Fields", fields }
  }
}

/** Returns a checked value as every backend reads it back: a copy, and null for what is left out. */
export const normaliseValue = (type: ColumnType, value: unknown): unknown => {
  if (value === undefined || value === null) return null
  switch (type) {
    case "uuid":
      return (value as string).toLowerCase()
    case "integer":
    case "real":
      return (value as number) + 0
    case "timestamp":
      return new Date((value as Date).getTime())
    case "json":
      return JSON.parse(JSON.stringify(value))
    case "bytes":
      return new Uint8Array(value as Uint8Array)
    default:
      return value
  }
}

/** Compiles a function that copies a checked record as every backend reads it back: with `null` for what is left out. */
export const compileNormalise = (
  columns: Columns
): ((record: object) => { readonly [column: string]: unknown }) => {
  const entries = Object.entries(columns)
  return (record) => {
    const row: { [column: string]: unknown } = {}
    for (const [name, { type }] of entries) {
      row[name] = normaliseValue(type, (record as { readonly [column: string]: unknown })[name])
    }
    return row
  }
}
