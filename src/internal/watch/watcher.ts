/**
 * One watcher: what it follows, its buffer, and how far it is. Only this file writes a watcher: other files see
 * `readonly` fields, and call its functions.
 *
 * A watcher is in one of three states:
 *
 * - live: every revision up to the registry's position has been offered to it;
 * - behind: it has a cursor of its own, and reads on from the log, or waits for room or for a snapshot;
 * - ended: it gets nothing any more, and what is buffered can still be taken.
 */
import type {
  ChangeLogError,
  Compacted,
  EpochChanged,
  Event,
  LoggedRevision,
  Revision
} from "../log/events.js"
import type { Selector } from "../log/selector.js"
import * as Buffer from "./buffer.js"
import type { Frame, GapFrame, SnapshotFrame, WatchEnded } from "./frames.js"
import type { Viewing } from "./view.js"

interface SnapshotWaitFields {
  /** Why there is none yet. */
  cause: ChangeLogError | Compacted | EpochChanged | undefined
  /** Stops taking it. */
  stop: () => void
}

/** A snapshot is being taken for a watcher. */
export type SnapshotWait = Readonly<SnapshotWaitFields>

/** Its buffer is part of it: to follow one more reference would cost a miss of the processor's cache. */
interface Fields<V> extends Buffer.FrameBuffer<V> {
  /**
   * While fewer frames than this wait, a revision is buffered as it is and without another look. It is the capacity of
   * a watcher that is live, takes all events that it follows, and has been delivered nothing ahead of the registry;
   * else 0.
   */
  room: number
  readonly id: number
  readonly selector: Selector
  readonly where: ((event: Event<V>) => boolean) | undefined
  /** What it may see; none: everything. */
  readonly view: Viewing<V> | undefined
  readonly policy: Buffer.Policy
  readonly previous: boolean
  readonly autoResnapshot: boolean
  /** Revisions up to this number are not delivered: it began behind them. The number of `liveFrom`, or 0. */
  deliveredFrom: number
  /** Its position when it became live. */
  liveFrom: Revision
  /** The revision that it reads on after, while it is behind. */
  cursor: Revision | undefined
  /** A Synced frame is due when it becomes live. */
  owesSynced: boolean
  /** A Progress frame is due when nothing else waits. */
  owesProgress: boolean
  /** The keys that were delivered and not deleted, if a later snapshot has to name those that are gone. */
  readonly heldKeys: Set<string> | undefined
  /** The events of the revision that is being dispatched, by their positions. */
  matched: Array<number> | undefined
  /** It cannot read on without a snapshot. Then it is behind, and not among those that catch up. */
  snapshotWait: SnapshotWait | undefined
}

type Hidden =
  | "row"
  | "frames"
  | "start"
  | "wake"
  | "conflateAt"
  | "owesSynced"
  | "owesProgress"
  | "heldKeys"
  | "matched"

/** A watcher, as all other files see it. */
export type Watcher<V> = Readonly<Omit<Fields<V>, Hidden>>

/** What a new watcher is made of. */
export type WatcherSpec<V> = Pick<
  Fields<V>,
  "id" | "selector" | "where" | "view" | "policy" | "previous" | "autoResnapshot" | "capacity" | "owesSynced"
>

const noRevision: Revision = { epoch: "", seq: 0, tag: 0 }

const fresh = <V>(spec: WatcherSpec<V>): Fields<V> => ({
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
  keepUpTo: 0,
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
  snapshotWait: undefined,
  view: spec.view
})

/**
 * A watcher that is not registered yet.
 *
 * One literal, which begins with what an offer looks at: so an offer touches one or two lines of the processor's
 * cache. Spreading two records instead costs it half as much again.
 */
export const make: <V>(spec: WatcherSpec<V>) => Watcher<V> = fresh

// Every watcher was made by `fresh`: the type of other files hides what only this file may write.
const fieldsOf = <V>(watcher: Watcher<V>): Fields<V> => watcher as Fields<V>

export const isLive = <V>({ cursor, ended }: Watcher<V>): boolean =>
  cursor === undefined && ended === undefined

/** A watcher that reads on from the log. */
export type Behind<V> = Watcher<V> & { readonly cursor: Revision }

export const isBehind = <V>(watcher: Watcher<V>): watcher is Behind<V> =>
  watcher.cursor !== undefined && watcher.ended === undefined

export const hasEnded = <V>({ ended }: Watcher<V>): boolean => ended !== undefined

/** Whether its buffer has no room for a frame of events. */
export const isFull = <V>({ capacity, size }: Watcher<V>): boolean => size >= capacity

/** Whether no frame waits. */
export const isEmpty = <V>(watcher: Watcher<V>): boolean => Buffer.isEmpty(fieldsOf(watcher))

/** Sets its first position, before it is registered. */
export const startAt = <V>(watcher: Watcher<V>, at: Revision): void => {
  fieldsOf(watcher).lastTaken = at
}

/** Computes `room`; `position` is the registry's. */
export const setRoom = <V>(watcher: Watcher<V>, position: Revision | undefined): void => {
  const { capacity, cursor, deliveredFrom, previous, view, where } = watcher
  const takesAll = where === undefined && view === undefined && !previous
  const isInStep = cursor === undefined && deliveredFrom <= (position?.seq ?? 0)
  fieldsOf(watcher).room = takesAll && isInStep ? capacity : 0
}

/** Becomes live at a revision: everything up to it is buffered or taken. */
export const becomeLive = <V>(watcher: Watcher<V>, at: Revision, position: Revision): void => {
  const fields = fieldsOf(watcher)
  fields.cursor = undefined
  fields.deliveredFrom = at.seq
  fields.liveFrom = at
  setRoom(watcher, position)
  if (!fields.owesSynced) return
  fields.owesSynced = false
  Buffer.push(fields, { _tag: "Synced", revision: at })
}

/** Falls behind, or reads on: everything up to `cursor` is buffered or taken. */
export const readOnAfter = <V>(watcher: Watcher<V>, cursor: Revision): void => {
  const fields = fieldsOf(watcher)
  fields.cursor = cursor
  fields.room = 0
}

/** Falls behind where the log no longer holds what comes next, perhaps in another epoch. */
export const restartAfter = <V>(watcher: Watcher<V>, cursor: Revision): void => {
  readOnAfter(watcher, cursor)
  fieldsOf(watcher).deliveredFrom = 0
}

/** Ends, behind what is buffered. The first reason holds. */
export const end = <V>(watcher: Watcher<V>, ended: WatchEnded): void => {
  fieldsOf(watcher).room = 0
  Buffer.end(fieldsOf(watcher), ended)
}

/** Why it has ended, once everything is taken. */
export const finalError = <V>(watcher: Watcher<V>): WatchEnded | undefined =>
  Buffer.finalError(fieldsOf(watcher))

/** Whether everything of an epoch up to a number was taken, of what was buffered. */
export const hasTaken = <V>(watcher: Watcher<V>, epoch: string, seq: number): boolean =>
  Buffer.hasTaken(fieldsOf(watcher), epoch, seq)

/** The number of the last revision whose events wait, or 0. */
export const lastSeq = <V>(watcher: Watcher<V>): number => Buffer.lastSeq(fieldsOf(watcher))

/** Keeps its policy from replacing events up to a number by later ones. */
export const setKeepUpTo = <V>(watcher: Watcher<V>, seq: number): void => {
  fieldsOf(watcher).keepUpTo = seq
}

/** Buffers a frame; the policy has made room. */
export const push = <V>(watcher: Watcher<V>, frame: Frame<V>): void => Buffer.push(fieldsOf(watcher), frame)

/** Buffers a whole revision; there is room. */
export const pushRow = <V>(watcher: Watcher<V>, row: LoggedRevision<V>): void =>
  Buffer.pushRow(fieldsOf(watcher), row)

/** Buffers a Snapshot, which a Synced follows, behind a Gap if something was not delivered. */
export const pushSnapshot = <V>(
  watcher: Watcher<V>,
  gap: GapFrame | undefined,
  snapshot: SnapshotFrame<V>
): void => {
  const fields = fieldsOf(watcher)
  fields.owesSynced = true
  if (gap === undefined) Buffer.push(fields, snapshot)
  else Buffer.pushSnapshot(fields, gap, snapshot)
}

/**
 * Gives up everything that waits for its reader. Returns the revision after which its reader can resume; `position` is
 * that of a reader for which nothing waits.
 */
export const discard = <V>(watcher: Watcher<V>, position: Revision): Revision => {
  const fields = fieldsOf(watcher)
  const nothingWaits = Buffer.isEmpty(fields)
  Buffer.discard(fields)
  fields.owesProgress = false
  return nothingWaits ? Buffer.further(position, fields.lastTaken) : fields.lastTaken
}

/** Makes room by giving up the oldest frame of events. */
export const dropOldest = <V>(watcher: Watcher<V>): void => Buffer.dropOldest(fieldsOf(watcher))

/** Gives up what newer events of the same keys replace, if enough waits for that to be worth while. */
export const conflate = <V>(watcher: Watcher<V>): void => {
  const fields = fieldsOf(watcher)
  if (fields.size >= fields.conflateAt) Buffer.conflate(fields)
}

/** Notes an event of the revision that is being dispatched. True: it is the first of them. */
export const match = <V>(watcher: Watcher<V>, position: number): boolean => {
  const fields = fieldsOf(watcher)
  if (fields.matched === undefined) {
    fields.matched = [position]
    return true
  }
  fields.matched.push(position)
  return false
}

/** The events that were noted, by their positions; forgets them. */
export const takeMatched = <V>(watcher: Watcher<V>): ReadonlyArray<number> | undefined => {
  const fields = fieldsOf(watcher)
  const { matched } = fields
  fields.matched = undefined
  return matched
}

/** Makes a Progress frame due, and wakes the reader that it can be delivered to. */
export const oweProgress = <V>(watcher: Watcher<V>): void => {
  const fields = fieldsOf(watcher)
  fields.owesProgress = true
  if (Buffer.isEmpty(fields)) Buffer.wake(fields)
}

/** Whether a Progress frame can be delivered, when nothing else waits. */
export const isProgressDue = <V>(watcher: Watcher<V>): boolean =>
  fieldsOf(watcher).owesProgress && isLive(watcher)

/** Takes the first frame of the buffer. */
export const take = <V>(watcher: Watcher<V>): Frame<V> | undefined => {
  const fields = fieldsOf(watcher)
  const frame = Buffer.take(fields)
  return frame === undefined || fields.heldKeys === undefined ? frame : noteHeld(fields.heldKeys, frame)
}

/** Notes which keys its reader holds; a Snapshot names those that are gone. */
const noteHeld = <V>(heldKeys: Set<string>, frame: Frame<V>): Frame<V> => {
  if (frame._tag === "Events") {
    for (const event of frame.events) {
      if (event._tag === "Put") heldKeys.add(event.key)
      else heldKeys.delete(event.key)
    }
  }
  if (frame._tag !== "Snapshot") return frame
  const present = new Set(frame.entries.map(({ key }) => key))
  const deleted = [...heldKeys].filter((key) => !present.has(key))
  heldKeys.clear()
  for (const key of present) heldKeys.add(key)
  return { ...frame, deleted: Object.freeze(deleted) }
}

/** Takes the Progress frame that is due; none without a position. */
export const takeProgress = <V>(
  watcher: Watcher<V>,
  position: Revision | undefined
): Frame<V> | undefined => {
  const fields = fieldsOf(watcher)
  fields.owesProgress = false
  if (position === undefined) return undefined
  fields.lastTaken = position
  return { _tag: "Progress", revision: position }
}

/** Calls `onReady` once when a frame or the end can be taken, perhaps at once. Returns how to stop waiting. */
export const whenReady = <V>(watcher: Watcher<V>, onReady: () => void): (() => void) => {
  // What ends the wait may have happened before it began.
  if (!isEmpty(watcher) || isProgressDue(watcher) || hasEnded(watcher)) {
    onReady()
    return () => undefined
  }
  const fields = fieldsOf(watcher)
  fields.wake = onReady
  return () => {
    fields.wake = undefined
  }
}

/** Waits for a snapshot, which is started next. */
export const startSnapshotWait = <V>(watcher: Watcher<V>): SnapshotWait => {
  const wait = { cause: undefined, stop: () => undefined }
  fieldsOf(watcher).snapshotWait = wait
  return wait
}

export const setStop = (wait: SnapshotWaitFields, stop: () => void): void => {
  wait.stop = stop
}

export const setCause = (wait: SnapshotWaitFields, cause: SnapshotWait["cause"]): void => {
  wait.cause = cause
}

/** Ends the wait for a snapshot, and returns it. */
export const endSnapshotWait = <V>(watcher: Watcher<V>): SnapshotWait | undefined => {
  const { snapshotWait } = watcher
  fieldsOf(watcher).snapshotWait = undefined
  return snapshotWait
}
