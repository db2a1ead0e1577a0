/**
 * How a watch tells its followers of what is committed: the synchronous part of its dispatcher. Those who are live are
 * offered every revision; those who are behind read it from the log.
 */
import type { Event, Logged, Revision } from "../log/events.js"
import type { Selector } from "../log/selector.js"
import * as Outbox from "./buffer.js"
import type { EventsFrame } from "./frames.js"
import * as KeyIndex from "./keyIndex.js"
import * as Hub from "./registry.js"

const withPrevious = <V>({ events, previous }: Logged<V>): ReadonlyArray<Event<V>> =>
  Object.freeze(
    events.map((event, i) => {
      const before = previous?.[i]
      return before === undefined ? event : Object.freeze({ ...event, previous: before })
    })
  )

/** The frames of one revision: made when somebody wants them, and shared. */
interface Frames<V> {
  readonly logged: Logged<V>
  plain: EventsFrame<V> | undefined
  previous: EventsFrame<V> | undefined
}

const wholeFrame = <V>(frames: Frames<V>, previous: boolean): EventsFrame<V> => {
  const { logged } = frames
  const { revision } = logged
  if (previous) {
    frames.previous ??= Object.freeze({ _tag: "Events", revision, events: withPrevious(logged) })
    return frames.previous
  }
  frames.plain ??= Object.freeze({ _tag: "Events", revision, events: logged.events })
  return frames.plain
}

/** The frame of a follower, with the events at these positions; none when its predicate takes none of them. */
const frameOf = <V>(
  frames: Frames<V>,
  follower: Hub.Follower<V>,
  positions: ReadonlyArray<number> | undefined
): EventsFrame<V> | undefined => {
  const whole = wholeFrame(frames, follower.previous)
  const { where } = follower
  const all = positions === undefined || positions.length === whole.events.length
  if (all && where === undefined) return whole
  const some = all ? whole.events : positions.map((i) => whole.events[i]!)
  const events = where === undefined ? some : some.filter((event) => where(event))
  if (events.length === whole.events.length) return whole
  if (events.length === 0) return undefined
  return { _tag: "Events", revision: whole.revision, events: Object.freeze(events) }
}

/** Makes room by the policy of a follower that is live and full; false: the frame is not for it. */
const makeRoom = <V>(hub: Hub.Hub<V>, follower: Hub.Follower<V>, before: Revision): boolean => {
  const { policy } = follower
  switch (policy) {
    case "drop-oldest":
      Outbox.dropOldest(follower)
      return true
    case "conflate":
      if (follower.size >= follower.conflateAt) Outbox.conflate(follower)
      return true
    case "cancel":
      Hub.end(
        hub,
        follower,
        "Overflow",
        `more than ${follower.capacity} revisions were waiting: take them faster, or choose another policy`,
        undefined,
        before
      )
      return false
    case "resync":
    case "block":
      Hub.fallBehind(follower, before)
      return false
  }
}

/** Tells one follower of a revision; `before` is the revision before it. */
const offer = <V>(
  hub: Hub.Hub<V>,
  follower: Hub.Follower<V>,
  frames: Frames<V>,
  positions: ReadonlyArray<number> | undefined,
  before: Revision
): void => {
  if (follower.cursor !== undefined || frames.logged.revision.seq <= follower.since) return
  // The predicate of another one may have ended it.
  if (follower.ended !== undefined) return
  let frame: EventsFrame<V> | undefined
  try {
    frame = frameOf(frames, follower, positions)
  } catch (cause) {
    Hub.end(hub, follower, "Failed", "its predicate threw", cause, before)
    return
  }
  if (frame === undefined) return
  if (follower.size >= follower.capacity && !makeRoom(hub, follower, before)) return
  Outbox.push(follower, frame)
  if (follower.room === 0) Hub.setRoom(hub, follower)
}

const mayBlock = <V>(hub: Hub.Hub<V>, { events, revision }: Logged<V>): boolean => {
  for (const event of events) {
    for (const follower of KeyIndex.findAll(hub.index, event.key)) {
      if (follower.policy !== "block" || follower.cursor !== undefined) continue
      if (revision.seq > follower.since && Outbox.isFull(follower)) return true
    }
  }
  return false
}

const dispatchMany = <V>(hub: Hub.Hub<V>, frames: Frames<V>, before: Revision): void => {
  const touched: Array<Hub.Follower<V>> = []
  for (const [i, event] of frames.logged.events.entries()) {
    for (const follower of KeyIndex.findAll(hub.index, event.key)) {
      if (follower.gathered === undefined) {
        follower.gathered = []
        touched.push(follower)
      }
      follower.gathered.push(i)
    }
  }
  touched.sort((a, b) => a.id - b.id)
  for (const follower of touched) {
    const positions = follower.gathered
    follower.gathered = undefined
    offer(hub, follower, frames, positions, before)
  }
}

/** Tells the followers of a revision with one event. Most have room for it and take it as it is. */
const dispatchOne = <V>(hub: Hub.Hub<V>, logged: Logged<V>, before: Revision): void => {
  const found = KeyIndex.find(hub.index, logged.events[0]!.key)
  if (found === undefined) return
  if (isList(found)) offerEach(hub, found, logged, before)
  else if (found.size < found.room) Outbox.pushRow(found, logged)
  else offer(hub, found, { logged, plain: undefined, previous: undefined }, undefined, before)
}

const isList = <V>(
  found: Hub.Follower<V> | ReadonlyArray<Hub.Follower<V>>
): found is ReadonlyArray<Hub.Follower<V>> => Array.isArray(found)

const offerEach = <V>(
  hub: Hub.Hub<V>,
  followers: ReadonlyArray<Hub.Follower<V>>,
  logged: Logged<V>,
  before: Revision
): void => {
  const frames: Frames<V> = { logged, plain: undefined, previous: undefined }
  // One who is ended leaves the list that is being read.
  for (const follower of followers.slice()) {
    if (follower.size < follower.room) Outbox.pushRow(follower, logged)
    else offer(hub, follower, frames, undefined, before)
  }
}

/**
 * Tells the live followers of the next revisions, those of `rows` from one index up to another, in the order of their
 * ids. Returns the index of the first that they were not told of, which is `to` unless somebody blocks it.
 */
export const dispatch = <V>(
  hub: Hub.Hub<V>,
  rows: ReadonlyArray<Logged<V>>,
  from: number,
  to: number
): number => {
  let before = hub.position
  if (before === undefined) return to
  let next = from
  while (next < to) {
    const logged = rows[next]!
    hub.blocked = hub.blocking > 0 && mayBlock(hub, logged)
    if (hub.blocked) break
    if (logged.events.length === 1) dispatchOne(hub, logged, before)
    else dispatchMany(hub, { logged, plain: undefined, previous: undefined }, before)
    before = logged.revision
    next++
  }
  // Nobody looks at it meanwhile, and each write of it would cost as much as telling a follower.
  if (hub.followers.size > 0) hub.position = before
  if (hub.waiting.size > 0) Hub.tellDispatched(hub)
  return next
}

/**
 * Tells a follower that is behind of the next revision that it reads. False: it has ended, or its buffer is full;
 * whatever its policy, reading waits for room.
 */
export const replay = <V>(
  hub: Hub.Hub<V>,
  follower: Hub.Follower<V>,
  logged: Logged<V>,
  matches: (selector: Selector, key: string) => boolean
): boolean => {
  const positions: Array<number> = []
  for (const [i, { key }] of logged.events.entries()) if (matches(follower.selector, key)) positions.push(i)
  if (positions.length > 0) {
    if (Outbox.isFull(follower)) return false
    let frame: EventsFrame<V> | undefined
    try {
      frame = frameOf({ logged, plain: undefined, previous: undefined }, follower, positions)
    } catch (cause) {
      Hub.end(hub, follower, "Failed", "its predicate threw", cause)
      return false
    }
    if (frame !== undefined) {
      Outbox.push(follower, frame)
    }
  }
  follower.cursor = logged.revision
  return true
}
