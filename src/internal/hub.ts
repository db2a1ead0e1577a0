/**
 * The registry of a watch, and the synchronous part of its dispatcher.
 *
 * A follower is live when everything up to the hub's position has been offered to it, and behind otherwise: then it
 * has a cursor of its own, and reads on from the log until it has caught up. Offers go to live followers only, so
 * every revision comes to a follower once, by one of the two ways, and in order.
 */
import type { Event, Logged, Revision } from "./events.js"
import { type EventsFrame, type Frame, WatchEnded } from "./frames.js"
import * as KeyIndex from "./keyIndex.js"
import * as Outbox from "./outbox.js"
import type { Selector } from "./selector.js"

/** Its outbox is part of it: to follow one more reference would cost a miss of the processor's cache. */
export interface Follower<V> extends KeyIndex.Owner, Outbox.Outbox<V> {
  /**
   * While fewer frames than this wait, a revision goes to it as it is and without another look: its capacity while it
   * is live, wants all of what it follows, and knows nothing that comes; else 0.
   */
  room: number
  readonly id: number
  readonly selector: Selector
  readonly where: ((event: Event<V>) => boolean) | undefined
  readonly policy: Outbox.Policy
  readonly previous: boolean
  readonly autoResnapshot: boolean
  /** What it is to be told of began behind this revision. */
  since: number
  /** Where it reads on from the log; none: it is live. */
  cursor: Revision | undefined
  /** The next time it is live, it is told so. */
  owesSynced: boolean
  /** It is told how far it is when nothing else waits. */
  owesProgress: boolean
  /** The keys that it holds, when it may have to be told which of them are gone. */
  readonly holds: Set<string> | undefined
  /** The events of a revision that is being dispatched, by their positions. */
  gathered: Array<number> | undefined
}

export interface Hub<V> {
  readonly followers: Map<number, Follower<V>>
  readonly index: KeyIndex.KeyIndex<Follower<V>>
  /** Followers that are behind and have room. */
  readonly hungry: Set<Follower<V>>
  /** Everything up to it has been dispatched; none while nobody follows. */
  position: Revision | undefined
  /** How many followers have the policy `block`. */
  blocking: number
  blocked: boolean
  /** Whoever waits until a revision has been dispatched. */
  readonly waiting: Set<{ readonly revision: Revision; readonly done: () => void }>
  /** Called when there is something to do. */
  readonly ring: () => void
}

/** What a follower asks for. */
export type Wish<V> = Pick<
  Follower<V>,
  "id" | "selector" | "where" | "policy" | "previous" | "autoResnapshot" | "capacity" | "owesSynced"
>

const nowhere: Revision = { epoch: "", seq: 0, tag: 0 }

/**
 * A follower that is not registered yet.
 *
 * One literal, which begins with what an offer looks at: so an offer touches one or two lines of the processor's
 * cache. Spreading two records instead costs it half as much again.
 */
export const newFollower = <V>(wish: Wish<V>): Follower<V> => ({
  row: undefined,
  size: 0,
  room: 0,
  frames: undefined,
  wake: undefined,
  start: 0,
  capacity: wish.capacity,
  cursor: undefined,
  since: 0,
  where: wish.where,
  previous: wish.previous,
  policy: wish.policy,
  conflateAt: wish.capacity,
  taken: nowhere,
  ended: undefined,
  gathered: undefined,
  id: wish.id,
  selector: wish.selector,
  autoResnapshot: wish.autoResnapshot,
  owesSynced: wish.owesSynced,
  owesProgress: false,
  holds: wish.autoResnapshot ? new Set() : undefined
})

export const make = <V>(ring: () => void): Hub<V> => ({
  followers: new Map(),
  index: KeyIndex.make(),
  hungry: new Set(),
  position: undefined,
  blocking: 0,
  blocked: false,
  waiting: new Set(),
  ring
})

const setRoom = <V>(hub: Hub<V>, follower: Follower<V>): void => {
  const { capacity, cursor, previous, since, where } = follower
  const takesAll = where === undefined && !previous
  const knowsNothing = cursor === undefined && since <= (hub.position?.seq ?? 0)
  follower.room = takesAll && knowsNothing ? capacity : 0
}

/** Registers a follower, which stands at a revision of this epoch. */
export const add = <V>(hub: Hub<V>, follower: Follower<V>, at: Revision): void => {
  hub.followers.set(follower.id, follower)
  KeyIndex.add(hub.index, follower)
  if (follower.policy === "block") hub.blocking++
  standAt(hub, follower, at)
}

/** Removes a follower, which gets nothing any more. Again: nothing. */
export const remove = <V>(hub: Hub<V>, follower: Follower<V>): void => {
  if (!hub.followers.delete(follower.id)) return
  KeyIndex.remove(hub.index, follower)
  hub.hungry.delete(follower)
  if (hub.followers.size === 0) hub.position = undefined
  if (follower.policy !== "block") return
  hub.blocking--
  hub.ring()
  tellDispatched(hub)
}

/** Tells when a revision has been dispatched, or nobody can hold it up any more. Returns how to wait no longer. */
export const whenDispatched = <V>(hub: Hub<V>, revision: Revision, done: () => void): (() => void) => {
  const waiter = { revision, done }
  hub.waiting.add(waiter)
  tellDispatched(hub)
  return () => hub.waiting.delete(waiter)
}

const tellDispatched = <V>({ blocking, position, waiting }: Hub<V>): void => {
  for (const waiter of waiting) {
    const { epoch, seq } = waiter.revision
    // Of another epoch: the hub has not heard of it yet.
    if (blocking > 0 && position !== undefined && (epoch !== position.epoch || seq > position.seq)) continue
    waiting.delete(waiter)
    waiter.done()
  }
}

/** Goes on at the head: what comes before it is gone, and will not be dispatched. */
export const goOnAt = <V>(hub: Hub<V>, head: Revision): void => {
  hub.position = head
  for (const waiter of hub.waiting) {
    const { epoch, seq } = waiter.revision
    if (epoch === head.epoch && seq > head.seq) continue
    hub.waiting.delete(waiter)
    waiter.done()
  }
}

const ended = <V>(
  follower: Follower<V>,
  reason: WatchEnded["reason"],
  message: string,
  cause?: unknown
): WatchEnded =>
  new WatchEnded({
    reason,
    message,
    cursor: follower.taken,
    ...(cause === undefined ? {} : { cause })
  })

/** Ends a follower, behind what waits for it. */
export const end = <V>(
  hub: Hub<V>,
  follower: Follower<V>,
  reason: WatchEnded["reason"],
  message: string,
  cause?: unknown
): void => {
  remove(hub, follower)
  Outbox.end(follower, ended(follower, reason, message, cause))
}

/** A follower has been told everything up to a revision. */
export const standAt = <V>(hub: Hub<V>, follower: Follower<V>, at: Revision): void => {
  const position = hub.position ?? at
  hub.position = position
  // Of another epoch: the hub has not heard of it yet.
  if (at.seq < position.seq || at.epoch !== position.epoch) {
    fallBehind(follower, at)
    if (!Outbox.isFull(follower)) hub.hungry.add(follower)
    return
  }
  follower.cursor = undefined
  follower.since = at.seq
  setRoom(hub, follower)
  hub.hungry.delete(follower)
  if (!follower.owesSynced) return
  follower.owesSynced = false
  Outbox.push(follower, { _tag: "Synced", revision: at })
}

/** A follower is behind: it has been told everything up to `cursor`. */
export const fallBehind = <V>(follower: Follower<V>, cursor: Revision): void => {
  follower.cursor = cursor
  follower.room = 0
}

/** There is room again: one who is behind may read on, one who blocks lets the dispatcher go on. */
export const taken = <V>(hub: Hub<V>, follower: Follower<V>): void => {
  if (follower.size * 2 > follower.capacity) return
  if (follower.cursor !== undefined && hub.followers.has(follower.id) && !hub.hungry.has(follower)) {
    hub.hungry.add(follower)
    hub.ring()
  } else if (hub.blocked && follower.policy === "block") hub.ring()
}

const withPrevious = <V>({ events, previous }: Logged<V>): ReadonlyArray<Event<V>> =>
  events.map((event, i) => {
    const before = previous?.[i]
    return before === undefined ? event : Object.freeze({ ...event, previous: before })
  })

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
    frames.previous ??= { _tag: "Events", revision, events: withPrevious(logged) }
    return frames.previous
  }
  frames.plain ??= { _tag: "Events", revision, events: logged.events }
  return frames.plain
}

/** The frame of a follower, with the events at these positions; none when its predicate takes none of them. */
const frameOf = <V>(
  frames: Frames<V>,
  follower: Follower<V>,
  positions: ReadonlyArray<number> | undefined
): EventsFrame<V> | undefined => {
  const whole = wholeFrame(frames, follower.previous)
  const { where } = follower
  const all = positions === undefined || positions.length === whole.events.length
  if (all && where === undefined) return whole
  const some = all ? whole.events : positions.map((i) => whole.events[i]!)
  const events = where === undefined ? some : some.filter(where)
  if (events.length === whole.events.length) return whole
  return events.length === 0 ? undefined : { _tag: "Events", revision: whole.revision, events }
}

/** Makes room by the policy of a follower that is live and full; false: the frame is not for it. */
const makeRoom = <V>(hub: Hub<V>, follower: Follower<V>, before: Revision): boolean => {
  const { policy } = follower
  switch (policy) {
    case "drop-oldest":
      Outbox.dropOldest(follower)
      return true
    case "conflate":
      if (follower.size >= follower.conflateAt) Outbox.conflate(follower)
      return true
    case "cancel":
      end(
        hub,
        follower,
        "Overflow",
        `more than ${follower.capacity} revisions were waiting: take them faster, or choose another policy`
      )
      return false
    case "resync":
    case "block":
      fallBehind(follower, before)
      return false
  }
}

/** Tells one follower of a revision; `before` is the revision before it. */
const offer = <V>(
  hub: Hub<V>,
  follower: Follower<V>,
  frames: Frames<V>,
  positions: ReadonlyArray<number> | undefined,
  before: Revision
): void => {
  if (follower.cursor !== undefined || frames.logged.revision.seq <= follower.since) return
  let frame: EventsFrame<V> | undefined
  try {
    frame = frameOf(frames, follower, positions)
  } catch (cause) {
    end(hub, follower, "Failed", "its predicate threw", cause)
    return
  }
  if (frame === undefined) return
  if (follower.size >= follower.capacity && !makeRoom(hub, follower, before)) return
  Outbox.push(follower, frame)
  if (follower.room === 0) setRoom(hub, follower)
}

const mayBlock = <V>(hub: Hub<V>, { events, revision }: Logged<V>): boolean => {
  for (const event of events) {
    for (const follower of KeyIndex.findAll(hub.index, event.key)) {
      if (follower.policy !== "block" || follower.cursor !== undefined) continue
      if (revision.seq > follower.since && Outbox.isFull(follower)) return true
    }
  }
  return false
}

const dispatchMany = <V>(hub: Hub<V>, frames: Frames<V>, before: Revision): void => {
  const touched: Array<Follower<V>> = []
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
const dispatchOne = <V>(hub: Hub<V>, logged: Logged<V>, before: Revision): void => {
  const found = KeyIndex.find(hub.index, logged.events[0]!.key)
  if (found === undefined) return
  if (isList(found)) offerEach(hub, found, logged, before)
  else if (found.size < found.room) Outbox.pushRow(found, logged)
  else offer(hub, found, { logged, plain: undefined, previous: undefined }, undefined, before)
}

const isList = <V>(found: Follower<V> | ReadonlyArray<Follower<V>>): found is ReadonlyArray<Follower<V>> =>
  Array.isArray(found)

const offerEach = <V>(
  hub: Hub<V>,
  followers: ReadonlyArray<Follower<V>>,
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
  hub: Hub<V>,
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
  if (hub.waiting.size > 0) tellDispatched(hub)
  return next
}

/**
 * Tells a follower that is behind of the next revision that it reads. False: it has ended, or its buffer is full;
 * whatever its policy, reading waits for room.
 */
export const replay = <V>(
  hub: Hub<V>,
  follower: Follower<V>,
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
      end(hub, follower, "Failed", "its predicate threw", cause)
      return false
    }
    if (frame !== undefined) {
      Outbox.push(follower, frame)
    }
  }
  follower.cursor = logged.revision
  return true
}

/** A follower takes a frame. One that may be told of a snapshot later is told then which of its keys are gone. */
export const delivered = <V>({ holds }: Follower<V>, frame: Frame<V>): Frame<V> => {
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
  return { ...frame, deleted }
}
