/** What the reader of a watcher does: it takes frames, waits for them, and asks for its health. */
import { Chunk, Effect, Option } from "effect"
import type { ChangeLogError, Compacted, EpochChanged, Revision } from "../log/events.js"
import { type Dispatcher, headAge, isSuspect, maxSilence, silentFor } from "./dispatcherState.js"
import type { Frame, WatchEnded } from "./frames.js"
import * as Registry from "./registry.js"
import * as View from "./view.js"
import * as Watcher from "./watcher.js"

/** The health of a watcher. */
export interface WatcherHealth {
  readonly id: number
  /**
   * `Live`: everything is delivered to it as it is committed. `Behind`: it reads on from the log, or waits for room to
   * do so, or for a snapshot. `Suspect`: the log has not answered for more than two heartbeats. `Ended`: it gets
   * nothing any more.
   */
  readonly state: "Live" | "Behind" | "Suspect" | "Ended"
  /** The last revision that was taken; when nothing waits, its position. */
  readonly cursor: Revision
  /** The newest revision known of the log. */
  readonly head: Revision
  /** How many revisions of the log it is behind, whether they match or not. */
  readonly lag: number
  /** For how many milliseconds the log has not answered. */
  readonly silentFor: number
  /** How many milliseconds ago the log was asked for what is known of it: later commits may not be known yet. */
  readonly headAge: number
  /** It is `Suspect` when `silentFor` is above: two heartbeats in milliseconds, infinite without heartbeats. */
  readonly maxSilence: number
  /** How many revisions wait in its buffer. */
  readonly buffered: number
  /** Why the snapshot that it waits for has not been taken yet: it is asked for again. */
  readonly cause: Option.Option<ChangeLogError | Compacted | EpochChanged>
}

/** Compares the rights of a watcher: what they let through before is not delivered any more. */
export const recheck = <V>(registry: Registry.Registry<V>, watcher: Watcher.Watcher<V>): void => {
  if (watcher.view === undefined) return
  const found = View.compare(watcher.view)
  if (found._tag === "Changed") Registry.restartView(registry, watcher)
  if (found._tag === "Ended")
    Registry.endDiscarding(registry, watcher, found.reason, found.message, found.cause)
}

/** How often its rights were asked what is visible, after a comparison; 0 without rights. */
export const versionOf = <V>(registry: Registry.Registry<V>, watcher: Watcher.Watcher<V>): number => {
  recheck(registry, watcher)
  return watcher.view?.changes ?? 0
}

/** Compares the rights of all watchers that have some. */
export const recheckAll = <V>(registry: Registry.Registry<V>): void => {
  // One that ends leaves the set.
  for (const watcher of [...registry.withRights]) recheck(registry, watcher)
}

/** Takes the next frame: of the buffer, or the Progress that is due. */
export const poll = <V>(
  registry: Registry.Registry<V>,
  watcher: Watcher.Watcher<V>
): Frame<V> | undefined => {
  if (watcher.view !== undefined) recheck(registry, watcher)
  const frame = Watcher.take(watcher)
  if (frame !== undefined) {
    Registry.noteTaken(registry, watcher)
    return frame
  }
  if (!Watcher.isProgressDue(watcher)) return undefined
  const isDispatching = registry.position !== undefined
  return Watcher.takeProgress(watcher, isDispatching ? Registry.positionOf(registry, watcher) : undefined)
}

/** Takes the next frame, and waits for one; fails when it has ended and everything was taken. */
export const take = <V>(
  registry: Registry.Registry<V>,
  watcher: Watcher.Watcher<V>
): Effect.Effect<Frame<V>, WatchEnded> => takeWith(watcher, () => poll(registry, watcher))

/** Takes what `next` finds, and waits for it; fails when it has ended and everything was taken. */
const takeWith = <V, A>(
  watcher: Watcher.Watcher<V>,
  next: () => A | undefined
): Effect.Effect<A, WatchEnded> => {
  const take: Effect.Effect<A, WatchEnded> = Effect.suspend(() => {
    const found = next()
    if (found !== undefined) return Effect.succeed(found)
    return Watcher.finalError(watcher) ?? waited
  })
  // A wait that is interrupted stays until the next wake or wait, and then does nothing: to stop it would make each wait
  // twice as dear. What woke it is looked for when its fiber runs.
  const waited = Effect.async<A, WatchEnded>((resume) => {
    Watcher.whenReady(watcher, () => resume(take))
  })
  return take
}

/** Takes all frames that wait, and waits for the first. */
export const takeAll = <V>(
  registry: Registry.Registry<V>,
  watcher: Watcher.Watcher<V>
): Effect.Effect<Chunk.NonEmptyChunk<Frame<V>>, WatchEnded> =>
  takeWith(watcher, () => {
    // At once, so that all of them are judged by the same rights.
    const frames: Array<Frame<V>> = []
    for (let frame = poll(registry, watcher); frame !== undefined; frame = poll(registry, watcher)) {
      frames.push(frame)
    }
    const chunk = Chunk.unsafeFromArray(frames)
    return Chunk.isNonEmpty(chunk) ? chunk : undefined
  })

/**
 * Asks the log for its head, and waits until everything up to it was taken. Fails as soon as the watcher has ended, and
 * with the log's error if that is another than `Unavailable`.
 */
export const synced = <V>(
  registry: Registry.Registry<V>,
  watcher: Watcher.Watcher<V>
): Effect.Effect<Revision, WatchEnded | ChangeLogError> =>
  Effect.suspend(() => {
    const ended = Watcher.finalError(watcher)
    if (ended !== undefined) return ended
    return Effect.async<Revision, WatchEnded | ChangeLogError>((resume) =>
      Effect.sync(Registry.whenSynced(registry, watcher, resume))
    )
  })

/** Why it has ended, once everything was taken. */
export const endedError = <V>(watcher: Watcher.Watcher<V>): WatchEnded | undefined =>
  Watcher.isEmpty(watcher) ? Watcher.finalError(watcher) : undefined

const stateOf = <V>(dispatcher: Dispatcher<V>, watcher: Watcher.Watcher<V>): WatcherHealth["state"] => {
  if (Watcher.hasEnded(watcher)) return "Ended"
  if (isSuspect(dispatcher)) return "Suspect"
  return Watcher.isLive(watcher) ? "Live" : "Behind"
}

export const healthOf = <V>(dispatcher: Dispatcher<V>, watcher: Watcher.Watcher<V>): WatcherHealth => {
  const { head: known, registry } = dispatcher
  const { id, lastTaken, size, snapshotWait } = watcher
  const head = known ?? registry.position ?? lastTaken
  const cursor = !Watcher.isEmpty(watcher)
    ? lastTaken
    : (Watcher.finalError(watcher)?.cursor ?? Registry.positionOf(registry, watcher))
  return {
    id,
    state: stateOf(dispatcher, watcher),
    cursor,
    head,
    lag: cursor.epoch === head.epoch ? Math.max(0, head.seq - cursor.seq) : head.seq,
    silentFor: silentFor(dispatcher),
    headAge: headAge(dispatcher),
    maxSilence: maxSilence(dispatcher),
    buffered: size,
    cause: Option.fromNullable(snapshotWait?.cause)
  }
}
