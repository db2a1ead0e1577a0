/** The rings that a doorbell has not sent yet. */

/** A feed of a channel has a revision. */
export interface Ring {
  readonly channel: string
  readonly feed: string
  readonly seq: number
}

/** Of each feed the ring with the highest number. */
export interface PendingRings {
  readonly add: (ring: Ring) => void
  readonly takeAll: () => ReadonlyArray<Ring>
  readonly isEmpty: () => boolean
}

/** Makes an empty set of rings. */
export const makePendingRings = (): PendingRings => {
  let newest = new Map<string, Ring>()
  return {
    add: (ring) => {
      const key = JSON.stringify([ring.channel, ring.feed])
      if ((newest.get(key)?.seq ?? -1) < ring.seq) newest.set(key, ring)
    },
    takeAll: () => {
      const rings = [...newest.values()]
      newest = new Map()
      return rings
    },
    isEmpty: () => newest.size === 0
  }
}
