/**
 * The registry of a watch: who follows, and how far each of them is.
 *
 * A watcher is live when everything up to the hub's position has been offered to it, and behind otherwise: then it
 * has a cursor of its own, and reads on from the log until it has caught up. Offers go to live watchers only, so
 * every revision comes to a watcher once, by one of the two ways, and in order.
 */
import type { ChangeLogError, Compacted, EpochChanged, Event, Revision } from "../log/events.js"
import type { Selector } from "../log/selector.js"
import * as Outbox from "./buffer.js"
import { WatchEnded } from "./frames.js"
import * as KeyIndex from "./keyIndex.js"

/** A snapshot is being taken for a watcher. */
export interface Wait {
  /** Why there is none yet. */
  trouble: ChangeLogError | Compacted | EpochChanged | undefined
  /** Takes it no longer. */
  stop: () => void
}

/** Its outbox is part of it: to follow one more reference would cost a miss of the processor's cache. */
export interface Watcher<V> extends KeyIndex.Owner, Outbox.Outbox<V> {
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
  /** What it is to be told of began behind this revision: the number of `began`, or 0. */
  since: number
  /** Where it stood when it became live. */
  began: Revision
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
  /** It cannot read on without a snapshot. Then it is behind, and never hungry. */
  wait: Wait | undefined
}

export interface Hub<V> {
  readonly watchers: Map<number, Watcher<V>>
  readonly index: KeyIndex.KeyIndex<Watcher<V>>
  /** Watchers that are behind and have room. */
  readonly hungry: Set<Watcher<V>>
  /** Everything up to it has been dispatched; none while nobody follows. */
  position: Revision | undefined
  /** How many watchers have the policy `block`. */
  blocking: number
  blocked: boolean
  /** Whoever waits until a revision has been dispatched. */
  readonly waiting: Set<{ readonly revision: Revision; readonly done: () => void }>
  /** Called when there is something to do. */
  readonly ring: () => void
}

/** What a watcher asks for. */
export type Wish<V> = Pick<
  Watcher<V>,
  "id" | "selector" | "where" | "policy" | "previous" | "autoResnapshot" | "capacity" | "owesSynced"
>

const nowhere: Revision = { epoch: "", seq: 0, tag: 0 }

/**
 * A watcher that is not registered yet.
 *
 * One literal, which begins with what an offer looks at: so an offer touches one or two lines of the processor's
 * cache. Spreading two records instead costs it half as much again.
 */
export const newWatcher = <V>(wish: Wish<V>): Watcher<V> => ({
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
  holds: wish.autoResnapshot ? new Set() : undefined,
  began: nowhere,
  wait: undefined
})

export const make = <V>(ring: () => void): Hub<V> => ({
  watchers: new Map(),
  index: KeyIndex.make(),
  hungry: new Set(),
  position: undefined,
  blocking: 0,
  blocked: false,
  waiting: new Set(),
  ring
})

/** Finds out how much it takes without another look: when it is live, or was not told everything from the first. */
export const setRoom = <V>(hub: Hub<V>, watcher: Watcher<V>): void => {
  const { capacity, cursor, previous, since, where } = watcher
  const takesAll = where === undefined && !previous
  const knowsNothing = cursor === undefined && since <= (hub.position?.seq ?? 0)
  watcher.room = takesAll && knowsNothing ? capacity : 0
}

/** Registers a watcher, which stands at a revision of this epoch. */
export const add = <V>(hub: Hub<V>, watcher: Watcher<V>, at: Revision): void => {
  hub.watchers.set(watcher.id, watcher)
  KeyIndex.add(hub.index, watcher)
  if (watcher.policy === "block") hub.blocking++
  standAt(hub, watcher, at)
}

/** Removes a watcher, which gets nothing any more. Again: nothing. */
export const remove = <V>(hub: Hub<V>, watcher: Watcher<V>): void => {
  if (!hub.watchers.delete(watcher.id)) return
  KeyIndex.remove(hub.index, watcher)
  hub.hungry.delete(watcher)
  watcher.room = 0
  const { wait } = watcher
  watcher.wait = undefined
  wait?.stop()
  if (hub.watchers.size === 0) hub.position = undefined
  if (watcher.policy !== "block") return
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

/** Completes what waits for revisions that nobody can hold up any more. */
export const tellDispatched = <V>({ blocking, position, waiting }: Hub<V>): void => {
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

/** Everything up to it has been told to a watcher, once its reader has taken what waits. */
export const standing = <V>({ position }: Hub<V>, { began, cursor }: Watcher<V>): Revision => {
  if (cursor !== undefined) return cursor
  if (position === undefined) return began
  return position.epoch === began.epoch && position.seq < began.seq ? began : position
}

/**
 * Ends a watcher, behind what waits for it. While revisions are dispatched, `at` says where it stands: the position of
 * the hub is not kept up to date then.
 */
export const end = <V>(
  hub: Hub<V>,
  watcher: Watcher<V>,
  reason: WatchEnded["reason"],
  message: string,
  cause?: unknown,
  at?: Revision
): void => {
  const cursor = at ?? standing(hub, watcher)
  remove(hub, watcher)
  Outbox.end(watcher, new WatchEnded({ reason, message, cursor, ...(cause === undefined ? {} : { cause }) }))
}

/** A watcher has been told everything up to a revision. */
export const standAt = <V>(hub: Hub<V>, watcher: Watcher<V>, at: Revision): void => {
  const position = hub.position ?? at
  hub.position = position
  // Of another epoch: the hub has not heard of it yet.
  if (at.seq < position.seq || at.epoch !== position.epoch) {
    fallBehind(watcher, at)
    if (!Outbox.isFull(watcher)) hub.hungry.add(watcher)
    return
  }
  watcher.cursor = undefined
  watcher.since = at.seq
  watcher.began = at
  setRoom(hub, watcher)
  hub.hungry.delete(watcher)
  if (!watcher.owesSynced) return
  watcher.owesSynced = false
  Outbox.push(watcher, { _tag: "Synced", revision: at })
}

/** A watcher is behind: it has been told everything up to `cursor`. */
export const fallBehind = <V>(watcher: Watcher<V>, cursor: Revision): void => {
  watcher.cursor = cursor
  watcher.room = 0
}

/** There is room again: one who is behind may read on, one who blocks lets the dispatcher go on. */
export const taken = <V>(hub: Hub<V>, watcher: Watcher<V>): void => {
  if (watcher.size * 2 > watcher.capacity) return
  const { cursor, wait } = watcher
  if (cursor !== undefined && wait === undefined && hub.watchers.has(watcher.id)) {
    if (hub.hungry.has(watcher)) return
    hub.hungry.add(watcher)
    hub.ring()
  } else if (hub.blocked && watcher.policy === "block") hub.ring()
}
