/** The acquisition of a resource, retried by a schedule. */
import { type Cause, Effect, ExecutionStrategy, Exit, type Schedule, Scope } from "effect"
import * as Time from "./time.js"

/**
 * Runs `acquire` until it succeeds, each attempt in a scope of its own, which is closed when the attempt fails. Fails
 * with the first fatal failure, or with the last failure when the schedule ends.
 */
export const acquireWith = <A, E, R, F>(
  acquire: Effect.Effect<A, E, R>,
  options: {
    readonly schedule: Schedule.Schedule<unknown, F>
    readonly classify: (cause: Cause.Cause<unknown>) => F
    readonly isFatal: (failure: F) => boolean
    readonly onFailure: (cause: F, attempt: number) => void
  }
): Effect.Effect<A, F, R | Scope.Scope> =>
  Effect.gen(function* () {
    const scope = yield* Effect.scope
    const driver = yield* Time.driver(options.schedule)
    for (let attempt = 1; ; attempt++) {
      const own = yield* Scope.fork(scope, ExecutionStrategy.sequential)
      const exit = yield* Effect.exit(Scope.extend(acquire, own))
      if (Exit.isSuccess(exit)) return exit.value
      yield* Scope.close(own, exit)
      const failure = options.classify(exit.cause)
      if (options.isFatal(failure)) return yield* Effect.fail(failure)
      options.onFailure(failure, attempt)
      yield* Effect.mapError(driver.next(failure), () => failure)
    }
  })
