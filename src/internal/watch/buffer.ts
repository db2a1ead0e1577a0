/**
 * What waits for one watcher: its bounded buffer of frames, and what its policy does when that is full. All of it is
 * synchronous.
 *
 * The buffer counts frames of events, one for each revision. What marks a seam (Snapshot, Synced, Gap) and what ends
 * it always finds room.
 */
import type { LoggedRevision, Revision } from "../log/events.js"
import { type EventsFrame, type Frame, type GapFrame, type SnapshotFrame, WatchEnded } from "./frames.js"

/**
 * What happens when a watcher's buffer is full.
 *
 * - `resync`: it keeps its cursor and reads on from the log as soon as there is room. Nothing is lost.
 * - `conflate`: only the last event of each key is kept. The buffer is as large as the number of its keys.
 * - `cancel`: it ends with `Overflow` behind what is buffered.
 * - `drop-oldest`: the oldest events go, and a Gap in their place says so.
 * - `block`: the dispatcher waits, and so does whoever publishes. For trusted watchers in the same process.
 */
export type Policy = "resync" | "conflate" | "cancel" | "drop-oldest" | "block"

export interface Outbox<V> {
  /**
   * The revision that waits first, whole; its reader makes the frame. One who keeps up never needs more room than this,
   * and telling him makes nothing.
   */
  row: LoggedRevision<V> | undefined
  /** How many frames of events wait. */
  size: number
  /** What waits behind it; none: nothing does. */
  frames: Array<Frame<V> | undefined> | undefined
  /** Resumes whoever waits for a frame. */
  wake: (() => void) | undefined
  /** The index of the first of `frames`. */
  start: number
  readonly capacity: number
  /** Conflating again is worth while when this many frames wait. */
  conflateAt: number
  /** The revision of the last frame that was taken. */
  taken: Revision
  ended: WatchEnded | undefined
}

export const isFull = <V>({ capacity, size }: Outbox<V>): boolean => size >= capacity

const wake = <V>(outbox: Outbox<V>): void => {
  const resume = outbox.wake
  if (resume === undefined) return
  outbox.wake = undefined
  resume()
}

/** Puts a frame behind the others; the policy has made room. */
export const push = <V>(outbox: Outbox<V>, frame: Frame<V>): void => {
  if (outbox.frames === undefined) outbox.frames = [frame]
  else outbox.frames.push(frame)
  if (frame._tag === "Events") outbox.size++
  if (outbox.wake !== undefined) wake(outbox)
}

const frameOf = <V>({ events, revision }: LoggedRevision<V>): EventsFrame<V> => ({
  _tag: "Events",
  revision,
  events
})

/** Puts a whole revision behind the others; there is room. */
export const pushRow = <V>(outbox: Outbox<V>, row: LoggedRevision<V>): void => {
  if (outbox.row !== undefined || outbox.frames !== undefined) {
    push(outbox, frameOf(row))
    return
  }
  outbox.row = row
  outbox.size++
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
  // Whoever is ended in the middle of a dispatch may have taken more than the watch knew of.
  const isBeyond = taken.epoch === ended.cursor.epoch && taken.seq > ended.cursor.seq
  const cursor = isBeyond ? taken : ended.cursor
  return new WatchEnded({ reason, message, cursor, ...(cause === undefined ? {} : { cause }) })
}

/** Wakes whoever waits: there is something to tell that is no frame of the buffer. */
export const nudge = wake

/** Whether no frame waits. */
export const isEmpty = <V>({ frames, row }: Outbox<V>): boolean => row === undefined && frames === undefined

// A watcher that never quite empties its buffer must not keep the slots of what has gone.
const slack = 1024

/** Replaces the frames. */
const keep = <V>(outbox: Outbox<V>, frames: Array<Frame<V> | undefined>): void => {
  outbox.frames = frames.length === 0 ? undefined : frames
  outbox.start = 0
}

const shift = <V>(outbox: Outbox<V>, frames: Array<Frame<V> | undefined>): Frame<V> | undefined => {
  const { start } = outbox
  const frame = frames[start]
  frames[start] = undefined
  outbox.start = start + 1
  if (outbox.start === frames.length) keep(outbox, [])
  else if (outbox.start >= slack && outbox.start * 2 >= frames.length)
    keep(outbox, frames.slice(outbox.start))
  return frame
}

const takeRow = <V>(outbox: Outbox<V>, row: LoggedRevision<V>): Frame<V> => {
  outbox.row = undefined
  return frameOf(row)
}

/** Takes the first frame. */
export const take = <V>(outbox: Outbox<V>): Frame<V> | undefined => {
  const { frames, row } = outbox
  const frame =
    row !== undefined ? takeRow(outbox, row) : frames === undefined ? undefined : shift(outbox, frames)
  if (frame === undefined) return undefined
  if (frame._tag === "Events") outbox.size--
  if (frame._tag !== "Gap") outbox.taken = frame.revision
  return frame
}

/** Makes a frame of the row, and returns all frames: those from `start` on. */
const spill = <V>(outbox: Outbox<V>): Array<Frame<V> | undefined> => {
  const { frames = [], row } = outbox
  if (row === undefined) return frames
  outbox.frames = frames
  const frame = takeRow(outbox, row)
  if (outbox.start === 0) frames.unshift(frame)
  else frames[--outbox.start] = frame
  return frames
}

/**
 * Puts a Gap and a Snapshot behind the others. They take the place of a Gap and a Snapshot that still wait, and of what
 * stands behind those: a watcher that takes nothing holds no more than one.
 */
export const pushSnapshot = <V>(outbox: Outbox<V>, gap: GapFrame, snapshot: SnapshotFrame<V>): void => {
  const frames = spill(outbox)
  const { start } = outbox
  const at = frames.findIndex(
    (frame, i) => i >= start && frame?._tag === "Gap" && frame.reason !== "Overflow"
  )
  const before = frames[at]
  if (before?._tag === "Gap") {
    for (const frame of frames.slice(at)) if (frame?._tag === "Events") outbox.size--
    keep(outbox, frames.slice(start, at))
  }
  push(outbox, before?._tag === "Gap" ? together(before, gap) : gap)
  push(outbox, snapshot)
}

/** Two that follow each other as one. */
const together = (before: GapFrame, gap: GapFrame): GapFrame => {
  if (gap.reason === "EpochChanged") return gap
  return before.reason === "EpochChanged"
    ? { ...gap, from: Math.min(1, gap.to), reason: "EpochChanged" }
    : { ...gap, from: before.from }
}

/** Gives up the oldest frame of events; a Gap stands in its place. */
export const dropOldest = <V>(outbox: Outbox<V>): void => {
  const frames = spill(outbox)
  const { start } = outbox
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
  if (i - 1 === start) shift(outbox, frames)
  else frames.splice(i - 1, 1)
}

/**
 * Keeps the last event of each key only. Frames keep their order and their revisions. Nothing is given up for an event
 * behind a Synced: what that says must be true when it is taken.
 */
export const conflate = <V>(outbox: Outbox<V>): void => {
  // Whatever waits from `start` on is a frame.
  const waiting = spill(outbox).slice(outbox.start) as Array<Frame<V>>
  const seen = new Set<string>()
  const kept: Array<Frame<V>> = []
  let size = 0
  for (const frame of waiting.reverse()) {
    if (frame._tag !== "Events") seen.clear()
    const left = frame._tag === "Events" ? withoutOlder(frame, seen) : frame
    if (left === undefined) continue
    if (left._tag === "Events") size++
    kept.push(left)
  }
  keep(outbox, kept.reverse())
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
  if (kept.length === 0) return undefined
  return { _tag: "Events", revision, events: Object.freeze(kept.reverse()) }
}
