/**
 * The watchdog of an actor: runs what synchronous code has asked for, looks after the time limit of the step under
 * way, and ticks. It begins when a step outlives its turn, and sleeps again when a second went by without a step.
 *
 * While it looks after the steps it never sleeps longer than the shortest limit, so that it is awake before a limit
 * passes, and then sleeps for exactly what is left of it.
 */
import { Effect } from "effect"
import { type Engine, interruptStep, runBackgroundWork } from "./engine.js"

const tickMillis = 1000

const ignore = (): void => undefined

export const watchdog = <R, I>(engine: Engine<R, I>): Effect.Effect<never> => {
  let seen = 0
  const busy = () => engine.backgroundWork.length > 0 || engine.step !== 0
  const asleep = Effect.async<void>((resume) => {
    engine.watched = false
    if (busy()) return resume(Effect.void)
    engine.wakeWatchdog = () => {
      engine.wakeWatchdog = undefined
      resume(Effect.void)
    }
  })
  const pause = (millis: number) =>
    Effect.raceFirst(
      Effect.sleep(millis),
      Effect.async<void>((resume) => {
        if (engine.backgroundWork.length > 0) return resume(Effect.void)
        engine.wakeWatchdog = () => resume(Effect.void)
      })
    )
  const look = Effect.suspend(() => {
    engine.watched = true
    seen = engine.steps
    engine.behavior.onTick()
    return Effect.zipRight(
      runBackgroundWork(engine),
      Effect.suspend(() => pause(Math.min(tickMillis, engine.shortestLimit, millisLeft(engine))))
    )
  })
  const watching = () => busy() || engine.steps !== seen
  const watch = Effect.whileLoop({ while: watching, body: () => look, step: ignore })
  // The last tick shows that there is nothing to do any more.
  const lastTick = Effect.sync(() => engine.behavior.onTick())
  return Effect.forever(Effect.zipRight(asleep, Effect.zipRight(watch, lastTick)))
}

/** Milliseconds until the step under way must end; interrupts it when there are none. */
const millisLeft = <R, I>(engine: Engine<R, I>): number => {
  if (engine.step === 0) return Number.POSITIVE_INFINITY
  const left = engine.limit - Number(engine.clock.unsafeCurrentTimeNanos() - engine.startedAt) / 1e6
  if (left > 0) return Math.ceil(left)
  interruptStep(engine, "Timeout")
  return Number.POSITIVE_INFINITY
}
