/** The counters of a projection, and their metrics. */
import type { Metric } from "effect"
import * as Metrics from "../../Metrics.js"
import type { Series } from "../series.js"
import type { Strategy } from "./outcome.js"

/** What a projection counts; all since `make`, but for `slots`. */
export interface Stats {
  /** States in memory. */
  readonly slots: number
  /** Projections that were answered, by strategy; each caller of a shared flight counts. */
  readonly answered: Readonly<Record<Strategy, number>>
  /** How many of them were answered by age, without reading the log. */
  readonly stale: number
  /** Projections that failed. */
  readonly failures: number
  /** Callers that shared the flight of another one. */
  readonly joined: number
  /** Events that were folded, also those that fold as nothing. */
  readonly events: number
  /** Events that folded as nothing: they are erased, or forget their key. */
  readonly erased: number
  /** Lookups in the tier without a state that counts. */
  readonly tierMisses: number
  /** Rows of the tier that were garbage, foreign, or ahead of the log. They are removed. */
  readonly tierRefused: number
  /** Calls of the tier that failed, or took too long. */
  readonly tierFaults: number
  /** States that no tier took, because it failed. */
  readonly putFailures: number
  /** States that were not cached, because they cannot be encoded. */
  readonly notEncodable: number
}

/** The counters. The runtime of a projection owns them. */
export type Counters = {
  -readonly [K in Exclude<keyof Stats, "slots" | "answered">]: number
} & { readonly answered: Record<Strategy, number> }

export const makeCounters = (): Counters => ({
  answered: {
    Empty: 0,
    SlotHit: 0,
    SlotIncremental: 0,
    Tier: 0,
    TierIncremental: 0,
    Direct: 0,
    Replay: 0
  },
  stale: 0,
  failures: 0,
  joined: 0,
  events: 0,
  erased: 0,
  tierMisses: 0,
  tierRefused: 0,
  tierFaults: 0,
  putFailures: 0,
  notEncodable: 0
})

export const statsOf = (counters: Counters, slots: number): Stats => ({
  ...counters,
  answered: { ...counters.answered },
  slots
})

type Published = Exclude<keyof Counters, "answered" | "erased" | "notEncodable">

const counted: Record<Published, Metric.Metric.Counter<number>> = {
  stale: Metrics.projectionStale,
  failures: Metrics.projectionFailures,
  joined: Metrics.projectionJoined,
  events: Metrics.projectionEvents,
  tierMisses: Metrics.projectionTierMisses,
  tierRefused: Metrics.projectionTierRefused,
  tierFaults: Metrics.projectionTierFaults,
  putFailures: Metrics.projectionPutFailures
}

/** Publishes the counters of a projection. */
export interface Publisher {
  /** Publishes what was counted since the last call: a hit costs less than an update of a metric. */
  readonly publish: () => void
  /** Publishes how long the log was read and folded, in milliseconds. */
  readonly fold: (strategy: Strategy, duration: number) => void
}

export const publisher = (counters: Counters, { labelled, update }: Series): Publisher => {
  const published = makeCounters()
  const strategies = Object.keys(published.answered) as ReadonlyArray<Strategy>
  const labels = Object.fromEntries(strategies.map((strategy) => [strategy, labelled("strategy", strategy)]))
  return {
    publish: () => {
      for (const strategy of strategies) {
        const count = counters.answered[strategy] - published.answered[strategy]
        if (count === 0) continue
        update(Metrics.projections, count, labels[strategy])
        published.answered[strategy] = counters.answered[strategy]
      }
      for (const name of Object.keys(counted) as ReadonlyArray<Published>) {
        const count = counters[name] - published[name]
        if (count === 0) continue
        update(counted[name], count)
        published[name] = counters[name]
      }
    },
    fold: (strategy, duration) => update(Metrics.projectionFoldDuration, duration, labels[strategy])
  }
}
