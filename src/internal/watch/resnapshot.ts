/**
 * What becomes of a watcher that cannot read on, and asked for a snapshot then: a fiber of its own takes one, again
 * and again while the source is unavailable. Until then the watcher is neither live nor does it read on from the log.
 * Its end interrupts the fiber, whoever ends it.
 */
import { Cause, Effect, Exit, FiberId } from "effect"
import type { Compacted, EpochChanged, Revision } from "../log/events.js"
import * as Buffer from "./buffer.js"
import type { GapFrame, SnapshotFrame } from "./frames.js"
import * as Registry from "./registry.js"
import * as Snapshots from "./snapshots.js"

/** What it needs of a dispatcher. */
interface Needs<V> {
  readonly registry: Registry.Registry<V>
  readonly source: Snapshots.Source<V>
  readonly closing: boolean
}

/** A source whose snapshots are of revisions that the log cannot go on from is asked so many times more. */
const maxStale = 5

/** What is not told, because a snapshot stands for it. */
const gapOf = (after: Revision, { epoch, seq: to }: Revision, reason: Gone["_tag"]): GapFrame =>
  reason === "Compacted" && epoch === after.epoch
    ? { _tag: "Gap", from: Math.min(after.seq + 1, to), to, reason }
    : { _tag: "Gap", from: Math.min(1, to), to, reason: "EpochChanged" }

type Gone = Compacted | EpochChanged

type Taken<V> = SnapshotFrame<V> | Snapshots.PredicateThrew

const deliverSnapshot = <V>(
  { registry }: Needs<V>,
  watcher: Registry.Watcher<V>,
  gone: Gone,
  snapshot: Taken<V>
): void => {
  if (snapshot._tag === "PredicateThrew") {
    Registry.end(registry, watcher, "Failed", "its predicate threw", snapshot.cause)
    return
  }
  const { revision } = snapshot
  Buffer.pushSnapshot(watcher, gapOf(Registry.positionOf(registry, watcher), revision, gone._tag), snapshot)
  watcher.owesSynced = true
  Registry.advanceTo(registry, watcher, revision)
  registry.ring()
}

const endFailed = <V>({ registry }: Needs<V>, watcher: Registry.Watcher<V>, error: unknown): void => {
  if (Snapshots.isGone(error)) {
    Registry.end(registry, watcher, error._tag, `its snapshot is of no use to go on from: ${error.message}`)
  } else Registry.end(registry, watcher, "Failed", "no snapshot could be taken", error)
}

const settle = <V>(
  needs: Needs<V>,
  watcher: Registry.Watcher<V>,
  gone: Gone,
  wait: Registry.SnapshotWait,
  exit: Exit.Exit<Taken<V>, unknown>
): void => {
  // It has ended meanwhile, or ends with the watch.
  if (watcher.snapshotWait !== wait || (Exit.isFailure(exit) && needs.closing)) return
  watcher.snapshotWait = undefined
  if (Exit.isSuccess(exit)) deliverSnapshot(needs, watcher, gone, exit.value)
  else endFailed(needs, watcher, Cause.squash(exit.cause))
}

const takeWithRetry = <V>(
  needs: Needs<V>,
  watcher: Registry.Watcher<V>,
  gone: Gone,
  wait: Registry.SnapshotWait
): Effect.Effect<void> => {
  let stale = 0
  return Snapshots.take(needs.source, watcher).pipe(
    Effect.tapError((error) => Effect.sync(() => (wait.cause = error))),
    Effect.retry({
      schedule: Snapshots.backoff,
      while: (error) =>
        !needs.closing && (Snapshots.isUnavailable(error) || (Snapshots.isGone(error) && ++stale <= maxStale))
    }),
    // What comes by a defect ends the watcher too.
    Effect.exit,
    Effect.map((exit) => settle(needs, watcher, gone, wait, exit))
  )
}

/** Lets a watcher begin again with a snapshot, beside everything else. */
export const start = <V>(needs: Needs<V>, watcher: Registry.Watcher<V>, gone: Gone): Effect.Effect<void> =>
  Effect.suspend(() => {
    const wait: Registry.SnapshotWait = { cause: undefined, stop: () => undefined }
    watcher.snapshotWait = wait
    // A daemon, so that one that ignores its interruption does not hold up the end of the watch.
    return Effect.map(
      Effect.forkDaemon(Effect.interruptible(takeWithRetry(needs, watcher, gone, wait))),
      (fiber) => {
        wait.stop = () => fiber.unsafeInterruptAsFork(FiberId.none)
      }
    )
  })
