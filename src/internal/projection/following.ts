/** The states of a key, as they change: each is projected when the log has something new of the key. */
import { Chunk, Effect, type Option, type Scope, Stream } from "effect"
import type { FollowError, WatchEnded, Watcher } from "../../Watch.js"
import type { Revision } from "../log/events.js"
import { key as keyOf } from "../log/selector.js"
import { ProjectionError } from "./errors.js"
import type { AnyEvent, EventValue } from "./events.js"
import { consistently } from "./projecting.js"
import type { Calls } from "./ways.js"

/** A state of a key that is followed. */
export interface Followed<out S> {
  readonly state: Option.Option<S>
  /** How many events of any kind the key had, as of this state. */
  readonly generation: number
  /** The last event that is folded into the state; `undefined` if none concerns the projection. */
  readonly applied: Revision | undefined
}

/** Why the states of a key end. */
const endOf = (projection: string, key: string) => (error: FollowError | WatchEnded | ProjectionError) => {
  if (error._tag === "ProjectionError") return error
  const isRenewed =
    error._tag === "EpochChanged" || (error._tag === "WatchEnded" && error.reason === "EpochChanged")
  const isClosed = (error._tag === "WatchEnded" || error._tag === "WatchRefused") && error.reason === "Closed"
  return new ProjectionError({
    reason: isRenewed ? "EpochChanged" : "Log",
    projection,
    key,
    message: isRenewed
      ? "the log was renewed or restored: follow the key again"
      : isClosed
        ? "the projection is closed: use it before its scope ends"
        : `the log cannot be followed: ${error.message}`,
    cause: error
  })
}

/** Whether the watcher ended because the log was compacted above it: what it missed is in the next state. */
const isCompacted = (error: FollowError | WatchEnded | ProjectionError): boolean =>
  error._tag === "Compacted" || (error._tag === "WatchEnded" && error.reason === "Compacted")

const hasEvents = ({ takeAll }: Watcher<EventValue>): Effect.Effect<boolean, WatchEnded> =>
  Effect.map(
    takeAll,
    Chunk.some(({ _tag }) => _tag === "Events")
  )

/** Follows a key. The stream's reader holds nothing up: what comes meanwhile is one state. */
export const follow = <S, E extends AnyEvent>(
  calls: Calls<S, E>,
  key: string
): Stream.Stream<Followed<S>, ProjectionError> =>
  Stream.suspend(() => {
    const { name, compiled } = calls.runtime
    let last = -1
    /** Waits for a state of a later generation. `isNew`: the key may have one already. */
    const next = (
      watcher: Watcher<EventValue>,
      isNew: boolean
    ): Effect.Effect<Followed<S>, WatchEnded | ProjectionError> =>
      isNew
        ? Effect.flatMap(consistently(calls, key), ({ applied, generation, state }) => {
            if (generation <= last) return next(watcher, false)
            last = generation
            return Effect.succeed({ state: compiled.states.read(state), generation, applied })
          })
        : Effect.flatMap(hasEvents(watcher), (found) => next(watcher, found))
    const open: Effect.Effect<Watcher<EventValue>, FollowError, Scope.Scope> = Effect.flatMap(
      calls.watching,
      (watch) => watch.open(keyOf(key), { policy: "conflate", buffer: 1 })
    )
    // The watcher is there before the first state is read, so nothing is missed in between.
    const once: Stream.Stream<Followed<S>, FollowError | WatchEnded | ProjectionError> = Stream.unwrapScoped(
      Effect.map(open, (watcher) =>
        Stream.concat(Stream.fromEffect(next(watcher, true)), Stream.repeatEffect(next(watcher, false)))
      )
    )
    const states: typeof once = Stream.catchAll(once, (error) =>
      isCompacted(error) ? states : Stream.fail(error)
    )
    return Stream.mapError(states, endOf(name, key))
  })
