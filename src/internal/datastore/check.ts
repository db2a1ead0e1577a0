/** Checks operations at the boundary: what passes is copied, frozen, and JSON that every backend keeps. */
import * as Either from "effect/Either"
import { type JsonObject, jsonProblem, ownJson } from "../columns/jsonData.js"
import { isLonger, validateText } from "../text.js"
import { isRefused, maxSteps, type Owned, type Refused, type Step } from "./operation.js"

/** What a store takes. */
export interface Limits {
  readonly primary: string
  /** The most bytes of a key in UTF-8. */
  readonly maxKeyBytes: number
  /** The deepest nesting of data. */
  readonly maxDepth: number
}

type Checked<A> = A | Refused

const refuse = (reason: Refused["reason"], message: string, step: number): Refused => ({
  reason,
  message,
  step
})

/** Returns why a text cannot be a key, or `undefined`. */
export const keyProblem = (key: unknown, maxBytes: number): string | undefined => {
  const problem = validateText("the key", key)
  if (problem !== undefined) return problem
  if (key === "") return "the key must not be empty"
  return isLonger(key as string, maxBytes)
    ? `the key must have at most ${maxBytes} bytes of UTF-8`
    : undefined
}

const ownObject = (
  given: unknown,
  { maxDepth }: Limits,
  step: number
): Checked<{ readonly value: JsonObject; readonly bytes: number }> => {
  if (typeof given !== "object" || given === null || Array.isArray(given)) {
    return refuse("InvalidData", "data must be an object: put the value into a field", step)
  }
  try {
    const own = ownJson(given, maxDepth)
    if (typeof own === "string") return refuse("InvalidData", jsonProblem[own], step)
    // A copy of a plain object is one.
    return own as { readonly value: JsonObject; readonly bytes: number }
  } catch {
    return refuse("InvalidData", "a property of the data cannot be read: pass plain data", step)
  }
}

const checkKey = (key: unknown, { maxKeyBytes }: Limits, step: number): Refused | undefined => {
  const problem = keyProblem(key, maxKeyBytes)
  return problem === undefined ? undefined : refuse("InvalidKey", problem, step)
}

/** Text of a copy is well-formed already. */
const checkField = (key: unknown, limits: Limits, step: number): Refused | undefined => {
  const { maxKeyBytes } = limits
  const isKey = typeof key === "string" && key !== "" && !isLonger(key, maxKeyBytes)
  return isKey ? undefined : checkKey(key, limits, step)
}

const isExpect = (given: unknown): boolean =>
  given === undefined ||
  given === "absent" ||
  (typeof given === "number" && Number.isSafeInteger(given) && given > 0)

const checkExpect = (given: unknown, step: number): Refused | undefined =>
  isExpect(given)
    ? undefined
    : refuse("InvalidOperation", 'expect must be the seq of a row, from 1, or "absent"', step)

const checkUnset = (unset: unknown, { primary }: Limits, step: number): Refused | undefined => {
  if (unset === undefined) return undefined
  if (!Array.isArray(unset) || !unset.every((name) => typeof name === "string")) {
    return refuse("InvalidOperation", "unset must be an array of names of fields", step)
  }
  return unset.includes(primary)
    ? refuse("InvalidKey", `a patch must not remove the primary field ${JSON.stringify(primary)}`, step)
    : undefined
}

type Sized = { readonly step: Step<JsonObject>; readonly bytes: number }

const checkSet = (given: Step<unknown> & { _tag: "Set" }, limits: Limits, index: number): Checked<Sized> => {
  const { data, expect } = given
  const own = checkExpect(expect, index) ?? ownObject(data, limits, index)
  if (isRefused(own)) return own
  const key = Object.hasOwn(own.value, limits.primary) ? own.value[limits.primary] : undefined
  const problem = checkField(key, limits, index)
  if (problem !== undefined) {
    const message = `the primary field ${JSON.stringify(limits.primary)}: ${problem.message}`
    return { ...problem, message }
  }
  return { step: { _tag: "Set", data: own.value, expect }, bytes: own.bytes }
}

const checkPatch = (
  given: Step<unknown> & { _tag: "Patch" },
  limits: Limits,
  index: number
): Checked<Sized> => {
  // Each is read once: a getter may answer otherwise the next time.
  const { expect, key, set, unset: givenUnset } = given
  const unset = Array.isArray(givenUnset) ? Array.from(givenUnset) : givenUnset
  const problem =
    checkExpect(expect, index) ?? checkKey(key, limits, index) ?? checkUnset(unset, limits, index)
  if (problem !== undefined) return problem
  const own = ownObject(set ?? {}, limits, index)
  if (isRefused(own)) return own
  if (Object.hasOwn(own.value, limits.primary)) {
    const message = `a patch must not set the primary field ${JSON.stringify(limits.primary)}: delete, and set anew`
    return refuse("InvalidKey", message, index)
  }
  return { step: { _tag: "Patch", key, set: own.value, unset, expect }, bytes: own.bytes }
}

const checkStep = (given: Step<unknown>, limits: Limits, index: number): Checked<Sized> => {
  if (typeof given !== "object" || (given as unknown) === null) {
    return refuse("InvalidOperation", "a step must be an object: use Datastore.set, patch or remove", index)
  }
  switch (given._tag) {
    case "Set":
      return checkSet(given, limits, index)
    case "Patch":
      return checkPatch(given, limits, index)
    case "Delete": {
      const { expect, key } = given
      const problem = checkExpect(expect, index) ?? checkKey(key, limits, index)
      return problem ?? { step: { _tag: "Delete", key, expect }, bytes: 0 }
    }
    default:
      return refuse("InvalidOperation", "a step must have the _tag Set, Patch or Delete", index)
  }
}

/** Checks a step whose own properties may be getters. */
const tryStep = (given: Step<unknown>, limits: Limits, index: number): Checked<Sized> => {
  try {
    return checkStep(given, limits, index)
  } catch {
    return refuse("InvalidOperation", "a property of the step cannot be read: pass plain data", index)
  }
}

/** Checks steps, and copies their data; or returns the first refusal. */
export const ownSteps = (steps: ReadonlyArray<Step<unknown>>, limits: Limits): Owned | Refused => {
  if (!Array.isArray(steps) || steps.length === 0 || steps.length > maxSteps) {
    return refuse("InvalidOperation", `an operation must be an array of 1 to ${maxSteps} steps: split it`, 0)
  }
  const owned: Array<Step<JsonObject>> = []
  let bytes = 0
  for (let i = 0; i < steps.length; i++) {
    const checked = tryStep(steps[i] as Step<unknown>, limits, i)
    if (isRefused(checked)) return checked
    owned.push(checked.step)
    bytes += checked.bytes
  }
  return { steps: owned, bytes }
}

/** Checks steps, and copies their data. */
export const checkSteps = (
  steps: ReadonlyArray<Step<unknown>>,
  limits: Limits
): Either.Either<Owned, Refused> => {
  const owned = ownSteps(steps, limits)
  return isRefused(owned) ? Either.left(owned) : Either.right(owned)
}
