/** Sets the metrics of a catalog. An operation costs no update of its own: a loop adds what was counted since. */
import { type Effect, type Metric, MetricLabel } from "effect"
import * as Metrics from "../../Metrics.js"
import { run as runMetering } from "../catalog/metering.js"
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

const update = (runtime: Runtime, before: Stats): Stats => {
  const labels = [MetricLabel.make("name", runtime.settings.name)]
  const now = statsOf(runtime)
  Metrics.datastoreStores.unsafeUpdate(now.stores, labels)
  Metrics.datastoreSubscribers.unsafeUpdate(now.subscribers, labels)
  Metrics.datastoreUnsaved.unsafeUpdate(now.unsaved, labels)
  Metrics.datastoreLag.unsafeUpdate(lagOf(runtime), labels)
  for (const outcome of outcomes) {
    const more = now[outcome] - before[outcome]
    const tagged = [...labels, MetricLabel.make("outcome", outcome)]
    if (more > 0) Metrics.datastoreOperations.unsafeUpdate(more, tagged)
  }
  for (const [name, metric] of Object.entries(counters) as ReadonlyArray<
    [keyof typeof counters, Metric.Metric.Counter<number>]
  >) {
    const more = now[name] - before[name]
    if (more > 0) metric.unsafeUpdate(more, labels)
  }
  return now
}

/** Updates the metrics until it is interrupted, and once more at the end. */
export const run = (runtime: Runtime): Effect.Effect<never> =>
  runMetering(statsOf(runtime), (before) => update(runtime, before))
