/** The counters of a live table, and their metrics. */
import * as Metrics from "../../Metrics.js"
import type { Series } from "../series.js"

/** What a live table counts; all since `make`, but for `entries`, `bytes` and `loading`. */
export interface Stats {
  /** Rows, lists and counts that are kept. */
  readonly entries: number
  /** Their size by `sizeOf`; 0 without a bound in bytes. */
  readonly bytes: number
  /** Reads that were answered at once, fresh or stale. */
  readonly hits: number
  /** How many of `hits` were stale. */
  readonly staleHits: number
  /** Reads that waited for the master. */
  readonly misses: number
  /** Reads of the master, each of one list or of many rows. */
  readonly loads: number
  readonly loadFailures: number
  /** Rows, lists and counts given up to keep the bound. */
  readonly evicted: number
  /** Rows and queries invalidated. */
  readonly invalidated: number
  /** Writes that were accepted. */
  readonly writes: number
  /** Calls of the master that did writes. */
  readonly writeCalls: number
  readonly writesRefused: number
  readonly writesFailed: number
  /** Writes that have no outcome yet. */
  readonly pending: number
  readonly tierHits: number
  readonly tierMisses: number
  /** Calls of the tier that failed, and entries that could not be decoded. */
  readonly tierFaults: number
  /** Hits that were compared with the master. */
  readonly sampled: number
  /** Sampled hits that differed, without an event that explains it in time. */
  readonly stale: number
}

/** The counters, written by the live table's own files. */
export type Counters = { -readonly [K in keyof Stats]: number }

export const makeCounters = (): Counters => ({
  entries: 0,
  bytes: 0,
  hits: 0,
  staleHits: 0,
  misses: 0,
  loads: 0,
  loadFailures: 0,
  evicted: 0,
  invalidated: 0,
  writes: 0,
  writeCalls: 0,
  writesRefused: 0,
  writesFailed: 0,
  pending: 0,
  tierHits: 0,
  tierMisses: 0,
  tierFaults: 0,
  sampled: 0,
  stale: 0
})

const counted = {
  hits: Metrics.liveTableHits,
  misses: Metrics.liveTableMisses,
  loads: Metrics.liveTableLoads,
  loadFailures: Metrics.liveTableLoadFailures,
  evicted: Metrics.liveTableEvicted,
  invalidated: Metrics.liveTableInvalidated,
  writes: Metrics.liveTableWrites,
  writesRefused: Metrics.liveTableWritesRefused,
  writesFailed: Metrics.liveTableWritesFailed,
  tierHits: Metrics.liveTableTierHits,
  tierFaults: Metrics.liveTableTierFaults,
  stale: Metrics.liveTableStale
}

/**
 * Publishes what was counted since the last call. A hit costs less than an update of a metric, so hits are published
 * together, when a load, a write or a sample ends.
 */
export const publisher = (counters: Counters, { update }: Pick<Series, "update">): (() => void) => {
  const published = makeCounters()
  return () => {
    for (const name of Object.keys(counted) as Array<keyof typeof counted>) {
      const count = counters[name] - published[name]
      if (count === 0) continue
      update(counted[name], count)
      published[name] = counters[name]
    }
    update(Metrics.liveTableEntries, counters.entries)
  }
}
