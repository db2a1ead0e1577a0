/** How a catalog of stores is closed, and what it gives back. */
import { Deferred, Duration, Effect, Exit, type Option, Scope } from "effect"
import type { StorageError } from "../../Storage.js"
import type { Backend } from "../catalog/backend.js"
import { millisOf } from "../options.js"
import type { Owned } from "./operation.js"
import { type Runtime, savingsOf } from "./runtime.js"
import { type Stats, statsOf } from "./stats.js"
import { end } from "./store.js"

/** An operation that was accepted and is not stored. */
export interface Unsaved {
  readonly store: string
  readonly steps: Owned["steps"]
  readonly error: StorageError
}

/** What a closed catalog gives back. */
export interface CloseReport {
  /** What it stood on, still usable until the scope it was made in ends; none when it never came up. */
  readonly backend: Option.Option<Backend>
  /** Operations that were accepted without being stored, in order; the last 10,000 at least. */
  readonly unsaved: ReadonlyArray<Unsaved>
  readonly stats: Stats
}

export interface Closing {
  readonly close: Effect.Effect<CloseReport>
  readonly closeWithin: (duration: Duration.DurationInput) => Effect.Effect<CloseReport>
}

/** Ends everything, within a duration. */
const closing = (runtime: Runtime, duration: Duration.Duration): Effect.Effect<CloseReport> =>
  Effect.gen(function* () {
    const { actor, entries, scope, shared, tasks, unsaved } = runtime
    shared.isClosed = true
    yield* Effect.forEach(savingsOf(runtime), (saving) => saving.closeWithin(duration), {
      concurrency: "unbounded",
      discard: true
    })
    for (const { store } of Array.from(entries.values())) end(store, "Closed")
    yield* tasks.closeWithin(duration)
    const backend = yield* actor.closeWithin(0)
    yield* Scope.close(scope, Exit.void)
    return { backend, unsaved: Array.from(unsaved), stats: statsOf(runtime) }
  })

/** Makes the calls that close a catalog; its scope closes it too. */
export const start = (runtime: Runtime): Effect.Effect<Closing, never, Scope.Scope> =>
  Effect.gen(function* () {
    const { closeDeadline, name, onClosed } = runtime.settings
    const done = yield* Deferred.make<CloseReport>()
    let begun = false
    const closeWithin = (duration: Duration.DurationInput): Effect.Effect<CloseReport> =>
      Effect.uninterruptibleMask((restore) =>
        Effect.flatMap(millisOf("closeWithin", duration), (limit) => {
          if (begun) return restore(Deferred.await(done))
          begun = true
          return Effect.andThen(
            Effect.forkDaemon(Effect.intoDeferred(closing(runtime, Duration.millis(limit)), done)),
            restore(Deferred.await(done))
          )
        })
      )
    yield* Effect.addFinalizer(() =>
      Effect.suspend(() => {
        if (begun) return Effect.asVoid(Deferred.await(done))
        return Effect.flatMap(closeWithin(closeDeadline), (report) => {
          const lost = report.unsaved.length
          const log =
            lost === 0
              ? Effect.void
              : Effect.logError(`${name}: closed by its scope with ${lost} operations unsaved`)
          return Effect.andThen(log, onClosed === undefined ? Effect.void : onClosed(report))
        })
      })
    )
    return { close: closeWithin(Duration.infinity), closeWithin }
  })
