/** What the reader of a watcher does: it takes frames, waits for them, and asks how it stands. */
import { Chunk, Effect, Option } from "effect"
import type { ChangeLogError, Compacted, EpochChanged, Revision } from "../log/events.js"
import * as Buffer from "./buffer.js"
import type { Dispatcher } from "./dispatcher.js"
import type { Frame, WatchEnded } from "./frames.js"
import * as Registry from "./registry.js"

/** How a watcher stands. */
export interface WatcherHealth {
  readonly id: number
  /**
   * `Live`: it is told everything as it comes. `Behind`: it reads on from the log, or waits for room to do so, or
   * for a snapshot.
   * `Suspect`: the log has not answered for more than two heartbeats. `Ended`: it is told nothing any more.
   */
  readonly state: "Live" | "Behind" | "Suspect" | "Ended"
  /** The last revision that it has taken; when nothing waits for it, where it stands. */
  readonly cursor: Revision
  /** The newest revision known of the log. */
  readonly head: Revision
  /** How many revisions of the log it is behind, whether they match or not. */
  readonly lag: number
  /** How many revisions wait in its buffer. */
  readonly buffered: number
  /** Why the snapshot that it waits for has not been taken yet: it is asked for again. */
  readonly cause: Option.Option<ChangeLogError | Compacted | EpochChanged>
}

/** A watcher takes a frame. One that may be told of a snapshot later is told then which of its keys are gone. */
const recordDelivered = <V>({ heldKeys }: Registry.Watcher<V>, frame: Frame<V>): Frame<V> => {
  if (heldKeys === undefined) return frame
  if (frame._tag === "Events") {
    for (const event of frame.events) {
      if (event._tag === "Put") heldKeys.add(event.key)
      else heldKeys.delete(event.key)
    }
  }
  if (frame._tag !== "Snapshot") return frame
  const present = new Set(frame.entries.map(({ key }) => key))
  const deleted = [...heldKeys].filter((key) => !present.has(key))
  heldKeys.clear()
  for (const key of present) heldKeys.add(key)
  return { ...frame, deleted: Object.freeze(deleted) }
}

/** The next frame: of the buffer, or how far a live watcher is. */
export const poll = <V>(
  registry: Registry.Registry<V>,
  watcher: Registry.Watcher<V>
): Frame<V> | undefined => {
  const frame = Buffer.take(watcher)
  if (frame !== undefined) {
    Registry.noteTaken(registry, watcher)
    return recordDelivered(watcher, frame)
  }
  if (!watcher.owesProgress || watcher.cursor !== undefined || watcher.ended !== undefined) return undefined
  watcher.owesProgress = false
  const { position } = registry
  if (position === undefined) return undefined
  const revision = Registry.positionOf(registry, watcher)
  watcher.lastTaken = revision
  return { _tag: "Progress", revision }
}

/** Calls `wake` once when there is something to tell, perhaps at once. Returns how to wait no longer. */
const whenAvailable = <V>(watcher: Registry.Watcher<V>, wake: () => void): (() => void) => {
  // What ends the wait may have come before it began.
  const isAvailable = !Buffer.isEmpty(watcher) || (watcher.owesProgress && watcher.cursor === undefined)
  if (isAvailable || watcher.ended !== undefined) {
    wake()
    return () => undefined
  }
  watcher.wake = wake
  return () => {
    watcher.wake = undefined
  }
}

const waitFor = <V>(watcher: Registry.Watcher<V>): Effect.Effect<void> =>
  Effect.async<void>((resume) => Effect.sync(whenAvailable(watcher, () => resume(Effect.void))))

/** How an adapter waits for a watcher without a fiber that waits. */
export interface Signal {
  readonly whenAvailable: (wake: () => void) => () => void
  /** It has ended, and everything was taken: to take from it fails at once. */
  readonly isOver: () => boolean
}

const signals = new WeakMap<object, Signal>()

/** Lets an adapter find the signal of a watcher by the handle of it. */
export const withSignal = <V, Handle extends object>(
  watcher: Registry.Watcher<V>,
  handle: Handle
): Handle => {
  signals.set(handle, {
    whenAvailable: (wake) => whenAvailable(watcher, wake),
    isOver: () => watcher.ended !== undefined && Buffer.isEmpty(watcher)
  })
  return handle
}

/** The signal of a handle; none when another watch than ours has made it. */
export const signalOf = (handle: object): Signal | undefined => signals.get(handle)

/** The next frame, when there is one; fails when it has ended and everything was taken. */
export const take = <V>(
  registry: Registry.Registry<V>,
  watcher: Registry.Watcher<V>
): Effect.Effect<Frame<V>, WatchEnded> =>
  Effect.suspend(() => {
    const frame = poll(registry, watcher)
    if (frame !== undefined) return Effect.succeed(frame)
    const ended = Buffer.finalError(watcher)
    return ended ?? Effect.zipRight(waitFor(watcher), take(registry, watcher))
  })

/** All frames that wait, when there is one. */
export const takeAll = <V>(
  registry: Registry.Registry<V>,
  watcher: Registry.Watcher<V>
): Effect.Effect<Chunk.NonEmptyChunk<Frame<V>>, WatchEnded> =>
  Effect.map(take(registry, watcher), (first) => {
    const frames: [Frame<V>, ...Array<Frame<V>>] = [first]
    for (let frame = poll(registry, watcher); frame !== undefined; frame = poll(registry, watcher)) {
      frames.push(frame)
    }
    return Chunk.unsafeFromArray(frames) as Chunk.NonEmptyChunk<Frame<V>>
  })

export const healthOf = <V>(
  { head: known, registry }: Pick<Dispatcher<V>, "head" | "registry">,
  watcher: Registry.Watcher<V>,
  isSuspect: boolean
): WatcherHealth => {
  const head = known ?? registry.position ?? watcher.lastTaken
  const { cursor, ended, id, snapshotWait } = watcher
  const taken = !Buffer.isEmpty(watcher)
    ? watcher.lastTaken
    : (Buffer.finalError(watcher)?.cursor ?? Registry.positionOf(registry, watcher))
  const state =
    ended !== undefined ? "Ended" : isSuspect ? "Suspect" : cursor === undefined ? "Live" : "Behind"
  const lag = taken.epoch === head.epoch ? Math.max(0, head.seq - taken.seq) : head.seq
  const trouble = Option.fromNullable(snapshotWait?.cause)
  return { id, state, cursor: taken, head, lag, buffered: watcher.size, cause: trouble }
}
