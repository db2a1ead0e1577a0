/**
 * Deadlines by monotonic time: one heap, and one fiber that sleeps until the earliest of them.
 *
 * A timer is due strictly after its deadline. What is due fires when its owner asks for it ({@link Timers.runDue}), or
 * by the fiber, whichever comes first, and once. An owner that calls `runDue` before each access never meets anything
 * that should have ended, however late the fiber is.
 */
import { type Clock, type Context, Duration, Effect, type Scope } from "effect"
import { withoutCallerContext } from "../callerContext.js"
import { monotonicMillis } from "../time.js"
import { CurrentTurn, type Turn } from "../turn.js"
import * as Heap from "./heap.js"

/** One deadline, and what happens after it. */
export interface Timer extends Readonly<Heap.Node> {
  readonly onDue: (timer: Timer) => void
}

export interface Timers {
  /** Monotonic milliseconds; only their differences mean something. */
  readonly now: () => number
  /**
   * Calls `onDue` once, strictly after the deadline. A deadline that has passed is due at once, and fires by the next
   * `runDue` or the fiber. `onDue` is synchronous and must not throw: a throw is logged, and stops no other timer. One
   * that calls `runDue` nests the others in itself.
   */
  readonly schedule: (deadline: number, onDue: (timer: Timer) => void) => Timer
  /** Gives a timer another deadline. Returns `false` for one that has fired or was cancelled: it stays so. */
  readonly move: (timer: Timer, deadline: number) => boolean
  /** Cancels a timer. One that has fired or was cancelled is left alone. */
  readonly cancel: (timer: Timer) => void
  /** Fires all that is due, by deadlines, equal ones in the order in which they were given. Returns how many. */
  readonly runDue: () => number
  /** Runs a task. What it throws is logged by the fiber, and not thrown. */
  readonly supervise: (task: () => void) => void
  /** How many timers wait. */
  readonly size: () => number
}

/** What was thrown since the last log line. */
interface Faults {
  readonly first: unknown
  count: number
}

interface State {
  readonly clock: Clock.Clock
  readonly turn: Turn
  readonly heap: Heap.Heap<Timer>
  /** The fiber sleeps until this has passed, or less long: an earlier deadline wakes it. */
  sleepsUntil: number
  /** The fiber was asked to look earlier since it went to sleep. */
  woken: boolean
  wake: (() => void) | undefined
  faults: Faults | undefined
  ended: boolean
}

/** Hosts fire timers beyond 2^31 ms at once, or never. */
const maxSleep = 2 ** 30

/** The fiber fires so many in one turn: a timer may end a store of thousands of subscribers. */
const maxPerTurn = 200

const wakeFiber = (state: State): void => {
  state.woken = true
  state.wake?.()
}

const wakeFor = (state: State, deadline: number): void => {
  if (deadline >= state.sleepsUntil) return
  state.sleepsUntil = deadline
  wakeFiber(state)
}

const isDue = (timer: Timer, now: number): boolean => now > timer.deadline

const supervise = (state: State, task: () => void): void => {
  try {
    task()
  } catch (fault) {
    if (state.faults === undefined) state.faults = { first: fault, count: 1 }
    else state.faults.count++
    wakeFiber(state)
  }
}

const fire = (state: State, timer: Timer): void => {
  Heap.remove(state.heap, timer)
  supervise(state, () => timer.onDue(timer))
}

const fireDue = (state: State, max: number): number => {
  const now = monotonicMillis(state.clock)
  let fired = 0
  for (let timer = Heap.first(state.heap); timer !== undefined; timer = Heap.first(state.heap)) {
    if (fired === max || !isDue(timer, now)) break
    fire(state, timer)
    fired++
  }
  return fired
}

const logFaults = (state: State): Effect.Effect<void> =>
  Effect.suspend(() => {
    const { faults } = state
    if (faults === undefined) return Effect.void
    state.faults = undefined
    const message = `${faults.count} of what ended or was due threw, the rest was done; the first fault:`
    // A logger that throws must not end the fiber.
    return Effect.asVoid(Effect.exit(Effect.logError(message, faults.first)))
  })

const woken = (state: State): Effect.Effect<void> =>
  Effect.async((resume) => {
    if (state.woken) return resume(Effect.void)
    state.wake = () => {
      state.wake = undefined
      resume(Effect.void)
    }
    return Effect.sync(() => {
      state.wake = undefined
    })
  })

/** Completes when the first timer may be due, or the fiber is woken. */
const sleep = (state: State): Effect.Effect<void> =>
  Effect.suspend(() => {
    const earliest = Heap.first(state.heap)
    state.woken = state.faults !== undefined
    state.sleepsUntil = earliest?.deadline ?? Number.POSITIVE_INFINITY
    if (earliest === undefined) return woken(state)
    // The first whole millisecond after the deadline.
    const millis = Math.floor(earliest.deadline - monotonicMillis(state.clock)) + 1
    const pause = Duration.millis(Math.min(Math.max(millis, 1), maxSleep))
    return Effect.raceFirst(state.clock.sleep(pause), woken(state))
  })

const turnEnd = ({ turn }: State): Effect.Effect<void> =>
  Effect.async((resume) => turn.schedule(() => resume(Effect.void)))

const run = (state: State): Effect.Effect<never> => {
  const round = Effect.suspend(() => {
    const isAll = fireDue(state, maxPerTurn) < maxPerTurn
    return Effect.andThen(logFaults(state), isAll ? sleep(state) : turnEnd(state))
  })
  return Effect.forever(round)
}

const end = (state: State): void => {
  state.ended = true
  Heap.clear(state.heap)
}

const timersOf = (state: State): Timers => ({
  now: () => monotonicMillis(state.clock),
  schedule: (deadline, onDue) => {
    const timer: Timer = { deadline, order: 0, place: Heap.outside, onDue }
    if (state.ended) return timer
    Heap.add(state.heap, timer)
    wakeFor(state, deadline)
    return timer
  },
  move: (timer, deadline) => {
    if (!Heap.has(state.heap, timer)) return false
    Heap.move(state.heap, timer, deadline)
    wakeFor(state, deadline)
    return true
  },
  cancel: (timer) => {
    if (Heap.has(state.heap, timer)) Heap.remove(state.heap, timer)
  },
  runDue: () => fireDue(state, Number.POSITIVE_INFINITY),
  supervise: (task) => supervise(state, task),
  size: () => state.heap.nodes.length
})

/** Makes timers. When the scope closes, no timer fires any more. */
export const make: Effect.Effect<Timers, never, Scope.Scope> = Effect.gen(function* () {
  const context = withoutCallerContext(yield* Effect.context<never>())
  const state: State = {
    clock: yield* Effect.clock,
    turn: yield* CurrentTurn,
    heap: Heap.make(),
    sleepsUntil: Number.NEGATIVE_INFINITY,
    woken: false,
    wake: undefined,
    faults: undefined,
    ended: false
  }
  const loop = Effect.mapInputContext(
    Effect.interruptible(run(state)),
    (_: Context.Context<never>) => context
  )
  // The fiber may not have logged yet what was thrown.
  const ending = Effect.andThen(
    Effect.sync(() => end(state)),
    logFaults(state)
  )
  yield* Effect.acquireRelease(Effect.forkScoped(loop), () => ending)
  return timersOf(state)
})
