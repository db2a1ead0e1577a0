/**
 * The registry of a watch: its watchers by number and by what they follow, and the revision up to which everything has
 * been dispatched. Only this file writes it.
 *
 * A live watcher is offered each revision, and one that is behind reads it from the log. So every revision reaches a
 * watcher once, by one of the two ways, and in order.
 */
import type { Revision } from "../log/events.js"
import { WatchEnded } from "./frames.js"
import * as KeyIndex from "./keyIndex.js"
import * as Syncs from "./syncs.js"
import * as Watcher from "./watcher.js"

/** A registry, as all other files see it. */
export interface Registry<V> {
  readonly watchers: ReadonlyMap<number, Watcher.Watcher<V>>
  readonly index: KeyIndex.KeyIndex<Watcher.Watcher<V>>
  /** Watchers that are behind and have room. */
  readonly catchingUp: ReadonlySet<Watcher.Watcher<V>>
  /** Watchers whose rights may change. */
  readonly withRights: ReadonlySet<Watcher.Watcher<V>>
  /** Those whose rights have changed, with the wait for the snapshot that is to be started. */
  readonly changed: ReadonlyMap<Watcher.Watcher<V>, Watcher.SnapshotWait>
  /** Everything up to it has been dispatched; none while there is no watcher. */
  readonly position: Revision | undefined
  /** How many watchers have the policy `block`. */
  readonly blocking: number
  /** A watcher with the policy `block` has no room for the next revision. */
  readonly blocked: boolean
  readonly syncs: Syncs.Syncs<V>
}

interface Fields<V> extends Registry<V> {
  readonly watchers: Map<number, Watcher.Watcher<V>>
  readonly catchingUp: Set<Watcher.Watcher<V>>
  readonly withRights: Set<Watcher.Watcher<V>>
  changed: Map<Watcher.Watcher<V>, Watcher.SnapshotWait>
  position: Revision | undefined
  blocking: number
  blocked: boolean
  lastId: number
  /** Publishers that wait until a revision has been dispatched. */
  readonly dispatchWaiters: Set<{ readonly revision: Revision; readonly done: () => void }>
  /** Starts a pass of the dispatcher. */
  readonly wake: () => void
  /** A pass has been asked for and has not begun. */
  pending: boolean
}

const fresh = <V>(wake: () => void): Fields<V> => ({
  watchers: new Map(),
  index: KeyIndex.make(),
  catchingUp: new Set(),
  withRights: new Set(),
  changed: new Map(),
  position: undefined,
  blocking: 0,
  blocked: false,
  syncs: Syncs.make(),
  lastId: 0,
  dispatchWaiters: new Set(),
  wake,
  pending: false
})

export const make: <V>(wake: () => void) => Registry<V> = fresh

// Every registry was made by `fresh`: the type of other files hides what only this file may write.
const fieldsOf = <V>(registry: Registry<V>): Fields<V> => registry as Fields<V>

/** Asks for a pass of the dispatcher, if there is a watcher and none has been asked for. */
export const ring = <V>(registry: Registry<V>): void => {
  const fields = fieldsOf(registry)
  if (fields.pending || fields.watchers.size === 0) return
  fields.pending = true
  fields.wake()
}

/** A pass begins: what rings from now on asks for another one. */
export const startPass = <V>(registry: Registry<V>): void => {
  fieldsOf(registry).pending = false
}

/** A number for a new watcher, never used again. */
export const nextId = <V>(registry: Registry<V>): number => ++fieldsOf(registry).lastId

/** Registers a watcher to which everything up to `at` has been delivered; the log is at `head`, or further. */
export const add = <V>(
  registry: Registry<V>,
  watcher: Watcher.Watcher<V>,
  at: Revision,
  head: Revision
): void => {
  const fields = fieldsOf(registry)
  fields.position ??= head
  fields.watchers.set(watcher.id, watcher)
  KeyIndex.add(fields.index, watcher)
  if (watcher.view?.rights !== undefined) fields.withRights.add(watcher)
  if (watcher.policy === "block") fields.blocking++
  advanceTo(registry, watcher, at)
}

/** Removes a watcher, which gets nothing any more. Again: nothing. */
const remove = <V>(registry: Registry<V>, watcher: Watcher.Watcher<V>): void => {
  const fields = fieldsOf(registry)
  if (!fields.watchers.delete(watcher.id)) return
  KeyIndex.remove(fields.index, watcher)
  fields.catchingUp.delete(watcher)
  fields.withRights.delete(watcher)
  fields.changed.delete(watcher)
  Watcher.endSnapshotWait(watcher)?.stop()
  if (fields.watchers.size === 0) fields.position = undefined
  if (watcher.policy !== "block") return
  fields.blocking--
  ring(registry)
  resolveDispatched(fields)
}

/**
 * Calls `done` when a revision has been dispatched, or no watcher can delay it any more. Returns how to stop waiting.
 */
export const whenDispatched = <V>(
  registry: Registry<V>,
  revision: Revision,
  done: () => void
): (() => void) => {
  const fields = fieldsOf(registry)
  const waiter = { revision, done }
  fields.dispatchWaiters.add(waiter)
  resolveDispatched(fields)
  return () => fields.dispatchWaiters.delete(waiter)
}

/** Completes the waits for revisions that no watcher can delay any more. */
const resolveDispatched = <V>({ blocking, position, dispatchWaiters }: Fields<V>): void => {
  for (const waiter of dispatchWaiters) {
    const { epoch, seq } = waiter.revision
    // Of another epoch: the dispatcher has not read it yet.
    if (blocking > 0 && position !== undefined && (epoch !== position.epoch || seq > position.seq)) continue
    dispatchWaiters.delete(waiter)
    waiter.done()
  }
}

/** Everything up to a revision has been dispatched. */
export const setDispatched = <V>(registry: Registry<V>, position: Revision): void => {
  const fields = fieldsOf(registry)
  if (fields.watchers.size > 0) fields.position = position
  if (fields.dispatchWaiters.size > 0) resolveDispatched(fields)
  for (const watcher of fields.syncs.undelivered) settle(registry, watcher)
}

/** Completes what waits until the reader of a watcher has taken enough. */
const settle = <V>(registry: Registry<V>, watcher: Watcher.Watcher<V>): void => {
  const { syncs } = registry
  if (syncs.waiting.has(watcher)) Syncs.settle(syncs, watcher, positionOf(registry, watcher))
}

/**
 * Calls `done` when the reader of a watcher has taken everything up to the head that the log has now, or the watcher has
 * ended. Returns how to stop waiting.
 */
export const whenSynced = <V>(
  registry: Registry<V>,
  watcher: Watcher.Watcher<V>,
  done: (outcome: Syncs.Outcome) => void
): (() => void) => {
  const stop = Syncs.add(registry.syncs, watcher, done)
  ring(registry)
  return stop
}

/** The log answered where its head is, after these waits had begun. */
export const setSyncTarget = <V>(
  registry: Registry<V>,
  asked: ReadonlyArray<Syncs.Wait<V>>,
  head: Revision
): void => {
  for (const watcher of Syncs.setTarget(registry.syncs, asked, head)) settle(registry, watcher)
}

export const setBlocked = <V>(registry: Registry<V>, blocked: boolean): void => {
  fieldsOf(registry).blocked = blocked
}

/** Goes on at the head: what comes before it is gone, and will not be dispatched. */
export const skipTo = <V>(registry: Registry<V>, head: Revision): void => {
  const fields = fieldsOf(registry)
  fields.position = head
  for (const waiter of fields.dispatchWaiters) {
    const { epoch, seq } = waiter.revision
    if (epoch === head.epoch && seq > head.seq) continue
    fields.dispatchWaiters.delete(waiter)
    waiter.done()
  }
}

/** Everything up to it is delivered to a watcher, once its reader has taken what waits. */
export const positionOf = <V>(
  { position }: Registry<V>,
  { cursor, liveFrom }: Watcher.Watcher<V>
): Revision => {
  if (cursor !== undefined) return cursor
  if (position === undefined) return liveFrom
  return position.epoch === liveFrom.epoch && position.seq < liveFrom.seq ? liveFrom : position
}

/**
 * Ends a watcher, behind what waits for it. While revisions are dispatched, `at` is its position: that of the registry
 * is not kept up to date then.
 */
export const end = <V>(
  registry: Registry<V>,
  watcher: Watcher.Watcher<V>,
  reason: WatchEnded["reason"],
  message: string,
  cause?: unknown,
  at?: Revision
): void => {
  const cursor = at ?? positionOf(registry, watcher)
  remove(registry, watcher)
  const ended = new WatchEnded({ reason, message, cursor, ...(cause === undefined ? {} : { cause }) })
  Watcher.end(watcher, ended)
  Syncs.end(registry.syncs, watcher, Watcher.finalError(watcher) ?? ended)
}

/** Ends every watcher. */
export const endAll = <V>(
  registry: Registry<V>,
  reason: WatchEnded["reason"],
  message: string,
  cause?: unknown
): void => {
  for (const watcher of [...registry.watchers.values()]) end(registry, watcher, reason, message, cause)
}

/** Everything up to a revision has been delivered to a watcher: it becomes live there, or reads on. */
export const advanceTo = <V>(registry: Registry<V>, watcher: Watcher.Watcher<V>, at: Revision): void => {
  const fields = fieldsOf(registry)
  const position = fields.position ?? at
  fields.position = position
  // Of another epoch: the dispatcher has not read it yet.
  if (at.seq < position.seq || at.epoch !== position.epoch) {
    Watcher.readOnAfter(watcher, at)
    catchUpIfRoom(registry, watcher)
  } else {
    fields.catchingUp.delete(watcher)
    Watcher.becomeLive(watcher, at, position)
  }
  settle(registry, watcher)
}

const catchUpIfRoom = <V>(registry: Registry<V>, watcher: Watcher.Watcher<V>): void => {
  if (!Watcher.isFull(watcher) && watcher.snapshotWait === undefined)
    fieldsOf(registry).catchingUp.add(watcher)
}

/**
 * The rights of a watcher have changed: what waits for it was judged by others, and so is a snapshot that is being taken.
 * The next pass starts another one.
 */
export const restartView = <V>(registry: Registry<V>, watcher: Watcher.Watcher<V>): void => {
  const fields = fieldsOf(registry)
  const at = Watcher.discard(watcher, positionOf(registry, watcher))
  if (Watcher.hasEnded(watcher)) return
  Watcher.endSnapshotWait(watcher)?.stop()
  Watcher.readOnAfter(watcher, at)
  fields.catchingUp.delete(watcher)
  fields.changed.set(watcher, Watcher.startSnapshotWait(watcher))
  ring(registry)
}

/** The watchers whose snapshots are to be started now; forgets them. */
export const takeChanged = <V>(registry: Registry<V>): Fields<V>["changed"] => {
  const fields = fieldsOf(registry)
  const { changed } = fields
  fields.changed = new Map()
  return changed
}

/** Ends a watcher, and gives up what waits for it. */
export const endDiscarding = <V>(
  registry: Registry<V>,
  watcher: Watcher.Watcher<V>,
  reason: WatchEnded["reason"],
  message: string,
  cause?: unknown
): void => {
  const at = Watcher.discard(watcher, positionOf(registry, watcher))
  end(registry, watcher, reason, message, cause, at)
}

/** What comes next is gone from the log: every watcher reads on from its position, and the dispatcher at the head. */
export const restartAt = <V>(registry: Registry<V>, head: Revision): void => {
  for (const watcher of registry.watchers.values()) {
    Watcher.restartAfter(watcher, positionOf(registry, watcher))
    catchUpIfRoom(registry, watcher)
  }
  skipTo(registry, head)
  Syncs.restartAt(registry.syncs, head)
}

/** A watcher that is behind reads nothing more until it has room, or a snapshot. */
export const stopCatchingUp = <V>(registry: Registry<V>, watcher: Watcher.Watcher<V>): void => {
  fieldsOf(registry).catchingUp.delete(watcher)
}

/**
 * A reader took a frame. With room, a watcher that is behind reads on, and one that blocks lets the dispatcher go on.
 */
export const noteTaken = <V>(registry: Registry<V>, watcher: Watcher.Watcher<V>): void => {
  if (registry.syncs.waiting.size > 0) settle(registry, watcher)
  if (watcher.size * 2 > watcher.capacity) return
  const fields = fieldsOf(registry)
  if (Watcher.isBehind(watcher) && watcher.snapshotWait === undefined) {
    if (fields.catchingUp.has(watcher)) return
    fields.catchingUp.add(watcher)
    ring(registry)
  } else if (fields.blocked && watcher.policy === "block") ring(registry)
}
