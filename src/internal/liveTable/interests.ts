/**
 * What callers ask for under a key, as long as they wait: the query that a key stands for, and the tags that its entry
 * gets. Only this file writes an interest.
 */
import type { Key, QuerySpec } from "./coherence.js"

interface Interest {
  users: number
  readonly spec: QuerySpec | undefined
  readonly tags: Set<string>
  /** A caller wants the answer of the master, not that of the tier. */
  pastTier: boolean
}

/** What one caller asks for. */
export interface Asking {
  readonly spec?: QuerySpec | undefined
  readonly tags?: ReadonlyArray<string> | undefined
  readonly pastTier?: boolean | undefined
}

export type Interests = Map<Key, Interest>

export const make = (): Interests => new Map()

/** Notes that a caller asks for a key. Each call is taken back by {@link leave}. */
export const enter = (
  interests: Interests,
  key: Key,
  { pastTier = false, spec, tags = [] }: Asking
): void => {
  const known = interests.get(key)
  const interest = known ?? { users: 0, spec, tags: new Set<string>(), pastTier }
  if (known === undefined) interests.set(key, interest)
  interest.users++
  interest.pastTier ||= pastTier
  for (const tag of tags) interest.tags.add(tag)
}

export const leave = (interests: Interests, key: Key): void => {
  const interest = interests.get(key)
  if (interest === undefined) return
  interest.users--
  if (interest.users === 0) interests.delete(key)
}

/** Whether a caller wants the answer of the master. */
export const isPastTier = (interests: Interests, key: Key): boolean => interests.get(key)?.pastTier === true

export const specOf = (interests: Interests, key: Key): QuerySpec | undefined => interests.get(key)?.spec

export const tagsOf = (interests: Interests, key: Key): ReadonlyArray<string> | undefined => {
  const tags = interests.get(key)?.tags
  return tags === undefined || tags.size === 0 ? undefined : [...tags]
}

/** The keys that are asked for with a tag. */
export const keysWith = (interests: Interests, tag: string): ReadonlyArray<Key> =>
  [...interests].filter(([, { tags }]) => tags.has(tag)).map(([key]) => key)
