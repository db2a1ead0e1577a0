/** The least that telling watchers of their keys can be: a Map to slots that hold the latest value. */
export interface Slots<A> {
  readonly tell: (key: string, value: A) => void
  readonly told: () => number
}

export const slots = <A>(keys: ReadonlyArray<string>): Slots<A> => {
  const byKey = new Map<string, { value: A | undefined }>()
  for (const key of keys) byKey.set(key, { value: undefined })
  let told = 0
  return {
    tell: (key, value) => {
      const slot = byKey.get(key)
      if (slot === undefined) return
      slot.value = value
      told++
    },
    told: () => told
  }
}
