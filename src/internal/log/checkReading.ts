/** Checks the calls of an index before they are made, for every log alike. All of it is pure. */
import { type ChangeLogError, isCursor, refusal, start, validateRange, wrongCursor } from "./events.js"
import { validateKinds } from "./kinds.js"
import { validateKey } from "./selector.js"

type Given = { readonly [name: string]: unknown }

/** A value from untyped code, as a record. */
const recordOf = (given: unknown): Given => (given ?? {}) as Given

const refused = (problem: string | undefined): ChangeLogError | undefined =>
  problem === undefined ? undefined : refusal("Invalid", problem)

/** Returns what is wrong with a reading of the events of a key, or `undefined`. */
export const validateHistory = (key: unknown, options: unknown): ChangeLogError | undefined => {
  const { after, kinds, limit, upTo } = recordOf(options)
  // Without a position it reads from the first event: any cursor stands in for it.
  const position = after === undefined ? start("") : recordOf(after).revision
  const problem = validateRange({ after: position, limit, upTo })
  return problem ?? refused(validateKey(key) ?? validateKinds(kinds))
}

/** Returns what is wrong with a reading of the events of many keys, or `undefined`. The selector is checked by itself. */
export const validateScan = (options: unknown): ChangeLogError | undefined =>
  validateRange(options) ?? refused(validateKinds(recordOf(options).kinds))

/** Returns what is wrong with the name of a hold, or `undefined`. */
export const validateHoldName = (name: unknown): ChangeLogError | undefined =>
  refused(validateKey(name)?.replace("a key", "the name of a hold"))

/** Returns what is wrong with a hold, or `undefined`. */
export const validateHold = (name: unknown, after: unknown): ChangeLogError | undefined =>
  validateHoldName(name) ?? (isCursor(after) ? undefined : wrongCursor("after"))
