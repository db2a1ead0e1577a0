/**
 * The heartbeats of all clients of an adapter. One fiber sleeps for the next one that is due: a timer and a fiber for
 * each client would cost more than the heartbeats.
 */
import { Effect, type Scope } from "effect"

export interface Heartbeat {
  /** In milliseconds; 0: never. */
  readonly every: number
  readonly scope: Scope.Scope
  /** When each is due, the earliest first, since all wait for as long: milliseconds of a monotonic clock. */
  readonly due: Map<() => void, number>
  isDriven: boolean
}

export const make = (every: number, scope: Scope.Scope): Heartbeat => ({
  every,
  scope,
  due: new Map(),
  isDriven: false
})

/** Heartbeats that are due within so many milliseconds are sent together. */
const grain = 10

const millis = Effect.clockWith((clock) => Effect.sync(() => Number(clock.unsafeCurrentTimeNanos()) / 1e6))

/** Calls those that are due at the time, which was slept for: a timer may wake a little early. */
const fireDue = ({ due }: Heartbeat, time: number): void => {
  for (const [onDue, at] of due) {
    if (at > time) return
    due.delete(onDue)
    onDue()
  }
}

const drive = (heartbeat: Heartbeat): Effect.Effect<void> =>
  Effect.gen(function* () {
    for (;;) {
      const first = heartbeat.due.values().next()
      if (first.done === true) {
        heartbeat.isDriven = false
        return
      }
      const now = yield* millis
      const time = Math.max(first.value, now + Math.min(grain, heartbeat.every))
      yield* Effect.sleep(time - now)
      fireDue(heartbeat, time)
    }
  })

/** Calls `onDue` once when the interval has passed, unless it is deleted from `due` before. */
export const arm = (heartbeat: Heartbeat, onDue: () => void): Effect.Effect<void> =>
  Effect.flatMap(millis, (now) => {
    heartbeat.due.set(onDue, now + heartbeat.every)
    if (heartbeat.isDriven) return Effect.void
    heartbeat.isDriven = true
    return Effect.asVoid(Effect.forkIn(Effect.interruptible(drive(heartbeat)), heartbeat.scope))
  })
