/**
 * How entries of a tier are kept in a `BackingPersistence`, of which little is sure. All of it is pure.
 *
 * - Names have one width and hold hexadecimal digits: stores may share a space of names, of which one may begin another
 *   one, and names may be those of files.
 * - An entry holds its key, so that another one with the same name is a miss.
 * - It holds a fingerprint of its value: a file that two processes write at once may hold halves of both.
 * - It holds the generation of its namespace, which a clear replaces: a backend's own clear may take everything.
 */
import { fingerprint } from "../../internal/hash.js"

/** The name of a namespace's store. */
export const storeName = (namespace: string): string => `effect-recorder-${fingerprint(namespace)}`

/** The name of a key's entry. */
export const entryName = (key: string): string => fingerprint(key)

/** The name of the entry that holds the generation. It is no fingerprint. */
export const generationName = "generation"

const isTexts = (stored: unknown, count: number): stored is ReadonlyArray<string> =>
  Array.isArray(stored) && stored.length === count && stored.every((part) => typeof part === "string")

export const encodeGeneration = (namespace: string, generation: string): ReadonlyArray<string> => [
  namespace,
  generation
]

/** The generation of a namespace; `undefined` if there is none. */
export const decodeGeneration = (namespace: string, stored: unknown): string | undefined =>
  isTexts(stored, 2) && stored[0] === namespace ? stored[1] : undefined

export const encodeEntry = (generation: string, key: string, value: string): ReadonlyArray<string> => [
  generation,
  key,
  fingerprint(value),
  value
]

/** The value of a key in a generation; `undefined` for whatever else is stored under its name. */
export const decodeEntry = (generation: string, key: string, stored: unknown): string | undefined => {
  if (!isTexts(stored, 4) || stored[0] !== generation || stored[1] !== key) return undefined
  const [, , sum, value = ""] = stored
  return fingerprint(value) === sum ? value : undefined
}
