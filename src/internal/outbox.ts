/**
 * What waits for one follower: its bounded buffer of frames, and what its policy does when that is full. All of it is
 * synchronous.
 *
 * The buffer counts frames of events, one for each revision. What marks a seam (Snapshot, Synced, Gap) and what ends
 * it always finds room.
 */
import type { Revision } from "./events.js"
import { type EventsFrame, type Frame, WatchEnded } from "./frames.js"

/**
 * What happens when a follower's buffer is full.
 *
 * - `resync`: it keeps its cursor and reads on from the log as soon as there is room. Nothing is lost.
 * - `conflate`: only the last event of each key is kept. The buffer is as large as the number of its keys.
 * - `cancel`: it ends with `Overflow` behind what is buffered.
 * - `drop-oldest`: the oldest events go, and a Gap in their place says so.
 * - `block`: the dispatcher waits, and so does whoever publishes. For trusted followers in the same process.
 */
export type Policy = "resync" | "conflate" | "cancel" | "drop-oldest" | "block"

export interface Outbox<V> {
  readonly capacity: number
  /** The first frame that waits. A reader that keeps up never needs more room than this. */
  slot: Frame<V> | undefined
  /** Those behind it. */
  frames: Array<Frame<V> | undefined>
  /** The index of the first of them. */
  start: number
  /** How many frames of events wait. */
  size: number
  /** Conflating again is worth while when this many frames wait. */
  conflateAt: number
  /** The revision of the last frame that was taken. */
  taken: Revision
  ended: WatchEnded | undefined
  /** Resumes whoever waits for a frame. */
  wake: (() => void) | undefined
}

export const make = <V>(capacity: number, taken: Revision): Outbox<V> => ({
  capacity,
  slot: undefined,
  frames: [],
  start: 0,
  size: 0,
  conflateAt: capacity,
  taken,
  ended: undefined,
  wake: undefined
})

export const isFull = <V>({ capacity, size }: Outbox<V>): boolean => size >= capacity

const wake = <V>(outbox: Outbox<V>): void => {
  const resume = outbox.wake
  if (resume === undefined) return
  outbox.wake = undefined
  resume()
}

/** Puts a frame behind the others; the policy has made room. */
export const push = <V>(outbox: Outbox<V>, frame: Frame<V>): void => {
  if (outbox.slot === undefined && outbox.start === outbox.frames.length) outbox.slot = frame
  else outbox.frames.push(frame)
  if (frame._tag === "Events") outbox.size++
  if (outbox.wake !== undefined) wake(outbox)
}

/** The end, behind everything that waits. The first reason holds. */
export const end = <V>(outbox: Outbox<V>, ended: WatchEnded): void => {
  outbox.ended ??= ended
  wake(outbox)
}

/** Why it has ended, for whoever has taken everything. */
export const ending = <V>({ ended, taken }: Outbox<V>): WatchEnded | undefined => {
  if (ended === undefined) return undefined
  // An error's message and cause are not enumerable: spreading it would lose them.
  const { cause, message, reason } = ended
  return new WatchEnded({ reason, message, cursor: taken, ...(cause === undefined ? {} : { cause }) })
}

/** Wakes whoever waits: there is something to tell that is no frame of the buffer. */
export const nudge = wake

/** Whether no frame waits. */
export const isEmpty = <V>({ frames, slot, start }: Outbox<V>): boolean =>
  slot === undefined && start === frames.length

// A follower that never quite empties its buffer must not keep the slots of what has gone.
const slack = 1024

const shift = <V>(outbox: Outbox<V>): void => {
  outbox.frames[outbox.start++] = undefined
  if (outbox.start === outbox.frames.length) {
    outbox.frames = []
    outbox.start = 0
  } else if (outbox.start >= slack && outbox.start * 2 >= outbox.frames.length) {
    outbox.frames = outbox.frames.slice(outbox.start)
    outbox.start = 0
  }
}

/** Takes the first frame. */
export const take = <V>(outbox: Outbox<V>): Frame<V> | undefined => {
  let frame = outbox.slot
  if (frame !== undefined) outbox.slot = undefined
  else {
    frame = outbox.frames[outbox.start]
    if (frame === undefined) return undefined
    shift(outbox)
  }
  if (frame._tag === "Events") outbox.size--
  if (frame._tag !== "Gap") outbox.taken = frame.revision
  return frame
}

/** Puts the slot's frame before the others. */
const spill = <V>(outbox: Outbox<V>): void => {
  const { slot } = outbox
  if (slot === undefined) return
  outbox.slot = undefined
  if (outbox.start === 0) outbox.frames.unshift(slot)
  else outbox.frames[--outbox.start] = slot
}

/** Gives up the oldest frame of events; a Gap stands in its place. */
export const dropOldest = <V>(outbox: Outbox<V>): void => {
  spill(outbox)
  const { frames, start } = outbox
  const i = frames.findIndex((frame, i) => i >= start && frame?._tag === "Events")
  const oldest = frames[i]
  if (oldest?._tag !== "Events") return
  const { seq } = oldest.revision
  const before = i > start ? frames[i - 1] : undefined
  outbox.size--
  if (before?._tag !== "Gap" || before.reason !== "Overflow") {
    frames[i] = { _tag: "Gap", from: seq, to: seq, reason: "Overflow" }
    return
  }
  frames[i] = { ...before, to: seq }
  if (i - 1 === start) shift(outbox)
  else frames.splice(i - 1, 1)
}

const waiting = <V>({ frames, start }: Outbox<V>): Array<Frame<V>> => frames.slice(start) as Array<Frame<V>>

/**
 * Keeps the last event of each key only. Frames keep their order and their revisions. Nothing is given up for an event
 * behind a Synced: what that says must be true when it is taken.
 */
export const conflate = <V>(outbox: Outbox<V>): void => {
  spill(outbox)
  const seen = new Set<string>()
  const kept: Array<Frame<V>> = []
  let size = 0
  for (const frame of waiting(outbox).reverse()) {
    if (frame._tag !== "Events") seen.clear()
    const left = frame._tag === "Events" ? withoutOlder(frame, seen) : frame
    if (left === undefined) continue
    if (left._tag === "Events") size++
    kept.push(left)
  }
  outbox.frames = kept.reverse()
  outbox.start = 0
  outbox.size = size
  // Each time at least as many frames have come as were kept: an event costs a constant, whatever the number of keys.
  outbox.conflateAt = Math.max(outbox.capacity, 2 * size)
}

const withoutOlder = <V>(frame: EventsFrame<V>, seen: Set<string>): EventsFrame<V> | undefined => {
  const { events, revision } = frame
  const kept: Array<(typeof events)[number]> = []
  for (let i = events.length - 1; i >= 0; i--) {
    const event = events[i]!
    if (seen.has(event.key)) continue
    seen.add(event.key)
    kept.push(event)
  }
  if (kept.length === events.length) return frame
  return kept.length === 0 ? undefined : { _tag: "Events", revision, events: kept.reverse() }
}
