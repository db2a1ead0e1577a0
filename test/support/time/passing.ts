/** A clock that can be let run ahead of the one of its maker: time passes, and nothing waits for it. */
import { Clock, Duration, Effect } from "effect"

export interface Passing {
  readonly clock: Clock.Clock
  readonly pass: (duration: Duration.Duration) => Effect.Effect<void>
}

export const passingClock: Effect.Effect<Passing> = Effect.map(Effect.clock, (base) => {
  let ahead = 0
  const millis = () => base.unsafeCurrentTimeMillis() + ahead
  const nanos = () => base.unsafeCurrentTimeNanos() + BigInt(ahead) * 1_000_000n
  return {
    clock: {
      [Clock.ClockTypeId]: Clock.ClockTypeId,
      unsafeCurrentTimeMillis: millis,
      unsafeCurrentTimeNanos: nanos,
      currentTimeMillis: Effect.sync(millis),
      currentTimeNanos: Effect.sync(nanos),
      sleep: (duration) => base.sleep(duration)
    },
    pass: (duration) =>
      Effect.sync(() => {
        ahead += Duration.toMillis(duration)
      })
  }
})
