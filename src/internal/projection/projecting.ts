/** The calls of a projection: which of them answer at once, which share a flight, and which may use no cache. */
import { type Context, Duration, Effect, Exit, Option, type Scope } from "effect"
import * as Flights from "../cache/flights.js"
import { isInTransaction } from "../callerContext.js"
import type { ChangeLog } from "../log/changeLog.js"
import type { Revision } from "../log/events.js"
import { untilReached } from "./atLeast.js"
import { foldAfter, judgeSlot, project } from "./attempt.js"
import { ProjectionError } from "./errors.js"
import type { AnyEvent, EventValue } from "./events.js"
import type { Changed, Freshness, Outcome, OutcomeOptions } from "./outcome.js"
import { firstPage, timed } from "./reading.js"
import {
  type Attempt,
  hit,
  noPhases,
  now,
  outcomeOf,
  type Phases,
  type Result,
  type Runtime
} from "./runtime.js"
import * as Slots from "./slots.js"
import type { Traced } from "./spans.js"

type Projecting<S> = Effect.Effect<Result<S>, ProjectionError>

/** A runtime, and what its calls need besides. */
export interface Calls<S, E> {
  readonly runtime: Runtime<S, E>
  readonly log: ChangeLog<EventValue>
  readonly flights: Flights.Flights<string, Result<S>, ProjectionError>
  readonly traced: Traced
  /** Called synchronously with each success that has an applied revision. */
  readonly onApplied: Set<(key: string, applied: Revision, head: Revision) => void>
}

/** So many answers at once are published together. */
const publishEvery = 256

const closed = (projection: string, key: string): ProjectionError =>
  new ProjectionError({
    reason: "Log",
    projection,
    key,
    message: "the projection is closed: use it before its scope ends"
  })

/** Makes flights, one for each key. A flight is joined until it begins: after that its plan is being taken. */
export const makeFlights = <S, E extends AnyEvent>(
  runtime: Runtime<S, E>
): Effect.Effect<Calls<S, E>["flights"], never, Scope.Scope> =>
  Effect.gen(function* () {
    let stamp = 0
    const load = (keys: ReadonlyArray<string>) =>
      Effect.forEach(keys, (key) => {
        Flights.detach(flights, key)
        return project(runtime, key, true)
      })
    const flights: Calls<S, E>["flights"] = yield* Flights.make({
      load,
      gather: "none",
      maxBatch: 1,
      // Each call of the log and of the tier has its own limit.
      hardTimeout: Number.POSITIVE_INFINITY,
      nextStamp: () => ++stamp,
      land: ({ key }, outcome): Exit.Exit<Result<S>, ProjectionError> => {
        if (outcome._tag === "Loaded") return Exit.succeed(outcome.value)
        return outcome._tag === "Failed"
          ? Exit.failCause(outcome.cause)
          : Exit.fail(closed(runtime.name, key))
      }
    })
    return flights
  })

const fly = <S, E extends AnyEvent>({ flights, runtime }: Calls<S, E>, key: string): Projecting<S> =>
  Effect.suspend(() => {
    if (Flights.has(flights, key)) runtime.counters.joined++
    return Flights.join(flights, key)
  })

/** The answer of a slot whose log answers during the call: no fiber is needed, and no other caller can join. */
const inline = <S, E extends AnyEvent>(
  calls: Calls<S, E>,
  key: string,
  slot: Slots.Slot<S>,
  phases: Phases | undefined
): Projecting<S> => {
  const { runtime } = calls
  const readAt = now(runtime)
  const reading = firstPage(runtime.compiled, key, slot.at)
  return Effect.matchEffect(phases === undefined ? reading : timed(runtime, phases, "plan", reading), {
    onFailure: () => fly(calls, key),
    onSuccess: (page) => {
      const judged = judgeSlot({ phases, readAt }, slot, page)
      if (typeof judged === "object") return Effect.succeed(judged)
      if (judged === "Foreign" || !runtime.compiled.incremental) return fly(calls, key)
      const attempt: Attempt<S, E> = { runtime, key, phases: phases ?? noPhases(), readAt, usesCaches: true }
      const base = { cached: slot, page, strategy: "SlotIncremental" as const, unsaved: slot.unsaved }
      return Effect.catchAll(foldAfter(attempt, base), (error) =>
        error._tag === "ProjectionError" ? Effect.fail(error) : fly(calls, key)
      )
    }
  })
}

const consistent = <S, E extends AnyEvent>(
  calls: Calls<S, E>,
  key: string,
  times: OutcomeOptions["times"]
): Projecting<S> => {
  const { log, runtime } = calls
  const slot = Slots.get(runtime.slots, key)
  return slot !== undefined && log.append.now !== undefined
    ? inline(calls, key, slot, times === "on" ? noPhases() : undefined)
    : fly(calls, key)
}

/** A slot that is young enough is answered without the log, by its own generation and revision. */
const maybeStale = <S, E extends AnyEvent>(
  calls: Calls<S, E>,
  key: string,
  maxAge: number,
  times: OutcomeOptions["times"]
): Projecting<S> => {
  const { runtime } = calls
  const slot = Slots.get(runtime.slots, key)
  if (slot === undefined || !(now(runtime) - slot.provenAt < maxAge)) return consistent(calls, key, times)
  runtime.counters.stale++
  return Effect.succeed({
    state: slot.state,
    generation: slot.at.generation,
    applied: slot.applied,
    cache: hit,
    freshness: "StaleAllowed",
    strategy: "SlotHit",
    stored: "Skipped",
    head: slot.head,
    phases: undefined
  })
}

/** What is no duration counts as 0, the strict side. */
const millisOf = (given: Duration.DurationInput): number =>
  Option.match(Duration.decodeUnknown(given), {
    onNone: () => 0,
    onSome: (duration) => Duration.toMillis(duration)
  })

const byFreshness = <S, E extends AnyEvent>(
  calls: Calls<S, E>,
  key: string,
  { freshness, times }: OutcomeOptions,
  read: Projecting<S> | undefined
): Projecting<S> => {
  switch (freshness?._tag) {
    case "MaybeStale":
      return read ?? maybeStale(calls, key, millisOf(freshness.maxAge), times)
    case "AtLeast": {
      const { log, runtime } = calls
      const { revision } = freshness
      const waiting = { name: runtime.name, log, key, revision, timeout: millisOf(freshness.timeout) }
      return untilReached(waiting, read ?? Effect.suspend(() => consistent(calls, key, times)))
    }
    default:
      return read ?? consistent(calls, key, times)
  }
}

const note = <S, E extends AnyEvent>(
  { onApplied, runtime }: Calls<S, E>,
  key: string,
  result: Result<S>
): void => {
  const { counters, publisher } = runtime
  const { applied, strategy } = result
  const count = ++counters.answered[strategy]
  if (strategy !== "SlotHit" || count % publishEvery === 0) publisher.publish()
  if (applied !== undefined) for (const report of onApplied) report(key, applied, result.head)
}

/** Projects a key, and counts it. */
const projected = <S, E extends AnyEvent>(
  calls: Calls<S, E>,
  key: string,
  options: OutcomeOptions
): Projecting<S> => {
  const { runtime, traced } = calls
  const found = Effect.contextWithEffect((context: Context.Context<never>) =>
    byFreshness(calls, key, options, isInTransaction(context) ? project(runtime, key, false) : undefined)
  )
  return traced(
    Effect.mapBoth(found, {
      onFailure: (error) => {
        runtime.counters.failures++
        runtime.publisher.publish()
        return error
      },
      onSuccess: (result) => {
        note(calls, key, result)
        return result
      }
    })
  )
}

export const state = <S, E extends AnyEvent>(
  calls: Calls<S, E>,
  key: string,
  freshness: Freshness | undefined
): Effect.Effect<Option.Option<S>, ProjectionError> => {
  const { states } = calls.runtime.compiled
  return Effect.map(projected(calls, key, { freshness }), ({ state }) => state.shared ?? states.read(state))
}

export const outcome = <S, E extends AnyEvent>(
  calls: Calls<S, E>,
  key: string,
  options: OutcomeOptions
): Effect.Effect<Outcome<S>, ProjectionError> =>
  Effect.suspend(() => {
    const begun = now(calls.runtime)
    return Effect.map(projected(calls, key, options), (result) =>
      outcomeOf(calls.runtime, result, options.times === "on" ? now(calls.runtime) - begun : undefined)
    )
  })

export const ifChanged = <S, E extends AnyEvent>(
  calls: Calls<S, E>,
  key: string,
  generation: number
): Effect.Effect<Option.Option<Changed<S>>, ProjectionError> => {
  const { states } = calls.runtime.compiled
  return Effect.map(projected(calls, key, {}), (result) =>
    result.generation === generation
      ? Option.none()
      : Option.some({ generation: result.generation, state: states.read(result.state) })
  )
}
