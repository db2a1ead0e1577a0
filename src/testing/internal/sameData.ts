/** Compares data by its content, and lists of ids by what each holds. */
import { isBytes, isDate } from "../../internal/realms.js"

const keysOf = (value: object): ReadonlyArray<string> =>
  Object.keys(value).filter((key) => (value as { readonly [key: string]: unknown })[key] !== undefined)

const sameBytes = (a: Uint8Array, b: Uint8Array): boolean =>
  a.length === b.length && a.every((byte, at) => byte === b[at])

const sameList = (a: ReadonlyArray<unknown>, b: ReadonlyArray<unknown>): boolean =>
  a.length === b.length && a.every((value, at) => sameData(value, b[at]))

/** Whether two values hold the same: 0 and -0 differ, an undefined property is an absent one. */
export const sameData = (a: unknown, b: unknown): boolean => {
  if (Object.is(a, b)) return true
  if (typeof a !== "object" || typeof b !== "object" || a === null || b === null) return false
  if (isDate(a) || isDate(b)) {
    return isDate(a) && isDate(b) && Object.is(a.getTime(), b.getTime())
  }
  if (isBytes(a) || isBytes(b)) return isBytes(a) && isBytes(b) && sameBytes(a, b)
  if (Array.isArray(a) || Array.isArray(b)) return Array.isArray(a) && Array.isArray(b) && sameList(a, b)
  const keys = keysOf(a)
  return (
    keys.length === keysOf(b).length &&
    keys.every((key) => {
      const x = (a as { readonly [key: string]: unknown })[key]
      return Object.hasOwn(b, key) && sameData(x, (b as { readonly [key: string]: unknown })[key])
    })
  )
}

/** The first column in which two records differ. */
export const differingColumn = (a: object, b: object): string | undefined =>
  [...new Set([...keysOf(a), ...keysOf(b)])].find((key) => {
    const x = (a as { readonly [key: string]: unknown })[key]
    return !sameData(x, (b as { readonly [key: string]: unknown })[key])
  })

/** A few of many, for a message. */
export const few = (ids: ReadonlyArray<string>): string =>
  ids.length === 0 ? "nothing" : `${ids.slice(0, 4).join(", ")}${ids.length > 4 ? `, … (${ids.length})` : ""}`

const count = (ids: ReadonlyArray<string>): Map<string, number> => {
  const counts = new Map<string, number>()
  for (const id of ids) counts.set(id, (counts.get(id) ?? 0) + 1)
  return counts
}

/** How two lists of ids differ, whatever their order; `undefined` when they do not. */
export const difference = (
  seen: ReadonlyArray<string>,
  expected: ReadonlyArray<string>
): string | undefined => {
  const has = count(seen)
  const wants = count(expected)
  const missing = [...wants.keys()].filter((id) => (has.get(id) ?? 0) < (wants.get(id) ?? 0))
  const tooMany = [...has.keys()].filter((id) => (has.get(id) ?? 0) > (wants.get(id) ?? 0))
  const strange = tooMany.filter((id) => !wants.has(id))
  const repeated = tooMany.filter((id) => wants.has(id))
  const parts: Array<string> = []
  if (missing.length > 0) parts.push(`${few(missing)} missing`)
  if (strange.length > 0) parts.push(`${few(strange)} too many`)
  if (repeated.length > 0) parts.push(`${few(repeated)} more often than saved`)
  return parts.length === 0 ? undefined : parts.join("; ")
}

/** Where two lists of the same ids first differ in their order. */
export const disorder = (
  seen: ReadonlyArray<string>,
  expected: ReadonlyArray<string>
): string | undefined => {
  const at = seen.findIndex((id, index) => id !== expected[index])
  return at < 0 ? undefined : `position ${at} has ${seen[at]} instead of ${expected[at] ?? "nothing"}`
}
