/** Counts of a catalog of pools, and its metrics. */
import type { Effect } from "effect"
import * as Metrics from "../../Metrics.js"
import * as Clients from "../catalog/clients.js"
import { run as runMetering } from "../catalog/metering.js"
import type { Series } from "../series.js"
import { type Runtime, savingsOf } from "./poolRuntime.js"

/** Counts of a catalog since it was made, but for the first four, which are as of now. */
export interface Stats {
  readonly pools: number
  readonly subscribers: number
  /** Removals that are remembered until the horizon passes them. */
  readonly removals: number
  /** Saves that were accepted, and are not stored yet. */
  readonly unsaved: number
  /** Merges that have changed something. */
  readonly applied: number
  /** Merges of what was held already. */
  readonly unchanged: number
  readonly refused: number
  /** Cells that merges have changed. */
  readonly cells: number
  /** Ticks with a change. */
  readonly ticks: number
  readonly quotaRefusals: number
  /** How often the rights of a principal were raised. */
  readonly revocations: number
  /** Pools that have failed. */
  readonly failed: number
}

export const statsOf = (runtime: Runtime): Stats => {
  const { clients, entries, shared } = runtime
  const { ticks, ...count } = shared.count
  let removals = 0
  let all = ticks
  for (const { pool } of entries.values()) {
    removals += pool.state.removals
    all += pool.flow.ticks()
  }
  return {
    pools: entries.size,
    subscribers: Clients.sizeOf(clients),
    removals,
    unsaved: savingsOf(runtime).reduce((sum, saving) => sum + saving.waiting(), 0),
    ...count,
    ticks: all,
    revocations: shared.policy.count()
  }
}

const outcomes = ["applied", "unchanged", "refused"] as const

const counters = {
  cells: Metrics.mergePoolCells,
  ticks: Metrics.mergePoolTicks,
  revocations: Metrics.mergePoolRevocations,
  quotaRefusals: Metrics.mergePoolQuotaRefusals,
  failed: Metrics.mergePoolFailed
}

/** The most revisions that a pool has been answered for and has not read. */
const lagOf = ({ entries }: Runtime): number => {
  let lag = 0
  for (const { pool } of entries.values()) lag = Math.max(lag, pool.parts?.reached.lag() ?? 0)
  return lag
}

const update = (runtime: Runtime, series: Series, before: Stats): Stats => {
  const now = statsOf(runtime)
  series.update(Metrics.mergePoolPools, now.pools)
  series.update(Metrics.mergePoolSubscribers, now.subscribers)
  series.update(Metrics.mergePoolRemovals, now.removals)
  series.update(Metrics.mergePoolUnsaved, now.unsaved)
  series.update(Metrics.mergePoolLag, lagOf(runtime))
  for (const outcome of outcomes) {
    const more = now[outcome] - before[outcome]
    if (more > 0) series.update(Metrics.mergePoolMerges, more, series.labelled("outcome", outcome))
  }
  for (const name of Object.keys(counters) as ReadonlyArray<keyof typeof counters>) {
    const more = now[name] - before[name]
    if (more > 0) series.update(counters[name], more)
  }
  return now
}

/** Updates the metrics until it is interrupted, and once more at the end. */
export const run = (runtime: Runtime, series: Series): Effect.Effect<never> =>
  runMetering(statsOf(runtime), (before) => update(runtime, series, before))
