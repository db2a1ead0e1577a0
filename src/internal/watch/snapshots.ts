/**
 * Snapshots for watchers. They are taken outside of the dispatcher's turn: one that is slow, hangs or fails delays its
 * watcher alone.
 */
import { Effect, Schedule } from "effect"
import type { ChangeLog } from "../log/changeLog.js"
import {
  type ChangeLogError,
  type Compacted,
  type EpochChanged,
  type Event,
  type KeyValue,
  type LoggedRevision,
  ownRevision,
  type Revision,
  type Snapshot
} from "../log/events.js"
import type { Selector } from "../log/selector.js"
import type { SnapshotFrame } from "./frames.js"
import type { Watcher } from "./watcher.js"

/** The part of a change log that a watch needs. */
export interface Source<V> {
  readonly read: (options: {
    readonly after: Revision
    readonly limit: number
  }) => Effect.Effect<ReadonlyArray<LoggedRevision<V>>, Compacted | EpochChanged | ChangeLogError>
  readonly head: ChangeLog<V>["head"]
  readonly revisionAt: ChangeLog<V>["revisionAt"]
  readonly snapshot: (selector: Selector) => Effect.Effect<Snapshot<V>, ChangeLogError>
  /** Snapshots come from the user: the log is asked whether it can go on from their revisions. */
  readonly isExternal: boolean
  /** How many snapshots may be taken at once. */
  readonly slots: Effect.Semaphore
}

/** The source of a watch; `snapshots` is what its user gave it for logs that keep no state. */
export const sourceOf = <V>(
  log: ChangeLog<V>,
  snapshots: Source<V>["snapshot"] | undefined
): Effect.Effect<Source<V>> =>
  Effect.map(Effect.makeSemaphore(maxSlots), (slots) => ({
    read: log.read,
    head: log.head,
    revisionAt: log.revisionAt,
    // The selector was checked when its watcher began.
    snapshot:
      snapshots ?? ((selector) => Effect.catchTag(log.snapshot(selector), "InvalidSelector", Effect.die)),
    isExternal: snapshots !== undefined,
    slots
  }))

/** At most so many snapshots are taken at once, as far as they are quick. */
const maxSlots = 8

/** One that takes longer goes on without its slot: the others do not wait for it. */
const slotTimeout = "1 second"

/** Exponential from 50 ms by factor 2, at most 2 s, jittered by 20 %. */
export const backoff = Schedule.exponential("50 millis", 2).pipe(
  Schedule.union(Schedule.spaced("2 seconds")),
  Schedule.jittered
)

export const isUnavailable = (error: unknown): error is ChangeLogError => {
  const { _tag, reason } = (error ?? {}) as { readonly _tag?: unknown; readonly reason?: unknown }
  return _tag === "ChangeLogError" && reason === "Unavailable"
}

/** The log cannot go on from a revision. */
export const isGone = (error: unknown): error is Compacted | EpochChanged => {
  const { _tag } = (error ?? {}) as { readonly _tag?: unknown }
  return _tag === "Compacted" || _tag === "EpochChanged"
}

const inSlot = <A, E>(slots: Effect.Semaphore, effect: Effect.Effect<A, E>): Effect.Effect<A, E> =>
  Effect.uninterruptibleMask((restore) =>
    Effect.flatMap(restore(slots.take(1)), () => {
      let held = true
      const release = Effect.suspend(() => {
        if (!held) return Effect.void
        held = false
        return slots.release(1)
      })
      const late = Effect.sleep(slotTimeout).pipe(Effect.zipRight(release), Effect.zipRight(Effect.never))
      return Effect.ensuring(restore(Effect.raceFirst(effect, Effect.interruptible(late))), release)
    })
  )

/** The predicate of a watcher threw. */
export interface PredicateThrew {
  readonly _tag: "PredicateThrew"
  readonly revision: Revision
  readonly cause: unknown
}

const ownEntry = <V>(kept: KeyValue<V>): KeyValue<V> => {
  if (Object.isFrozen(kept) && Object.isFrozen(kept.revision)) return kept
  const { key, revision, value } = kept
  return Object.freeze({ key, value, revision: ownRevision(revision) })
}

/** An entry as the event that it would be. */
const putOf = <V>({ key, revision, value }: KeyValue<V>): Event<V> =>
  Object.freeze({ _tag: "Put", key, value, revision })

const none: ReadonlyArray<string> = Object.freeze([])

const frameOf = <V>(
  snapshot: Snapshot<V>,
  { view, where }: Pick<Watcher<V>, "view" | "where">
): SnapshotFrame<V> | PredicateThrew => {
  const revision = ownRevision(snapshot.revision)
  let entries = snapshot.entries.map(ownEntry)
  try {
    if (view !== undefined) entries = entries.filter(({ key, value }) => view.visible(key, value))
    if (where !== undefined) entries = entries.filter((entry) => where(putOf(entry)))
  } catch (cause) {
    return { _tag: "PredicateThrew", revision, cause }
  }
  return { _tag: "Snapshot", revision, entries: Object.freeze(entries), deleted: none }
}

/**
 * What a watcher follows, sees and takes, at one revision that the log can go on from. Fails with `Compacted` or
 * `EpochChanged` when the log cannot.
 */
export const take = <V>(
  { isExternal, read, slots, snapshot }: Source<V>,
  watcher: Pick<Watcher<V>, "selector" | "view" | "where">
): Effect.Effect<SnapshotFrame<V> | PredicateThrew, ChangeLogError | Compacted | EpochChanged> =>
  inSlot(
    slots,
    Effect.suspend(() => snapshot(watcher.selector)).pipe(
      Effect.tap(({ revision }) => (isExternal ? read({ after: revision, limit: 1 }) : Effect.void)),
      Effect.map((snapshot) => frameOf(snapshot, watcher))
    )
  )
