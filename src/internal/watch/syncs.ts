/**
 * The readers that wait until they have taken everything up to the log's head. Only this file writes these waits.
 *
 * A wait has no target until a pass has asked the log for its head. It completes when two things hold: everything up to
 * the target has been delivered to the watcher, and its reader has taken all of that. Those of a watcher complete in
 * their order, because the head only grows.
 */
import { Effect } from "effect"
import type { ChangeLogError, Revision } from "../log/events.js"
import type { WatchEnded } from "./frames.js"
import * as Watcher from "./watcher.js"

export type Outcome = Effect.Effect<Revision, WatchEnded | ChangeLogError>

interface WaitFields<V> {
  readonly watcher: Watcher.Watcher<V>
  readonly done: (outcome: Outcome) => void
  /** The head of the log, asked for after the wait began. */
  target: Revision | undefined
  /**
   * What must be taken: up to the target's number. Further for a watcher that conflates: events behind the target may
   * have replaced others before it.
   */
  until: number
}

export type Wait<V> = Readonly<WaitFields<V>>

type Aimed<V> = Wait<V> & { readonly target: Revision }

/** The waits of a watch, as all other files see them. */
export interface Syncs<V> {
  /** Waits for which no pass has asked the log yet. */
  readonly asking: ReadonlySet<Wait<V>>
  readonly waiting: ReadonlyMap<Watcher.Watcher<V>, ReadonlySet<Wait<V>>>
  /** Live watchers with a wait whose target has not been delivered to them. */
  readonly undelivered: ReadonlySet<Watcher.Watcher<V>>
}

interface Fields<V> {
  readonly asking: Set<WaitFields<V>>
  readonly waiting: Map<Watcher.Watcher<V>, Set<WaitFields<V>>>
  readonly undelivered: Set<Watcher.Watcher<V>>
}

const fresh = <V>(): Fields<V> => ({ asking: new Set(), waiting: new Map(), undelivered: new Set() })

export const make: <V>() => Syncs<V> = fresh

// All were made by `fresh`, and `add`: the types of other files hide what only this file may write.
const fieldsOf = <V>(syncs: Syncs<V>): Fields<V> => syncs as Fields<V>

/** Begins a wait; the next pass asks the log for it. Returns how to stop waiting. */
export const add = <V>(syncs: Syncs<V>, watcher: Watcher.Watcher<V>, done: Wait<V>["done"]): (() => void) => {
  const { asking, waiting } = fieldsOf(syncs)
  const wait: WaitFields<V> = { watcher, done, target: undefined, until: 0 }
  const waits = waiting.get(watcher) ?? new Set()
  waiting.set(watcher, waits.add(wait))
  asking.add(wait)
  return () => remove(syncs, wait)
}

const remove = <V>(syncs: Syncs<V>, wait: Wait<V>): void => {
  const { asking, undelivered, waiting } = fieldsOf(syncs)
  const { watcher } = wait
  asking.delete(wait)
  const waits = waiting.get(watcher)
  if (waits?.delete(wait) !== true || waits.size > 0) return
  waiting.delete(watcher)
  undelivered.delete(watcher)
  Watcher.setKeepUpTo(watcher, 0)
}

const complete = <V>(syncs: Syncs<V>, wait: Wait<V>, outcome: Outcome): void => {
  remove(syncs, wait)
  wait.done(outcome)
}

/** Takes the waits that the log is asked for now: those that begin from here on need another answer. */
export const startAsking = <V>(syncs: Syncs<V>): ReadonlyArray<Wait<V>> => {
  const { asking } = fieldsOf(syncs)
  const asked = [...asking]
  asking.clear()
  return asked
}

/** The log could not be asked. */
export const failAsked = <V>(syncs: Syncs<V>, asked: ReadonlyArray<Wait<V>>, error: ChangeLogError): void => {
  for (const wait of asked) if (isWaiting(syncs, wait)) complete(syncs, wait, Effect.fail(error))
}

/** Sets the targets of waits. Returns their watchers, to be settled. */
export const setTarget = <V>(
  syncs: Syncs<V>,
  asked: ReadonlyArray<Wait<V>>,
  head: Revision
): ReadonlySet<Watcher.Watcher<V>> => {
  const watchers = new Set<Watcher.Watcher<V>>()
  // Every wait is of `add`.
  for (const wait of asked as ReadonlyArray<WaitFields<V>>) {
    if (!isWaiting(syncs, wait)) continue
    aim(wait, head)
    watchers.add(wait.watcher)
  }
  return watchers
}

const isWaiting = <V>({ waiting }: Syncs<V>, wait: Wait<V>): boolean =>
  waiting.get(wait.watcher)?.has(wait) === true

const aim = <V>(wait: WaitFields<V>, head: Revision): void => {
  wait.target = head
  wait.until = head.seq
}

/** The log goes on at a head where it has lost what came before: targets that it will never reach are void. */
export const restartAt = <V>(syncs: Syncs<V>, head: Revision): void => {
  for (const [watcher, waits] of fieldsOf(syncs).waiting) {
    for (const wait of waits) {
      const { target } = wait
      if (target === undefined || (target.epoch === head.epoch && target.seq <= head.seq)) continue
      aim(wait, head)
      // The watcher reads on from the log, which replaces nothing: all waits behind this one get the same target.
      Watcher.setKeepUpTo(watcher, head.seq)
    }
  }
}

const covers = (position: Revision, { epoch, seq }: Revision): boolean =>
  position.epoch === epoch && position.seq >= seq

/**
 * Keeps what the first wait needs from being replaced by later events. Only one target is kept at a time, so that the
 * buffer holds two events of a key at most. What waits behind it may be replaced meanwhile, and then needs more.
 */
const protect = <V>({ waiting }: Fields<V>, { until, watcher }: Wait<V>): void => {
  const last = Watcher.lastSeq(watcher)
  for (const wait of waiting.get(watcher) ?? []) {
    if (wait.target !== undefined && wait.until > watcher.keepUpTo) wait.until = Math.max(wait.until, last)
  }
  Watcher.setKeepUpTo(watcher, Math.max(until, last))
}

/** The first wait of a watcher, if the log has answered where its head was. */
const firstAimed = <V>({ waiting }: Fields<V>, watcher: Watcher.Watcher<V>): Aimed<V> | undefined => {
  const wait = waiting.get(watcher)?.values().next().value
  // Its target was looked at.
  return wait?.target === undefined ? undefined : (wait as Aimed<V>)
}

/** Completes what can be of one watcher; everything up to `position` has been delivered to it. */
export const settle = <V>(syncs: Syncs<V>, watcher: Watcher.Watcher<V>, position: Revision): void => {
  const fields = fieldsOf(syncs)
  for (let wait = firstAimed(fields, watcher); wait !== undefined; wait = firstAimed(fields, watcher)) {
    if (watcher.policy === "conflate" && wait.until > watcher.keepUpTo) protect(fields, wait)
    // A snapshot that it waits for stands for what it is to take.
    if (watcher.snapshotWait !== undefined || !covers(position, wait.target)) {
      // One that is behind is settled when its reader takes a frame, and when it is live again.
      if (Watcher.isLive(watcher)) fields.undelivered.add(watcher)
      else fields.undelivered.delete(watcher)
      return
    }
    if (!Watcher.hasTaken(watcher, wait.target.epoch, wait.until)) break
    complete(syncs, wait, Effect.succeed(wait.target))
  }
  fields.undelivered.delete(watcher)
}

/** Fails the waits of a watcher that has ended. */
export const end = <V>(syncs: Syncs<V>, watcher: Watcher.Watcher<V>, ended: WatchEnded): void => {
  for (const wait of syncs.waiting.get(watcher) ?? []) complete(syncs, wait, ended)
}
