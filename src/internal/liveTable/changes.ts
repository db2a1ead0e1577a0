/**
 * Follows the log of a table for a cache: one supervised loop, which ends with its scope.
 *
 * It opens a watcher, applies what the watcher delivers, and opens another one when that has ended: after its own
 * position where the log can go on from there, else anew, as a gap. What the cache may trust is in `changesState`.
 */
import { Cause, Effect, Option, Schedule, type Scope } from "effect"
import type { Selector } from "../../ChangeLog.js"
import type { EventsFrame, FollowError, Frame, Watch, WatchEnded, Watcher } from "../../Watch.js"
import type { Revision } from "../log/events.js"
import { driver } from "../time.js"
import { CurrentTurn, type Turn } from "../turn.js"
import * as State from "./changesState.js"
import type { Traced } from "./spans.js"

export type { Callbacks, FollowCause, Reached, State } from "./changesState.js"

/** What is followed, and what the cache does with it. */
export interface FollowSpec<V> extends State.Callbacks<V> {
  readonly watch: Watch<V>
  readonly selector: Selector
  /** A new follow begins so many revisions back, and so many changed keys are remembered. */
  readonly history: number
  readonly traced: Traced
}

/** The changes that a cache follows. */
export interface Changes {
  readonly state: () => State.State
  /** False: before the log was reached, after the follow has ended, and while the log is silent. */
  readonly isTrusted: () => boolean
  /** Every change up to it is applied. */
  readonly position: () => Revision | undefined
  /** Every change after this number is known. */
  readonly knownFrom: () => number
  /** The number of the last revision that changed a key; `undefined`: none since `knownFrom`. */
  readonly lastChangeOf: (key: string) => number | undefined
  /** When the log was last known to hold nothing newer, in monotonic milliseconds. */
  readonly currentAt: () => number
  /** Milliseconds since then. */
  readonly lag: () => number
  readonly cause: () => Option.Option<State.FollowCause>
  /**
   * Reads the log now, and waits until every change up to a revision is applied. `NotReached`: it is not within so many
   * milliseconds, or the log has another epoch.
   */
  readonly awaitRevision: (revision: Revision, wait: number) => Effect.Effect<State.Reached>
}

/** Between two openings: from 200 ms by factor 2, at most 30 s, jittered by 20 %. */
const backoff = Schedule.exponential("200 millis", 2).pipe(
  Schedule.union(Schedule.spaced("30 seconds")),
  Schedule.jittered
)

/** What is applied at once takes so long, and one revision more. */
const sliceNanos = 2_000_000n

/** Applies events and what waits behind them. Returns how many events that were, and whether there may be more. */
const applySlice = <V>(changes: State.Changes<V>, watcher: Watcher<V>, first: EventsFrame<V>) => {
  const { clock } = changes
  const until = clock.unsafeCurrentTimeNanos() + sliceNanos
  let count = 0
  for (let frame: Frame<V> | undefined = first; frame !== undefined; frame = watcher.unsafePoll()) {
    State.apply(changes, frame)
    if (frame._tag === "Events") count += frame.events.length
    if (clock.unsafeCurrentTimeNanos() > until) return { count, hasMore: true }
  }
  return { count, hasMore: false }
}

const judge = <V>(changes: State.Changes<V>, watcher: Watcher<V>): Effect.Effect<void> =>
  Effect.map(watcher.health, (health) => State.judge(changes, health))

const whenReady = <V>(watcher: Watcher<V>): Effect.Effect<void> =>
  Effect.async<void>((resume) => Effect.sync(watcher.unsafeWhenReady(() => resume(Effect.void))))

const endOfTurn = (turn: Turn): Effect.Effect<void> =>
  Effect.async<void>((resume) => turn.schedule(() => resume(Effect.void)))

/** Applies what a watcher delivers, until it ends. */
const applyAll = <V>(
  changes: State.Changes<V>,
  watcher: Watcher<V>,
  turn: Turn,
  traced: Traced
): Effect.Effect<never, WatchEnded> => {
  const slice = (first: EventsFrame<V>) => {
    const applied = Effect.sync(() => applySlice(changes, watcher, first))
    return traced("events", first.events.length, applied, ({ count }) => count)
  }
  return Effect.forever(
    Effect.suspend(() => {
      const frame = watcher.unsafePoll()
      if (frame === undefined) {
        const ended = watcher.unsafeEnded()
        return ended ?? Effect.andThen(judge(changes, watcher), whenReady(watcher))
      }
      if (frame._tag === "Events") {
        return Effect.flatMap(slice(frame), ({ hasMore }) => (hasMore ? endOfTurn(turn) : Effect.void))
      }
      State.apply(changes, frame)
      return Effect.void
    })
  )
}

/** Notices that the log is silent: nothing is delivered then. */
const noticeSilence = <V>(changes: State.Changes<V>, watcher: Watcher<V>): Effect.Effect<never> =>
  Effect.forever(
    Effect.flatMap(watcher.health, (health) => {
      State.judge(changes, health)
      const { maxSilence, silentFor } = health
      if (maxSilence === Number.POSITIVE_INFINITY) return Effect.never
      // Once it is silent, what is delivered next is judged at once.
      return Effect.sleep(silentFor > maxSilence ? maxSilence : maxSilence - silentFor + 1)
    })
  )

/** Opens a watcher and follows it to its end. */
const session = <V>(
  changes: State.Changes<V>,
  { history, selector, traced, watch }: FollowSpec<V>,
  turn: Turn
): Effect.Effect<never, FollowError | WatchEnded> =>
  Effect.scoped(
    Effect.gen(function* () {
      const after = State.resumesAfter(changes)
      const start = after === undefined ? { back: history } : { after }
      const watcher = yield* watch.open(selector, { ...start, policy: "resync" })
      // Nothing was taken: this is where it begins, or further where nothing matches in between.
      const { cursor } = yield* watcher.health
      State.begin(changes, watcher, cursor, after !== undefined)
      return yield* Effect.raceFirst(
        applyAll(changes, watcher, turn, traced),
        noticeSilence(changes, watcher)
      )
    })
  )

const causeOf = (cause: Cause.Cause<FollowError | WatchEnded>): State.FollowCause =>
  Option.getOrElse(Cause.failureOption(cause), () => ({
    _tag: "Defect" as const,
    cause: Cause.squash(cause)
  }))

/**
 * Follows for ever: each end is followed by another opening, later and later while none catches up. A log that cannot go on
 * from the position is there: it is followed anew at once.
 */
const run = <V>(changes: State.Changes<V>, spec: FollowSpec<V>, turn: Turn): Effect.Effect<never> =>
  Effect.flatMap(driver(backoff), ({ next, reset }) => {
    const ended = (cause: Cause.Cause<FollowError | WatchEnded>, resumed: boolean) =>
      Effect.suspend(() => {
        const before = changes.hasCaughtUp ? reset : Effect.void
        State.end(changes, causeOf(cause))
        if (resumed && State.resumesAfter(changes) === undefined) return before
        // The schedule has no end.
        return Effect.orDie(Effect.andThen(before, next(undefined)))
      })
    return Effect.forever(
      Effect.suspend(() => {
        const resumes = State.resumesAfter(changes) !== undefined
        return Effect.catchAllCause(session(changes, spec, turn), (cause) => ended(cause, resumes))
      })
    )
  })

/** Reads the log now. Completes if it has another epoch than the revision. */
const askLog = <V>(changes: State.Changes<V>, revision: Revision): Effect.Effect<State.Reached> =>
  Effect.suspend(() => {
    const { watcher } = changes
    // Each opening reads the log up to its head: there is nothing to ask until then, and nothing after it.
    if (watcher === undefined) return Effect.never
    return Effect.matchEffect(watcher.synced, {
      onSuccess: (head) => {
        State.advanceTo(changes, watcher, head)
        return head.epoch === revision.epoch ? Effect.never : Effect.succeed("NotReached" as const)
      },
      // It has ended, and is opened again; or the log cannot be asked, and the time runs out.
      onFailure: () => Effect.never
    })
  })

const awaitRevision = <V>(
  changes: State.Changes<V>,
  revision: Revision,
  wait: number
): Effect.Effect<State.Reached> =>
  Effect.suspend(() => {
    if (State.hasReached(changes, revision)) return Effect.succeed("Reached" as const)
    const applied = Effect.async<State.Reached>((resume) =>
      State.whenReached(changes, revision, (reached) => resume(Effect.succeed(reached)))
    )
    return Effect.raceFirst(applied, askLog(changes, revision)).pipe(
      Effect.timeoutTo({
        duration: wait,
        onTimeout: (): State.Reached => "NotReached",
        onSuccess: (reached) => reached
      })
    )
  })

/** Follows a log until the scope ends. It returns at once. */
export const follow = <V>(spec: FollowSpec<V>): Effect.Effect<Changes, never, Scope.Scope> =>
  Effect.gen(function* () {
    const clock = yield* Effect.clock
    const turn = yield* CurrentTurn
    const changes = State.make(spec, clock, spec.history)
    yield* Effect.forkScoped(Effect.interruptible(run(changes, spec, turn)))
    return {
      state: () => State.stateOf(changes),
      isTrusted: () => changes.isTrusted,
      position: () => changes.position,
      knownFrom: () => changes.recent.from,
      lastChangeOf: (key) => changes.recent.last.get(key),
      currentAt: () => changes.currentAt,
      lag: () => State.lagOf(changes),
      cause: () => State.causeOf(changes),
      awaitRevision: (revision, wait) => awaitRevision(changes, revision, wait)
    }
  })
