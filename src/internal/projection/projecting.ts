/** The calls of a projection: what they answer with, counted and reported. */
import { Effect, identity, Option } from "effect"
import { isInTransaction } from "../callerContext.js"
import { ProjectionError } from "./errors.js"
import type { AnyEvent } from "./events.js"
import type { Changed, Freshness, Outcome, OutcomeOptions } from "./outcome.js"
import { validateFreshness, validateOutcomeOptions } from "./readOptions.js"
import { hit, now, outcomeOf, type Result } from "./runtime.js"
import type * as Slots from "./slots.js"
import { byLog, type Calls, young } from "./ways.js"

/** So many answers from slots are published together: an update of a metric costs more than one of them. */
const publishEvery = 256

/** The answer of a slot by its age: its own generation and revision. */
const staleOf = <S>({ applied, at, head, state }: Slots.Slot<S>): Result<S> => ({
  state,
  generation: at.generation,
  applied,
  cache: hit,
  freshness: "StaleAllowed",
  strategy: "SlotHit",
  stored: "Skipped",
  head,
  phases: undefined
})

/** Counts a success, and reports it: not one of a transaction, whose revisions may never be committed. */
export const note = <S, E extends AnyEvent>(
  { onApplied, runtime }: Calls<S, E>,
  key: string,
  result: Result<S>,
  inTransaction: boolean
): Result<S> => {
  const { counters, publisher } = runtime
  const { applied, freshness, strategy } = result
  if (freshness === "StaleAllowed") counters.stale++
  const count = ++counters.answered[strategy]
  if (strategy !== "SlotHit" || count % publishEvery === 0) publisher.publish()
  if (applied === undefined || inTransaction || onApplied.size === 0) return result
  for (const report of onApplied) report(key, applied, result.head)
  return result
}

export const countFailure = <S, E extends AnyEvent>(
  { runtime }: Calls<S, E>,
  error: ProjectionError
): ProjectionError => {
  runtime.counters.failures++
  runtime.publisher.publish()
  return error
}

const refused = <S, E extends AnyEvent>(
  calls: Calls<S, E>,
  key: string,
  message: string
): Effect.Effect<never, ProjectionError> => {
  const projection = calls.runtime.name
  return Effect.suspend(() =>
    Effect.fail(countFailure(calls, new ProjectionError({ reason: "Refused", projection, key, message })))
  )
}

/** Projects a key, counts it, and answers. A hit is few steps: each costs as much as the lookup. */
const counted = <S, E extends AnyEvent, A>(
  calls: Calls<S, E>,
  key: string,
  options: OutcomeOptions,
  answer: (result: Result<S>) => A
): Effect.Effect<A, ProjectionError> =>
  Effect.withFiberRuntime((fiber) => {
    const inTransaction = isInTransaction(fiber.currentContext)
    const { freshness } = options
    if (freshness?._tag === "MaybeStale" && !inTransaction) {
      const slot = young(calls, key, freshness.maxAge)
      if (slot !== undefined) return Effect.succeed(answer(note(calls, key, staleOf(slot), false)))
    }
    const problem = validateFreshness(freshness)
    if (problem !== undefined) return refused(calls, key, problem)
    const found = Effect.map(byLog(calls, key, options, inTransaction), (result) =>
      answer(note(calls, key, result, inTransaction))
    )
    return Effect.mapError(found, (error) => countFailure(calls, error))
  })

/** As {@link counted}, in a span if a tracer listens. */
const projected = <S, E extends AnyEvent, A>(
  calls: Calls<S, E>,
  key: string,
  options: OutcomeOptions,
  answer: (result: Result<S>) => A
): Effect.Effect<A, ProjectionError> =>
  calls.traced === undefined
    ? counted(calls, key, options, answer)
    : Effect.map(calls.traced(counted(calls, key, options, identity<Result<S>>)), answer)

/** Projects a key consistently. The result is for other calls of the projection itself. */
export const consistently = <S, E extends AnyEvent>(
  calls: Calls<S, E>,
  key: string
): Effect.Effect<Result<S>, ProjectionError> => projected(calls, key, {}, identity<Result<S>>)

export const state = <S, E extends AnyEvent>(
  calls: Calls<S, E>,
  key: string,
  freshness: Freshness | undefined
): Effect.Effect<Option.Option<S>, ProjectionError> => {
  const { states } = calls.runtime.compiled
  return projected(calls, key, { freshness }, ({ state }) => state.shared ?? states.read(state))
}

export const outcome = <S, E extends AnyEvent>(
  calls: Calls<S, E>,
  key: string,
  options: OutcomeOptions | undefined
): Effect.Effect<Outcome<S>, ProjectionError> => {
  const { runtime } = calls
  if (options === undefined) {
    return projected(calls, key, {}, (result) => outcomeOf(runtime, result, undefined))
  }
  const problem = validateOutcomeOptions(options)
  if (problem !== undefined) return refused(calls, key, problem)
  if (options.times !== "on") {
    return projected(calls, key, options, (result) => outcomeOf(runtime, result, undefined))
  }
  return Effect.suspend(() => {
    const begun = now(runtime)
    return projected(calls, key, options, (result) => outcomeOf(runtime, result, now(runtime) - begun))
  })
}

export const ifChanged = <S, E extends AnyEvent>(
  calls: Calls<S, E>,
  key: string,
  known: number
): Effect.Effect<Option.Option<Changed<S>>, ProjectionError> => {
  const { states } = calls.runtime.compiled
  return projected(calls, key, {}, ({ generation, state }) =>
    generation === known ? Option.none() : Option.some({ generation, state: states.read(state) })
  )
}
