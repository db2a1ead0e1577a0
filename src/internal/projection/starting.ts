/** Makes what a projection consists of. */
import { Effect, Scope } from "effect"
import { isInTransaction } from "../callerContext.js"
import type { ChangeLog } from "../log/changeLog.js"
import type { Revision } from "../log/events.js"
import { InvalidOptions } from "../options.js"
import * as Series from "../series.js"
import { type Compiled, compile } from "./compiled.js"
import type { Sharing } from "./decoder.js"
import type { Definition } from "./definition.js"
import { ProjectionError } from "./errors.js"
import type { AnyEvent, EventValue } from "./events.js"
import { add, begin, type Fold } from "./fold.js"
import * as Frontier from "./frontier.js"
import type { AnyFold, Internals } from "./internals.js"
import { makeObserve, type Observe } from "./observing.js"
import type { Settings } from "./options.js"
import { countFailure, note, outcome } from "./projecting.js"
import { bypassed, outcomeOf, type Result, type Runtime } from "./runtime.js"
import * as Slots from "./slots.js"
import { tracedBy } from "./spans.js"
import type { Kept } from "./states.js"
import { type Counters, makeCounters, publisher } from "./stats.js"
import { keep } from "./storing.js"
import * as TierCache from "./tierCache.js"
import { makeWatching } from "./watching.js"
import { type Calls, makeFlights } from "./ways.js"

const tierOf = (
  { tier, tierTimeout }: Settings,
  {
    folder,
    name,
    version
  }: Pick<Compiled<unknown, unknown>, "name" | "version"> & { readonly folder: { readonly name: string } },
  counters: Counters
): Effect.Effect<TierCache.TierCache | undefined, never, Scope.Scope> =>
  Effect.map(Effect.all([Effect.clock, Effect.scope]), ([clock, scope]) =>
    tier === undefined
      ? undefined
      : TierCache.make({
          tier,
          clock,
          scope,
          name: folder.name,
          definition: name,
          version,
          tierTimeout,
          onFault: () => {
            counters.tierFaults++
          }
        })
  )

const foldOf = <S, E extends AnyEvent>(calls: Calls<S, E>, key: string, { share }: Sharing): AnyFold => {
  const { runtime } = calls
  const { events, folder } = runtime.compiled
  const sharing = { ...folder, decode: share(events, folder.decode) }
  const fold = begin<S>(key, undefined, undefined)
  return {
    add: (events) => add(sharing, fold, events),
    end: (generation, head) =>
      Effect.withFiberRuntime(({ currentContext }) => {
        const state = keep(runtime, fold)
        if (state instanceof ProjectionError) return Effect.fail(countFailure(calls, state))
        const result = foldedOf(fold, state, generation, head)
        runtime.counters.events += fold.events
        runtime.counters.erased += fold.erased
        note(calls, key, result, isInTransaction(currentContext))
        return Effect.succeed(outcomeOf(runtime, result, undefined))
      })
  }
}

/** The result of a full fold past all caches. */
const foldedOf = <S>(
  { applied }: Fold<S>,
  state: Kept<S>,
  generation: number,
  head: Revision
): Result<S> => ({
  state,
  generation,
  applied,
  cache: bypassed,
  freshness: applied === undefined ? "NotApplicable" : "Fresh",
  strategy: applied === undefined ? "Empty" : "Direct",
  stored: "Skipped",
  head,
  phases: undefined
})

/** What other parts of `Projection` find in a handle. */
const internalsOf = <S, E extends AnyEvent>(calls: Calls<S, E>, observe: Observe): Internals => {
  const { log, runtime } = calls
  return {
    name: runtime.name,
    version: runtime.compiled.version,
    log,
    kinds: runtime.compiled.kinds,
    fold: (key, sharing) => foldOf(calls, key, sharing),
    projectOutcome: (key, freshness) => outcome(calls, key, { freshness }),
    observe
  }
}

/** What a handle is made of. */
export interface Started<S, E> {
  readonly calls: Calls<S, E>
  readonly internals: Internals
  /** A frontier of this projection alone; the first call makes it. */
  readonly own: Effect.Effect<Frontier.State>
}

/** Makes a frontier of a projection alone, as soon as it is used. */
const ownFrontier = (internals: Internals): Effect.Effect<Started<never, never>["own"], never, Scope.Scope> =>
  Effect.flatMap(Effect.scope, (scope) => {
    const made = Effect.tap(Frontier.make(internals.log), (state) => Frontier.register(state, internals))
    // It is the first of its name, over its own log.
    return Effect.cached(Effect.uninterruptible(Effect.orDie(Scope.extend(made, scope))))
  })

/** Starts a projection. It ends with its scope. */
export const start = <S, E extends AnyEvent>(
  definition: Definition<S, E>,
  log: ChangeLog<EventValue>,
  settings: Settings
): Effect.Effect<Started<S, E>, InvalidOptions, Scope.Scope> =>
  Effect.gen(function* () {
    const compiled = compile(definition, log, settings.name)
    if (compiled instanceof InvalidOptions) return yield* compiled
    const { name } = compiled.folder
    const counters = makeCounters()
    const runtime: Runtime<S, E> = {
      name,
      compiled,
      settings,
      slots: Slots.make(settings.slots),
      tier: yield* tierOf(settings, compiled, counters),
      clock: yield* Effect.clock,
      counters,
      publisher: publisher(counters, yield* Series.open("projection", name))
    }
    const calls: Calls<S, E> = {
      runtime,
      log,
      flights: yield* makeFlights(runtime),
      traced: tracedBy(yield* Effect.tracer, name),
      onApplied: new Set(),
      watching: yield* makeWatching(log, name)
    }
    const internals = internalsOf(calls, yield* makeObserve(calls))
    return { calls, internals, own: yield* ownFrontier(internals) }
  })
