/**
 * Loads under way, one for each key. All that ask for a key while it is loaded share one flight; the keys that are asked
 * for in one turn share one load.
 *
 * A flight waits in `queued` until the dispatcher takes it, then it begins: it takes its stamp, and its load runs on a
 * fiber of its own, outside of its callers' transactions and spans. It lands once: `land` decides, synchronously and
 * for all keys of the load, what is stored and what the callers get; then they resume. A flight that is detached, by an
 * invalidation, has left the index: its callers get its answer, later callers start another flight.
 */
import { type Context, Effect, type Exit, type Scope } from "effect"
import { withoutCallerContext } from "../callerContext.js"
import { inSlices } from "../slices.js"
import { CurrentTurn } from "../turn.js"
import {
  addWaiter,
  batchSize,
  begin,
  type Flights,
  flightOf,
  giveUp,
  landAll,
  leave,
  neverBegun,
  type Settings,
  unsafeEnd
} from "./flight.js"

export {
  detach,
  detachAll,
  expire,
  expireAll,
  type Flight,
  type Flights,
  has,
  type Outcome,
  oldest,
  refresh,
  type Settings
} from "./flight.js"

/** Makes flights whose loads run with the services of the maker, until its scope closes. */
export const make = <K, A, E, B, X>(
  settings: Settings<K, A, E, B, X>
): Effect.Effect<Flights<K, B, X>, never, Scope.Scope> =>
  Effect.gen(function* () {
    const clock = yield* Effect.clock
    const turn = yield* CurrentTurn
    const context = withoutCallerContext(yield* Effect.context<never>())
    const flights: Flights<K, B, X> = {
      // `land` gets what `load` has answered with, and nothing else of these types.
      settings: settings as Settings<K, unknown, unknown, B, X>,
      turn,
      clock,
      inSlices: inSlices(turn, clock),
      index: new Map(),
      queued: new Set(),
      loads: new Set(),
      fibers: new Set(),
      turnScheduled: false,
      due: false,
      wakeDispatcher: undefined,
      ended: false
    }
    const dispatcher = Effect.mapInputContext(
      Effect.interruptible(dispatch(flights)),
      (_: Context.Context<never>) => context
    )
    yield* Effect.acquireRelease(Effect.forkScoped(dispatcher), () => Effect.sync(() => unsafeEnd(flights)))
    return flights
  })

/** Waits for the value of a key: that of the flight under way, or of one that it starts. */
export const join = <K, B, X>(flights: Flights<K, B, X>, key: K): Effect.Effect<B, X> =>
  Effect.async<B, X>((resume) => {
    const flight = flightOf(flights, key)
    if (flight === undefined) return resume(neverBegun(flights, key))
    addWaiter(flight, resume)
    return Effect.sync(() => leave(flights, flight, resume))
  })

/** Waits for the values of keys, as {@link join} does for one: an answer for each, in order. */
export const joinAll = <K, B, X>(
  flights: Flights<K, B, X>,
  keys: ReadonlyArray<K>
): Effect.Effect<ReadonlyArray<Exit.Exit<B, X>>> =>
  Effect.async((resume) => {
    const answers: Array<Exit.Exit<B, X>> = []
    const leaving: Array<() => void> = []
    let left = keys.length
    const answered = (at: number) => (answer: Exit.Exit<B, X>) => {
      answers[at] = answer
      if (--left === 0) resume(Effect.succeed(answers))
    }
    if (left === 0) return resume(Effect.succeed(answers))
    for (const [at, key] of keys.entries()) {
      const flight = flightOf(flights, key)
      const waiter = answered(at)
      if (flight === undefined) waiter(neverBegun(flights, key))
      else {
        addWaiter(flight, waiter)
        leaving.push(() => leave(flights, flight, waiter))
      }
    }
    return Effect.sync(() => {
      for (const leaveOne of leaving) leaveOne()
    })
  })

/** Ends all flights: callers get their answers, loads are interrupted. Completes when these have stopped. */
export const end = <K, B, X>(flights: Flights<K, B, X>): Effect.Effect<void> =>
  Effect.suspend(() => {
    unsafeEnd(flights)
    return Effect.forEach([...flights.fibers], (fiber) => fiber.await, { discard: true })
  })

/** Begins what is queued, whenever its turn is over. */
const dispatch = <K, B, X>(flights: Flights<K, B, X>): Effect.Effect<never> => {
  const due = Effect.async<void>((resume) => {
    if (flights.due) return resume(Effect.void)
    flights.wakeDispatcher = () => {
      flights.wakeDispatcher = undefined
      resume(Effect.void)
    }
  })
  const begin = Effect.suspend(() => {
    flights.due = false
    const loads = Math.ceil(flights.queued.size / batchSize(flights))
    return Effect.repeatN(Effect.forkDaemon(run(flights)), loads - 1)
  })
  return Effect.forever(Effect.andThen(due, begin))
}

/** One load. It takes what is queued when it begins, not when it is forked: every flight is queued or in a load. */
const run = <K, B, X>(flights: Flights<K, B, X>): Effect.Effect<void> =>
  Effect.withFiberRuntime<void>((fiber) => {
    const { hardTimeout, load } = flights.settings
    const begun = begin(flights, fiber)
    if (begun === undefined) return Effect.void
    const giveUpInTime = Effect.andThen(
      Effect.sleep(hardTimeout),
      Effect.sync(() => giveUp(flights, begun, { _tag: "TimedOut" }))
    )
    const values = Effect.suspend(() => load(begun.flights.map(({ key }) => key)))
    // The timer is a child: it ends with the load.
    const timer = hardTimeout === Number.POSITIVE_INFINITY ? Effect.void : Effect.fork(giveUpInTime)
    return timer.pipe(
      Effect.andThen(Effect.onExit(values, (exit) => Effect.sync(() => landAll(flights, begun, exit)))),
      Effect.exit,
      Effect.andThen(Effect.void),
      Effect.ensuring(Effect.sync(() => flights.fibers.delete(fiber)))
    )
  })
