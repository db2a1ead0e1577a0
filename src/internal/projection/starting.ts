/** Makes what a projection consists of. */
import { Effect, type Scope } from "effect"
import type { ChangeLog } from "../log/changeLog.js"
import { InvalidOptions } from "../options.js"
import { type Compiled, compile } from "./compiled.js"
import type { Definition } from "./definition.js"
import { ProjectionError } from "./errors.js"
import type { AnyEvent, EventValue } from "./events.js"
import { add, begin } from "./fold.js"
import type { AnyFold, Internals } from "./internals.js"
import type { Settings } from "./options.js"
import { outcome } from "./projecting.js"
import { bypassed, outcomeOf, type Runtime } from "./runtime.js"
import * as Slots from "./slots.js"
import { tracedBy } from "./spans.js"
import { type Counters, makeCounters, publisher } from "./stats.js"
import { keep } from "./storing.js"
import * as TierCache from "./tierCache.js"
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

/** Starts a projection. It ends with its scope. */
export const start = <S, E extends AnyEvent>(
  definition: Definition<S, E>,
  log: ChangeLog<EventValue>,
  settings: Settings
): Effect.Effect<Calls<S, E>, InvalidOptions, Scope.Scope> =>
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
      publisher: publisher(counters, name)
    }
    return {
      runtime,
      log,
      flights: yield* makeFlights(runtime),
      traced: tracedBy(yield* Effect.tracer, name),
      onApplied: new Set()
    }
  })

const foldOf = <S, E extends AnyEvent>({ runtime }: Calls<S, E>, key: string): AnyFold => {
  const fold = begin<S>(key, undefined, undefined)
  return {
    add: (events) => add(runtime.compiled.folder, fold, events),
    end: (generation, head) =>
      Effect.suspend(() => {
        const state = keep(runtime, fold)
        if (state instanceof ProjectionError) return Effect.fail(state)
        const { applied } = fold
        const isEmpty = applied === undefined
        return Effect.succeed(
          outcomeOf(
            runtime,
            {
              state,
              generation,
              applied,
              cache: bypassed,
              freshness: isEmpty ? "NotApplicable" : "Fresh",
              strategy: isEmpty ? "Empty" : "Direct",
              stored: "Skipped",
              head,
              phases: undefined
            },
            undefined
          )
        )
      })
  }
}

/** What other parts of `Projection` find in a handle. */
export const internalsOf = <S, E extends AnyEvent>(calls: Calls<S, E>): Internals => {
  const { log, onApplied, runtime } = calls
  return {
    name: runtime.name,
    version: runtime.compiled.version,
    log,
    kinds: runtime.compiled.kinds,
    fold: (key) => foldOf(calls, key),
    projectOutcome: (key, freshness) => outcome(calls, key, { freshness }),
    onApplied
  }
}
