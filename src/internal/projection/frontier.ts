/** How far all registered projections are: the least of them. Callers wait for it, in the order of their revisions. */
import { type Clock, Data, type Duration, Effect, Option, type Scope } from "effect"
import * as Metrics from "../../Metrics.js"
import type { ChangeLog } from "../log/changeLog.js"
import type { Revision } from "../log/events.js"
import { monotonicMillis } from "../time.js"
import { isReached } from "./atLeast.js"
import type { ProjectionError } from "./errors.js"
import type { EventValue } from "./events.js"
import { type HasInternals, type Internals, internalsOf } from "./internals.js"
import type { Observed, Observer } from "./observing.js"
import { validateWait } from "./readOptions.js"
import { millisOf } from "./ways.js"

/**
 * A revision is not known to be applied.
 *
 * - `TimedOut`: not in time.
 * - `EpochChanged`: the revision is not of this log's history.
 * - `Closed`: the frontier, or a projection that holds it back, is closed.
 * - `Log`: the log failed.
 * - `Refused`: what was passed is no revision, or no duration. Nothing was waited for.
 */
export class NotApplied extends Data.TaggedError("NotApplied")<{
  readonly reason: "TimedOut" | "EpochChanged" | "Closed" | "Log" | "Refused"
  /** What was waited for. */
  readonly revision: Revision
  /** Up to here everything is applied; `undefined`: a projection was never used, or none is registered. */
  readonly applied: Revision | undefined
  /** The names of the projections that have not applied the revision. */
  readonly heldBackBy: ReadonlyArray<string>
  readonly message: string
  readonly cause?: unknown
}> {}

/**
 * A projection was not registered: another one of its name is (`NameTaken`), it reads another log (`OtherLog`), or it is
 * none (`NotProjection`).
 */
export class RegisterRefused extends Data.TaggedError("RegisterRefused")<{
  readonly reason: "NameTaken" | "OtherLog" | "NotProjection"
  /** The name of the projection. */
  readonly projection: string
  readonly message: string
}> {}

interface Waiter {
  readonly seq: number
  readonly resume: () => void
}

/** Only this file writes it. */
export interface State {
  readonly log: ChangeLog<EventValue>
  readonly clock: Clock.Clock
  readonly members: Map<string, Observed>
  /** By `seq`: the waiter for the least comes first. */
  readonly waiters: Array<Waiter>
  /** The epochs and ends of the members, as the waiters have seen them. */
  seen: string
  closed: boolean
}

/** Returns the least of what the members have applied; `undefined` if one has applied nothing in the epoch of the others. */
export const appliedOf = ({ members }: State): Revision | undefined => {
  let least: Revision | undefined
  for (const { progress } of members.values()) {
    const { applied } = progress()
    if (applied === undefined || (least !== undefined && least.epoch !== applied.epoch)) return undefined
    if (least === undefined || applied.seq < least.seq) least = applied
  }
  return least
}

const seenOf = ({ closed, members }: State): string => {
  const marks: Array<unknown> = [closed]
  for (const [name, { progress }] of members) {
    const { ended, epoch } = progress()
    marks.push(name, epoch, ended !== undefined)
  }
  return JSON.stringify(marks)
}

/** Resumes the waiters whose revision is applied; all of them if a member has begun another epoch, or has ended. */
const moved = (state: State): void => {
  const { waiters } = state
  if (waiters.length === 0) return
  const seen = seenOf(state)
  const reached = seen === state.seen ? (appliedOf(state)?.seq ?? -1) : Number.POSITIVE_INFINITY
  state.seen = seen
  let count = 0
  while (count < waiters.length && (waiters[count] as Waiter).seq <= reached) count++
  for (const { resume } of waiters.splice(0, count)) resume()
}

/** Where a waiter of a revision stands: behind all that wait for no more. */
const placeOf = (waiters: ReadonlyArray<Waiter>, seq: number): number => {
  let from = 0
  let to = waiters.length
  while (from < to) {
    const middle = (from + to) >> 1
    if ((waiters[middle] as Waiter).seq <= seq) from = middle + 1
    else to = middle
  }
  return from
}

/** Completes when the revision may be applied. While it waits, members project the keys that are behind. */
const wake = (state: State, seq: number): Effect.Effect<void> =>
  Effect.async<void>((resume) => {
    const { members, waiters } = state
    const waiter: Waiter = { seq, resume: () => resume(Effect.void) }
    waiters.splice(placeOf(waiters, seq), 0, waiter)
    for (const { nudge } of members.values()) nudge()
    // The frontier may have moved since it was judged.
    moved(state)
    return Effect.sync(() => {
      const place = waiters.indexOf(waiter)
      if (place >= 0) waiters.splice(place, 1)
    })
  })

const isAt = (applied: Revision | undefined, { epoch, seq }: Revision): boolean =>
  applied !== undefined && applied.epoch === epoch && applied.seq >= seq

const holdingBack = ({ members }: State, revision: Revision): ReadonlyArray<string> =>
  Array.from(members).flatMap(([name, { progress }]) => (isAt(progress().applied, revision) ? [] : [name]))

const failed = (
  state: State,
  revision: Revision,
  reason: NotApplied["reason"],
  message: string,
  cause?: unknown
): NotApplied =>
  new NotApplied({
    reason,
    revision,
    applied: appliedOf(state),
    heldBackBy: holdingBack(state, revision),
    message,
    ...(cause === undefined ? {} : { cause })
  })

const timedOut = (state: State, revision: Revision): NotApplied => {
  const { members } = state
  const names = holdingBack(state, revision).map((name) =>
    members.get(name)?.progress().applied === undefined ? `${name} (never used)` : name
  )
  const who = members.size === 0 ? "no projection is registered" : `held back by ${names.join(", ")}`
  const applied = appliedOf(state)
  const position = applied === undefined ? "nothing" : `revision ${applied.seq}`
  const message = `${position} is applied, not yet revision ${revision.seq}: ${who}. Wait longer, or project what was never used`
  return failed(state, revision, "TimedOut", message)
}

const refused = (state: State, revision: Revision, message: string): NotApplied =>
  new NotApplied({ reason: "Refused", revision, applied: appliedOf(state), heldBackBy: [], message })

/** Why the frontier can get no further. */
const endOf = (state: State, revision: Revision): NotApplied | undefined => {
  if (state.closed)
    return failed(state, revision, "Closed", "the frontier is closed: use it before its scope ends")
  for (const [name, { progress }] of state.members) {
    const { applied, ended } = progress()
    if (ended !== undefined && !isAt(applied, revision)) {
      return failed(state, revision, ended.reason, `${name} gets no further: ${ended.message}`)
    }
  }
  return undefined
}

/** Publishes how many revisions are not applied, of those up to the head. */
const publishLag = (state: State, head: Revision): void => {
  const applied = appliedOf(state)
  const seq = applied?.epoch === head.epoch ? applied.seq : 0
  Metrics.projectionFrontierLag.unsafeUpdate(Math.max(0, head.seq - seq), [])
}

/** Fails if the revision is not of the log's history. */
const belongs = (state: State, revision: Revision): Effect.Effect<void, NotApplied> => {
  const waiting = { name: "", log: state.log, key: "", revision, timeout: 0 }
  const refused = (error: ProjectionError) =>
    failed(state, revision, error.reason === "EpochChanged" ? "EpochChanged" : "Log", error.message, error)
  return state.log.head.pipe(
    Effect.mapError((error) =>
      failed(state, revision, "Log", `the log cannot be read: ${error.message}`, error)
    ),
    Effect.flatMap(({ head }) => {
      publishLag(state, head)
      return Effect.mapError(isReached(waiting, head), refused)
    }),
    Effect.asVoid
  )
}

const isOtherEpoch = ({ members }: State, { epoch }: Revision): boolean => {
  for (const { progress } of members.values()) {
    const seen = progress().epoch
    if (seen !== undefined && seen !== epoch) return true
  }
  return false
}

/** Waits until all members have applied a revision. */
export const awaitApplied = (
  state: State,
  revision: Revision,
  timeout: Duration.DurationInput
): Effect.Effect<void, NotApplied> =>
  Effect.suspend(() => {
    const problem = validateWait(revision, timeout)
    if (problem !== undefined) return Effect.fail(refused(state, revision, problem))
    const until = monotonicMillis(state.clock) + millisOf(timeout)
    const next: Effect.Effect<void, NotApplied> = Effect.suspend(() => {
      if (state.members.size > 0 && isAt(appliedOf(state), revision)) return Effect.void
      const end = endOf(state, revision)
      if (end !== undefined) return Effect.fail(end)
      const left = until - monotonicMillis(state.clock)
      if (left <= 0) return Effect.fail(timedOut(state, revision))
      const waited = Effect.andThen(Effect.timeoutOption(wake(state, revision.seq), left), () => next)
      // A member may still be in the epoch before, so the log is asked.
      return isOtherEpoch(state, revision) ? Effect.andThen(belongs(state, revision), () => waited) : waited
    })
    return Effect.andThen(belongs(state, revision), () => next)
  })

/** Registers a projection until the scope ends. */
export const register = (
  state: State,
  { log, name, observe }: Pick<Internals, "log" | "name" | "observe">
): Effect.Effect<void, RegisterRefused, Scope.Scope> => {
  const observer: Observer = {
    moved: () => moved(state),
    isAwaited: () => state.waiters.length > 0
  }
  const refused = (reason: RegisterRefused["reason"], message: string) =>
    Effect.fail(new RegisterRefused({ reason, projection: name, message }))
  return Effect.suspend(() => {
    if (log !== state.log) return refused("OtherLog", "it reads another log: make a frontier for each log")
    return Effect.flatMap(observe(observer), (observed) =>
      Effect.acquireRelease(
        Effect.suspend(() => {
          if (state.members.has(name)) {
            return refused("NameTaken", `${name} is registered already: give one of them another name`)
          }
          state.members.set(name, observed)
          observed.nudge()
          moved(state)
          return Effect.void
        }),
        () =>
          Effect.sync(() => {
            state.members.delete(name)
            moved(state)
          })
      )
    )
  })
}

/** Makes a frontier of no projection. It ends with the scope. */
export const make = (log: ChangeLog<EventValue>): Effect.Effect<State, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.map(
      Effect.clock,
      (clock): State => ({ log, clock, members: new Map(), waiters: [], seen: "", closed: false })
    ),
    (state) =>
      Effect.sync(() => {
        state.closed = true
        moved(state)
      })
  )

/** How far all registered projections of a log are. */
export interface Frontier {
  /** The least of what the registered projections have applied; none if one was never used, or none is registered. */
  readonly applied: Effect.Effect<Option.Option<Revision>>
  /**
   * Waits until all registered projections have applied a revision. Meanwhile they project the keys that they had
   * projected before and that have new events. Fails with `TimedOut`, which names those that hold it back.
   */
  readonly awaitApplied: (
    revision: Revision,
    timeout: Duration.DurationInput
  ) => Effect.Effect<void, NotApplied>
  /**
   * Registers a projection until the scope ends. It counts from its first report: one that was never used has applied
   * nothing. Of two with one name the second is refused.
   */
  readonly register: (projection: HasInternals) => Effect.Effect<void, RegisterRefused, Scope.Scope>
}

export const handleOf = (state: State): Frontier => ({
  applied: Effect.sync(() => Option.fromNullable(appliedOf(state))),
  awaitApplied: (revision, timeout) => awaitApplied(state, revision, timeout),
  register: (projection) => {
    const inside = internalsOf(projection)
    if (inside !== undefined) return register(state, inside)
    const message = "it is no projection: pass what Projection.make makes"
    return Effect.fail(new RegisterRefused({ reason: "NotProjection", projection: "", message }))
  }
})
