/** Checks entries before anything is appended. All of it is pure. */
import { type Entry, isRevision } from "./events.js"
import { validateKindOf, validateKinds } from "./kinds.js"
import { validateKey, validateSelector } from "./selector.js"

const validateChange = (change: unknown): string | undefined => {
  const { _tag, key } = (change ?? {}) as { readonly _tag?: unknown; readonly key?: unknown }
  return _tag === "Put" || _tag === "Delete"
    ? validateKey(key)
    : "a change is not valid: make it by put or remove"
}

const validateCondition = (condition: unknown): string | undefined => {
  const given = (condition ?? {}) as { readonly [name: string]: unknown }
  const { after, generation, key, kinds, nothing } = given
  if ((key === undefined) === (nothing === undefined)) {
    return "a condition is not valid: give { key, generation } or { nothing, kinds?, after }"
  }
  if (key === undefined) {
    const problem = validateSelector(nothing) ?? validateKinds(kinds)
    return problem ?? (isRevision(after) ? undefined : "the after of a condition must be a revision")
  }
  return Number.isSafeInteger(generation) && (generation as number) >= 0
    ? validateKey(key)
    : "the generation of a condition must be a whole number from 0"
}

const validateExpect = (expect: unknown, keys: "indexed" | "none"): string | undefined => {
  if (keys === "none") return 'this log cannot judge what an entry expects: make it with keys: "indexed"'
  if (!Array.isArray(expect)) return "expect must be an array of conditions"
  for (const condition of expect) {
    const problem = validateCondition(condition)
    if (problem !== undefined) return problem
  }
  return undefined
}

/** Returns what is wrong with an entry, for any log with or without an index of its keys, or `undefined`. */
export const validateEntry = (
  { changes, expect, id }: Entry<unknown>,
  keys: "indexed" | "none" = "none"
): string | undefined => {
  if (!Array.isArray(changes) || changes.length === 0) return "a revision must have at least one change"
  if (id !== undefined) {
    const problem = validateKey(id)
    if (problem !== undefined) return problem.replace("a key", "an id")
  }
  for (const change of changes) {
    const problem = validateChange(change) ?? (keys === "none" ? undefined : validateKindOf(change))
    if (problem !== undefined) return problem
  }
  return expect === undefined ? undefined : validateExpect(expect, keys)
}
