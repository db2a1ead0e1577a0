/** Checks for properties, which make so many of them that `expect` would take most of the time. */
import { runs } from "./laws.js"

export const ensure = (holds: boolean, law: string): void => {
  if (!holds) throw new Error(`does not hold: ${law}`)
}

export const ensureSame = (actual: unknown, expected: unknown, law: string): void => {
  if (!Object.is(actual, expected)) throw new Error(`does not hold: ${law} (${actual}, not ${expected})`)
}

/** The same elements in the same order. */
export const ensureList = <A>(actual: ReadonlyArray<A>, expected: ReadonlyArray<A>, law: string): void => {
  const same = actual.length === expected.length && actual.every((a, i) => Object.is(a, expected[i]))
  if (!same) throw new Error(`does not hold: ${law} ([${actual}], not [${expected}])`)
}

/** Milliseconds for a property, also in a long run on a busy machine. */
export const lawTimeout = Math.max(60_000, runs(60_000))
