/** The calls that close a catalog of stores or pools: whichever comes first closes it, and all get one report. */
import { Deferred, Duration, Effect, Exit, type Option, Scope } from "effect"
import { millisOf } from "../options.js"
import { timeLeft } from "../time.js"
import type { Backend } from "./backend.js"
import type { Host } from "./host.js"
import type { Saving } from "./saving.js"

/** What every report of a closed catalog has. */
export interface Report {
  /** What was accepted without being stored. */
  readonly unsaved: ReadonlyArray<unknown>
}

export interface Closing<out R> {
  readonly close: Effect.Effect<R>
  readonly closeWithin: (duration: Duration.DurationInput) => Effect.Effect<R>
}

/** How the end of the scope closes it. */
export interface ClosingSettings<in R> {
  readonly name: string
  /** Milliseconds. */
  readonly closeDeadline: number
  readonly onClosed: ((report: R) => Effect.Effect<void>) | undefined
}

/** What of a catalog ends with it. */
export interface Open extends Pick<Host, "actor" | "endings" | "scope" | "tasks"> {
  readonly savings: ReadonlyArray<Saving>
  /** Ends all stores or pools. Synchronous. */
  readonly endAll: () => void
}

/** Saves what was accepted, ends what is open, and gives back the backend: all of it within one duration. */
export const closeAll = (
  { actor, endAll, endings, savings, scope, tasks }: Open,
  duration: Duration.Duration
): Effect.Effect<Option.Option<Backend>> =>
  Effect.gen(function* () {
    const left = yield* timeLeft(Duration.toMillis(duration))
    yield* Effect.forEach(savings, (saving) => saving.closeWithin(duration), {
      concurrency: "unbounded",
      discard: true
    })
    endAll()
    yield* endings.finish(left())
    yield* tasks.closeWithin(left())
    const backend = yield* actor.closeWithin(0)
    yield* Scope.close(scope, Exit.void)
    return backend
  })

/** Makes the calls. `closing` runs once. */
export const start = <R extends Report>(
  { closeDeadline, name, onClosed }: ClosingSettings<R>,
  closing: (duration: Duration.Duration) => Effect.Effect<R>
): Effect.Effect<Closing<R>, never, Scope.Scope> =>
  Effect.gen(function* () {
    const done = yield* Deferred.make<R>()
    let begun = false
    const closeWithin = (duration: Duration.DurationInput): Effect.Effect<R> =>
      Effect.uninterruptibleMask((restore) =>
        Effect.flatMap(millisOf("closeWithin", duration), (limit) => {
          if (begun) return restore(Deferred.await(done))
          begun = true
          return Effect.andThen(
            Effect.forkDaemon(Effect.intoDeferred(closing(Duration.millis(limit)), done)),
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
