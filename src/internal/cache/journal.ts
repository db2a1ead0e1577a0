/**
 * When keys were invalidated last, for loads that began before and land later. Its memory has a bound: what it forgets
 * counts as invalidated, for all keys, at the moment of the last forgotten invalidation.
 */

export interface Journal<K> {
  /** The stamp of the last invalidation of a key, the most recent one last. */
  readonly stamps: Map<K, number>
  /** All that was noted with stamps up to this one may be forgotten. */
  forgottenUpTo: number
  readonly maxKeys: number
}

export const make = <K>(maxKeys: number): Journal<K> => ({ stamps: new Map(), forgottenUpTo: 0, maxKeys })

/** Notes an invalidation. Stamps must grow from call to call. */
export const note = <K>(journal: Journal<K>, key: K, stamp: number): void => {
  const { stamps } = journal
  stamps.delete(key)
  stamps.set(key, stamp)
  if (stamps.size <= journal.maxKeys) return
  for (const [oldest, at] of stamps) {
    stamps.delete(oldest)
    journal.forgottenUpTo = at
    return
  }
}

/** Forgets all of it, while no load is under way that could land later. */
export const clear = <K>({ stamps }: Journal<K>): void => {
  if (stamps.size > 0) stamps.clear()
}

/** Whether the key may have been invalidated since a load took its stamp. */
export const isOutdated = <K>(journal: Journal<K>, key: K, stamp: number): boolean =>
  stamp < journal.forgottenUpTo || stamp < (journal.stamps.get(key) ?? 0)
