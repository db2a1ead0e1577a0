/**
 * Settles what is over at a time, though nothing is read then: a follow without other traffic would show for ever what it
 * read before. One loop sleeps until the first time that was noted.
 */
import { type Clock, Effect, type Scope } from "effect"
import { monotonicMillis } from "../time.js"

/** Only this file writes it. */
export interface Deadlines {
  readonly clock: Clock.Clock
  /** When the loop looks next, in monotonic milliseconds. */
  looksAt: number
  wake: (() => void) | undefined
}

export const make = (clock: Clock.Clock): Deadlines => ({
  clock,
  looksAt: Number.POSITIVE_INFINITY,
  wake: undefined
})

/** Notes that something is over at a time. */
export const note = (deadlines: Deadlines, at: number): void => {
  if (at >= deadlines.looksAt) return
  deadlines.looksAt = at
  deadlines.wake?.()
}

/** Completes when something is over before a time. */
const untilBefore = (deadlines: Deadlines, time: number): Effect.Effect<void> =>
  Effect.async<void>((resume) => {
    if (deadlines.looksAt < time) return resume(Effect.void)
    deadlines.wake = () => resume(Effect.void)
    return Effect.sync(() => {
      deadlines.wake = undefined
    })
  })

const untilDue = (deadlines: Deadlines): Effect.Effect<void> => {
  const { clock, looksAt } = deadlines
  const earlier = untilBefore(deadlines, looksAt)
  if (looksAt === Number.POSITIVE_INFINITY) return earlier
  // Timers of the host have whole milliseconds, and may fire within the last one.
  const left = Math.max(0, Math.ceil(looksAt - monotonicMillis(clock)))
  return Effect.raceFirst(Effect.sleep(left), earlier)
}

/** Calls `settle` at each time that was noted, until the scope closes. It returns when the next thing is over. */
export const run = (
  deadlines: Deadlines,
  settle: (now: number) => number
): Effect.Effect<void, never, Scope.Scope> => {
  const look = Effect.suspend(() => {
    deadlines.looksAt = settle(monotonicMillis(deadlines.clock))
    return untilDue(deadlines)
  })
  return Effect.asVoid(Effect.forkScoped(Effect.interruptible(Effect.forever(look))))
}
