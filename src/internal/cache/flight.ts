/**
 * The state of loads under way, and the synchronous moves on it. `flights.ts` runs the loads.
 *
 * Invariants: every flight is queued, or in a load, or landed. The index holds exactly the flights that a caller may
 * join. A load is in `loads` until its flights land, all in one synchronous piece.
 */
import { type Cause, type Clock, type Effect, Exit, type Fiber, FiberId } from "effect"
import type { InSlices } from "../slices.js"
import { monotonicMillis } from "../time.js"
import type { Turn } from "../turn.js"

/** The load of one key. */
export interface Flight<K> {
  readonly key: K
  /** Taken right before the source was asked; 0 before that. */
  readonly stamp: number
  /** When that was, in milliseconds of the monotonic clock. */
  readonly begunAt: number
  /** Its key was invalidated since then, or the load was given up: its answer must not be stored. */
  readonly detached: boolean
  /** Its key was expired since then: its answer may be stored, but is not fresh. */
  readonly expired: boolean
}

/**
 * How a flight ended.
 * - `TimedOut`: the load was abandoned after `hardTimeout`.
 * - `Malformed`: it answered with another number of values than it was given keys.
 * - `Unwanted`: the last caller of the load was interrupted.
 * - `Ended`: the flights were ended.
 */
export type Outcome<A, E> =
  | { readonly _tag: "Loaded"; readonly value: A }
  | { readonly _tag: "Failed"; readonly cause: Cause.Cause<E> }
  | { readonly _tag: "TimedOut" }
  | { readonly _tag: "Malformed"; readonly expected: number; readonly received: number }
  | { readonly _tag: "Unwanted" }
  | { readonly _tag: "Ended" }

export interface Settings<K, A, E, B, X> {
  /** Loads keys, each once, and answers with their values in the same order. */
  readonly load: (keys: ReadonlyArray<K>) => Effect.Effect<ReadonlyArray<A>, E>
  /** `turn`: keys of one turn share a load of at most `maxBatch` keys. `none`: a load for each key, at once. */
  readonly gather: "turn" | "none"
  readonly maxBatch: number
  /** Milliseconds after which a load is abandoned; `Infinity`: it never is. */
  readonly hardTimeout: number
  readonly nextStamp: () => number
  /**
   * Decides what is stored, and what the callers get. Runs once for each flight that began, synchronously, before any
   * caller of the load resumes; for one that never began only when all flights end.
   */
  readonly land: (flight: Flight<K>, outcome: Outcome<A, E>) => Exit.Exit<B, X>
  /** Called once for each load, when all of its flights have landed. */
  readonly onLanded?: () => void
}

export type Waiter<B, X> = (answer: Exit.Exit<B, X>) => void

export interface OwnFlight<K, B, X> extends Flight<K> {
  stamp: number
  begunAt: number
  detached: boolean
  expired: boolean
  readonly waiters: Set<Waiter<B, X>>
  /** It lands also if no caller waits. */
  refreshes: boolean
  load: Load<K, B, X> | undefined
}

export interface Load<K, B, X> {
  readonly flights: ReadonlyArray<OwnFlight<K, B, X>>
  readonly fiber: Fiber.RuntimeFiber<unknown, unknown>
  /** How many of its flights have callers, or refresh. */
  wanted: number
}

export interface Flights<K, B, X> {
  /** Its outcomes hold only what its own `load` answers with, of any type. */
  readonly settings: Settings<K, unknown, unknown, B, X>
  readonly turn: Turn
  readonly clock: Clock.Clock
  readonly inSlices: InSlices
  readonly index: Map<K, OwnFlight<K, B, X>>
  readonly queued: Set<OwnFlight<K, B, X>>
  /** The loads that have not ended. */
  readonly loads: Set<Load<K, B, X>>
  /** The fibers of loads, also of those that were given up and have not stopped yet. */
  readonly fibers: Set<Fiber.RuntimeFiber<unknown, unknown>>
  turnScheduled: boolean
  /** The turn of what is queued is over. */
  due: boolean
  wakeDispatcher: (() => void) | undefined
  ended: boolean
}

/** Loads a key without a caller that waits, unless it is loaded already: then that load goes on without callers. */
export const refresh = <K, B, X>(flights: Flights<K, B, X>, key: K): void => {
  const flight = flightOf(flights, key)
  if (flight === undefined || flight.refreshes) return
  if (flight.waiters.size === 0) want(flight)
  flight.refreshes = true
}

/** Whether a key is being loaded, or is about to be. */
export const has = <K, B, X>(flights: Flights<K, B, X>, key: K): boolean => flights.index.has(key)

/** When the oldest load that has not ended began, in monotonic milliseconds; `Infinity` without any. */
export const oldest = <K, B, X>({ loads }: Flights<K, B, X>): number => {
  // They are in the order in which they began, and none is without flights.
  for (const { flights } of loads) return flights[0]!.begunAt
  return Number.POSITIVE_INFINITY
}

/** Detaches the flight of a key that is invalidated. One that has not begun sees the invalidation anyway. */
export const detach = <K, B, X>(flights: Flights<K, B, X>, key: K): void => {
  const flight = flights.index.get(key)
  if (flight?.load === undefined) return
  flight.detached = true
  flights.index.delete(key)
}

/** Detaches all flights. */
export const detachAll = <K, B, X>(flights: Flights<K, B, X>): void => {
  for (const key of flights.index.keys()) detach(flights, key)
}

/** Marks the flight of a key that is expired. */
export const expire = <K, B, X>(flights: Flights<K, B, X>, key: K): void => {
  const flight = flights.index.get(key)
  if (flight?.load !== undefined) flight.expired = true
}

/** Marks all flights: everything is expired. */
export const expireAll = <K, B, X>(flights: Flights<K, B, X>): void => {
  for (const key of flights.index.keys()) expire(flights, key)
}

export const unsafeEnd = <K, B, X>(flights: Flights<K, B, X>): void => {
  flights.ended = true
  const waiting = [...flights.queued]
  flights.queued.clear()
  flights.index.clear()
  answer(
    flights,
    waiting.map((flight) => [flight, landed(flights, flight, { _tag: "Ended" })])
  )
  for (const load of flights.loads) giveUp(flights, load, { _tag: "Ended" })
}

export const flightOf = <K, B, X>(flights: Flights<K, B, X>, key: K): OwnFlight<K, B, X> | undefined => {
  const known = flights.index.get(key)
  if (known !== undefined || flights.ended) return known
  const flight = makeFlight<K, B, X>(key)
  flights.index.set(key, flight)
  flights.queued.add(flight)
  wakeInTime(flights)
  return flight
}

const makeFlight = <K, B, X>(key: K): OwnFlight<K, B, X> => ({
  key,
  stamp: 0,
  begunAt: 0,
  detached: false,
  expired: false,
  waiters: new Set(),
  refreshes: false,
  load: undefined
})

export const neverBegun = <K, B, X>(flights: Flights<K, B, X>, key: K): Exit.Exit<B, X> =>
  landed(flights, makeFlight(key), { _tag: "Ended" })

const isWanted = <K, B, X>({ refreshes, waiters }: OwnFlight<K, B, X>): boolean =>
  refreshes || waiters.size > 0

const want = <K, B, X>({ load }: OwnFlight<K, B, X>): void => {
  if (load !== undefined) load.wanted++
}

export const addWaiter = <K, B, X>(flight: OwnFlight<K, B, X>, waiter: Waiter<B, X>): void => {
  if (!isWanted(flight)) want(flight)
  flight.waiters.add(waiter)
}

export const leave = <K, B, X>(
  flights: Flights<K, B, X>,
  flight: OwnFlight<K, B, X>,
  waiter: Waiter<B, X>
): void => {
  flight.waiters.delete(waiter)
  if (isWanted(flight)) return
  if (flights.queued.delete(flight)) flights.index.delete(flight.key)
  const { load } = flight
  if (load === undefined || !flights.loads.has(load)) return
  load.wanted--
  if (load.wanted === 0) giveUp(flights, load, { _tag: "Unwanted" })
}

const wakeInTime = <K, B, X>(flights: Flights<K, B, X>): void => {
  if (flights.settings.gather === "none") wake(flights)
  if (flights.settings.gather === "none" || flights.turnScheduled) return
  flights.turnScheduled = true
  flights.turn.schedule(() => {
    flights.turnScheduled = false
    wake(flights)
  })
}

const wake = <K, B, X>(flights: Flights<K, B, X>): void => {
  flights.due = true
  flights.wakeDispatcher?.()
}

export const batchSize = <K, B, X>({ settings }: Flights<K, B, X>): number =>
  settings.gather === "none" ? 1 : settings.maxBatch

export const begin = <K, B, X>(
  flights: Flights<K, B, X>,
  fiber: Fiber.RuntimeFiber<unknown, unknown>
): Load<K, B, X> | undefined => {
  const taken: Array<OwnFlight<K, B, X>> = []
  for (const flight of flights.queued) {
    if (taken.push(flight) === batchSize(flights)) break
  }
  if (taken.length === 0) return undefined
  const load = { flights: taken, fiber, wanted: taken.length }
  const stamp = flights.settings.nextStamp()
  const begunAt = monotonicMillis(flights.clock)
  for (const flight of taken) {
    flights.queued.delete(flight)
    flight.load = load
    flight.stamp = stamp
    flight.begunAt = begunAt
  }
  flights.loads.add(load)
  flights.fibers.add(fiber)
  return load
}

export const landAll = <K, B, X>(
  flights: Flights<K, B, X>,
  load: Load<K, B, X>,
  exit: Exit.Exit<ReadonlyArray<unknown>, unknown>
): void => {
  if (Exit.isFailure(exit)) settle(flights, load, () => ({ _tag: "Failed", cause: exit.cause }))
  else {
    const values: unknown = exit.value
    const expected = load.flights.length
    const received = Array.isArray(values) ? values.length : 0
    settle(flights, load, (at) =>
      received === expected
        ? { _tag: "Loaded", value: exit.value[at] }
        : { _tag: "Malformed", expected, received }
    )
  }
}

/** Ends a load without its answer, and does not wait until it has stopped: it may ignore its interruption. */
export const giveUp = <K, B, X>(
  flights: Flights<K, B, X>,
  load: Load<K, B, X>,
  outcome: Outcome<unknown, unknown>
): void => {
  for (const flight of load.flights) flight.detached = true
  settle(flights, load, () => outcome)
  load.fiber.unsafeInterruptAsFork(FiberId.none)
}

const settle = <K, B, X>(
  flights: Flights<K, B, X>,
  load: Load<K, B, X>,
  outcomeOf: (at: number) => Outcome<unknown, unknown>
): void => {
  if (!flights.loads.delete(load)) return
  const answers = load.flights.map((flight, at) => {
    if (flights.index.get(flight.key) === flight) flights.index.delete(flight.key)
    return [flight, landed(flights, flight, outcomeOf(at))] as const
  })
  flights.settings.onLanded?.()
  answer(flights, answers)
}

const landed = <K, B, X>(
  flights: Flights<K, B, X>,
  flight: Flight<K>,
  outcome: Outcome<unknown, unknown>
): Exit.Exit<B, X> => {
  try {
    return flights.settings.land(flight, outcome)
  } catch (defect) {
    // No fiber runs this: the callers must not wait for ever.
    return Exit.die(defect)
  }
}

function* waitersOf<K, B, X>(
  answers: ReadonlyArray<readonly [OwnFlight<K, B, X>, Exit.Exit<B, X>]>
): Generator<() => void> {
  for (const [{ waiters }, exit] of answers) {
    for (const waiter of waiters) yield () => waiter(exit)
  }
}

/** Resumes all callers, many of them in slices. Those that leave in between are not in the set any more. */
const answer = <K, B, X>(
  flights: Flights<K, B, X>,
  answers: ReadonlyArray<readonly [OwnFlight<K, B, X>, Exit.Exit<B, X>]>
): void => flights.inSlices(waitersOf(answers), (resume) => resume())
