/** Selectors of keys: one key, all keys below a prefix, a range, or several of these. All of it is pure. */
import { Data, Effect } from "effect"
import { compareText, isLonger, validateText } from "../text.js"

/** One part of a selector. */
export type Part =
  | { readonly _tag: "Key"; readonly key: string }
  /** Every key that begins with it. It is empty (all keys) or ends with `/`, so it never ends inside of a segment. */
  | { readonly _tag: "Prefix"; readonly prefix: string }
  /** `from` is in the range, `to` is not. Keys are ordered by code point, as databases order UTF-8. */
  | { readonly _tag: "Range"; readonly from: string; readonly to: string }

/** Which keys to follow or to read: made by `key`, `prefix`, `range`, `from` and `anyOf`. */
export type Selector = Part | { readonly _tag: "AnyOf"; readonly parts: ReadonlyArray<Part> }

/** Selects one key. */
export const key = (key: string): Selector & { readonly _tag: "Key" } => ({ _tag: "Key", key })

/** Selects every key below a prefix, which is empty (all keys) or ends with `/`. */
export const prefix = (prefix: string): Selector & { readonly _tag: "Prefix" } => ({ _tag: "Prefix", prefix })

/** Selects every key from `from`, included, to `to`, excluded, by code point. */
export const range = (from: string, to: string): Selector & { readonly _tag: "Range" } => ({
  _tag: "Range",
  from,
  to
})

/** Selects what at least one of these selects; a key that several of them match counts once. */
export const anyOf = (...selectors: ReadonlyArray<Selector>): Selector => ({
  _tag: "AnyOf",
  // Selectors from untyped code may be anything: they are checked where they are used.
  parts: selectors.flatMap((selector) => (selector?._tag === "AnyOf" ? selector.parts : [selector]))
})

/** Selects a key and every key after it, by code point. */
export const from = (first: string): Selector =>
  first === lastKey ? key(first) : anyOf(range(first, lastKey), key(lastKey))

/** A selector or a key that is not valid: nothing was registered, nothing was stored. */
export class InvalidSelector extends Data.TaggedError("InvalidSelector")<{
  readonly message: string
}> {}

/** The longest key, in bytes of UTF-8: an index of any database takes it. */
export const maxKeyBytes = 1024

/** No key is after it: as many of the last code point as a key can have. A range never has its end. */
const lastKey = "\u{10FFFF}".repeat(maxKeyBytes / 4)

/** Returns what is wrong with a key, or `undefined`. */
export const validateKey = (key: unknown): string | undefined => {
  if (key === "") return "a key must not be empty"
  return (
    validateText("a key", key) ??
    // It is a string then.
    (isLonger(key as string, maxKeyBytes)
      ? `a key must have at most ${maxKeyBytes} bytes of UTF-8`
      : undefined)
  )
}

/** Orders keys by code point: below 0, 0, or above 0. */
export const compareKeys: (a: string, b: string) => number = compareText

const matchesPart = (part: Part, key: string): boolean => {
  switch (part?._tag) {
    case "Key":
      return part.key === key
    case "Prefix":
      return key.startsWith(part.prefix)
    case "Range":
      return compareKeys(part.from, key) <= 0 && compareKeys(key, part.to) < 0
    default:
      return false
  }
}

/** Returns the parts of a selector. */
export const partsOf = (selector: Selector): ReadonlyArray<Part> =>
  selector._tag === "AnyOf" ? selector.parts : [selector]

/** Whether a selector matches a key. */
export const matches = (selector: Selector, key: string): boolean => {
  if (selector?._tag !== "AnyOf") return matchesPart(selector, key)
  for (const part of selector.parts) if (matchesPart(part, key)) return true
  return false
}

/** Compiles {@link matches} for many keys: it looks a key up in a set, instead of comparing it with each part. */
export const matcherOf = (selector: Selector): ((key: string) => boolean) => {
  const keys = new Set<string>()
  const rest: Array<Part> = []
  for (const part of partsOf(selector)) {
    if (part._tag === "Key") keys.add(part.key)
    else rest.push(part)
  }
  return (key) => keys.has(key) || rest.some((part) => matchesPart(part, key))
}

const validatePart = (part: unknown): string | undefined => {
  const given = (part ?? {}) as { readonly [key: string]: unknown }
  switch (given._tag) {
    case "Key":
      return validateKey(given.key)
    case "Prefix": {
      const { prefix } = given
      if (prefix === "") return undefined
      const problem = validateKey(prefix)
      if (problem !== undefined) return problem.replace("a key", "a prefix")
      return (prefix as string).endsWith("/")
        ? undefined
        : 'a prefix must be empty (all keys) or end with "/", so that /config does not match /configextra'
    }
    case "Range": {
      const problem = validateKey(given.from) ?? validateKey(given.to)
      if (problem !== undefined) return problem.replace("a key", "an end of a range")
      return compareKeys(given.from as string, given.to as string) < 0
        ? undefined
        : "a range must begin before it ends: its end is not part of it"
    }
    default:
      return "a selector must be made by key, prefix, range, from or anyOf"
  }
}

/** Returns what is wrong with a selector, or `undefined`. */
export const validateSelector = (selector: unknown): string | undefined => {
  const given = (selector ?? {}) as { readonly _tag?: unknown; readonly parts?: unknown }
  if (given._tag !== "AnyOf") return validatePart(selector)
  if (!Array.isArray(given.parts) || given.parts.length === 0) return "anyOf must have at least one part"
  for (const part of given.parts) {
    const problem = validatePart(part)
    if (problem !== undefined) return problem
  }
  return undefined
}

const ownPart = (part: Part): Part => Object.freeze({ ...part })

/** Copies a selector, so that its caller cannot change it: a watcher is indexed by the same keys for its lifetime. */
export const ownSelector = (selector: Selector): Selector =>
  selector._tag === "AnyOf"
    ? Object.freeze({ _tag: "AnyOf" as const, parts: Object.freeze(selector.parts.map(ownPart)) })
    : ownPart(selector)

/** Copies a selector. Fails if it is not valid. */
export const resolveSelector = (selector: Selector): Effect.Effect<Selector, InvalidSelector> => {
  const message = validateSelector(selector)
  return message === undefined
    ? Effect.succeed(ownSelector(selector))
    : Effect.fail(new InvalidSelector({ message }))
}
