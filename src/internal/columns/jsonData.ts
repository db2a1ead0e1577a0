/** JSON data: which values are JSON, and copies of them that no caller can change. */
import { isPlainObject } from "../realms.js"
import { isPlainAscii, isWellFormed, utf8Length } from "../text.js"

/** A value of JSON. */
export type Json = string | number | boolean | null | ReadonlyArray<Json> | { readonly [key: string]: Json }

/** An object of JSON. */
export interface JsonObject {
  readonly [key: string]: Json
}

/** The deepest nesting of objects and arrays that is taken. */
export const maxJsonDepth = 1000

/** The first rule that a value breaks. */
export type JsonRule = "NotFinite" | "NullCharacter" | "LoneSurrogate" | "NotPlainData" | "TooDeep"

/** What is wrong with a value by each rule, and what to do. */
export const jsonProblem: { readonly [R in JsonRule]: string } = {
  NotFinite: "NaN and infinities are no JSON: leave the field out, or write null",
  NullCharacter: "text must not contain U+0000",
  LoneSurrogate: "text must not contain a lone surrogate",
  NotPlainData: "data takes objects, arrays, strings, numbers, booleans and null only: encode others before",
  TooDeep: `the data is nested deeper than is taken (at most ${maxJsonDepth}), or contains itself`
}

export const validateText = (text: string): "NullCharacter" | "LoneSurrogate" | undefined =>
  text.includes("\0") ? "NullCharacter" : isWellFormed(text) ? undefined : "LoneSurrogate"

/** Returns the rule that a value breaks, or `undefined`. */
export const validateJson = (value: unknown, depth: number): JsonRule | undefined => {
  switch (typeof value) {
    case "string":
      return validateText(value)
    case "number":
      return Number.isFinite(value) ? undefined : "NotFinite"
    case "boolean":
      return undefined
    case "object": {
      if (value === null) return undefined
      // A cycle ends here too.
      if (depth === maxJsonDepth) return "TooDeep"
      if (Array.isArray(value)) {
        for (let i = 0; i < value.length; i++) {
          const rule = validateJson(value[i], depth + 1)
          if (rule !== undefined) return rule
        }
        return undefined
      }
      if (!isPlainObject(value)) return "NotPlainData"
      const keys = Object.keys(value)
      for (let i = 0; i < keys.length; i++) {
        const key = keys[i]!
        const property = (value as { readonly [key: string]: unknown })[key]
        if (property === undefined) continue
        const rule = validateText(key) ?? validateJson(property, depth + 1)
        if (rule !== undefined) return rule
      }
      return undefined
    }
    default:
      return "NotPlainData"
  }
}

/** A copy that is frozen, with about the bytes of its JSON. */
export interface OwnJson<out A extends Json = Json> {
  readonly value: A
  readonly bytes: number
}

/** What a copy is made in: a result that is passed on costs an object for each value. */
interface Copying {
  bytes: number
  rule: JsonRule | undefined
}

const copyText = (text: string, copying: Copying): string => {
  // One look at each unit answers both, for most texts.
  if (isPlainAscii(text)) {
    copying.bytes += text.length + 2
    return text
  }
  copying.rule ??= validateText(text)
  copying.bytes += utf8Length(text) + 2
  return text
}

const copyArray = (given: ReadonlyArray<unknown>, depth: number, copying: Copying): Json => {
  const items = new Array<Json>(given.length)
  // A value that contains itself twice would be walked 2^depth times.
  for (let i = 0; i < given.length && copying.rule === undefined; i++)
    items[i] = copy(given[i], depth, copying)
  copying.bytes += given.length + 1
  return Object.freeze(items)
}

const copyObject = (
  given: { readonly [key: string]: unknown },
  depth: number,
  copying: Copying
): JsonObject => {
  const made: { [key: string]: Json } = {}
  for (const key of Object.keys(given)) {
    if (copying.rule !== undefined) break
    const property = given[key]
    if (property === undefined) continue
    copyText(key, copying)
    if (copying.rule !== undefined) break
    const value = copy(property, depth, copying)
    copying.bytes += 2
    // An assignment would set the prototype.
    if (key === "__proto__") Object.defineProperty(made, key, { value, enumerable: true })
    else made[key] = value
  }
  return Object.freeze(made)
}

const copy = (value: unknown, depth: number, copying: Copying): Json => {
  switch (typeof value) {
    case "string":
      return copyText(value, copying)
    case "number":
      copying.bytes += 8
      if (!Number.isFinite(value)) copying.rule ??= "NotFinite"
      // JSON has no -0.
      return value + 0
    case "boolean":
      copying.bytes += 5
      return value
    case "object": {
      copying.bytes += 2
      if (value === null) return null
      if (depth === 0) copying.rule ??= "TooDeep"
      else if (Array.isArray(value)) return copyArray(value, depth - 1, copying)
      else if (isPlainObject(value)) {
        return copyObject(value as { readonly [key: string]: unknown }, depth - 1, copying)
      } else copying.rule ??= "NotPlainData"
      return null
    }
    default:
      copying.rule ??= "NotPlainData"
      return null
  }
}

/**
 * Copies a value and freezes the copy, or returns the first rule that the value breaks. A property that is `undefined` is
 * left out, as JSON does. Throws what a getter of the value throws.
 */
export const ownJson = (value: unknown, depth = maxJsonDepth): OwnJson | JsonRule => {
  const copying: Copying = { bytes: 0, rule: undefined }
  const own = copy(value, depth, copying)
  return copying.rule ?? { value: own, bytes: copying.bytes }
}

/** About the bytes of the JSON of plain data, as {@link ownJson} counts them. */
export const sizeOfJson = (value: Json): number => {
  const copying: Copying = { bytes: 0, rule: undefined }
  copy(value, maxJsonDepth, copying)
  return copying.bytes
}
