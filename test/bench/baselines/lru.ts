/** The cache that most would write: the entry that was read longest ago goes first. */
export const lru = <K>(maxEntries: number): { readonly read: (key: K) => boolean } => {
  const keys = new Set<K>()
  return {
    read: (key) => {
      const known = keys.delete(key)
      keys.add(key)
      if (keys.size <= maxEntries) return known
      for (const oldest of keys) {
        keys.delete(oldest)
        break
      }
      return known
    }
  }
}
