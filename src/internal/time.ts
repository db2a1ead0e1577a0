/**
 * Time for durations. The wall clock may be set back or forward at any moment: it shows when something happened, never
 * how long it took.
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"

/** Milliseconds that only grow; only their differences mean something. */
export const monotonicMillis = (clock: Clock.Clock): number => Number(clock.unsafeCurrentTimeNanos()) / 1e6

/** Tells how much is left of a number of milliseconds that begin now; never less than 0. */
export const timeLeft = (millis: number): Effect.Effect<() => number> =>
  Effect.map(Effect.clock, (clock) => {
    const until = monotonicMillis(clock) + millis
    return () => Math.max(0, until - monotonicMillis(clock))
  })

/** A clock whose milliseconds only grow: those of the wall when it is made, and what has passed since. */
export const steady = (clock: Clock.Clock): Clock.Clock => {
  const wall = clock.unsafeCurrentTimeMillis()
  const begun = monotonicMillis(clock)
  const millis = () => wall + Math.floor(monotonicMillis(clock) - begun)
  return {
    [Clock.ClockTypeId]: Clock.ClockTypeId,
    unsafeCurrentTimeMillis: millis,
    unsafeCurrentTimeNanos: () => clock.unsafeCurrentTimeNanos(),
    currentTimeMillis: Effect.sync(millis),
    currentTimeNanos: clock.currentTimeNanos,
    sleep: (duration) => clock.sleep(duration)
  }
}

/** The driver of a schedule that is given steady time: one that ends after a while would read the wall clock itself. */
export const driver = <Out, In>(
  schedule: Schedule.Schedule<Out, In>
): Effect.Effect<Pick<Schedule.ScheduleDriver<Out, In>, "next" | "reset">> =>
  Effect.zipWith(Schedule.driver(schedule), Effect.clock, (made, clock) => {
    const time = steady(clock)
    return { next: (input: In) => Effect.withClock(made.next(input), time), reset: made.reset }
  })
