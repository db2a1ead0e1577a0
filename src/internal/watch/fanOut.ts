/**
 * Delivers committed revisions to the watchers: the synchronous part of the dispatcher. A live watcher is offered
 * every revision, and one that is behind replays them from the log.
 */
import type { Event, LoggedRevision, Revision } from "../log/events.js"
import type { Selector } from "../log/selector.js"
import type { EventsFrame } from "./frames.js"
import * as KeyIndex from "./keyIndex.js"
import * as Registry from "./registry.js"
import * as View from "./view.js"
import * as Watcher from "./watcher.js"

const withPrevious = <V>({ events, previous }: LoggedRevision<V>): ReadonlyArray<Event<V>> =>
  Object.freeze(
    events.map((event, i) => {
      const before = previous?.[i]
      return before === undefined ? event : Object.freeze({ ...event, previous: before })
    })
  )

/** The frames of one revision: made when a watcher takes them, and shared. */
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

/** The frame of a watcher, with what it sees and takes of the events at these positions; none when that is nothing. */
const frameOf = <V>(
  frames: Frames<V>,
  watcher: Watcher.Watcher<V>,
  positions: ReadonlyArray<number> | undefined
): EventsFrame<V> | undefined => {
  const whole = wholeFrame(frames, watcher.previous)
  const { previous, view, where } = watcher
  const all = positions === undefined || positions.length === whole.events.length
  if (all && where === undefined && view === undefined) return whole
  const some = all ? whole.events : positions.map((i) => whole.events[i]!)
  const seen =
    view === undefined ? some : View.seen(view, some, all ? undefined : positions, frames.logged, previous)
  const events = where === undefined ? seen : seen.filter((event) => where(event))
  if (seen === whole.events && events.length === whole.events.length) return whole
  if (events.length === 0) return undefined
  return { _tag: "Events", revision: whole.revision, events: Object.freeze(events) }
}

/** Makes room by the policy of a watcher that is live and full; false: the frame is not for it. */
const makeRoom = <V>(
  registry: Registry.Registry<V>,
  watcher: Watcher.Watcher<V>,
  before: Revision
): boolean => {
  const { policy } = watcher
  switch (policy) {
    case "drop-oldest":
      Watcher.dropOldest(watcher)
      return true
    case "conflate":
      Watcher.conflate(watcher)
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
      Watcher.readOnAfter(watcher, before)
      return false
  }
}

/** Whether a view alone keeps a watcher with room from taking a revision as it is, and lets it through. */
const seesRow = <V>(watcher: Watcher.Watcher<V>, { events }: LoggedRevision<V>): boolean => {
  const { previous, view, where } = watcher
  if (view === undefined || where !== undefined || previous || events.length !== 1) return false
  const event = events[0]!
  return event._tag === "Put" && !Watcher.isFull(watcher) && view.visible(event.key, event.value)
}

/** Offers a revision to one watcher; `before` is the revision before it. */
const offer = <V>(
  registry: Registry.Registry<V>,
  watcher: Watcher.Watcher<V>,
  frames: Frames<V>,
  positions: ReadonlyArray<number> | undefined,
  before: Revision
): void => {
  // The predicate of another watcher may have ended it.
  if (!Watcher.isLive(watcher) || frames.logged.revision.seq <= watcher.deliveredFrom) return
  let frame: EventsFrame<V> | undefined
  let asItIs = false
  try {
    asItIs = seesRow(watcher, frames.logged)
    if (!asItIs) frame = frameOf(frames, watcher, positions)
  } catch (cause) {
    Registry.end(registry, watcher, "Failed", "its predicate threw", cause, before)
    return
  }
  if (asItIs) Watcher.pushRow(watcher, frames.logged)
  if (frame === undefined) return
  if (Watcher.isFull(watcher) && !makeRoom(registry, watcher, before)) return
  Watcher.push(watcher, frame)
  if (watcher.room === 0) Watcher.setRoom(watcher, registry.position)
}

const mayBlock = <V>(registry: Registry.Registry<V>, { events, revision }: LoggedRevision<V>): boolean => {
  for (const event of events) {
    for (const watcher of KeyIndex.findAll(registry.index, event.key)) {
      if (watcher.policy !== "block" || !Watcher.isLive(watcher)) continue
      if (revision.seq > watcher.deliveredFrom && Watcher.isFull(watcher)) return true
    }
  }
  return false
}

const dispatchMany = <V>(registry: Registry.Registry<V>, frames: Frames<V>, before: Revision): void => {
  const touched: Array<Watcher.Watcher<V>> = []
  for (const [i, event] of frames.logged.events.entries()) {
    for (const watcher of KeyIndex.findAll(registry.index, event.key)) {
      if (Watcher.match(watcher, i)) touched.push(watcher)
    }
  }
  touched.sort((a, b) => a.id - b.id)
  for (const watcher of touched) offer(registry, watcher, frames, Watcher.takeMatched(watcher), before)
}

/** Dispatches a revision with one event. Most watchers have room for it and take it as it is. */
const dispatchOne = <V>(
  registry: Registry.Registry<V>,
  logged: LoggedRevision<V>,
  before: Revision
): void => {
  const found = KeyIndex.find(registry.index, logged.events[0]!.key)
  if (found === undefined) return
  if (isList(found)) offerEach(registry, found, logged, before)
  else if (found.size < found.room) Watcher.pushRow(found, logged)
  else offer(registry, found, { logged, plain: undefined, previous: undefined }, undefined, before)
}

const isList = <V>(
  found: Watcher.Watcher<V> | ReadonlyArray<Watcher.Watcher<V>>
): found is ReadonlyArray<Watcher.Watcher<V>> => Array.isArray(found)

const offerEach = <V>(
  registry: Registry.Registry<V>,
  watchers: ReadonlyArray<Watcher.Watcher<V>>,
  logged: LoggedRevision<V>,
  before: Revision
): void => {
  const frames: Frames<V> = { logged, plain: undefined, previous: undefined }
  // A watcher that ends leaves the list that is being read.
  for (const watcher of watchers.slice()) {
    if (watcher.size < watcher.room) Watcher.pushRow(watcher, logged)
    else offer(registry, watcher, frames, undefined, before)
  }
}

/**
 * Offers the next revisions to the live watchers, in the order of their ids: those of `rows` from one index up to
 * another. Returns the index of the first that was not dispatched, which is `to` unless a watcher blocks it.
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
    Registry.setBlocked(registry, registry.blocking > 0 && mayBlock(registry, logged))
    if (registry.blocked) break
    if (logged.events.length === 1) dispatchOne(registry, logged, before)
    else dispatchMany(registry, { logged, plain: undefined, previous: undefined }, before)
    before = logged.revision
    next++
  }
  // It is not read meanwhile, and each write of it would cost as much as an offer to a watcher.
  Registry.setDispatched(registry, before)
  return next
}

/**
 * Delivers to a watcher that is behind the next revision that it reads. False: it has ended, or its buffer is full.
 * Whatever its policy, reading waits for room.
 */
export const replay = <V>(
  registry: Registry.Registry<V>,
  watcher: Watcher.Watcher<V>,
  logged: LoggedRevision<V>,
  matches: (selector: Selector, key: string) => boolean
): boolean => {
  const positions: Array<number> = []
  for (const [i, { key }] of logged.events.entries()) if (matches(watcher.selector, key)) positions.push(i)
  if (positions.length > 0) {
    if (Watcher.isFull(watcher)) return false
    let frame: EventsFrame<V> | undefined
    try {
      frame = frameOf({ logged, plain: undefined, previous: undefined }, watcher, positions)
    } catch (cause) {
      Registry.end(registry, watcher, "Failed", "its predicate threw", cause)
      return false
    }
    // Before its reader is woken: a reader that takes at once may find that the rights have changed.
    Watcher.readOnAfter(watcher, logged.revision)
    if (frame !== undefined) Watcher.push(watcher, frame)
  } else Watcher.readOnAfter(watcher, logged.revision)
  return true
}
