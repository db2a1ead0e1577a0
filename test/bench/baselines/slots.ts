/** The least that dispatching to the watchers of keys can cost: a Map to slots that hold the latest value. */
export interface Slots<A> {
  readonly dispatch: (key: string, value: A) => void
  readonly take: (key: string) => A | undefined
}

export const slots = <A>(keys: ReadonlyArray<string>): Slots<A> => {
  const byKey = new Map<string, { value: A | undefined }>()
  for (const key of keys) byKey.set(key, { value: undefined })
  return {
    dispatch: (key, value) => {
      const slot = byKey.get(key)
      if (slot !== undefined) slot.value = value
    },
    take: (key) => {
      const slot = byKey.get(key)
      const value = slot?.value
      if (slot !== undefined) slot.value = undefined
      return value
    }
  }
}
