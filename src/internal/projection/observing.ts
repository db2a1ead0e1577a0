/**
 * Observes how far a projection is, as soon as that is asked for: it follows the log, notes what reads have proven, and
 * projects the keys that are behind while a caller waits for them.
 */
import { Cause, type Context, Effect, Scope } from "effect"
import type { FollowError, Frame, WatchEnded, Watcher } from "../../Watch.js"
import { withoutCallerContext } from "../callerContext.js"
import type { Revision } from "../log/events.js"
import { matcherOfKinds } from "../log/kinds.js"
import { prefix } from "../log/selector.js"
import * as Applied from "./applied.js"
import type { AnyEvent, EventValue } from "./events.js"
import { consistently } from "./projecting.js"
import * as Slots from "./slots.js"
import type { Calls } from "./ways.js"

/** How far a projection is. */
export interface Progress {
  /** Up to here everything is applied; `undefined`: the projection was not used yet in this epoch. */
  readonly applied: Revision | undefined
  /** The epoch that it has seen last; `undefined`: none yet. */
  readonly epoch: string | undefined
  /** Why there is no further progress. */
  readonly ended: Ended | undefined
}

export interface Ended {
  readonly reason: "Closed" | "Log"
  readonly message: string
}

/** Who wants to know how far a projection is. Its functions are called synchronously, and must not throw. */
export interface Observer {
  /** The projection may have got further. */
  readonly moved: () => void
  /** Whether a caller waits, so that keys that are behind are projected. */
  readonly isAwaited: () => boolean
}

/** A projection that is observed. */
export interface Observed {
  readonly progress: () => Progress
  /** Lets it look whether it is awaited. */
  readonly nudge: () => void
}

/** Observes a projection until the scope ends. */
export type Observe = (observer: Observer) => Effect.Effect<Observed, never, Scope.Scope>

/** Only this file writes it. */
interface Observation {
  readonly applied: Applied.Applied
  readonly observers: Set<Observer>
  /** Open while there may be a key to project. */
  readonly wanted: Effect.Latch
  ended: Ended | undefined
}

const isAwaited = ({ observers }: Observation): boolean => {
  for (const { isAwaited } of observers) if (isAwaited()) return true
  return false
}

const nudge = (observation: Observation): void => {
  if (observation.applied.behind.size > 0 && isAwaited(observation)) observation.wanted.unsafeOpen()
}

const notify = (observation: Observation): void => {
  for (const { moved } of observation.observers) moved()
  nudge(observation)
}

const end = (observation: Observation, ended: Ended): void => {
  observation.ended ??= ended
  notify(observation)
}

const report = (observation: Observation, key: string, proven: Revision): boolean => {
  const isNew = Applied.report(observation.applied, key, proven)
  if (isNew) notify(observation)
  return isNew
}

/** Notes what a watcher delivers. Its first frame is where it begins: what came before is not known. */
const noteAll = (
  observation: Observation,
  { takeAll }: Watcher<EventValue>
): Effect.Effect<never, WatchEnded> => {
  const { applied } = observation
  let isFirst = true
  const note = (frame: Frame<EventValue>): void => {
    // Without snapshots and without the policy `drop-oldest` there is neither.
    if (frame._tag === "Gap" || frame._tag === "Snapshot") return
    if (isFirst) Applied.start(applied, frame.revision)
    else Applied.pass(applied, frame.revision, frame._tag === "Events" ? frame.events : [])
    isFirst = false
  }
  return Effect.forever(
    Effect.map(takeAll, (frames) => {
      for (const frame of frames) note(frame)
      notify(observation)
    })
  )
}

type FollowFailure = FollowError | WatchEnded

/** Whether a new watcher can go on: the log holds no longer what comes next. */
const isGone = (error: FollowFailure): boolean =>
  error._tag === "WatchEnded" && (error.reason === "Compacted" || error.reason === "EpochChanged")

/** How long after a failure the log, or a key, is tried again. */
const retryPause = "250 millis"

const follow = <S, E extends AnyEvent>(observation: Observation, calls: Calls<S, E>): Effect.Effect<void> =>
  Effect.catchAll(
    Effect.scoped(
      Effect.flatMap(calls.watching, (watch) =>
        Effect.flatMap(watch.open(prefix("")), (watcher) => noteAll(observation, watcher))
      )
    ),
    (error: FollowFailure) => {
      const again = Effect.suspend(() => follow(observation, calls))
      if (isGone(error)) return again
      if (error._tag === "ChangeLogError" && error.reason === "Unavailable") {
        return Effect.andThen(Effect.sleep(retryPause), again)
      }
      return Effect.sync(() => end(observation, { reason: "Log", message: error.message }))
    }
  )

/** Projects the keys that are behind while a caller waits, one after the other. */
const refresh = <S, E extends AnyEvent>(
  observation: Observation,
  calls: Calls<S, E>
): Effect.Effect<never> => {
  const { applied, wanted } = observation
  const postponed = (key: string) =>
    Effect.andThen(
      Effect.sync(() => Applied.postpone(applied, key)),
      () => Effect.sleep(retryPause)
    )
  const next = Effect.suspend(() => {
    const [key] = applied.behind
    if (key === undefined || !isAwaited(observation)) return Effect.sync(() => wanted.unsafeClose())
    // A read without an applied revision reports nothing, but proves the key as well. A failure is the reader's.
    return Effect.matchEffect(consistently(calls, key), {
      onFailure: () => postponed(key),
      onSuccess: ({ head }) =>
        Effect.suspend(() => {
          report(observation, key, head)
          const proven = applied.keys.get(key)?.proven
          const isProven = proven?.epoch === head.epoch && proven.seq >= head.seq
          return isProven ? Effect.void : postponed(key)
        })
    })
  })
  return Effect.forever(Effect.andThen(wanted.await, next))
}

/** Begins to observe: the states in memory count, and each read from now on. */
const begin = <S, E extends AnyEvent>(
  observation: Observation,
  calls: Calls<S, E>,
  scope: Scope.Scope
): Effect.Effect<void> => {
  const { onApplied, runtime } = calls
  const failed = (cause: Cause.Cause<never>) =>
    Effect.sync(() => {
      if (!Cause.isInterruptedOnly(cause)) end(observation, { reason: "Log", message: Cause.pretty(cause) })
    })
  const run = (loop: Effect.Effect<void>) =>
    Effect.forkIn(Effect.interruptible(Effect.onError(loop, failed)), scope)
  const closed = Effect.sync(() =>
    end(observation, { reason: "Closed", message: "the projection is closed: use it before its scope ends" })
  )
  const begun = Effect.gen(function* () {
    for (const [key, head] of Slots.heads(runtime.slots)) Applied.report(observation.applied, key, head)
    onApplied.add((key, _applied, head) => report(observation, key, head))
    yield* Scope.addFinalizer(scope, closed)
    yield* run(follow(observation, calls))
    yield* run(refresh(observation, calls))
  })
  return Effect.uninterruptible(
    Effect.mapInputContext(begun, (context: Context.Context<never>) => withoutCallerContext(context))
  )
}

/** Makes what observes a projection. Nothing is followed before the first call. */
export const makeObserve = <S, E extends AnyEvent>(
  calls: Calls<S, E>
): Effect.Effect<Observe, never, Scope.Scope> =>
  Effect.gen(function* () {
    const observation: Observation = {
      applied: Applied.make(matcherOfKinds(calls.runtime.compiled.kinds) ?? (() => true)),
      observers: new Set(),
      wanted: yield* Effect.makeLatch(),
      ended: undefined
    }
    const { applied, observers } = observation
    const begun = yield* Effect.cached(begin(observation, calls, yield* Effect.scope))
    const observed: Observed = {
      progress: () => ({
        applied: Applied.appliedOf(applied),
        epoch: applied.passed?.epoch,
        ended: observation.ended
      }),
      nudge: () => nudge(observation)
    }
    return (observer) =>
      Effect.acquireRelease(
        Effect.as(
          Effect.andThen(begun, () => Effect.sync(() => observers.add(observer))),
          observed
        ),
        () => Effect.sync(() => observers.delete(observer))
      )
  })
