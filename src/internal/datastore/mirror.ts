/** The records of a store that other processes write too: as of the last revision that was read here. */
import type { JsonRow } from "./holding.js"
import { type Holding, ofRows } from "./holding.js"

interface Waiter {
  readonly seq: number
  readonly resume: () => void
}

export interface Mirror {
  readonly holding: Holding
  /** Makes the changes of a revision, which may be far ahead of the last one: others matched nothing. */
  readonly advance: (
    seq: number,
    changes: ReadonlyArray<{ readonly key: string; readonly row: JsonRow | undefined }>
  ) => void
  /** Begins anew with what a snapshot holds. */
  readonly replace: (seq: number, rows: Iterable<JsonRow>) => void
  /** Calls `go` once when the revision was read, perhaps at once, or no more will be. Returns how to stop waiting. */
  readonly whenAt: (seq: number, go: () => void) => () => void
  /** How many revisions the furthest one is ahead that a call waits for. */
  readonly lag: () => number
  /** Nothing more is read: calls all that wait. */
  readonly end: () => void
}

const bySeq = (a: JsonRow, b: JsonRow): number => a.seq - b.seq

export const make = (seq: number, rows: Iterable<JsonRow>): Mirror => {
  let held = ofRows(seq, rows)
  let at = seq
  const waiters = new Set<Waiter>()
  const wake = (seq: number): void => {
    for (const waiter of waiters) {
      if (waiter.seq > seq) continue
      waiters.delete(waiter)
      waiter.resume()
    }
  }
  return {
    holding: {
      seq: () => at,
      get: (key) => held.get(key),
      size: () => held.size(),
      bySeq: () => held.bySeq(),
      commit: (changed, bytes) => held.commit(changed, bytes)
    },
    advance: (seq, changes) => {
      held.commit(
        changes.map(({ key, row }) => ({ key, before: undefined, after: row })),
        0
      )
      at = seq
      wake(seq)
    },
    replace: (seq, rows) => {
      // A snapshot is ordered by key.
      held = ofRows(seq, Array.from(rows).sort(bySeq))
      at = seq
      wake(seq)
    },
    whenAt: (seq, go) => {
      const waiter: Waiter = { seq, resume: go }
      if (seq <= at) go()
      else waiters.add(waiter)
      return () => waiters.delete(waiter)
    },
    lag: () => {
      let furthest = at
      for (const { seq } of waiters) furthest = Math.max(furthest, seq)
      return furthest - at
    },
    end: () => wake(Number.POSITIVE_INFINITY)
  }
}
