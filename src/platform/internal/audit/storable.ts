/**
 * Makes values of hooks and clients fit the audit's columns, so that no backend sets a record aside. The functions
 * are pure and never throw.
 */
import { validateValue } from "../../../internal/columns/checkRow.js"
import type { ColumnType } from "../../../internal/columns/columns.js"
import { isWellFormed } from "../../../internal/text.js"

/** The limit of a text in UTF-16 units. By default, Node.js takes no longer head of a request. */
export const maxLength = 16_384

const unstorable = /\0|\p{Surrogate}/gu

/** Makes a text storable: U+FFFD replaces U+0000 and lone surrogates, and it is cut to {@link maxLength}. */
export const text = (given: string): string => {
  if (given.length <= maxLength && !given.includes("\0") && isWellFormed(given)) return given
  const short = given.length <= maxLength ? given : `${given.slice(0, maxLength - 1)}…`
  return short.replace(unstorable, "\uFFFD")
}

/**
 * Whether a value is a promise. Hooks are synchronous and nothing awaits their promises, so its rejection is handled
 * here: otherwise it would end the process.
 */
export const isPromise = (given: unknown): boolean => {
  if (typeof given !== "object" || given === null) return false
  try {
    // A record is none at a look: the call below throws for it, and an error takes longer than the rest of a record.
    if (!("then" in given)) return false
    // Throws for what is no promise, and takes those of other realms.
    Promise.prototype.then.call(given, undefined, () => undefined)
    return true
  } catch {
    return false
  }
}

/** Returns the text of a string or a number, made storable; `undefined` for anything else. */
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

/** Returns the value if a column of this type stores it, otherwise `instead`. */
export const value = <A>(type: ColumnType, given: unknown, instead: A): A => {
  try {
    const fits = given !== undefined && given !== null && validateValue(type, given) === undefined
    // The value has passed the check of the column's type, which is also the type of `instead`.
    if (fits) return given as A
    isPromise(given)
    return instead
  } catch {
    // An object that only looks like a date throws when it is read.
    return instead
  }
}
