/** Calls of a subject, each bounded in time, and checks that fail with what was seen. */
import { Cause, Duration, Effect, Exit, Fiber, FiberId } from "effect"
import { isError } from "../../internal/realms.js"
import { monotonicMillis } from "../../internal/time.js"
import { StorageError } from "../../Storage.js"

/** Describes an error for a message. */
export const describeError = (error: unknown): string =>
  error instanceof StorageError
    ? `${error.kind}, ${error.outcome}: ${error.message}`
    : isError(error)
      ? error.message
      : String(error)

export const failedWith = (exit: Exit.Exit<unknown, unknown>): string =>
  Exit.isSuccess(exit) ? "success" : describeError(Cause.squash(exit.cause))

/** A law under way, as far as the time goes that its calls may take. */
export interface Limited {
  readonly limit: Duration.Duration
}

/** How a call ends, within the limit: one that hangs is left behind, even when it ignores its interruption. */
export const exitOf = <A>(
  { limit }: Limited,
  what: string,
  call: Effect.Effect<A, unknown>
): Effect.Effect<Exit.Exit<A, unknown>, string> =>
  Effect.disconnect(Effect.exit(call)).pipe(
    Effect.timeoutFail({
      duration: limit,
      onTimeout: () => `${what} did not end within ${Duration.format(limit)}`
    })
  )

/** A call that has to succeed. */
export const succeeds = <A>(
  trial: Limited,
  what: string,
  call: Effect.Effect<A, unknown>
): Effect.Effect<A, string> =>
  Effect.flatMap(exitOf(trial, what, call), (exit) =>
    Exit.isSuccess(exit) ? Effect.succeed(exit.value) : Effect.fail(`${what} ended with ${failedWith(exit)}`)
  )

/** An error's tag, and its reason when it has one. */
export const kindOf = (error: unknown): string => {
  const { _tag, reason } = (error ?? {}) as { readonly _tag?: unknown; readonly reason?: unknown }
  return reason === undefined ? String(_tag) : `${String(_tag)} ${String(reason)}`
}

/** A call that has to fail, and with an error of this kind. Gives the error. */
export const refuses = (
  trial: Limited,
  what: string,
  kind: string,
  call: () => Effect.Effect<unknown, unknown>
): Effect.Effect<{ readonly [property: string]: unknown }, string> =>
  Effect.flatMap(exitOf(trial, what, Effect.suspend(call)), (exit) => {
    if (Exit.isSuccess(exit)) return Effect.fail(`${what} succeeded, and must fail with ${kind}`)
    const failure = Cause.failureOption(exit.cause)
    const error: unknown = failure._tag === "Some" ? failure.value : Cause.squash(exit.cause)
    const seen = failure._tag === "Some" ? kindOf(error) : `a defect: ${String(error)}`
    return seen === kind
      ? Effect.succeed(error as { readonly [property: string]: unknown })
      : Effect.fail(`${what} failed with ${seen}, and must fail with ${kind}`)
  })

/** Fails with what was seen, unless it is nothing. */
export const unless = (seen: string | undefined): Effect.Effect<void, string> =>
  seen === undefined ? Effect.void : Effect.fail(seen)

/** Fails with what was seen, unless the condition holds. */
export const ensure = (holds: boolean, seen: string): Effect.Effect<void, string> =>
  holds ? Effect.void : Effect.fail(seen)

/**
 * Runs a whole call. Returns a pause, after which one that goes on behind its interruption has ended, too: twice as long as
 * the whole call took, and 20 ms at least.
 */
export const pauseFor = <A, E>(whole: Effect.Effect<A, E>): Effect.Effect<Effect.Effect<void>, E> =>
  Effect.gen(function* () {
    const clock = yield* Effect.clock
    const begun = monotonicMillis(clock)
    yield* whole
    return Effect.sleep(Math.max(20, (monotonicMillis(clock) - begun) * 2))
  })

/** The moments at which a call is interrupted: after so many turns of the scheduler. */
export const moments: ReadonlyArray<number> = [0, 1, 2, 3, 4, 5, 8, 13, 21, 34]

/** Starts a call, interrupts it after so many turns, and waits for its end. */
export const interruptedAfter = (
  trial: Limited,
  turns: number,
  what: string,
  call: Effect.Effect<unknown, unknown>
): Effect.Effect<void, string> =>
  Effect.gen(function* () {
    const fiber = yield* Effect.forkDaemon(Effect.interruptible(call))
    for (let turn = 0; turn < turns; turn++) yield* Effect.yieldNow()
    yield* Fiber.interruptAsFork(fiber, FiberId.none)
    yield* exitOf(trial, `interrupting ${what}`, Fiber.await(fiber))
  })
