/** What the reader of a watcher does: it takes frames, waits for them, and asks how it stands. */
import { Chunk, Effect, Option } from "effect"
import type { ChangeLogError, Compacted, EpochChanged, Revision } from "../log/events.js"
import * as Outbox from "./buffer.js"
import type { Dispatcher } from "./dispatcher.js"
import type { Frame, WatchEnded } from "./frames.js"
import * as Hub from "./registry.js"

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
const delivered = <V>({ holds }: Hub.Watcher<V>, frame: Frame<V>): Frame<V> => {
  if (holds === undefined) return frame
  if (frame._tag === "Events") {
    for (const event of frame.events) {
      if (event._tag === "Put") holds.add(event.key)
      else holds.delete(event.key)
    }
  }
  if (frame._tag !== "Snapshot") return frame
  const present = new Set(frame.entries.map(({ key }) => key))
  const deleted = [...holds].filter((key) => !present.has(key))
  holds.clear()
  for (const key of present) holds.add(key)
  return { ...frame, deleted: Object.freeze(deleted) }
}

/** The next frame: of the buffer, or how far a live watcher is. */
export const poll = <V>(hub: Hub.Hub<V>, watcher: Hub.Watcher<V>): Frame<V> | undefined => {
  const frame = Outbox.take(watcher)
  if (frame !== undefined) {
    Hub.taken(hub, watcher)
    return delivered(watcher, frame)
  }
  if (!watcher.owesProgress || watcher.cursor !== undefined || watcher.ended !== undefined) return undefined
  watcher.owesProgress = false
  const { position } = hub
  if (position === undefined) return undefined
  const revision = Hub.standing(hub, watcher)
  watcher.taken = revision
  return { _tag: "Progress", revision }
}

/** Calls `wake` once when there is something to tell, perhaps at once. Returns how to wait no longer. */
const whenTold = <V>(watcher: Hub.Watcher<V>, wake: () => void): (() => void) => {
  // What ends the wait may have come before it began.
  const isTold = !Outbox.isEmpty(watcher) || (watcher.owesProgress && watcher.cursor === undefined)
  if (isTold || watcher.ended !== undefined) {
    wake()
    return () => undefined
  }
  watcher.wake = wake
  return () => {
    watcher.wake = undefined
  }
}

const waitFor = <V>(watcher: Hub.Watcher<V>): Effect.Effect<void> =>
  Effect.async<void>((resume) => Effect.sync(whenTold(watcher, () => resume(Effect.void))))

/** How an adapter waits for a watcher without a fiber that waits. */
export interface Signal {
  readonly whenTold: (wake: () => void) => () => void
  /** It has ended, and everything was taken: to take from it fails at once. */
  readonly isOver: () => boolean
}

const signals = new WeakMap<object, Signal>()

/** Lets an adapter find the signal of a watcher by the handle of it. */
export const withSignal = <V, Handle extends object>(watcher: Hub.Watcher<V>, handle: Handle): Handle => {
  signals.set(handle, {
    whenTold: (wake) => whenTold(watcher, wake),
    isOver: () => watcher.ended !== undefined && Outbox.isEmpty(watcher)
  })
  return handle
}

/** The signal of a handle; none when another watch than ours has made it. */
export const signalOf = (handle: object): Signal | undefined => signals.get(handle)

/** The next frame, when there is one; fails when it has ended and everything was taken. */
export const take = <V>(hub: Hub.Hub<V>, watcher: Hub.Watcher<V>): Effect.Effect<Frame<V>, WatchEnded> =>
  Effect.suspend(() => {
    const frame = poll(hub, watcher)
    if (frame !== undefined) return Effect.succeed(frame)
    const ended = Outbox.ending(watcher)
    return ended ?? Effect.zipRight(waitFor(watcher), take(hub, watcher))
  })

/** All frames that wait, when there is one. */
export const takeAll = <V>(
  hub: Hub.Hub<V>,
  watcher: Hub.Watcher<V>
): Effect.Effect<Chunk.NonEmptyChunk<Frame<V>>, WatchEnded> =>
  Effect.map(take(hub, watcher), (first) => {
    const frames: [Frame<V>, ...Array<Frame<V>>] = [first]
    for (let frame = poll(hub, watcher); frame !== undefined; frame = poll(hub, watcher)) {
      frames.push(frame)
    }
    return Chunk.unsafeFromArray(frames) as Chunk.NonEmptyChunk<Frame<V>>
  })

export const healthOf = <V>(
  { head: known, hub }: Pick<Dispatcher<V>, "head" | "hub">,
  watcher: Hub.Watcher<V>,
  isSuspect: boolean
): WatcherHealth => {
  const head = known ?? hub.position ?? watcher.taken
  const { cursor, ended, id, wait } = watcher
  const taken = !Outbox.isEmpty(watcher)
    ? watcher.taken
    : (Outbox.ending(watcher)?.cursor ?? Hub.standing(hub, watcher))
  const state =
    ended !== undefined ? "Ended" : isSuspect ? "Suspect" : cursor === undefined ? "Live" : "Behind"
  const lag = taken.epoch === head.epoch ? Math.max(0, head.seq - taken.seq) : head.seq
  const trouble = Option.fromNullable(wait?.trouble)
  return { id, state, cursor: taken, head, lag, buffered: watcher.size, cause: trouble }
}
