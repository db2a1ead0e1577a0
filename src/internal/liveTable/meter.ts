/**
 * The staleness meter: compares a sample of hits with the master. A value that differs, and that no event has explained
 * in time, is counted and dropped.
 */
import { type Clock, Effect, type Scope } from "effect"
import { word } from "../random.js"
import { monotonicMillis } from "../time.js"
import type { Key } from "./coherence.js"
import type { Counters } from "./stats.js"

/** At most ten samples a second. */
const minSpacing = 100

export interface Meter {
  readonly share: number
  readonly random: Int32Array
  readonly clock: Clock.Clock
  /** Hits until the next sample. */
  left: number
  lastAt: number
  waiting: ((key: Key) => void) | undefined
}

/** How one hit is compared. */
export interface Comparison {
  /** What the cache holds now, as text, and whether it is the same entry as before. */
  readonly cached: () => string | undefined
  /** What the master holds, as text. Completes when every event up to it should have come. */
  readonly master: Effect.Effect<string, unknown>
  /** Waits for events that explain a difference. */
  readonly settle: Effect.Effect<void>
  readonly drop: () => void
}

/** Draws how many hits pass until the next sample: each is one with the same probability. */
const draw = (random: Int32Array, share: number): number => {
  if (share <= 0) return Number.POSITIVE_INFINITY
  if (share >= 1) return 1
  const unit = ((word(random) >>> 0) + 1) / (2 ** 32 + 1)
  return Math.max(1, Math.ceil(Math.log(unit) / Math.log1p(-share)))
}

export const make = (share: number, random: Int32Array, clock: Clock.Clock): Meter => ({
  share,
  random,
  clock,
  left: draw(random, share),
  lastAt: Number.NEGATIVE_INFINITY,
  waiting: undefined
})

/** Notes a hit. Almost always this is one subtraction. */
export const onHit = (meter: Meter, key: Key): void => {
  if (--meter.left > 0) return
  meter.left = draw(meter.random, meter.share)
  const { waiting } = meter
  if (waiting === undefined) return
  const now = monotonicMillis(meter.clock)
  if (now - meter.lastAt < minSpacing) return
  meter.lastAt = now
  meter.waiting = undefined
  waiting(key)
}

const nextSample = (meter: Meter): Effect.Effect<Key> =>
  Effect.async((resume) => {
    meter.waiting = (key) => resume(Effect.succeed(key))
    return Effect.sync(() => {
      meter.waiting = undefined
    })
  })

const compare = (
  { cached, drop, master, settle }: Comparison,
  counters: Counters
): Effect.Effect<void, unknown> =>
  Effect.gen(function* () {
    const before = cached()
    if (before === undefined) return
    counters.sampled++
    if ((yield* master) === before) return
    yield* settle
    if (cached() === undefined || cached() !== before) return
    counters.stale++
    drop()
  })

/** Compares samples, one after the other, until the scope closes. A master that fails is not compared. */
export const run = (
  meter: Meter,
  counters: Counters,
  comparisonOf: (key: Key) => Comparison | undefined,
  onSampled: () => void
): Effect.Effect<void, never, Scope.Scope> => {
  if (meter.share <= 0) return Effect.void
  const one = Effect.flatMap(nextSample(meter), (key) => {
    const comparison = comparisonOf(key)
    return comparison === undefined ? Effect.void : Effect.exit(compare(comparison, counters))
  })
  const loop = Effect.forever(Effect.andThen(one, Effect.sync(onSampled)))
  return Effect.asVoid(Effect.forkScoped(Effect.interruptible(loop)))
}
