/** The ways of a projection: at once from a slot, by a flight that callers share, or past all caches. */
import { Duration, Effect, Either, Exit, Option, type Scope } from "effect"
import * as Flights from "../cache/flights.js"
import type { ChangeLog } from "../log/changeLog.js"
import type { Revision } from "../log/events.js"
import { untilReached } from "./atLeast.js"
import { foldAfter, judgeSlot, project } from "./attempt.js"
import type { Page } from "./cached.js"
import { ProjectionError } from "./errors.js"
import type { AnyEvent, EventValue } from "./events.js"
import type { OutcomeOptions } from "./outcome.js"
import { firstPage, timed } from "./reading.js"
import { type Attempt, noPhases, now, type Phases, type Result, type Runtime } from "./runtime.js"
import * as Slots from "./slots.js"
import type { Traced } from "./spans.js"
import type { Watching } from "./watching.js"

type Projecting<S> = Effect.Effect<Result<S>, ProjectionError>

/** A runtime, and what its calls need besides. */
export interface Calls<S, E> {
  readonly runtime: Runtime<S, E>
  readonly log: ChangeLog<EventValue>
  readonly flights: Flights.Flights<string, Result<S>, ProjectionError>
  /** `undefined`: no tracer listens. */
  readonly traced: Traced | undefined
  /** Called synchronously with each success that has an applied revision. */
  readonly onApplied: Set<(key: string, applied: Revision, head: Revision) => void>
  readonly watching: Watching
}

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
  const asked = Slots.ask(runtime.slots, now(runtime))
  const reading = firstPage(runtime.compiled, key, slot.at)
  return Effect.flatMap(
    Effect.either(phases === undefined ? reading : timed(runtime, phases, "plan", reading)),
    (read) => {
      if (Either.isLeft(read)) return fly(calls, key)
      const judged = judgeSlot(slot, read.right, asked, phases)
      if (judged !== undefined) return Effect.succeed(judged)
      if (!runtime.compiled.incremental) return fly(calls, key)
      return increment(
        calls,
        { runtime, key, phases: phases ?? noPhases(), asked, usesCaches: true },
        slot,
        read.right
      )
    }
  )
}

const increment = <S, E extends AnyEvent>(
  calls: Calls<S, E>,
  attempt: Attempt<S, E>,
  slot: Slots.Slot<S>,
  page: Page
): Projecting<S> =>
  Effect.catchAll(
    foldAfter(attempt, { cached: slot, page, strategy: "SlotIncremental", unsaved: slot.unsaved }),
    (error) => (error._tag === "ProjectionError" ? Effect.fail(error) : fly(calls, attempt.key))
  )

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

/** What is no duration counts as 0, the strict side. */
export const millisOf = (given: Duration.DurationInput): number =>
  Option.match(Duration.decodeUnknown(given), {
    onNone: () => 0,
    onSome: (duration) => Duration.toMillis(duration)
  })

/** Returns the slot of a key if it is young enough to be answered without the log. */
export const young = <S, E extends AnyEvent>(
  { runtime }: Calls<S, E>,
  key: string,
  maxAge: Duration.DurationInput
): Slots.Slot<S> | undefined => {
  const slot = Slots.get(runtime.slots, key)
  return slot !== undefined && now(runtime) - slot.proven.at < millisOf(maxAge) ? slot : undefined
}

/** Projects a key consistently; at least at a revision, if one is requested. */
export const byLog = <S, E extends AnyEvent>(
  calls: Calls<S, E>,
  key: string,
  { freshness, times }: OutcomeOptions,
  inTransaction: boolean
): Projecting<S> => {
  const { log, runtime } = calls
  const read = inTransaction ? project(runtime, key, false) : undefined
  if (freshness?._tag !== "AtLeast") return read ?? consistent(calls, key, times)
  const { revision } = freshness
  const waiting = { name: runtime.name, log, key, revision, timeout: millisOf(freshness.timeout) }
  return untilReached(waiting, read ?? Effect.suspend(() => consistent(calls, key, times)))
}
