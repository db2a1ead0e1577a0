/** Messages of a database's own rules, without what the row holds: messages of triggers quote values. */
import { isDate } from "../../internal/realms.js"
import type { FailedSave } from "./dialect.js"

/** Of a larger batch a message quotes some record, and to look for all their values costs more than it is worth. */
const maxRows = 8

const textOf = (value: unknown): string => {
  if (isDate(value)) return Number.isNaN(value.getTime()) ? "" : value.toISOString()
  if (typeof value === "string") return value
  if (typeof value !== "object" || value === null || ArrayBuffer.isView(value)) return String(value)
  return JSON.stringify(value)
}

const escaped = (text: string): string => text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&")

const masked = "…"

/**
 * The message with everything masked that may come from these rows: words that stand in a value, values, and whatever
 * holds a digit. `undefined` if that cannot be decided.
 */
export const maskValues = (message: string, { rows, table }: FailedSave): string | undefined => {
  if (rows.length === 0 || rows.length > maxRows || message.length > 1000) return undefined
  const values: Array<string> = []
  for (const row of rows) {
    for (const { name } of table.columns) {
      const value = row[name]
      if (value !== null && value !== undefined && typeof value !== "boolean") values.push(textOf(value))
    }
  }
  const all = values.join("\n").toLowerCase()
  const short = values.filter(({ length }) => length > 1 && length <= message.length)
  short.sort((a, b) => b.length - a.length)
  const whole =
    short.length === 0 ? message : message.replace(new RegExp(short.map(escaped).join("|"), "giu"), masked)
  return whole.replace(/[\p{L}\p{N}_@.+-]+/gu, (word) =>
    /\p{N}/u.test(word) || (word.length > 2 && all.includes(word.toLowerCase())) ? masked : word
  )
}
