/** A reader that follows a change log by its doorbell alone, as a process does, and keeps all that it has seen. */
import { Deferred, Effect, FiberId, Queue, Schedule, type Scope } from "effect"
import type * as ChangeLog from "../../../src/ChangeLog.js"

export interface Following {
  readonly seen: ReadonlyArray<ChangeLog.LoggedRevision<unknown>>
  /** Rings that the reader has answered by reading. */
  readonly rings: () => number
  /** Completes when it has seen the revision of this number. */
  readonly until: (seq: number) => Effect.Effect<void>
}

/** Follows from the floor of this moment, until the scope ends. It asks a log that does not answer until it does. */
export const following = <V>(
  log: ChangeLog.ChangeLog<V>
): Effect.Effect<Following, ChangeLog.ChangeLogError, Scope.Scope> =>
  Effect.gen(function* () {
    const seen: Array<ChangeLog.LoggedRevision<unknown>> = []
    const waiting = new Map<number, Deferred.Deferred<void>>()
    const rung = yield* Queue.sliding<void>(1)
    let rings = 0
    let { floor: cursor } = yield* log.head
    const rest: Effect.Effect<void, unknown> = Effect.flatMap(
      Effect.suspend(() => log.read({ after: cursor, limit: 100 })),
      (more) => {
        for (const one of more) {
          seen.push(one)
          cursor = one.revision
          const waits = waiting.get(cursor.seq)
          if (waits !== undefined) Deferred.unsafeDone(waits, Effect.void)
        }
        return more.length === 0 ? Effect.void : rest
      }
    )
    const unavailable = (error: unknown) => (error as { readonly reason?: unknown }).reason === "Unavailable"
    const round = Queue.take(rung).pipe(
      Effect.zipRight(Effect.sync(() => rings++)),
      Effect.zipRight(Effect.retry(rest, { while: unavailable, schedule: Schedule.spaced("20 millis") })),
      // A watcher that is told that its history is gone shows in what it has seen: it goes on no more.
      Effect.orDie
    )
    yield* log.doorbell(() => rung.unsafeOffer(undefined))
    yield* Effect.forkScoped(Effect.forever(round))
    rung.unsafeOffer(undefined)
    return {
      seen,
      rings: () => rings,
      until: (seq) =>
        Effect.suspend(() => {
          if (cursor.seq >= seq) return Effect.void
          const waits = waiting.get(seq) ?? Deferred.unsafeMake<void>(FiberId.none)
          waiting.set(seq, waits)
          return Deferred.await(waits)
        })
    }
  })
