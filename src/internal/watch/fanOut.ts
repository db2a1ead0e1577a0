/**
 * How a watch tells its watchers of what is committed: the synchronous part of its dispatcher. Those who are live are
 * offered every revision; those who are behind read it from the log.
 */
import type { Event, LoggedRevision, Revision } from "../log/events.js"
import type { Selector } from "../log/selector.js"
import * as Buffer from "./buffer.js"
import type { EventsFrame } from "./frames.js"
import * as KeyIndex from "./keyIndex.js"
import * as Registry from "./registry.js"

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
  watcher: Registry.Watcher<V>,
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
const makeRoom = <V>(
  registry: Registry.Registry<V>,
  watcher: Registry.Watcher<V>,
  before: Revision
): boolean => {
  const { policy } = watcher
  switch (policy) {
    case "drop-oldest":
      Buffer.dropOldest(watcher)
      return true
    case "conflate":
      if (watcher.size >= watcher.conflateAt) Buffer.conflate(watcher)
      return true
    case "cancel":
      Registry.end(
        registry,
        watcher,
        "Overflow",
        `more than ${watcher.capacity} revisions were waiting: take them faster, or choose another policy`,
        undefined,
        before
      )
      return false
    case "resync":
    case "block":
      Registry.fallBehind(watcher, before)
      return false
  }
}

/** Tells one watcher of a revision; `before` is the revision before it. */
const offer = <V>(
  registry: Registry.Registry<V>,
  watcher: Registry.Watcher<V>,
  frames: Frames<V>,
  positions: ReadonlyArray<number> | undefined,
  before: Revision
): void => {
  if (watcher.cursor !== undefined || frames.logged.revision.seq <= watcher.deliveredFrom) return
  // The predicate of another one may have ended it.
  if (watcher.ended !== undefined) return
  let frame: EventsFrame<V> | undefined
  try {
    frame = frameOf(frames, watcher, positions)
  } catch (cause) {
    Registry.end(registry, watcher, "Failed", "its predicate threw", cause, before)
    return
  }
  if (frame === undefined) return
  if (watcher.size >= watcher.capacity && !makeRoom(registry, watcher, before)) return
  Buffer.push(watcher, frame)
  if (watcher.room === 0) Registry.setRoom(registry, watcher)
}

const mayBlock = <V>(registry: Registry.Registry<V>, { events, revision }: LoggedRevision<V>): boolean => {
  for (const event of events) {
    for (const watcher of KeyIndex.findAll(registry.index, event.key)) {
      if (watcher.policy !== "block" || watcher.cursor !== undefined) continue
      if (revision.seq > watcher.deliveredFrom && Buffer.isFull(watcher)) return true
    }
  }
  return false
}

const dispatchMany = <V>(registry: Registry.Registry<V>, frames: Frames<V>, before: Revision): void => {
  const touched: Array<Registry.Watcher<V>> = []
  for (const [i, event] of frames.logged.events.entries()) {
    for (const watcher of KeyIndex.findAll(registry.index, event.key)) {
      if (watcher.matched === undefined) {
        watcher.matched = []
        touched.push(watcher)
      }
      watcher.matched.push(i)
    }
  }
  touched.sort((a, b) => a.id - b.id)
  for (const watcher of touched) {
    const positions = watcher.matched
    watcher.matched = undefined
    offer(registry, watcher, frames, positions, before)
  }
}

/** Tells the watchers of a revision with one event. Most have room for it and take it as it is. */
const dispatchOne = <V>(
  registry: Registry.Registry<V>,
  logged: LoggedRevision<V>,
  before: Revision
): void => {
  const found = KeyIndex.find(registry.index, logged.events[0]!.key)
  if (found === undefined) return
  if (isList(found)) offerEach(registry, found, logged, before)
  else if (found.size < found.room) Buffer.pushRow(found, logged)
  else offer(registry, found, { logged, plain: undefined, previous: undefined }, undefined, before)
}

const isList = <V>(
  found: Registry.Watcher<V> | ReadonlyArray<Registry.Watcher<V>>
): found is ReadonlyArray<Registry.Watcher<V>> => Array.isArray(found)

const offerEach = <V>(
  registry: Registry.Registry<V>,
  watchers: ReadonlyArray<Registry.Watcher<V>>,
  logged: LoggedRevision<V>,
  before: Revision
): void => {
  const frames: Frames<V> = { logged, plain: undefined, previous: undefined }
  // One who is ended leaves the list that is being read.
  for (const watcher of watchers.slice()) {
    if (watcher.size < watcher.room) Buffer.pushRow(watcher, logged)
    else offer(registry, watcher, frames, undefined, before)
  }
}

/**
 * Tells the live watchers of the next revisions, those of `rows` from one index up to another, in the order of their
 * ids. Returns the index of the first that they were not told of, which is `to` unless somebody blocks it.
 */
export const dispatch = <V>(
  registry: Registry.Registry<V>,
  rows: ReadonlyArray<LoggedRevision<V>>,
  from: number,
  to: number
): number => {
  let before = registry.position
  if (before === undefined) return to
  let next = from
  while (next < to) {
    const logged = rows[next]!
    registry.blocked = registry.blocking > 0 && mayBlock(registry, logged)
    if (registry.blocked) break
    if (logged.events.length === 1) dispatchOne(registry, logged, before)
    else dispatchMany(registry, { logged, plain: undefined, previous: undefined }, before)
    before = logged.revision
    next++
  }
  // Nobody looks at it meanwhile, and each write of it would cost as much as telling a watcher.
  if (registry.watchers.size > 0) registry.position = before
  if (registry.dispatchWaiters.size > 0) Registry.resolveDispatched(registry)
  return next
}

/**
 * Tells a watcher that is behind of the next revision that it reads. False: it has ended, or its buffer is full;
 * whatever its policy, reading waits for room.
 */
export const replay = <V>(
  registry: Registry.Registry<V>,
  watcher: Registry.Watcher<V>,
  logged: LoggedRevision<V>,
  matches: (selector: Selector, key: string) => boolean
): boolean => {
  const positions: Array<number> = []
  for (const [i, { key }] of logged.events.entries()) if (matches(watcher.selector, key)) positions.push(i)
  if (positions.length > 0) {
    if (Buffer.isFull(watcher)) return false
    let frame: EventsFrame<V> | undefined
    try {
      frame = frameOf({ logged, plain: undefined, previous: undefined }, watcher, positions)
    } catch (cause) {
      Registry.end(registry, watcher, "Failed", "its predicate threw", cause)
      return false
    }
    if (frame !== undefined) {
      Buffer.push(watcher, frame)
    }
  }
  watcher.cursor = logged.revision
  return true
}
