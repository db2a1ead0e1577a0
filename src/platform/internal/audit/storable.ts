/**
 * Brings what hooks and clients give into the shape of the audit's columns, so that no backend sets a record aside.
 * All of it is pure and never throws.
 */
import { validateValue } from "../../../internal/columns/checkRow.js"
import type { ColumnType } from "../../../internal/columns/columns.js"
import { isWellFormed } from "../../../internal/text.js"

/** The most UTF-16 units of a text. Node.js takes no longer head of a request by default. */
export const maxLength = 16_384

const unstorable = /\0|\p{Surrogate}/gu

/** Returns the text as it can be stored: U+FFFD for U+0000 and lone surrogates, and cut behind {@link maxLength}. */
export const text = (given: string): string => {
  if (given.length <= maxLength && !given.includes("\0") && isWellFormed(given)) return given
  const short = given.length <= maxLength ? given : `${given.slice(0, maxLength - 1)}…`
  return short.replace(unstorable, "\uFFFD")
}

/**
 * Whether the answer is a promise. A hook is synchronous, so nothing awaits its promise: a rejection must not end
 * the process.
 */
export const isPromise = (given: unknown): boolean => {
  try {
    if (!(given instanceof Promise)) return false
    Promise.prototype.then.call(given, undefined, () => undefined)
    return true
  } catch {
    return false
  }
}

/** Returns the text that an answer stands for: of a string or a number; none of anything else. */
export const asText = (given: unknown): string | undefined => {
  switch (typeof given) {
    case "string":
      return text(given)
    case "number":
    case "bigint":
      return text(String(given))
    default:
      isPromise(given)
      return undefined
  }
}

/** Returns the answer when a column of this type stores it, otherwise `instead`. */
export const value = <A>(type: ColumnType, given: unknown, instead: A): A => {
  try {
    const fits = given !== undefined && given !== null && validateValue(type, given) === undefined
    // The check says that it is of the column's type, and so is `instead`.
    if (fits) return given as A
    isPromise(given)
    return instead
  } catch {
    // What only looks like a date cannot be read.
    return instead
  }
}
