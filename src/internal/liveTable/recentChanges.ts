/** The last change of each key, as far back as memory allows. All of it is synchronous; an event costs a constant. */

export interface RecentChanges {
  /** Every change behind this number is known. */
  readonly from: number
  /** The number of the last change of each key, the oldest first. */
  readonly last: ReadonlyMap<string, number>
  /** The most keys. */
  readonly maxKeys: number
}

interface Fields extends RecentChanges {
  from: number
  readonly last: Map<string, number>
}

const fresh = (maxKeys: number): Fields => ({ from: 0, last: new Map(), maxKeys })

export const make: (maxKeys: number) => RecentChanges = fresh

// All were made by `fresh`: the type of other files hides what only this file may write.
const fieldsOf = (recent: RecentChanges): Fields => recent as Fields

/** Forgets everything up to a number. */
export const restart = (recent: RecentChanges, from: number): void => {
  const fields = fieldsOf(recent)
  fields.from = from
  fields.last.clear()
}

/** Notes that a key has changed; forgets the change that is the longest ago, if there are too many. */
export const note = (recent: RecentChanges, key: string, seq: number): void => {
  const fields = fieldsOf(recent)
  const { last, maxKeys } = fields
  last.delete(key)
  last.set(key, seq)
  if (last.size <= maxKeys) return
  for (const [oldest, at] of last) {
    last.delete(oldest)
    fields.from = at
    return
  }
}
