/**
 * The bounded buffer of frames of one watcher, and what its policy does when it is full. All of it is synchronous.
 *
 * The buffer counts frames of events, one for each revision. Snapshot, Synced, Gap and the end always find room.
 */
import { type LoggedRevision, type Revision, start } from "../log/events.js"
import { type EventsFrame, type Frame, type GapFrame, type SnapshotFrame, WatchEnded } from "./frames.js"

/**
 * What happens when a watcher's buffer is full.
 *
 * - `resync`: it keeps its cursor and reads on from the log as soon as there is room. Nothing is lost.
 * - `conflate`: only the last event of each key is kept. The buffer is as large as the number of its keys.
 * - `cancel`: it ends with `Overflow` behind what is buffered.
 * - `drop-oldest`: the oldest events are dropped, and a Gap takes their place.
 * - `block`: the dispatcher waits, and so do publishers. For trusted watchers in the same process.
 */
export type Policy = "resync" | "conflate" | "cancel" | "drop-oldest" | "block"

export interface FrameBuffer<V> {
  /**
   * The revision that waits first, whole; its reader makes the frame. A watcher that keeps up never needs more room
   * than this, and an offer to it allocates nothing.
   */
  row: LoggedRevision<V> | undefined
  /** How many frames of events wait. */
  size: number
  /** The frames behind it; none: no frame waits there. */
  frames: Array<Frame<V> | undefined> | undefined
  /** Resumes the reader that waits for a frame. */
  wake: (() => void) | undefined
  /** The index of the first of `frames`. */
  start: number
  readonly capacity: number
  /** Conflating again is worth while when this many frames wait. */
  conflateAt: number
  /** `conflate` replaces no event up to this number by one behind it: a reader waits to have taken these. Or 0. */
  keepUpTo: number
  /** The revision of the last frame that was taken. */
  lastTaken: Revision
  ended: WatchEnded | undefined
}

/** Resumes the reader, if it waits. */
export const wake = <V>(buffer: FrameBuffer<V>): void => {
  const resume = buffer.wake
  if (resume === undefined) return
  buffer.wake = undefined
  resume()
}

/** Puts a frame behind the others; the policy has made room. */
export const push = <V>(buffer: FrameBuffer<V>, frame: Frame<V>): void => {
  if (buffer.frames === undefined) buffer.frames = [frame]
  else buffer.frames.push(frame)
  if (frame._tag === "Events") buffer.size++
  if (buffer.wake !== undefined) wake(buffer)
}

const frameOf = <V>({ events, revision }: LoggedRevision<V>): EventsFrame<V> => ({
  _tag: "Events",
  revision,
  events
})

/** Puts a whole revision behind the others; there is room. */
export const pushRow = <V>(buffer: FrameBuffer<V>, row: LoggedRevision<V>): void => {
  if (buffer.row !== undefined || buffer.frames !== undefined) {
    push(buffer, frameOf(row))
    return
  }
  buffer.row = row
  buffer.size++
  if (buffer.wake !== undefined) wake(buffer)
}

/** The end, behind everything that waits. The first reason holds. */
export const end = <V>(buffer: FrameBuffer<V>, ended: WatchEnded): void => {
  buffer.ended ??= ended
  wake(buffer)
}

/** The error of its reader, once everything is taken. */
export const finalError = <V>({ ended, lastTaken }: FrameBuffer<V>): WatchEnded | undefined => {
  if (ended === undefined) return undefined
  // A reader whose watcher ends in the middle of a dispatch may have taken more than the registry's position.
  return endedAt(ended, further(ended.cursor, lastTaken))
}

const endedAt = ({ cause, message, reason }: WatchEnded, cursor: Revision): WatchEnded =>
  // An error's message and cause are not enumerable: spreading it would lose them.
  new WatchEnded({ reason, message, cursor, ...(cause === undefined ? {} : { cause }) })

/** `taken`, if it is further than a position in its epoch. */
export const further = (position: Revision, taken: Revision): Revision =>
  taken.epoch === position.epoch && taken.seq > position.seq ? taken : position

/** Whether no frame waits. */
export const isEmpty = <V>({ frames, row }: FrameBuffer<V>): boolean =>
  row === undefined && frames === undefined

/** The number of the last revision whose events wait, or 0. */
export const lastSeq = <V>({ frames, row }: FrameBuffer<V>): number => {
  for (let i = frames?.length ?? 0; i-- > 0; ) {
    const frame = frames?.[i]
    if (frame?._tag === "Events") return frame.revision.seq
  }
  return row?.revision.seq ?? 0
}

/** Whether everything of an epoch up to a number was taken, of what was buffered. A Synced counts as nothing. */
export const hasTaken = <V>(buffer: FrameBuffer<V>, epoch: string, seq: number): boolean => {
  const { frames = [], lastTaken, row, start } = buffer
  if (isEmpty(buffer)) return true
  // What waits first is of the epoch of the last frame that was taken, or announces another one.
  if (lastTaken.epoch !== epoch) return false
  if (row !== undefined) return row.revision.seq > seq
  const next = frames.find((frame, i) => i >= start && frame?._tag !== "Synced")
  if (next === undefined) return true
  if (next._tag === "Gap") return next.reason === "Overflow" && next.from > seq
  // A Snapshot stands for everything before it.
  return next._tag === "Events" && next.revision.seq > seq
}

// A watcher that never quite empties its buffer must not keep the slots of what has gone.
const slack = 1024

/** Replaces the frames. */
const replaceFrames = <V>(buffer: FrameBuffer<V>, frames: Array<Frame<V> | undefined>): void => {
  buffer.frames = frames.length === 0 ? undefined : frames
  buffer.start = 0
}

const shift = <V>(buffer: FrameBuffer<V>, frames: Array<Frame<V> | undefined>): Frame<V> | undefined => {
  const { start } = buffer
  const frame = frames[start]
  frames[start] = undefined
  buffer.start = start + 1
  if (buffer.start === frames.length) replaceFrames(buffer, [])
  else if (buffer.start >= slack && buffer.start * 2 >= frames.length)
    replaceFrames(buffer, frames.slice(buffer.start))
  return frame
}

const takeRow = <V>(buffer: FrameBuffer<V>, row: LoggedRevision<V>): Frame<V> => {
  buffer.row = undefined
  return frameOf(row)
}

/** Takes the first frame. */
export const take = <V>(buffer: FrameBuffer<V>): Frame<V> | undefined => {
  const { frames, row } = buffer
  const frame =
    row !== undefined ? takeRow(buffer, row) : frames === undefined ? undefined : shift(buffer, frames)
  if (frame === undefined) return undefined
  if (frame._tag === "Events") buffer.size--
  if (frame._tag !== "Gap") buffer.lastTaken = frame.revision
  return frame
}

/** Makes a frame of the row, and returns all frames: those from `start` on. */
const spill = <V>(buffer: FrameBuffer<V>): Array<Frame<V> | undefined> => {
  const { frames = [], row } = buffer
  if (row === undefined) return frames
  buffer.frames = frames
  const frame = takeRow(buffer, row)
  if (buffer.start === 0) frames.unshift(frame)
  else frames[--buffer.start] = frame
  return frames
}

/**
 * Puts a Gap and a Snapshot behind the others. They take the place of a Gap and a Snapshot that still wait, and of
 * the frames behind those: a watcher that takes nothing holds no more than one.
 */
export const pushSnapshot = <V>(buffer: FrameBuffer<V>, gap: GapFrame, snapshot: SnapshotFrame<V>): void => {
  const frames = spill(buffer)
  const { start } = buffer
  const at = frames.findIndex(
    (frame, i) => i >= start && frame?._tag === "Gap" && frame.reason !== "Overflow"
  )
  const before = frames[at]
  if (before?._tag === "Gap") {
    for (const frame of frames.slice(at)) if (frame?._tag === "Events") buffer.size--
    replaceFrames(buffer, frames.slice(start, at))
  }
  push(buffer, before?._tag === "Gap" ? mergeGaps(before, gap) : gap)
  push(buffer, snapshot)
}

/**
 * Gives up everything that waits. If a first Snapshot is among it, nothing was taken: the reader is before the start of
 * the log.
 */
export const discard = <V>(buffer: FrameBuffer<V>): void => {
  const { frames, lastTaken, row, start: first } = buffer
  const next = row === undefined ? frames?.[first] : undefined
  if (next?._tag === "Snapshot" && isAt(next.revision, lastTaken)) buffer.lastTaken = start(lastTaken.epoch)
  if (buffer.ended !== undefined && !isEmpty(buffer)) buffer.ended = endedAt(buffer.ended, buffer.lastTaken)
  buffer.row = undefined
  buffer.size = 0
  replaceFrames(buffer, [])
  buffer.conflateAt = buffer.capacity
}

const isAt = (a: Revision, b: Revision): boolean => a.epoch === b.epoch && a.seq === b.seq

/** Two that follow each other as one. */
const mergeGaps = (before: GapFrame, gap: GapFrame): GapFrame => {
  if (gap.reason === "EpochChanged") return gap
  return before.reason === "EpochChanged"
    ? { ...gap, from: Math.min(1, gap.to), reason: "EpochChanged" }
    : { ...gap, from: before.from }
}

/** Gives up the oldest frame of events; a Gap takes its place. */
export const dropOldest = <V>(buffer: FrameBuffer<V>): void => {
  const frames = spill(buffer)
  const { start } = buffer
  const i = frames.findIndex((frame, i) => i >= start && frame?._tag === "Events")
  const oldest = frames[i]
  if (oldest?._tag !== "Events") return
  const { seq } = oldest.revision
  const before = i > start ? frames[i - 1] : undefined
  buffer.size--
  if (before?._tag !== "Gap" || before.reason !== "Overflow") {
    frames[i] = { _tag: "Gap", from: seq, to: seq, reason: "Overflow" }
    return
  }
  frames[i] = { ...before, to: seq }
  if (i - 1 === start) shift(buffer, frames)
  else frames.splice(i - 1, 1)
}

/**
 * Keeps the last event of each key only. Frames keep their order and their revisions. Nothing is given up for an event
 * behind a Synced: everything up to its revision must have been delivered when it is taken. The same holds for
 * `keepUpTo`.
 */
export const conflate = <V>(buffer: FrameBuffer<V>): void => {
  // Whatever waits from `start` on is a frame.
  const waiting = spill(buffer).slice(buffer.start) as Array<Frame<V>>
  const seen = new Set<string>()
  const kept: Array<Frame<V>> = []
  let size = 0
  let isBehind = true
  for (const frame of waiting.reverse()) {
    if (frame._tag !== "Events") seen.clear()
    if (isBehind && frame._tag === "Events" && frame.revision.seq <= buffer.keepUpTo) {
      isBehind = false
      seen.clear()
    }
    const left = frame._tag === "Events" ? withoutOlder(frame, seen) : frame
    if (left === undefined) continue
    if (left._tag === "Events") size++
    kept.push(left)
  }
  replaceFrames(buffer, kept.reverse())
  buffer.size = size
  // Each time at least as many frames were added as were kept: an event costs a constant, whatever the number of keys.
  buffer.conflateAt = Math.max(buffer.capacity, 2 * size)
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
