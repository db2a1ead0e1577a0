/** Reads of the master that are no loads: pages of streams, and samples. They end with the live table. */
import { Deferred, Effect } from "effect"
import type { ReadFailed } from "./errors.js"

/** Only this file writes it. */
export interface OtherReads {
  /** Fails when the live table has ended. */
  readonly ended: Deferred.Deferred<never, ReadFailed>
  /** So many have not stopped, also of those whose callers have left. */
  running: number
  /** Called when none runs any more. */
  readonly waiting: Set<() => void>
}

export const make = (ended: Deferred.Deferred<never, ReadFailed>): OtherReads => ({
  ended,
  running: 0,
  waiting: new Set()
})

/** Runs a read until the live table ends. One that ignores its interruption keeps no caller. */
export const untilEnded = <A, E>(
  reads: OtherReads,
  read: Effect.Effect<A, E>
): Effect.Effect<A, E | ReadFailed> => {
  const stopped = Effect.sync(() => {
    reads.running--
    if (reads.running > 0) return
    for (const wake of reads.waiting) wake()
    reads.waiting.clear()
  })
  const counted = Effect.suspend(() => {
    reads.running++
    return Effect.ensuring(read, stopped)
  })
  return Effect.raceFirst(Effect.disconnect(counted), Deferred.await(reads.ended))
}

/** Completes when none of them runs. */
export const whenStopped = (reads: OtherReads): Effect.Effect<void> =>
  Effect.async((resume) => {
    if (reads.running === 0) return resume(Effect.void)
    const wake = () => resume(Effect.void)
    reads.waiting.add(wake)
    return Effect.sync(() => reads.waiting.delete(wake))
  })
