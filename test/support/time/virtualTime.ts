/**
 * Time and turns for properties: nothing moves but by the schedule. Settling costs one turn of the host, which is a
 * hundred times less than adjusting the test clock, so that a property can afford thousands of steps.
 */
import { Clock, Duration, Effect, Logger, type Runtime } from "effect"
import { CurrentTurn, type Turn } from "../../../src/internal/turn.js"

export interface VirtualTime {
  readonly clock: Clock.Clock
  readonly turn: Turn
  /** Ends turns until nobody has anything to do at this moment. */
  readonly settle: () => Promise<void>
  /** Lets so many milliseconds pass, and settles at each moment at which somebody wakes. */
  readonly advance: (millis: number) => Promise<void>
  /** Runs what answers in the host's time, such as a database. This time stands still until it has ended. */
  readonly outside: <A, E, R>(call: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>
  /** How many calls are out. */
  readonly calls: () => number
  /** Completes when the next call goes out, or ends. */
  readonly call: () => Promise<void>
}

interface Sleeper {
  readonly until: number
  readonly wake: () => void
}

export const virtualTime = (): VirtualTime => {
  let now = 0
  let tasks: Array<() => void> = []
  const sleepers = new Set<Sleeper>()
  let calls = 0
  let changed: Array<() => void> = []
  const change = (by: 1 | -1): void => {
    calls += by
    const told = changed
    changed = []
    for (const tell of told) tell()
  }
  const call = () => new Promise<void>((resume) => changed.push(resume))
  const nanos = () => BigInt(Math.round(now * 1_000_000))
  const clock: Clock.Clock = {
    [Clock.ClockTypeId]: Clock.ClockTypeId,
    unsafeCurrentTimeMillis: () => now,
    unsafeCurrentTimeNanos: nanos,
    currentTimeMillis: Effect.sync(() => now),
    currentTimeNanos: Effect.sync(nanos),
    sleep: (duration) =>
      Effect.async<void>((resume) => {
        const sleeper = { until: now + Duration.toMillis(duration), wake: () => resume(Effect.void) }
        if (sleeper.until <= now) return resume(Effect.void)
        sleepers.add(sleeper)
        return Effect.sync(() => {
          sleepers.delete(sleeper)
        })
      })
  }
  // The host runs this after all microtasks, which is where fibers run.
  const microtasks = () => new Promise((resume) => setImmediate(resume))
  const settle = async (): Promise<void> => {
    do {
      const due = tasks
      tasks = []
      for (const task of due) task()
      await microtasks()
      while (calls > 0) {
        await call()
        await microtasks()
      }
    } while (tasks.length > 0)
  }
  const firstUntil = (end: number): Sleeper | undefined => {
    let first: Sleeper | undefined
    for (const sleeper of sleepers) {
      if (sleeper.until <= end && (first === undefined || sleeper.until < first.until)) first = sleeper
    }
    return first
  }
  const advance = async (millis: number): Promise<void> => {
    const end = now + millis
    await settle()
    for (let next = firstUntil(end); next !== undefined; next = firstUntil(end)) {
      now = next.until
      sleepers.delete(next)
      next.wake()
      await settle()
    }
    now = end
  }
  return {
    clock,
    turn: { schedule: (task) => tasks.push(task) },
    settle,
    advance,
    outside: (effect) =>
      Effect.acquireUseRelease(
        Effect.sync(() => change(1)),
        () => effect,
        () => Effect.sync(() => change(-1))
      ),
    calls: () => calls,
    call
  }
}

/** Runs effects in a time, without the log lines of what a property lets fail on purpose. */
export const runtimeIn = ({ clock, turn }: VirtualTime): Runtime.Runtime<never> =>
  Effect.runSync(
    Effect.runtime<never>().pipe(
      Effect.withClock(clock),
      Effect.provideService(CurrentTurn, turn),
      Effect.provide(Logger.remove(Logger.defaultLogger))
    )
  )
