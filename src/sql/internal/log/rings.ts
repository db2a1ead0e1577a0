/** Callbacks by name: what doorbells ring. */
import { ringEach } from "../../../internal/log/changeLog.js"

/** Callbacks by name. A callback that is added twice is called twice. */
export interface Rings {
  /** Adds a callback under a name, and gives what removes it again. */
  readonly add: (name: string, ring: () => void) => () => void
  /** Calls every callback of a name. */
  readonly ring: (name: string) => void
  /** Calls every callback. */
  readonly ringAll: () => void
  readonly isEmpty: () => boolean
}

/** Makes an empty set of callbacks. */
export const makeRings = (): Rings => {
  const byName = new Map<string, Set<() => void>>()
  return {
    add: (name, ring) => {
      const own = () => ring()
      byName.set(name, (byName.get(name) ?? new Set()).add(own))
      return () => {
        const rings = byName.get(name)
        rings?.delete(own)
        if (rings?.size === 0) byName.delete(name)
      }
    },
    ring: (name) => ringEach(byName.get(name) ?? []),
    ringAll: () => {
      for (const rings of byName.values()) ringEach(rings)
    },
    isEmpty: () => byName.size === 0
  }
}
