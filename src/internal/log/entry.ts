/** Checks entries before anything is appended. All of it is pure. */
import { type Entry, isCursor } from "./events.js"
import { validateKindOf, validateKinds } from "./kinds.js"
import { validateKey, validateSelector } from "./selector.js"

const validateChange = (change: unknown): string | undefined => {
  const { _tag, key } = (change ?? {}) as { readonly _tag?: unknown; readonly key?: unknown }
  return _tag === "Put" || _tag === "Delete"
    ? validateKey(key)
    : "a change is not valid: make it by put or remove"
}

/** What a log keeps besides its revisions: by it the log judges what entries expect. */
export interface Keeps {
  readonly keys: "indexed" | "none"
  readonly state: "latest" | "none"
}

const keepsNothing: Keeps = { keys: "none", state: "none" }

const isWholeFrom0 = (given: unknown): boolean => Number.isSafeInteger(given) && (given as number) >= 0

const shapes = "{ key, generation }, { key, seq } or { nothing, kinds?, after }"

const validateNothing = (nothing: unknown, kinds: unknown, after: unknown): string | undefined =>
  validateSelector(nothing) ??
  validateKinds(kinds) ??
  (isCursor(after) ? undefined : "the after of a condition must be a revision")

const validateGeneration = (key: unknown, generation: unknown): string | undefined =>
  isWholeFrom0(generation) ? validateKey(key) : "the generation of a condition must be a whole number from 0"

const validateSeq = (key: unknown, seq: unknown): string | undefined =>
  seq === "absent" || isWholeFrom0(seq)
    ? validateKey(key)
    : 'the seq of a condition must be a whole number from 0, or "absent"'

const validateCondition = (condition: unknown, { keys, state }: Keeps): string | undefined => {
  const { after, generation, key, kinds, nothing, seq } = (condition ?? {}) as {
    readonly [name: string]: unknown
  }
  const isAmbiguous = seq !== undefined && (generation !== undefined || nothing !== undefined)
  if ((key === undefined) === (nothing === undefined) || isAmbiguous) {
    return `a condition is not valid: give ${shapes}`
  }
  if (seq !== undefined) {
    return (
      validateSeq(key, seq) ??
      (state === "none"
        ? 'this log cannot judge the seq of a key, because it keeps no state: make it with state: "latest"'
        : undefined)
    )
  }
  const problem =
    key === undefined ? validateNothing(nothing, kinds, after) : validateGeneration(key, generation)
  return (
    problem ??
    (keys === "none"
      ? 'this log cannot judge what an entry expects: make it with keys: "indexed"'
      : undefined)
  )
}

const validateExpect = (expect: unknown, keeps: Keeps): string | undefined => {
  if (!Array.isArray(expect)) return "expect must be an array of conditions"
  for (const condition of expect) {
    const problem = validateCondition(condition, keeps)
    if (problem !== undefined) return problem
  }
  return undefined
}

/** Returns why a commit is no list of entries, or `undefined`. */
export const validateEntries = (entries: unknown): string | undefined =>
  Array.isArray(entries) ? undefined : "a commit must have an array of entries, each with { changes }"

/** Returns what is wrong with an entry, for any log that keeps this, or `undefined`. */
export const validateEntry = (entry: Entry<unknown>, keeps: Keeps = keepsNothing): string | undefined => {
  // It may come from untyped code.
  const { changes, expect, id } = (entry ?? {}) as Partial<Entry<unknown>>
  if (!Array.isArray(changes) || changes.length === 0) return "a revision must have at least one change"
  if (id !== undefined) {
    const problem = validateKey(id)
    if (problem !== undefined) return problem.replace("a key", "an id")
  }
  for (const change of changes) {
    const problem = validateChange(change) ?? (keeps.keys === "none" ? undefined : validateKindOf(change))
    if (problem !== undefined) return problem
  }
  return expect === undefined ? undefined : validateExpect(expect, keeps)
}
