/**
 * What all clients of an adapter wait for equally long: their heartbeats, or that they take what was written. One
 * fiber sleeps for the next one that is due: a timer and a fiber for each client would cost more than the heartbeats.
 */
import { Effect, type Scope } from "effect"

/** Called when its time has come, at `time`. Returns what is then done in the background, if anything. */
export type OnDue = (time: number) => Effect.Effect<void> | undefined

export interface DueTimes {
  /** In milliseconds; 0: never. */
  readonly every: number
  readonly scope: Scope.Scope
  /** When each is due, the earliest first, since all wait for as long: milliseconds of a monotonic clock. */
  readonly due: Map<OnDue, number>
  isDriven: boolean
}

export const make = (every: number, scope: Scope.Scope): DueTimes => ({
  every,
  scope,
  due: new Map(),
  isDriven: false
})

/** Those that are due within so many milliseconds are called together. */
const grain = 10

const millis = Effect.clockWith((clock) => Effect.sync(() => Number(clock.unsafeCurrentTimeNanos()) / 1e6))

/** Calls those that are due at the time, which was slept for: a timer may wake a little early. */
const fireDue = ({ due }: DueTimes, time: number): ReadonlyArray<Effect.Effect<void>> => {
  const actions: Array<Effect.Effect<void>> = []
  for (const [onDue, at] of due) {
    if (at > time) break
    due.delete(onDue)
    const action = onDue(time)
    if (action !== undefined) actions.push(action)
  }
  return actions
}

const drive = (times: DueTimes): Effect.Effect<void> =>
  Effect.gen(function* () {
    for (;;) {
      const first = times.due.values().next()
      if (first.done === true) {
        times.isDriven = false
        return
      }
      const now = yield* millis
      const time = Math.max(first.value, now + Math.min(grain, times.every))
      yield* Effect.sleep(time - now)
      for (const action of fireDue(times, time)) yield* Effect.forkIn(action, times.scope)
    }
  })

/** Calls `onDue` once when the interval has passed, unless it is deleted from `due` before. */
export const arm = (times: DueTimes, onDue: OnDue): Effect.Effect<void> =>
  Effect.flatMap(millis, (now) => {
    times.due.set(onDue, now + times.every)
    if (times.isDriven) return Effect.void
    times.isDriven = true
    return Effect.asVoid(Effect.forkIn(Effect.interruptible(drive(times)), times.scope))
  })
