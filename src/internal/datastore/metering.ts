/** Sets the metrics of a catalog. An operation costs no update of its own: a loop adds what was counted since. */
import type { Effect, Metric } from "effect"
import * as Metrics from "../../Metrics.js"
import { run as runMetering } from "../catalog/metering.js"
import type { Series } from "../series.js"
import type { Runtime } from "./runtime.js"
import { type Stats, statsOf } from "./stats.js"

const outcomes = ["applied", "repeated", "refused"] as const

const counters = {
  revocations: Metrics.datastoreRevocations,
  quotaRefusals: Metrics.datastoreQuotaRefusals,
  failed: Metrics.datastoreFailed
}

/** The most revisions that a store has been answered for and has not read. */
const lagOf = ({ entries }: Runtime): number => {
  let lag = 0
  for (const { store } of entries.values()) {
    if (store.parts !== undefined) lag = Math.max(lag, store.parts.mirror.lag())
  }
  return lag
}

const update = (runtime: Runtime, series: Series, before: Stats): Stats => {
  const now = statsOf(runtime)
  series.update(Metrics.datastoreStores, now.stores)
  series.update(Metrics.datastoreSubscribers, now.subscribers)
  series.update(Metrics.datastoreUnsaved, now.unsaved)
  series.update(Metrics.datastoreLag, lagOf(runtime))
  for (const outcome of outcomes) {
    const more = now[outcome] - before[outcome]
    if (more > 0) series.update(Metrics.datastoreOperations, more, series.labelled("outcome", outcome))
  }
  for (const [name, metric] of Object.entries(counters) as ReadonlyArray<
    [keyof typeof counters, Metric.Metric.Counter<number>]
  >) {
    const more = now[name] - before[name]
    if (more > 0) series.update(metric, more)
  }
  return now
}

/** Updates the metrics until it is interrupted, and once more at the end. */
export const run = (runtime: Runtime, series: Series): Effect.Effect<never> =>
  runMetering(statsOf(runtime), (before) => update(runtime, series, before))
