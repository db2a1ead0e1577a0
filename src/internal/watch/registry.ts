/**
 * The registry of a watch: who follows, and how far each of them is.
 *
 * A watcher is live when everything up to the registry's position has been offered to it, and behind otherwise: then it
 * has a cursor of its own, and reads on from the log until it has caught up. Offers go to live watchers only, so
 * every revision comes to a watcher once, by one of the two ways, and in order.
 */
import type { ChangeLogError, Compacted, EpochChanged, Event, Revision } from "../log/events.js"
import type { Selector } from "../log/selector.js"
import * as Buffer from "./buffer.js"
import { WatchEnded } from "./frames.js"
import * as KeyIndex from "./keyIndex.js"

/** A snapshot is being taken for a watcher. */
export interface SnapshotWait {
  /** Why there is none yet. */
  cause: ChangeLogError | Compacted | EpochChanged | undefined
  /** Takes it no longer. */
  stop: () => void
}

/** Its buffer is part of it: to follow one more reference would cost a miss of the processor's cache. */
export interface Watcher<V> extends KeyIndex.Owner, Buffer.FrameBuffer<V> {
  /**
   * While fewer frames than this wait, a revision goes to it as it is and without another look: its capacity while it
   * is live, wants all of what it follows, and knows nothing that comes; else 0.
   */
  room: number
  readonly id: number
  readonly selector: Selector
  readonly where: ((event: Event<V>) => boolean) | undefined
  readonly policy: Buffer.Policy
  readonly previous: boolean
  readonly autoResnapshot: boolean
  /** What it is to be told of began behind this revision: the number of `liveFrom`, or 0. */
  deliveredFrom: number
  /** Where it stood when it became live. */
  liveFrom: Revision
  /** Where it reads on from the log; none: it is live. */
  cursor: Revision | undefined
  /** The next time it is live, it is told so. */
  owesSynced: boolean
  /** It is told how far it is when nothing else waits. */
  owesProgress: boolean
  /** The keys that it holds, when it may have to be told which of them are gone. */
  readonly heldKeys: Set<string> | undefined
  /** The events of a revision that is being dispatched, by their positions. */
  matched: Array<number> | undefined
  /** It cannot read on without a snapshot. Then it is behind, and never catchingUp. */
  snapshotWait: SnapshotWait | undefined
}

export interface Registry<V> {
  readonly watchers: Map<number, Watcher<V>>
  readonly index: KeyIndex.KeyIndex<Watcher<V>>
  /** Watchers that are behind and have room. */
  readonly catchingUp: Set<Watcher<V>>
  /** Everything up to it has been dispatched; none while nobody follows. */
  position: Revision | undefined
  /** How many watchers have the policy `block`. */
  blocking: number
  blocked: boolean
  /** Whoever waits until a revision has been dispatched. */
  readonly dispatchWaiters: Set<{ readonly revision: Revision; readonly done: () => void }>
  /** Called when there is something to do. */
  readonly ring: () => void
}

/** What a watcher asks for. */
export type WatcherSpec<V> = Pick<
  Watcher<V>,
  "id" | "selector" | "where" | "policy" | "previous" | "autoResnapshot" | "capacity" | "owesSynced"
>

const noRevision: Revision = { epoch: "", seq: 0, tag: 0 }

/**
 * A watcher that is not registered yet.
 *
 * One literal, which begins with what an offer looks at: so an offer touches one or two lines of the processor's
 * cache. Spreading two records instead costs it half as much again.
 */
export const newWatcher = <V>(spec: WatcherSpec<V>): Watcher<V> => ({
  row: undefined,
  size: 0,
  room: 0,
  frames: undefined,
  wake: undefined,
  start: 0,
  capacity: spec.capacity,
  cursor: undefined,
  deliveredFrom: 0,
  where: spec.where,
  previous: spec.previous,
  policy: spec.policy,
  conflateAt: spec.capacity,
  lastTaken: noRevision,
  ended: undefined,
  matched: undefined,
  id: spec.id,
  selector: spec.selector,
  autoResnapshot: spec.autoResnapshot,
  owesSynced: spec.owesSynced,
  owesProgress: false,
  heldKeys: spec.autoResnapshot ? new Set() : undefined,
  liveFrom: noRevision,
  snapshotWait: undefined
})

export const make = <V>(ring: () => void): Registry<V> => ({
  watchers: new Map(),
  index: KeyIndex.make(),
  catchingUp: new Set(),
  position: undefined,
  blocking: 0,
  blocked: false,
  dispatchWaiters: new Set(),
  ring
})

/** Finds out how much it takes without another look: when it is live, or was not told everything from the first. */
export const setRoom = <V>(registry: Registry<V>, watcher: Watcher<V>): void => {
  const { capacity, cursor, previous, deliveredFrom, where } = watcher
  const takesAll = where === undefined && !previous
  const knowsNothing = cursor === undefined && deliveredFrom <= (registry.position?.seq ?? 0)
  watcher.room = takesAll && knowsNothing ? capacity : 0
}

/** Registers a watcher, which stands at a revision of this epoch. */
export const add = <V>(registry: Registry<V>, watcher: Watcher<V>, at: Revision): void => {
  registry.watchers.set(watcher.id, watcher)
  KeyIndex.add(registry.index, watcher)
  if (watcher.policy === "block") registry.blocking++
  advanceTo(registry, watcher, at)
}

/** Removes a watcher, which gets nothing any more. Again: nothing. */
export const remove = <V>(registry: Registry<V>, watcher: Watcher<V>): void => {
  if (!registry.watchers.delete(watcher.id)) return
  KeyIndex.remove(registry.index, watcher)
  registry.catchingUp.delete(watcher)
  watcher.room = 0
  const { snapshotWait } = watcher
  watcher.snapshotWait = undefined
  snapshotWait?.stop()
  if (registry.watchers.size === 0) registry.position = undefined
  if (watcher.policy !== "block") return
  registry.blocking--
  registry.ring()
  resolveDispatched(registry)
}

/** Tells when a revision has been dispatched, or nobody can hold it up any more. Returns how to wait no longer. */
export const whenDispatched = <V>(
  registry: Registry<V>,
  revision: Revision,
  done: () => void
): (() => void) => {
  const waiter = { revision, done }
  registry.dispatchWaiters.add(waiter)
  resolveDispatched(registry)
  return () => registry.dispatchWaiters.delete(waiter)
}

/** Completes what waits for revisions that nobody can hold up any more. */
export const resolveDispatched = <V>({ blocking, position, dispatchWaiters }: Registry<V>): void => {
  for (const waiter of dispatchWaiters) {
    const { epoch, seq } = waiter.revision
    // Of another epoch: the registry has not heard of it yet.
    if (blocking > 0 && position !== undefined && (epoch !== position.epoch || seq > position.seq)) continue
    dispatchWaiters.delete(waiter)
    waiter.done()
  }
}

/** Goes on at the head: what comes before it is gone, and will not be dispatched. */
export const skipTo = <V>(registry: Registry<V>, head: Revision): void => {
  registry.position = head
  for (const waiter of registry.dispatchWaiters) {
    const { epoch, seq } = waiter.revision
    if (epoch === head.epoch && seq > head.seq) continue
    registry.dispatchWaiters.delete(waiter)
    waiter.done()
  }
}

/** Everything up to it has been told to a watcher, once its reader has taken what waits. */
export const positionOf = <V>({ position }: Registry<V>, { liveFrom, cursor }: Watcher<V>): Revision => {
  if (cursor !== undefined) return cursor
  if (position === undefined) return liveFrom
  return position.epoch === liveFrom.epoch && position.seq < liveFrom.seq ? liveFrom : position
}

/**
 * Ends a watcher, behind what waits for it. While revisions are dispatched, `at` says where it stands: the position of
 * the registry is not kept up to date then.
 */
export const end = <V>(
  registry: Registry<V>,
  watcher: Watcher<V>,
  reason: WatchEnded["reason"],
  message: string,
  cause?: unknown,
  at?: Revision
): void => {
  const cursor = at ?? positionOf(registry, watcher)
  remove(registry, watcher)
  Buffer.end(watcher, new WatchEnded({ reason, message, cursor, ...(cause === undefined ? {} : { cause }) }))
}

/** A watcher has been told everything up to a revision. */
export const advanceTo = <V>(registry: Registry<V>, watcher: Watcher<V>, at: Revision): void => {
  const position = registry.position ?? at
  registry.position = position
  // Of another epoch: the registry has not heard of it yet.
  if (at.seq < position.seq || at.epoch !== position.epoch) {
    fallBehind(watcher, at)
    if (!Buffer.isFull(watcher)) registry.catchingUp.add(watcher)
    return
  }
  watcher.cursor = undefined
  watcher.deliveredFrom = at.seq
  watcher.liveFrom = at
  setRoom(registry, watcher)
  registry.catchingUp.delete(watcher)
  if (!watcher.owesSynced) return
  watcher.owesSynced = false
  Buffer.push(watcher, { _tag: "Synced", revision: at })
}

/** A watcher is behind: it has been told everything up to `cursor`. */
export const fallBehind = <V>(watcher: Watcher<V>, cursor: Revision): void => {
  watcher.cursor = cursor
  watcher.room = 0
}

/** There is room again: one who is behind may read on, one who blocks lets the dispatcher go on. */
export const noteTaken = <V>(registry: Registry<V>, watcher: Watcher<V>): void => {
  if (watcher.size * 2 > watcher.capacity) return
  const { cursor, snapshotWait } = watcher
  if (cursor !== undefined && snapshotWait === undefined && registry.watchers.has(watcher.id)) {
    if (registry.catchingUp.has(watcher)) return
    registry.catchingUp.add(watcher)
    registry.ring()
  } else if (registry.blocked && watcher.policy === "block") registry.ring()
}
