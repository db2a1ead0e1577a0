/**
 * Takes a snapshot for a watcher that cannot read on, if it has `autoResnapshot`, and for one whose rights have changed.
 * A fiber of its own takes it, again and again while the source is unavailable. Until then the
 * watcher is neither live nor does it read on from the log. Its end interrupts the fiber.
 */
import { Cause, Effect, Exit, FiberId } from "effect"
import type { Compacted, EpochChanged, Revision } from "../log/events.js"
import type { Dispatcher } from "./dispatcherState.js"
import type { GapFrame, SnapshotFrame } from "./frames.js"
import * as Registry from "./registry.js"
import * as Snapshots from "./snapshots.js"
import * as Watcher from "./watcher.js"

/** A source whose snapshots are of revisions that the log cannot go on from is asked so many times more. */
const maxStale = 5

/** The revisions that are not delivered, because a snapshot replaces them. */
const gapOf = (after: Revision, { epoch, seq: to }: Revision, reason: Gone["_tag"]): GapFrame =>
  reason === "Compacted" && epoch === after.epoch
    ? { _tag: "Gap", from: Math.min(after.seq + 1, to), to, reason }
    : { _tag: "Gap", from: Math.min(1, to), to, reason: "EpochChanged" }

type Gone = Compacted | EpochChanged

/** Why a snapshot is taken. */
type Why = Gone | { readonly _tag: "RightsChanged" }

type Taken<V> = SnapshotFrame<V> | Snapshots.PredicateThrew

const deliverSnapshot = <V>(
  { registry }: Dispatcher<V>,
  watcher: Watcher.Watcher<V>,
  why: Why,
  snapshot: Taken<V>
): void => {
  if (snapshot._tag === "PredicateThrew") {
    Registry.end(registry, watcher, "Failed", "its predicate threw", snapshot.cause)
    return
  }
  const { revision } = snapshot
  // Under other rights it replaces what was delivered, and nothing waits: there is no gap in that.
  const gap =
    why._tag === "RightsChanged"
      ? undefined
      : gapOf(Registry.positionOf(registry, watcher), revision, why._tag)
  Watcher.pushSnapshot(watcher, gap, snapshot)
  Registry.advanceTo(registry, watcher, revision)
  Registry.ring(registry)
}

const endFailed = <V>({ registry }: Dispatcher<V>, watcher: Watcher.Watcher<V>, error: unknown): void => {
  if (Snapshots.isGone(error)) {
    Registry.end(registry, watcher, error._tag, `its snapshot is of no use to go on from: ${error.message}`)
  } else Registry.end(registry, watcher, "Failed", "no snapshot could be taken", error)
}

const settle = <V>(
  dispatcher: Dispatcher<V>,
  watcher: Watcher.Watcher<V>,
  why: Why,
  wait: Watcher.SnapshotWait,
  exit: Exit.Exit<Taken<V>, unknown>
): void => {
  // It has ended meanwhile, or ends with the watch.
  if (watcher.snapshotWait !== wait || (Exit.isFailure(exit) && dispatcher.phase !== "Open")) return
  Watcher.endSnapshotWait(watcher)
  if (Exit.isSuccess(exit)) deliverSnapshot(dispatcher, watcher, why, exit.value)
  else endFailed(dispatcher, watcher, Cause.squash(exit.cause))
}

const takeWithRetry = <V>(
  dispatcher: Dispatcher<V>,
  watcher: Watcher.Watcher<V>,
  why: Why,
  wait: Watcher.SnapshotWait
): Effect.Effect<void> => {
  let stale = 0
  return Snapshots.take(dispatcher.source, watcher).pipe(
    Effect.tapError((error) => Effect.sync(() => Watcher.setCause(wait, error))),
    Effect.retry({
      schedule: Snapshots.backoff,
      while: (error) =>
        dispatcher.phase === "Open" &&
        (Snapshots.isUnavailable(error) || (Snapshots.isGone(error) && ++stale <= maxStale))
    }),
    // A defect ends the watcher too.
    Effect.exit,
    Effect.map((exit) => settle(dispatcher, watcher, why, wait, exit))
  )
}

const startWait = <V>(
  dispatcher: Dispatcher<V>,
  watcher: Watcher.Watcher<V>,
  why: Why,
  wait: Watcher.SnapshotWait
): Effect.Effect<void> =>
  // A daemon: one that ignores its interruption must not delay the end of the watch.
  Effect.map(
    Effect.forkDaemon(Effect.interruptible(takeWithRetry(dispatcher, watcher, why, wait))),
    (fiber) => {
      Watcher.setStop(wait, () => fiber.unsafeInterruptAsFork(FiberId.none))
    }
  )

/** Starts the fiber that takes a snapshot for a watcher, and lets the dispatcher go on. */
export const start = <V>(
  dispatcher: Dispatcher<V>,
  watcher: Watcher.Watcher<V>,
  gone: Gone
): Effect.Effect<void> =>
  Effect.suspend(() => startWait(dispatcher, watcher, gone, Watcher.startSnapshotWait(watcher)))

/** Starts the snapshots of the watchers whose rights have changed. */
export const startChanged = <V>(dispatcher: Dispatcher<V>): Effect.Effect<void> =>
  Effect.suspend(() => {
    const { registry } = dispatcher
    if (registry.changed.size === 0) return Effect.void
    return Effect.forEach(
      Registry.takeChanged(registry),
      ([watcher, wait]) => startWait(dispatcher, watcher, { _tag: "RightsChanged" }, wait),
      { discard: true }
    )
  })
