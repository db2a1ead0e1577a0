/**
 * What is known of the changes that a cache follows: how far it is, and whether what it holds can be trusted. Only this
 * file writes it. All of it is synchronous.
 */
import { type Clock, Effect, Option } from "effect"
import type { ChangeLogError } from "../../ChangeLog.js"
import type { EventsFrame, FollowError, Frame, WatchEnded, Watcher, WatcherHealth } from "../../Watch.js"
import type { Event, Revision } from "../log/events.js"
import { monotonicMillis } from "../time.js"
import * as RecentChanges from "./recentChanges.js"

/** What a cache does when something happens to the changes that it follows. Each is called synchronously. */
export interface Callbacks<V> {
  /** The next revision, in order. */
  readonly apply: (revision: Revision, events: ReadonlyArray<Event<V>>) => void
  /** Changes may have been missed: everything that was loaded before is suspect. */
  readonly onGap: () => void
  /** The log has another history: its numbers cannot be compared with those before. `onGap` follows. */
  readonly onReset: () => void
  /** `isTrusted` has changed. */
  readonly onTrust: (isTrusted: boolean) => void
  /** Whether an event stands for a change of anything: no change before it is known of any key. */
  readonly concernsAll: (event: Event<V>) => boolean
}

/**
 * - `Starting`: the log has not been reached yet.
 * - `Live`: everything that the log has delivered is applied.
 * - `Behind`: there is more to apply.
 * - `Silent`: the log has not answered for more than two heartbeats.
 * - `Reopening`: the follow has ended, and is opened again.
 */
export type State = "Starting" | "Live" | "Behind" | "Silent" | "Reopening"

export type Reached = "Reached" | "NotReached"

interface Waiter {
  readonly revision: Revision
  readonly done: (reached: Reached) => void
}

interface Fields<V> {
  readonly callbacks: Callbacks<V>
  readonly clock: Clock.Clock
  readonly recent: RecentChanges.RecentChanges
  /** Everything up to it is applied. */
  position: Revision | undefined
  /** The log cannot go on from the position. */
  isLost: boolean
  watcher: Watcher<V> | undefined
  /** This watcher has delivered everything up to a head of after its begin. */
  hasCaughtUp: boolean
  /** It has, once. */
  hasStarted: boolean
  isSilent: boolean
  isBehind: boolean
  isTrusted: boolean
  /** When the log was last known to hold nothing newer, in monotonic milliseconds. */
  currentAt: number
  cause: FollowCause | undefined
  readonly waiters: Set<Waiter>
}

/** Why the changes are not followed. */
export type FollowCause =
  | FollowError
  | WatchEnded
  | ChangeLogError
  | { readonly _tag: "Defect"; readonly cause: unknown }

/** It, as all other files see it. */
export type Changes<V> = Readonly<Omit<Fields<V>, "waiters">>

export const make = <V>(callbacks: Callbacks<V>, clock: Clock.Clock, history: number): Changes<V> => {
  const fields: Fields<V> = {
    callbacks,
    clock,
    recent: RecentChanges.make(history),
    position: undefined,
    isLost: false,
    watcher: undefined,
    hasCaughtUp: false,
    hasStarted: false,
    isSilent: false,
    isBehind: false,
    isTrusted: false,
    currentAt: monotonicMillis(clock),
    cause: undefined,
    waiters: new Set()
  }
  return fields
}

// All were made by `make`: the type of other files hides what only this file may write.
const fieldsOf = <V>(changes: Changes<V>): Fields<V> => changes as Fields<V>

export const stateOf = <V>({ hasCaughtUp, hasStarted, isBehind, isSilent }: Changes<V>): State => {
  if (!hasCaughtUp) return hasStarted ? "Reopening" : "Starting"
  return isSilent ? "Silent" : isBehind ? "Behind" : "Live"
}

/** Where the follow goes on without a gap; `undefined`: it begins anew. */
export const resumesAfter = <V>({ isLost, position }: Changes<V>): Revision | undefined =>
  isLost ? undefined : position

const isAt = (position: Revision | undefined, { epoch, seq }: Revision): boolean =>
  position !== undefined && position.epoch === epoch && position.seq >= seq

export const hasReached = <V>({ position }: Changes<V>, revision: Revision): boolean =>
  isAt(position, revision)

const updateTrust = <V>(fields: Fields<V>): void => {
  const isTrusted = fields.hasCaughtUp && !fields.isSilent
  if (isTrusted === fields.isTrusted) return
  fields.isTrusted = isTrusted
  fields.callbacks.onTrust(isTrusted)
}

const answerWaiters = <V>({ position, waiters }: Fields<V>): void => {
  for (const waiter of waiters) {
    if (!isAt(position, waiter.revision)) continue
    waiters.delete(waiter)
    waiter.done("Reached")
  }
}

const moveTo = <V>(fields: Fields<V>, to: Revision): void => {
  const { position } = fields
  if (position !== undefined && position.epoch === to.epoch && position.seq >= to.seq) return
  fields.position = to
  answerWaiters(fields)
}

/** Everything up to a head of the log was taken from a watcher: all of that is applied. */
export const advanceTo = <V>(changes: Changes<V>, watcher: Watcher<V>, head: Revision): void => {
  if (changes.watcher === watcher && changes.position?.epoch === head.epoch) moveTo(fieldsOf(changes), head)
}

/** A watcher was opened, behind `at`. */
export const begin = <V>(changes: Changes<V>, watcher: Watcher<V>, at: Revision, resumes: boolean): void => {
  const fields = fieldsOf(changes)
  const before = fields.position
  fields.watcher = watcher
  fields.isBehind = true
  if (!resumes) {
    fields.isLost = false
    fields.position = at
    RecentChanges.restart(fields.recent, at.seq)
    if (before !== undefined && before.epoch !== at.epoch) fields.callbacks.onReset()
    fields.callbacks.onGap()
    answerWaiters(fields)
  }
}

const applyEvents = <V>(fields: Fields<V>, { events, revision }: EventsFrame<V>): void => {
  const { callbacks, recent } = fields
  for (const event of events) {
    if (callbacks.concernsAll(event)) RecentChanges.restart(recent, revision.seq)
    else RecentChanges.note(recent, event.key, revision.seq)
  }
  callbacks.apply(revision, events)
}

/** Applies the next frame of the watcher. */
export const apply = <V>(changes: Changes<V>, frame: Frame<V>): void => {
  const fields = fieldsOf(changes)
  // The policy `resync` without snapshots announces what is lost by its end.
  if (frame._tag === "Gap" || frame._tag === "Snapshot") return
  if (frame._tag === "Events") applyEvents(fields, frame)
  moveTo(fields, frame.revision)
  if (frame._tag !== "Synced") return
  fields.hasCaughtUp = true
  fields.hasStarted = true
  fields.cause = undefined
  for (const waiter of fields.waiters) {
    if (waiter.revision.epoch === frame.revision.epoch) continue
    fields.waiters.delete(waiter)
    waiter.done("NotReached")
  }
}

/** Judges by the health of the watcher whether what the cache holds can be trusted. */
export const judge = <V>(
  changes: Changes<V>,
  { buffered, headAge, lag, maxSilence, silentFor, state }: WatcherHealth
): void => {
  const fields = fieldsOf(changes)
  fields.isSilent = silentFor > maxSilence
  fields.isBehind = lag > 0 || buffered > 0 || state === "Behind"
  if (!fields.isBehind && state === "Live") {
    fields.currentAt = Math.max(fields.currentAt, monotonicMillis(fields.clock) - headAge)
  }
  updateTrust(fields)
}

/** The follow has ended, or could not be opened. Nothing can be trusted until it is there again. */
export const end = <V>(changes: Changes<V>, cause: FollowCause): void => {
  const fields = fieldsOf(changes)
  const { _tag } = cause
  const isGone = _tag === "Compacted" || _tag === "EpochChanged"
  const endsGone = _tag === "WatchEnded" && (cause.reason === "Compacted" || cause.reason === "EpochChanged")
  // What a callback that threw has done with its revision is not known.
  if (isGone || endsGone || _tag === "Defect") fields.isLost = true
  if (_tag === "WatchEnded" && fields.position?.epoch === cause.cursor.epoch) moveTo(fields, cause.cursor)
  fields.cause = cause
  fields.watcher = undefined
  fields.hasCaughtUp = false
  updateTrust(fields)
}

/** Calls `done` when the position is at a revision or beyond it, or the log has another epoch. */
export const whenReached = <V>(
  changes: Changes<V>,
  revision: Revision,
  done: Waiter["done"]
): Effect.Effect<void> => {
  const { waiters } = fieldsOf(changes)
  const waiter = { revision, done }
  waiters.add(waiter)
  return Effect.sync(() => waiters.delete(waiter))
}

/** Milliseconds since the log was last known to hold nothing newer. */
export const lagOf = <V>({ clock, currentAt }: Changes<V>): number => monotonicMillis(clock) - currentAt

export const causeOf = <V>({ cause }: Changes<V>): Option.Option<FollowCause> => Option.fromNullable(cause)
