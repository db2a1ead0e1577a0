/** The records of a store that other processes write too: as of the last revision that was read here. */
import * as Reached from "../catalog/reached.js"
import { type Holding, type JsonRow, ofRows } from "./holding.js"

export interface Mirror extends Pick<Reached.Reached, "whenAt" | "lag" | "end"> {
  readonly holding: Holding
  /** Makes the changes of a revision, which may be far ahead of the last one: others matched nothing. */
  readonly advance: (
    seq: number,
    changes: ReadonlyArray<{ readonly key: string; readonly row: JsonRow | undefined }>
  ) => void
  /** Begins anew with what a snapshot holds. */
  readonly replace: (seq: number, rows: Iterable<JsonRow>) => void
}

const bySeq = (a: JsonRow, b: JsonRow): number => a.seq - b.seq

export const make = (seq: number, rows: Iterable<JsonRow>): Mirror => {
  // What is committed fits.
  let held = ofRows(seq, rows, Number.POSITIVE_INFINITY)
  const { advance, end, lag, seq: at, whenAt } = Reached.make(seq)
  return {
    holding: {
      seq: at,
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
      advance(seq)
    },
    replace: (seq, rows) => {
      // A snapshot is ordered by key.
      held = ofRows(seq, Array.from(rows).sort(bySeq), Number.POSITIVE_INFINITY)
      advance(seq)
    },
    whenAt,
    lag,
    end
  }
}
