/** Projects a key by several projections, from one reading of its events. */
import { Effect } from "effect"
import type { KeyEvent, KeyIndex } from "../log/keyIndex.js"
import { matcherOfKinds } from "../log/kinds.js"
import { makeSharing } from "./decoder.js"
import { ProjectionError } from "./errors.js"
import type { EventValue } from "./events.js"
import type { AnyFold, Internals } from "./internals.js"
import type { Outcome } from "./outcome.js"
import { eachPage, nextPage, plan, type ReadError, readFailed } from "./reading.js"

type Outcomes = ReadonlyArray<Outcome<unknown>>

type Take = (events: ReadonlyArray<KeyEvent<EventValue>>) => void

/** So often a log may be renewed between two pages. */
const maxRestarts = 3

/** All kinds that one of them reads; `undefined` if one reads all kinds. */
const unionOf = (projections: ReadonlyArray<Internals>): ReadonlyArray<string> | undefined => {
  const union = new Set<string>()
  for (const { kinds } of projections) {
    if (kinds === undefined) return undefined
    for (const kind of kinds) union.add(kind)
  }
  return [...union].sort()
}

/** Folds the events of a projection's kinds. */
const takeOf = (kinds: Internals["kinds"], fold: AnyFold): Take => {
  const isRelevant = matcherOfKinds(kinds)
  return isRelevant === undefined
    ? fold.add
    : (events) => fold.add(events.filter(({ event }) => isRelevant(event)))
}

/** One pass over the key's events, up to one head. */
const onePass = (
  index: KeyIndex<EventValue>,
  projections: ReadonlyArray<Internals>,
  key: string
): Effect.Effect<Outcomes, ProjectionError | ReadError> =>
  Effect.gen(function* () {
    const sharing = makeSharing()
    const folds = projections.map(({ fold, kinds }) => ({ fold: fold(key, sharing), kinds }))
    const takes = folds.map(({ fold, kinds }) => takeOf(kinds, fold))
    const read = { index, kinds: unionOf(projections) }
    const first = yield* plan(read, key, false)
    const { head, last } = first
    yield* eachPage(
      first,
      (after) => nextPage(read, key, after, head),
      ({ events }) => {
        for (const take of takes) take(events)
        sharing.clear()
      }
    )
    return yield* Effect.forEach(folds, ({ fold }) => fold.end(last?.generation ?? 0, head))
  })

const oneByOne = (projections: ReadonlyArray<Internals>, key: string) =>
  Effect.forEach(projections, ({ projectOutcome }) => projectOutcome(key, { _tag: "Consistent" }))

/** Projects a key by each of the projections, in their order. */
export const all = (
  given: ReadonlyArray<Internals | undefined> | undefined,
  key: string
): Effect.Effect<Outcomes, ProjectionError> => {
  const projections = given?.filter((each) => each !== undefined)
  if (projections === undefined || projections.length !== given?.length) {
    const message = "projectAll takes an array of projections: pass those that Projection.make makes"
    return Effect.fail(new ProjectionError({ reason: "Refused", projection: "", key, message }))
  }
  const [first] = projections
  // Without an index there is no projection of the log.
  if (first?.log.index === undefined) return Effect.succeed([])
  const { index } = first.log
  const other = projections.find(({ log }) => log !== first.log)
  if (other !== undefined) {
    const message = `it reads another log than ${JSON.stringify(first.name)}: call projectAll once for each log`
    return Effect.fail(new ProjectionError({ reason: "Refused", projection: other.name, key, message }))
  }
  return onePass(index, projections, key).pipe(
    Effect.retry({ times: maxRestarts, while: ({ _tag }) => _tag === "EpochChanged" }),
    // A cache may hold what stands for the events that are gone.
    Effect.catchTag("Compacted", () => oneByOne(projections, key)),
    Effect.mapError((error) =>
      error._tag === "ProjectionError" ? error : readFailed(first.name, key)(error)
    )
  )
}
