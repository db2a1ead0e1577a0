/** Ids as values that compare by themselves: what keys of maps, logs and tiers are made of. */
import { checkId, normaliseValue, type Reason } from "./checkRow.js"
import type { Columns } from "./columns.js"

/** An id in normal form: two ids are the same exactly if these are. */
export type IdValue = string | number | bigint

/** Compiles the normal form of ids: the id in it (a uuid in lower case), or why it is none, as the row check words it. */
export const compileNormalId = (columns: Columns, id: string): ((value: unknown) => IdValue | Reason) => {
  const column = columns[id]!
  return (value) =>
    // Each type that an id may have is normalised to one of these.
    checkId(id, column, value) ?? (normaliseValue(column.type, value) as IdValue)
}

/** Whether a value was no id. */
export const isReason = (id: IdValue | Reason): id is Reason => typeof id === "object"

/** Writes an id in normal form as text. {@link compileIdOf} reads it. */
export const idText = (id: IdValue): string => String(id)

/** Compiles the way back from the text of an id; `undefined` for a text that {@link idText} writes for no id. */
export const compileIdOf = (columns: Columns, id: string): ((text: string) => IdValue | undefined) => {
  const normalId = compileNormalId(columns, id)
  const { type } = columns[id]!
  const parse = (text: string): IdValue => {
    if (type === "integer") return Number(text)
    return type === "bigint" && /^-?\d{1,19}$/.test(text) ? BigInt(text) : text
  }
  return (text) => {
    const value = normalId(parse(text))
    return isReason(value) || idText(value) !== text ? undefined : value
  }
}
