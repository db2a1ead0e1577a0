/** Asks the tier for a row of a key, and the log whether it counts. */
import { Effect, Fiber } from "effect"
import { type Base, type Cached, isEqual, type Page } from "./cached.js"
import type { AnyEvent } from "./events.js"
import { firstPage, type ReadError, timed } from "./reading.js"
import type { Attempt } from "./runtime.js"
import * as Slots from "./slots.js"
import type { Found, TierCache } from "./tierCache.js"
import * as TierRow from "./tierRow.js"

/** What the tier has for a projection. */
export type Probed<S> =
  | { readonly _tag: "Equal"; readonly cached: Cached<S>; readonly page: Page }
  | { readonly _tag: "Behind"; readonly base: Base<S> }
  | { readonly _tag: "None" }
  | { readonly _tag: "Fault"; readonly reason: string }

/** An answer of the tier that is on its way. */
export type Early = Fiber.Fiber<Found>

const noRow = { _tag: "None" } as const

const keyOf = <S, E extends AnyEvent>({ key, phases, runtime }: Attempt<S, E>): Effect.Effect<string> =>
  timed(
    runtime,
    phases,
    "key",
    Effect.sync(() => TierRow.keyOf(runtime.compiled.kinds, key))
  )

/** Asks the tier while `use` runs. What `use` does not wait for is interrupted. */
export const withEarly = <S, E extends AnyEvent, A, X>(
  attempt: Attempt<S, E>,
  tier: TierCache,
  use: (early: Early) => Effect.Effect<A, X>
): Effect.Effect<A, X> =>
  Effect.scoped(
    Effect.flatMap(keyOf(attempt), (key) => Effect.flatMap(Effect.forkScoped(tier.get(key)), use))
  )

/** Judges a row by the log. A row that is not of its history is removed. */
const judged = <S, E extends AnyEvent>(
  attempt: Attempt<S, E>,
  tier: TierCache,
  text: string
): Effect.Effect<Probed<S>, ReadError> => {
  const { asked, key, phases, runtime } = attempt
  const { compiled, counters, slots } = runtime
  const refused = Effect.suspend(() => {
    counters.tierRefused++
    return Effect.as(tier.remove(TierRow.keyOf(compiled.kinds, key)), noRow)
  })
  const cached = TierRow.decode(runtime, key, text)
  if (cached === undefined) return refused
  const reading = timed(runtime, phases, "read", firstPage(compiled, key, cached.at))
  return Effect.matchEffect(reading, {
    onFailure: (error) => {
      if (error._tag === "EpochChanged") return refused
      // It is older than the events that are gone.
      return error._tag === "Compacted" ? Effect.succeed(noRow) : Effect.fail(error)
    },
    onSuccess: (page): Effect.Effect<Probed<S>> => {
      if (!isEqual(page)) {
        return Effect.succeed({
          _tag: "Behind",
          base: { cached, page, strategy: "TierIncremental", unsaved: 0 }
        })
      }
      // A page after a position has a last event.
      const at = page.last as NonNullable<typeof page.last>
      Slots.put(slots, key, { ...cached, at, head: page.head, proven: asked, unsaved: 0 })
      return Effect.succeed({ _tag: "Equal", cached, page })
    }
  })
}

const countMiss = <S, E extends AnyEvent>(
  { runtime }: Attempt<S, E>,
  found: Probed<S>["_tag"]
): Effect.Effect<void> =>
  Effect.sync(() => {
    if (found === "None" || (found === "Behind" && !runtime.compiled.incremental))
      runtime.counters.tierMisses++
  })

/** Asks the tier, or waits for its early answer. */
export const probe = <S, E extends AnyEvent>(
  attempt: Attempt<S, E>,
  tier: TierCache,
  early: Early | undefined
): Effect.Effect<Probed<S>, ReadError> => {
  const { phases, runtime } = attempt
  const asked =
    early === undefined
      ? Effect.flatMap(keyOf(attempt), (key) => timed(runtime, phases, "probe", tier.get(key)))
      : timed(runtime, phases, "prefetch", Fiber.join(early))
  return Effect.flatMap(asked, (found): Effect.Effect<Probed<S>, ReadError> => {
    if (found._tag === "Row") {
      return Effect.tap(judged(attempt, tier, found.text), ({ _tag }) => countMiss(attempt, _tag))
    }
    return Effect.as(countMiss(attempt, found._tag), found)
  })
}
