/**
 * What becomes of a watcher that cannot read on, and asked for a snapshot then: a fiber of its own takes one, again
 * and again while the source is unavailable. Until then the watcher is neither live nor does it read on from the log.
 * Its end interrupts the fiber, whoever ends it.
 */
import { Cause, Effect, Exit, FiberId } from "effect"
import type { Compacted, EpochChanged, Revision } from "../log/events.js"
import * as Outbox from "./buffer.js"
import type { GapFrame, SnapshotFrame } from "./frames.js"
import * as Hub from "./registry.js"
import * as Snapshots from "./snapshots.js"

/** What it needs of a dispatcher. */
interface Needs<V> {
  readonly hub: Hub.Hub<V>
  readonly source: Snapshots.Source<V>
  readonly closing: boolean
}

/** A source whose snapshots are of revisions that the log cannot go on from is asked so many times more. */
const mostStale = 5

/** What is not told, because a snapshot stands for it. */
const gapOf = (after: Revision, { epoch, seq: to }: Revision, reason: Gone["_tag"]): GapFrame =>
  reason === "Compacted" && epoch === after.epoch
    ? { _tag: "Gap", from: Math.min(after.seq + 1, to), to, reason }
    : { _tag: "Gap", from: Math.min(1, to), to, reason: "EpochChanged" }

type Gone = Compacted | EpochChanged

type Taken<V> = SnapshotFrame<V> | Snapshots.Threw

const taken = <V>({ hub }: Needs<V>, watcher: Hub.Watcher<V>, gone: Gone, snapshot: Taken<V>): void => {
  if (snapshot._tag === "Threw") {
    Hub.end(hub, watcher, "Failed", "its predicate threw", snapshot.cause)
    return
  }
  const { revision } = snapshot
  Outbox.pushSnapshot(watcher, gapOf(Hub.standing(hub, watcher), revision, gone._tag), snapshot)
  watcher.owesSynced = true
  Hub.standAt(hub, watcher, revision)
  hub.ring()
}

const failed = <V>({ hub }: Needs<V>, watcher: Hub.Watcher<V>, error: unknown): void => {
  if (Snapshots.isGone(error)) {
    Hub.end(hub, watcher, error._tag, `its snapshot is of no use to go on from: ${error.message}`)
  } else Hub.end(hub, watcher, "Failed", "no snapshot could be taken", error)
}

const done = <V>(
  needs: Needs<V>,
  watcher: Hub.Watcher<V>,
  gone: Gone,
  wait: Hub.Wait,
  exit: Exit.Exit<Taken<V>, unknown>
): void => {
  // It has ended meanwhile, or ends with the watch.
  if (watcher.wait !== wait || (Exit.isFailure(exit) && needs.closing)) return
  watcher.wait = undefined
  if (Exit.isSuccess(exit)) taken(needs, watcher, gone, exit.value)
  else failed(needs, watcher, Cause.squash(exit.cause))
}

const taking = <V>(
  needs: Needs<V>,
  watcher: Hub.Watcher<V>,
  gone: Gone,
  wait: Hub.Wait
): Effect.Effect<void> => {
  let stale = 0
  return Snapshots.take(needs.source, watcher).pipe(
    Effect.tapError((error) => Effect.sync(() => (wait.trouble = error))),
    Effect.retry({
      schedule: Snapshots.backoff,
      while: (error) =>
        !needs.closing &&
        (Snapshots.isUnavailable(error) || (Snapshots.isGone(error) && ++stale <= mostStale))
    }),
    // What comes by a defect ends the watcher too.
    Effect.exit,
    Effect.map((exit) => done(needs, watcher, gone, wait, exit))
  )
}

/** Lets a watcher begin again with a snapshot, beside everything else. */
export const begin = <V>(needs: Needs<V>, watcher: Hub.Watcher<V>, gone: Gone): Effect.Effect<void> =>
  Effect.suspend(() => {
    const wait: Hub.Wait = { trouble: undefined, stop: () => undefined }
    watcher.wait = wait
    // A daemon, so that one that ignores its interruption does not hold up the end of the watch.
    return Effect.map(
      Effect.forkDaemon(Effect.interruptible(taking(needs, watcher, gone, wait))),
      (fiber) => {
        wait.stop = () => fiber.unsafeInterruptAsFork(FiberId.none)
      }
    )
  })
