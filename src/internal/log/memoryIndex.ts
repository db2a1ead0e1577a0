/** The index of a log in memory, as its readers use it. */
import { Effect, Either } from "effect"
import { validateHistory, validateHold, validateHoldName, validateScan } from "./checkReading.js"
import type { ChangeLogError, Compacted, EpochChanged, Revision } from "./events.js"
import type { KeyHistory, KeyIndex, Scan, ScanOptions } from "./keyIndex.js"
import { readHistory } from "./memoryHistory.js"
import type { Keys } from "./memoryKeys.js"
import { cursorProblem, type History, hold, release, revisionAt } from "./memoryRows.js"
import { search } from "./memoryScan.js"
import { resolveSelector, type Selector } from "./selector.js"

type Wrong = Compacted | EpochChanged | ChangeLogError

const scanNow = <V>(
  history: History<V>,
  keys: Keys<V>,
  { after, kinds, limit, upTo }: ScanOptions,
  selector: Selector | undefined
): Either.Either<Scan<V>, Wrong> => {
  const problem = cursorProblem(history, after) ?? (upTo && cursorProblem(history, upTo))
  if (problem !== undefined) return Either.left(problem)
  const head = (upTo && revisionAt(history, upTo.seq)) ?? history.head
  const wanted = { after: after.seq, upTo: head.seq, selector, kinds }
  const revisions = search(history, keys, wanted, limit)
  const last = revisions[limit - 1]?.revision
  const end = head.seq < after.seq ? revisionAt(history, after.seq) : head
  return Either.right({ revisions, reached: last ?? end ?? head, head })
}

const holdNow = <V>(
  history: History<V>,
  name: string,
  after: Revision
): Either.Either<void, EpochChanged | ChangeLogError> => {
  const problem = validateHold(name, after) ?? cursorProblem(history, after)
  // Of a revision below the floor everything that is left is kept.
  if (problem !== undefined && problem._tag !== "Compacted") return Either.left(problem)
  return Either.right(hold(history, name, after))
}

/** Makes the index of a history that keeps one. */
export const makeIndex = <V>(history: History<V>, keys: Keys<V>): KeyIndex<V> => ({
  history: (key, options) =>
    Effect.suspend((): Either.Either<KeyHistory<V>, Wrong> => {
      const problem = validateHistory(key, options)
      return problem === undefined ? readHistory(history, keys, key, options) : Either.left(problem)
    }),
  scan: (options) =>
    Effect.suspend(() => {
      const problem = validateScan(options)
      if (problem !== undefined) return Effect.fail(problem)
      return options.selector === undefined
        ? scanNow(history, keys, options, undefined)
        : Effect.flatMap(resolveSelector(options.selector), (selector) =>
            scanNow(history, keys, options, selector)
          )
    }),
  hold: (name, after) => Effect.suspend(() => holdNow(history, name, after)),
  release: (name) =>
    Effect.suspend(() => {
      const problem = validateHoldName(name)
      return problem === undefined ? Effect.sync(() => release(history, name)) : problem
    })
})
