/**
 * How a watch tells its watchers of what is committed: the synchronous part of its dispatcher. Those who are live are
 * offered every revision; those who are behind read it from the log.
 */
import type { Event, LoggedRevision, Revision } from "../log/events.js"
import type { Selector } from "../log/selector.js"
import * as Outbox from "./buffer.js"
import type { EventsFrame } from "./frames.js"
import * as KeyIndex from "./keyIndex.js"
import * as Hub from "./registry.js"

const withPrevious = <V>({ events, previous }: LoggedRevision<V>): ReadonlyArray<Event<V>> =>
  Object.freeze(
    events.map((event, i) => {
      const before = previous?.[i]
      return before === undefined ? event : Object.freeze({ ...event, previous: before })
    })
  )

/** The frames of one revision: made when somebody wants them, and shared. */
interface Frames<V> {
  readonly logged: LoggedRevision<V>
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

/** The frame of a watcher, with the events at these positions; none when its predicate takes none of them. */
const frameOf = <V>(
  frames: Frames<V>,
  watcher: Hub.Watcher<V>,
  positions: ReadonlyArray<number> | undefined
): EventsFrame<V> | undefined => {
  const whole = wholeFrame(frames, watcher.previous)
  const { where } = watcher
  const all = positions === undefined || positions.length === whole.events.length
  if (all && where === undefined) return whole
  const some = all ? whole.events : positions.map((i) => whole.events[i]!)
  const events = where === undefined ? some : some.filter((event) => where(event))
  if (events.length === whole.events.length) return whole
  if (events.length === 0) return undefined
  return { _tag: "Events", revision: whole.revision, events: Object.freeze(events) }
}

/** Makes room by the policy of a watcher that is live and full; false: the frame is not for it. */
const makeRoom = <V>(hub: Hub.Hub<V>, watcher: Hub.Watcher<V>, before: Revision): boolean => {
  const { policy } = watcher
  switch (policy) {
    case "drop-oldest":
      Outbox.dropOldest(watcher)
      return true
    case "conflate":
      if (watcher.size >= watcher.conflateAt) Outbox.conflate(watcher)
      return true
    case "cancel":
      Hub.end(
        hub,
        watcher,
        "Overflow",
        `more than ${watcher.capacity} revisions were waiting: take them faster, or choose another policy`,
        undefined,
        before
      )
      return false
    case "resync":
    case "block":
      Hub.fallBehind(watcher, before)
      return false
  }
}

/** Tells one watcher of a revision; `before` is the revision before it. */
const offer = <V>(
  hub: Hub.Hub<V>,
  watcher: Hub.Watcher<V>,
  frames: Frames<V>,
  positions: ReadonlyArray<number> | undefined,
  before: Revision
): void => {
  if (watcher.cursor !== undefined || frames.logged.revision.seq <= watcher.since) return
  // The predicate of another one may have ended it.
  if (watcher.ended !== undefined) return
  let frame: EventsFrame<V> | undefined
  try {
    frame = frameOf(frames, watcher, positions)
  } catch (cause) {
    Hub.end(hub, watcher, "Failed", "its predicate threw", cause, before)
    return
  }
  if (frame === undefined) return
  if (watcher.size >= watcher.capacity && !makeRoom(hub, watcher, before)) return
  Outbox.push(watcher, frame)
  if (watcher.room === 0) Hub.setRoom(hub, watcher)
}

const mayBlock = <V>(hub: Hub.Hub<V>, { events, revision }: LoggedRevision<V>): boolean => {
  for (const event of events) {
    for (const watcher of KeyIndex.findAll(hub.index, event.key)) {
      if (watcher.policy !== "block" || watcher.cursor !== undefined) continue
      if (revision.seq > watcher.since && Outbox.isFull(watcher)) return true
    }
  }
  return false
}

const dispatchMany = <V>(hub: Hub.Hub<V>, frames: Frames<V>, before: Revision): void => {
  const touched: Array<Hub.Watcher<V>> = []
  for (const [i, event] of frames.logged.events.entries()) {
    for (const watcher of KeyIndex.findAll(hub.index, event.key)) {
      if (watcher.gathered === undefined) {
        watcher.gathered = []
        touched.push(watcher)
      }
      watcher.gathered.push(i)
    }
  }
  touched.sort((a, b) => a.id - b.id)
  for (const watcher of touched) {
    const positions = watcher.gathered
    watcher.gathered = undefined
    offer(hub, watcher, frames, positions, before)
  }
}

/** Tells the watchers of a revision with one event. Most have room for it and take it as it is. */
const dispatchOne = <V>(hub: Hub.Hub<V>, logged: LoggedRevision<V>, before: Revision): void => {
  const found = KeyIndex.find(hub.index, logged.events[0]!.key)
  if (found === undefined) return
  if (isList(found)) offerEach(hub, found, logged, before)
  else if (found.size < found.room) Outbox.pushRow(found, logged)
  else offer(hub, found, { logged, plain: undefined, previous: undefined }, undefined, before)
}

const isList = <V>(
  found: Hub.Watcher<V> | ReadonlyArray<Hub.Watcher<V>>
): found is ReadonlyArray<Hub.Watcher<V>> => Array.isArray(found)

const offerEach = <V>(
  hub: Hub.Hub<V>,
  watchers: ReadonlyArray<Hub.Watcher<V>>,
  logged: LoggedRevision<V>,
  before: Revision
): void => {
  const frames: Frames<V> = { logged, plain: undefined, previous: undefined }
  // One who is ended leaves the list that is being read.
  for (const watcher of watchers.slice()) {
    if (watcher.size < watcher.room) Outbox.pushRow(watcher, logged)
    else offer(hub, watcher, frames, undefined, before)
  }
}

/**
 * Tells the live watchers of the next revisions, those of `rows` from one index up to another, in the order of their
 * ids. Returns the index of the first that they were not told of, which is `to` unless somebody blocks it.
 */
export const dispatch = <V>(
  hub: Hub.Hub<V>,
  rows: ReadonlyArray<LoggedRevision<V>>,
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
  // Nobody looks at it meanwhile, and each write of it would cost as much as telling a watcher.
  if (hub.watchers.size > 0) hub.position = before
  if (hub.waiting.size > 0) Hub.tellDispatched(hub)
  return next
}

/**
 * Tells a watcher that is behind of the next revision that it reads. False: it has ended, or its buffer is full;
 * whatever its policy, reading waits for room.
 */
export const replay = <V>(
  hub: Hub.Hub<V>,
  watcher: Hub.Watcher<V>,
  logged: LoggedRevision<V>,
  matches: (selector: Selector, key: string) => boolean
): boolean => {
  const positions: Array<number> = []
  for (const [i, { key }] of logged.events.entries()) if (matches(watcher.selector, key)) positions.push(i)
  if (positions.length > 0) {
    if (Outbox.isFull(watcher)) return false
    let frame: EventsFrame<V> | undefined
    try {
      frame = frameOf({ logged, plain: undefined, previous: undefined }, watcher, positions)
    } catch (cause) {
      Hub.end(hub, watcher, "Failed", "its predicate threw", cause)
      return false
    }
    if (frame !== undefined) {
      Outbox.push(watcher, frame)
    }
  }
  watcher.cursor = logged.revision
  return true
}
