/** The test clock with a wall that can be set back and forward, while what durations are measured by goes on as it was. */
import { Clock, Effect, TestClock } from "effect"

export interface WallClock {
  readonly clock: Clock.Clock
  /** Sets the wall so many milliseconds ahead of what it would show, or behind. */
  readonly set: (ahead: number) => void
}

export const wallClock: Effect.Effect<WallClock> = Effect.map(TestClock.testClock(), (time) => {
  let ahead = 0
  const millis = () => time.unsafeCurrentTimeMillis() + ahead
  return {
    clock: {
      [Clock.ClockTypeId]: Clock.ClockTypeId,
      unsafeCurrentTimeMillis: millis,
      unsafeCurrentTimeNanos: () => time.unsafeCurrentTimeNanos(),
      currentTimeMillis: Effect.sync(millis),
      currentTimeNanos: time.currentTimeNanos,
      sleep: (duration) => time.sleep(duration)
    },
    set: (to) => {
      ahead = to
    }
  }
})

const hour = 3_600_000

/** How the wall is set while something waits. */
export const jumps = [
  ["back by an hour", -hour],
  ["forward by an hour", hour]
] as const
