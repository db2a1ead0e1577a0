/** A clock that stands still until it is let run: nothing waits for it, and a slow machine changes nothing. */
import { Clock, Duration, Effect } from "effect"

export interface Passing {
  /** Its sleeps are those of the clock of its maker. */
  readonly clock: Clock.Clock
  readonly pass: (duration: Duration.Duration) => Effect.Effect<void>
}

export const passingClock: Effect.Effect<Passing> = Effect.map(Effect.clock, (base) => {
  const begun = { millis: base.unsafeCurrentTimeMillis(), nanos: base.unsafeCurrentTimeNanos() }
  let ahead = 0
  const millis = () => begun.millis + ahead
  const nanos = () => begun.nanos + BigInt(ahead) * 1_000_000n
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
