/** Splits writes into the calls of a source: no id occurs twice in one, so that statements of many rows can do them. */
import type { IdValue } from "./ids.js"

/**
 * Splits writes into runs of neighbours, in order. A run has at most `max` of them and no id twice. A write without an
 * id, which touches all rows, is a run of its own.
 */
export const runsOf = <A>(
  writes: Iterable<A>,
  max: number,
  idOf: (write: A) => IdValue | undefined
): ReadonlyArray<ReadonlyArray<A>> => {
  const runs: Array<Array<A>> = []
  const seen = new Set<IdValue>()
  let isOpen = false
  for (const write of writes) {
    const id = idOf(write)
    const run = runs.at(-1)
    if (id !== undefined && isOpen && run !== undefined && run.length < max && !seen.has(id)) {
      run.push(write)
    } else {
      runs.push([write])
      seen.clear()
    }
    if (id !== undefined) seen.add(id)
    isOpen = id !== undefined
  }
  return runs
}
