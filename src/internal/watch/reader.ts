/** What the reader of a follower does: it takes frames, waits for them, and asks how it stands. */
import { Chunk, Effect, Option } from "effect"
import type { ChangeLogError, Compacted, EpochChanged, Revision } from "../log/events.js"
import * as Outbox from "./buffer.js"
import type { Dispatcher } from "./dispatcher.js"
import type { Frame, WatchEnded } from "./frames.js"
import * as Hub from "./registry.js"

/** How a follower stands. */
export interface FollowerHealth {
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
  readonly trouble: Option.Option<ChangeLogError | Compacted | EpochChanged>
}

/** A follower takes a frame. One that may be told of a snapshot later is told then which of its keys are gone. */
const delivered = <V>({ holds }: Hub.Follower<V>, frame: Frame<V>): Frame<V> => {
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

/** The next frame: of the buffer, or how far a live follower is. */
export const poll = <V>(hub: Hub.Hub<V>, follower: Hub.Follower<V>): Frame<V> | undefined => {
  const frame = Outbox.take(follower)
  if (frame !== undefined) {
    Hub.taken(hub, follower)
    return delivered(follower, frame)
  }
  if (!follower.owesProgress || follower.cursor !== undefined || follower.ended !== undefined)
    return undefined
  follower.owesProgress = false
  const { position } = hub
  if (position === undefined) return undefined
  const revision = Hub.standing(hub, follower)
  follower.taken = revision
  return { _tag: "Progress", revision }
}

/** Calls `wake` once when there is something to tell, perhaps at once. Returns how to wait no longer. */
const whenTold = <V>(follower: Hub.Follower<V>, wake: () => void): (() => void) => {
  // What ends the wait may have come before it began.
  const isTold = !Outbox.isEmpty(follower) || (follower.owesProgress && follower.cursor === undefined)
  if (isTold || follower.ended !== undefined) {
    wake()
    return () => undefined
  }
  follower.wake = wake
  return () => {
    follower.wake = undefined
  }
}

const waitFor = <V>(follower: Hub.Follower<V>): Effect.Effect<void> =>
  Effect.async<void>((resume) => Effect.sync(whenTold(follower, () => resume(Effect.void))))

/** How an adapter waits for a follower without a fiber that waits. */
export interface Signal {
  readonly whenTold: (wake: () => void) => () => void
  /** It has ended, and everything was taken: to take from it fails at once. */
  readonly isOver: () => boolean
}

const signals = new WeakMap<object, Signal>()

/** Lets an adapter find the signal of a follower by the handle of it. */
export const withSignal = <V, Handle extends object>(follower: Hub.Follower<V>, handle: Handle): Handle => {
  signals.set(handle, {
    whenTold: (wake) => whenTold(follower, wake),
    isOver: () => follower.ended !== undefined && Outbox.isEmpty(follower)
  })
  return handle
}

/** The signal of a handle; none when another watch than ours has made it. */
export const signalOf = (handle: object): Signal | undefined => signals.get(handle)

/** The next frame, when there is one; fails when it has ended and everything was taken. */
export const take = <V>(hub: Hub.Hub<V>, follower: Hub.Follower<V>): Effect.Effect<Frame<V>, WatchEnded> =>
  Effect.suspend(() => {
    const frame = poll(hub, follower)
    if (frame !== undefined) return Effect.succeed(frame)
    const ended = Outbox.ending(follower)
    return ended ?? Effect.zipRight(waitFor(follower), take(hub, follower))
  })

/** All frames that wait, when there is one. */
export const takeAll = <V>(
  hub: Hub.Hub<V>,
  follower: Hub.Follower<V>
): Effect.Effect<Chunk.NonEmptyChunk<Frame<V>>, WatchEnded> =>
  Effect.map(take(hub, follower), (first) => {
    const frames: [Frame<V>, ...Array<Frame<V>>] = [first]
    for (let frame = poll(hub, follower); frame !== undefined; frame = poll(hub, follower)) {
      frames.push(frame)
    }
    return Chunk.unsafeFromArray(frames) as Chunk.NonEmptyChunk<Frame<V>>
  })

export const healthOf = <V>(
  { head: known, hub }: Pick<Dispatcher<V>, "head" | "hub">,
  follower: Hub.Follower<V>,
  isSuspect: boolean
): FollowerHealth => {
  const head = known ?? hub.position ?? follower.taken
  const { cursor, ended, id, wait } = follower
  const taken = !Outbox.isEmpty(follower)
    ? follower.taken
    : (Outbox.ending(follower)?.cursor ?? Hub.standing(hub, follower))
  const state =
    ended !== undefined ? "Ended" : isSuspect ? "Suspect" : cursor === undefined ? "Live" : "Behind"
  const lag = taken.epoch === head.epoch ? Math.max(0, head.seq - taken.seq) : head.seq
  const trouble = Option.fromNullable(wait?.trouble)
  return { id, state, cursor: taken, head, lag, buffered: follower.size, trouble }
}
