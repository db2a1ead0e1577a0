/**
 * Calls of what may fail or hang, such as a tier: each takes a bounded time, and none is made while it is left alone.
 * Times are milliseconds of a monotonic clock.
 */
import { type Cause, type Clock, Effect, Fiber, identity, type Scope } from "effect"
import { monotonicMillis } from "../time.js"

/** What is called. Only this file writes it. */
export interface Guard {
  readonly clock: Clock.Clock
  /** The longest that a call may take. */
  readonly timeout: number
  /** Where a call goes on whose caller leaves: a caller may be quicker than the call, and would learn nothing of a fault. */
  readonly scope: Scope.Scope
  /** Whether it is left alone until the calls have ended that go on without their callers. */
  readonly restsForLeft: boolean
  /** It is left alone until then. */
  restsUntil: number
  /** So many calls go on without their callers. */
  left: number
}

/** Why a call has no answer. `Resting`: it was not made. `Slow`: it took too long. */
export type Fault<E> =
  | { readonly _tag: "Resting" }
  | { readonly _tag: "Slow" }
  | { readonly _tag: "Failed"; readonly cause: Cause.Cause<E> }

export const make = (given: Pick<Guard, "clock" | "timeout" | "scope" | "restsForLeft">): Guard => ({
  ...given,
  restsUntil: 0,
  left: 0
})

/** Leaves it alone for so long. */
export const rest = (guard: Guard, millis: number): void => {
  guard.restsUntil = monotonicMillis(guard.clock) + millis
}

const resting = { _tag: "Resting" } as const
const slow = { _tag: "Slow" } as const

/** Runs a call that goes on to its end, or that of the scope, if its caller leaves. */
const outliving = <A>(guard: Guard, call: Effect.Effect<A>): Effect.Effect<A> =>
  Effect.uninterruptibleMask((restore) =>
    Effect.flatMap(Effect.forkDaemon(Effect.interruptible(call)), (fiber) => {
      const ended = Effect.onInterrupt(Effect.interruptible(fiber.await), () => Fiber.interrupt(fiber))
      return Effect.onInterrupt(restore(Fiber.join(fiber)), () =>
        Effect.suspend(() => {
          guard.left++
          fiber.addObserver(() => {
            guard.left--
          })
          return Effect.forkIn(ended, guard.scope)
        })
      )
    })
  )

/** Runs a call. One that is too slow is interrupted and not waited for. `around` is put around a call that is made. */
export const guarded = <A, E, B>(
  guard: Guard,
  call: Effect.Effect<A, E>,
  onFault: (fault: Fault<E>) => B,
  around: <X, F>(effect: Effect.Effect<X, F>) => Effect.Effect<X, F> = identity
): Effect.Effect<A | B> =>
  Effect.suspend((): Effect.Effect<A | B> => {
    const isLeft = guard.restsForLeft && guard.left > 0
    if (isLeft || monotonicMillis(guard.clock) < guard.restsUntil) return Effect.succeed(onFault(resting))
    const limited = call.pipe(
      Effect.interruptible,
      Effect.disconnect,
      Effect.sandbox,
      Effect.mapError((cause): Fault<E> => ({ _tag: "Failed", cause })),
      Effect.timeoutFail({ duration: guard.timeout, onTimeout: (): Fault<E> => slow })
    )
    const judged = Effect.catchAll(around(limited), (fault) => Effect.sync(() => onFault(fault)))
    return outliving(guard, judged)
  })
