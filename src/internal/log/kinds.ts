/** The kinds of events: what has which, and which a reader asks for. All of it is pure. */
import { type Change, put } from "./events.js"
import { validateKey } from "./selector.js"

/** The kind of {@link forgotten}. It is reserved: whatever kinds are asked for, it is one of them. */
export const forgottenKind = "$forgotten"

/** The value of {@link forgotten}. A log of `{ kind: string; data: unknown }` admits it; others name it beside theirs. */
export interface Forgotten {
  readonly kind: typeof forgottenKind
  readonly data: null
}

const forgottenValue: Forgotten = Object.freeze({ kind: forgottenKind, data: null })

/**
 * States that a key's data can be read no more, such as after its encryption key was destroyed. Readers of any kinds get
 * the event, so that they give up what they keep of the key.
 */
export const forgotten = (key: string): Change<Forgotten> => put(key, forgottenValue)

/** Returns the kind of a value: its text `kind`, if it is an object that has one. */
export const kindOf = (value: unknown): string | undefined => {
  if (typeof value !== "object" || value === null) return undefined
  const { kind } = value as { readonly kind?: unknown }
  return typeof kind === "string" ? kind : undefined
}

/** Returns the kind of a change or an event. A removal has none. */
export const kindOfChange = (change: Change<unknown>): string | undefined =>
  change._tag === "Put" ? kindOf(change.value) : undefined

/** Whether a change or an event is of some kinds. `undefined` is every kind, and no kind too. */
export type KindMatcher = (change: Change<unknown>) => boolean

/** Compiles whether a change or an event is of these kinds, or {@link forgotten}. */
export const matcherOfKinds = (kinds: ReadonlyArray<string> | undefined): KindMatcher | undefined => {
  if (kinds === undefined) return undefined
  const wanted = new Set(kinds).add(forgottenKind)
  return (change) => {
    const kind = kindOfChange(change)
    return kind !== undefined && wanted.has(kind)
  }
}

const validateKind = (kind: unknown): string | undefined => validateKey(kind)?.replace("a key", "a kind")

/** Returns what is wrong with the kinds that a reader asks for, or `undefined`. */
export const validateKinds = (kinds: unknown): string | undefined => {
  if (kinds === undefined) return undefined
  if (!Array.isArray(kinds)) return "kinds must be an array of strings: leave it out for all kinds"
  for (const kind of kinds) {
    const problem = validateKind(kind)
    if (problem !== undefined) return problem
  }
  return undefined
}

/** Returns why an index cannot hold the kind of a change, or `undefined`. */
export const validateKindOf = (change: Change<unknown>): string | undefined => {
  try {
    const kind = kindOfChange(change)
    return kind === undefined ? undefined : validateKind(kind)
  } catch {
    return "a value cannot be read"
  }
}
