/** The fields of a pool and their strategies. */

import { canonicalText } from "../columns/canonicalText.js"
import { fingerprint } from "../hash.js"
import { isLonger, validateText } from "../text.js"
import type { Strategy } from "./strategy.js"
import { last } from "./values.js"

/** A field that names no strategy, `{}`: it is joined by `last`. */
export interface Unnamed {
  readonly kind?: undefined
}

/** The strategies by the names of their fields. */
export interface Fields {
  readonly [name: string]: Strategy | Unnamed
}

/** The most fields of a pool. */
export const maxFields = 256

/** The most bytes of a field's name in UTF-8. */
export const maxNameBytes = 128

/** The fields of a pool. A field's index is the same in every process that has the same fingerprint. */
export interface Definition {
  /** By index, in ascending order. */
  readonly names: ReadonlyArray<string>
  /** By index. */
  readonly strategies: ReadonlyArray<Strategy>
  readonly indexes: ReadonlyMap<string, number>
  /** Differs between pools that do not join alike. */
  readonly fingerprint: string
}

/** What is wrong with the fields of a pool. */
export interface InvalidFields {
  readonly _tag: "InvalidFields"
  readonly message: string
}

const nameProblem = (name: string): string | undefined => {
  if (name === "") return "the name of a field must not be empty"
  const problem = validateText("the name of a field", name)
  if (problem !== undefined) return problem
  return isLonger(name, maxNameBytes)
    ? `the name of a field must have at most ${maxNameBytes} bytes of UTF-8`
    : undefined
}

const isRecord = (given: unknown): given is object =>
  typeof given === "object" && given !== null && !Array.isArray(given)

const isStrategy = (given: object): given is Strategy => "fingerprint" in given

/** The strategy of a field; `undefined`: it is none. What is missing altogether is no field: a name may be misspelt. */
const strategyOf = (given: unknown): Strategy | undefined => {
  if (!isRecord(given)) return undefined
  if (isStrategy(given)) return given
  return Object.keys(given).length === 0 ? last() : undefined
}

/** Whether a value names the fields of a pool. */
export const isFields = (given: unknown): given is Fields =>
  isRecord(given) && Object.values(given).every((one) => strategyOf(one) !== undefined)

/** Makes the definition of a pool, or returns what is wrong with its fields. */
export const define = (fields: Fields): Definition | InvalidFields => {
  if (!isFields(fields)) {
    const message = "each field must have a strategy, or {} for last"
    return { _tag: "InvalidFields", message }
  }
  const names = Object.keys(fields).sort()
  if (names.length === 0 || names.length > maxFields) {
    return { _tag: "InvalidFields", message: `a pool must have 1 to ${maxFields} fields` }
  }
  for (const name of names) {
    const message = nameProblem(name)
    if (message !== undefined) return { _tag: "InvalidFields", message }
  }
  const strategies = names.map((name) => strategyOf(fields[name]) as Strategy)
  return {
    names,
    strategies,
    indexes: new Map(names.map((name, index) => [name, index])),
    fingerprint: fingerprint(canonicalText(names.map((name, i) => [name, strategies[i]!.fingerprint])))
  }
}
