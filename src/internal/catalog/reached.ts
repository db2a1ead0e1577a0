/** How far a store or pool that other processes write too was read here, and what waits for a revision. */

interface Waiter {
  readonly seq: number
  readonly resume: () => void
}

export interface Reached {
  /** The number of the last revision that was read. */
  readonly seq: () => number
  readonly advance: (seq: number) => void
  /** Calls `go` once when the revision was read, perhaps at once, or no more will be. Returns how to stop waiting. */
  readonly whenAt: (seq: number, go: () => void) => () => void
  /** How many revisions the furthest one is ahead that a call waits for. */
  readonly lag: () => number
  /** Nothing more is read: calls all that wait. */
  readonly end: () => void
}

export const make = (first: number): Reached => {
  let at = first
  let isEnded = false
  const waiters = new Set<Waiter>()
  const wake = (seq: number): void => {
    for (const waiter of waiters) {
      if (waiter.seq > seq) continue
      waiters.delete(waiter)
      waiter.resume()
    }
  }
  return {
    seq: () => at,
    advance: (seq) => {
      at = seq
      wake(seq)
    },
    whenAt: (seq, go) => {
      const waiter: Waiter = { seq, resume: go }
      if (isEnded || seq <= at) go()
      else waiters.add(waiter)
      return () => waiters.delete(waiter)
    },
    lag: () => {
      let furthest = at
      for (const { seq } of waiters) furthest = Math.max(furthest, seq)
      return furthest - at
    },
    end: () => {
      isEnded = true
      wake(Number.POSITIVE_INFINITY)
    }
  }
}
