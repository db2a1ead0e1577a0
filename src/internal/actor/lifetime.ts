/** The life of an actor, from its start to the report of its close. */
import { Context, Deferred, type Duration, Effect, Exit, type Scope } from "effect"
import { millisOf } from "../options.js"
import { type Engine, publish } from "./engine.js"
import type { Settings } from "./options.js"
import { forceClose, requestClose, supervise } from "./supervisor.js"

export interface Lifetime<out Report> {
  readonly close: Effect.Effect<Report>
  readonly closeWithin: (duration: Duration.DurationInput) => Effect.Effect<Report>
}

/** How an actor ends. */
type Ending<Resource, Item, Report> = Pick<
  Settings<Resource, Item, Report, never>,
  "report" | "closeDeadline" | "onScopeClosed"
>

/** Starts the actor. It is closed with its scope, within `closeDeadline`. */
export const start = <Resource, Item, Report>(
  engine: Engine<Resource, Item>,
  { closeDeadline, onScopeClosed, report: reportOf }: Ending<Resource, Item, Report>
): Effect.Effect<Lifetime<Report>, never, Scope.Scope> =>
  Effect.gen(function* () {
    const closed = yield* Deferred.make<Report>()
    const finish = (report: Report): void => {
      publish(engine)
      Deferred.unsafeDone(closed, Exit.succeed(report))
    }
    let delivered = false
    const report = Effect.tap(Deferred.await(closed), () => {
      delivered = true
    })
    const close = Effect.suspend(() => {
      requestClose(engine)
      return report
    })
    const closeWithin = (duration: Duration.DurationInput) =>
      Effect.flatMap(millisOf("closeWithin", duration), (limit) => {
        requestClose(engine)
        // A daemon: the deadline holds also when this closer is interrupted.
        return Effect.raceFirst(
          Effect.asVoid(Deferred.await(closed)),
          Effect.andThen(Effect.sleep(limit), forceClose(engine))
        ).pipe(Effect.interruptible, Effect.forkDaemon, Effect.zipRight(report))
      })
    const closeWithScope = Effect.gen(function* () {
      const wasDelivered = delivered
      const reported = yield* closeWithin(closeDeadline)
      if (!wasDelivered && onScopeClosed !== undefined) yield* onScopeClosed(reported)
    })
    // Not to be interrupted in between: an actor that runs is closed by its scope.
    yield* supervise(engine, reportOf).pipe(
      Effect.map(finish),
      Effect.mapInputContext((_: Context.Context<never>) => Context.empty()),
      Effect.forkDaemon,
      Effect.zipRight(Effect.addFinalizer(() => closeWithScope)),
      Effect.uninterruptible
    )
    return { close, closeWithin }
  })
