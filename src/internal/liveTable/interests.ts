/**
 * What callers ask for under a key, as long as they wait: the query that a key stands for, and the tags that its entry
 * gets. Only this file writes an interest.
 */
import type { Key, QuerySpec } from "./coherence.js"

interface Interest {
  users: number
  readonly spec: QuerySpec | undefined
  readonly tags: Set<string>
}

export type Interests = Map<Key, Interest>

export const make = (): Interests => new Map()

/** Notes that a caller asks for a key. Each call is taken back by {@link leave}. */
export const enter = (
  interests: Interests,
  key: Key,
  spec: QuerySpec | undefined,
  tags: ReadonlyArray<string> | undefined
): void => {
  const known = interests.get(key)
  const interest = known ?? { users: 0, spec, tags: new Set<string>() }
  if (known === undefined) interests.set(key, interest)
  interest.users++
  for (const tag of tags ?? []) interest.tags.add(tag)
}

export const leave = (interests: Interests, key: Key): void => {
  const interest = interests.get(key)
  if (interest === undefined) return
  interest.users--
  if (interest.users === 0) interests.delete(key)
}

export const specOf = (interests: Interests, key: Key): QuerySpec | undefined => interests.get(key)?.spec

export const tagsOf = (interests: Interests, key: Key): ReadonlyArray<string> | undefined => {
  const tags = interests.get(key)?.tags
  return tags === undefined || tags.size === 0 ? undefined : [...tags]
}

/** The keys that are asked for with a tag. */
export const keysWith = (interests: Interests, tag: string): ReadonlyArray<Key> =>
  [...interests].filter(([, { tags }]) => tags.has(tag)).map(([key]) => key)
