/**
 * One projection of a key, by the cheapest way that the log proves right: the slot, the tier's row, all events.
 *
 * What is cached is judged by the log's answer about what came after it. A state that is not of the log's history is
 * removed. If events of the key are gone, a cached state after them is the base, whatever the definition allows; without
 * one the projection fails.
 */
import { Effect, Either } from "effect"
import { type Base, type Cached, isEqual, type Page } from "./cached.js"
import { ProjectionError } from "./errors.js"
import type { AnyEvent } from "./events.js"
import { begin, type Fold } from "./fold.js"
import type { CacheStatus, Stored } from "./outcome.js"
import { firstPage, foldPages, plan, type ReadError, readFailed, timed } from "./reading.js"
import {
  type Attempt,
  bypassed,
  hit,
  miss,
  noPhases,
  now,
  type Phases,
  type Result,
  type Runtime
} from "./runtime.js"
import * as Slots from "./slots.js"
import { none } from "./states.js"
import { keep, store } from "./storing.js"
import type { TierCache } from "./tierCache.js"
import { type Early, probe, withEarly } from "./tierProbe.js"

/** The first events of a key, or why they cannot be read. */
type Planned = Either.Either<Page, ReadError>

type Projecting<S> = Effect.Effect<Result<S>, ProjectionError | ReadError>

/** So often a log may be renewed, or compacted, between two pages. */
const maxRestarts = 3

/** The answer of a cached state that the log has proven equal. */
const equal = <S>(
  { phases }: { readonly phases: Phases | undefined },
  { applied, state }: Cached<S>,
  { head, last }: Page,
  strategy: "SlotHit" | "Tier"
): Result<S> => ({
  state,
  // A page after a position has a last event.
  generation: (last as NonNullable<Page["last"]>).generation,
  applied,
  cache: hit,
  freshness: "Fresh",
  strategy,
  stored: "Skipped",
  head,
  phases
})

const unavailable = (reason: string): CacheStatus => ({ _tag: "Unavailable", reason })

/** The answer for a key of which no event concerns the projection. */
const empty = <S>({ phases }: { readonly phases: Phases }, { head, last }: Page): Result<S> => ({
  state: none,
  generation: last?.generation ?? 0,
  applied: undefined,
  cache: bypassed,
  freshness: "NotApplicable",
  strategy: "Empty",
  stored: "Skipped",
  head,
  phases
})

/** The result of a fold, after the caches have got its state. */
const ended = <S, E extends AnyEvent>(
  { asked, key, phases, runtime, usesCaches }: Attempt<S, E>,
  fold: Fold<S>,
  { head, last }: Page,
  base: Base<S> | undefined,
  how: Pick<Result<S>, "strategy" | "cache">
): Effect.Effect<Result<S>, ProjectionError> => {
  const state = keep(runtime, fold)
  if (state instanceof ProjectionError) return Effect.fail(state)
  // An event was folded, so the key has one.
  const at = last as NonNullable<Page["last"]>
  const applied = fold.applied as NonNullable<Fold<S>["applied"]>
  const unsaved = (base?.unsaved ?? 0) + fold.events
  const storing = usesCaches
    ? timed(
        runtime,
        phases,
        "store",
        store(runtime, key, { state, at, applied, head, asked, unsaved, isNew: base === undefined })
      )
    : Effect.succeed<Stored>("Skipped")
  const { generation } = at
  return Effect.map(storing, (stored) => ({
    ...how,
    state,
    generation,
    applied,
    freshness: "Fresh",
    stored,
    head,
    phases
  }))
}

/** Folds a page and what follows it, onto a base or from the beginning. */
const foldOn = <S, E extends AnyEvent>(
  attempt: Attempt<S, E>,
  page: Page,
  base: Base<S> | undefined,
  how: Pick<Result<S>, "strategy" | "cache">
): Projecting<S> => {
  const { asked, key, phases, runtime } = attempt
  const { compiled, counters, publisher } = runtime
  const fold = begin(key, base && compiled.states.copy(base.cached.state), base?.cached.applied)
  return Effect.flatMap(foldPages(runtime, phases, fold, page), () => {
    counters.events += fold.events
    counters.erased += fold.erased
    publisher.fold(how.strategy, now(runtime) - asked.at)
    return ended(attempt, fold, page, base, how)
  })
}

/** Folds what came after a cached state. */
export const foldAfter = <S, E extends AnyEvent>(attempt: Attempt<S, E>, base: Base<S>): Projecting<S> =>
  foldOn(attempt, base.page, base, { strategy: base.strategy, cache: hit })

/** Takes what the tier has, if it counts; else folds all events. */
const fromTier = <S, E extends AnyEvent>(
  attempt: Attempt<S, E>,
  tier: TierCache,
  planned: Planned,
  base: Base<S> | undefined,
  early: Early | undefined
): Projecting<S> =>
  Effect.flatMap(probe(attempt, tier, early), (probed): Projecting<S> => {
    if (probed._tag === "Equal") return Effect.succeed(equal(attempt, probed.cached, probed.page, "Tier"))
    if (probed._tag === "Behind" && attempt.runtime.compiled.incremental)
      return foldAfter(attempt, probed.base)
    const found = probed._tag === "Behind" ? probed.base : undefined
    const cache = probed._tag === "Fault" ? unavailable(probed.reason) : miss
    return fromAll(attempt, planned, base ?? found, { strategy: "Replay", cache })
  })

/** Reads the log from the key's first event, and what the tier has. `base` is a slot that is not to be folded further. */
const fromLog = <S, E extends AnyEvent>(attempt: Attempt<S, E>, base: Base<S> | undefined): Projecting<S> => {
  const { key, phases, runtime, usesCaches } = attempt
  const tier = usesCaches ? runtime.tier : undefined
  const planning = Effect.either(
    timed(runtime, phases, "plan", plan(runtime.compiled, key, tier !== undefined))
  )
  const from = (early: Early | undefined): Projecting<S> =>
    Effect.flatMap(planning, (planned) => {
      if (Either.isLeft(planned) && planned.left._tag !== "Compacted") return Effect.fail(planned.left)
      if (Either.isRight(planned) && planned.right.events.length === 0) {
        return Effect.succeed(empty(attempt, planned.right))
      }
      return tier === undefined
        ? fromAll(attempt, planned, base, { strategy: "Direct", cache: bypassed })
        : fromTier(attempt, tier, planned, base, early)
    })
  const isEarly = tier !== undefined && runtime.settings.prefetch === "on"
  return isEarly ? withEarly(attempt, tier, from) : from(undefined)
}

/** Folds all events of the key; if some of them are gone, those after a cached state. */
const fromAll = <S, E extends AnyEvent>(
  attempt: Attempt<S, E>,
  planned: Planned,
  base: Base<S> | undefined,
  how: Pick<Result<S>, "strategy" | "cache">
): Projecting<S> => {
  if (Either.isRight(planned)) return foldOn(attempt, planned.right, undefined, how)
  if (base !== undefined) return foldAfter(attempt, base)
  return Effect.fail(readFailed(attempt.runtime.name, attempt.key)(planned.left))
}

const fromSlot = <S, E extends AnyEvent>(attempt: Attempt<S, E>, slot: Slots.Slot<S>): Projecting<S> => {
  const { key, phases, runtime } = attempt
  const { compiled, slots } = runtime
  const anew = (): Projecting<S> => {
    Slots.drop(slots, key, slot)
    return fromLog(attempt, undefined)
  }
  return Effect.matchEffect(timed(runtime, phases, "plan", firstPage(compiled, key, slot.at)), {
    onFailure: (error) => (error._tag === "ChangeLogError" ? Effect.fail(error) : anew()),
    onSuccess: (page) => {
      const judged = judgeSlot(slot, page, attempt.asked, phases)
      if (judged !== undefined) return Effect.succeed(judged)
      const base: Base<S> = { cached: slot, page, strategy: "SlotIncremental", unsaved: slot.unsaved }
      return compiled.incremental ? foldAfter(attempt, base) : fromLog(attempt, base)
    }
  })
}

/** The answer of a slot that is equal to the log; `undefined` if it is behind. */
export const judgeSlot = <S>(
  slot: Slots.Slot<S>,
  page: Page,
  asked: Slots.Asked,
  phases: Phases | undefined
): Result<S> | undefined => {
  if (!isEqual(page)) return undefined
  // A page after a position has a last event.
  const last = page.last as NonNullable<Page["last"]>
  Slots.prove(slot, last, page.head, asked)
  return equal({ phases }, slot, page, "SlotHit")
}

/** Projects a key. It begins again if the log is renewed or compacted between two pages. */
export const project = <S, E extends AnyEvent>(
  runtime: Runtime<S, E>,
  key: string,
  usesCaches: boolean
): Effect.Effect<Result<S>, ProjectionError> => {
  const once = Effect.suspend(() => {
    const phases = noPhases()
    const asked = Slots.ask(runtime.slots, now(runtime))
    const slot = usesCaches ? Slots.get(runtime.slots, key) : undefined
    phases.slot = now(runtime) - asked.at
    const attempt: Attempt<S, E> = { runtime, key, phases, asked, usesCaches }
    return slot === undefined ? fromLog(attempt, undefined) : fromSlot(attempt, slot)
  })
  const from = (restarts: number): Projecting<S> =>
    Effect.catchAll(once, (error) =>
      restarts > 0 && (error._tag === "Compacted" || error._tag === "EpochChanged")
        ? from(restarts - 1)
        : Effect.fail(error)
    )
  const failed = readFailed(runtime.name, key)
  return Effect.mapError(from(maxRestarts), (error) =>
    error._tag === "ProjectionError" ? error : failed(error)
  )
}
