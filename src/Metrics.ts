/**
 * Every metric of this library and its name. The metrics of a recorder have the tag `recorder`, the recorder's name.
 * `watchers` has the tag `watch`, and `httpHookFaults` the tag `hook`. Those of a projection have the tag `projection`.
 *
 * Effect's registry keeps the metrics of a name while a part with this name is open. After its end they stay until 100 to 200
 * other names have ended: exporters read the last counts, and names of tenants or requests do not fill the memory.
 *
 * The counters are the account: at every export `accepted = stored + set_aside + dropped + handed_back + pending`,
 * except for what happened since the last bulk save. `set_aside` and `handed_back` count events: a redriven record is
 * counted again. `released` is not a term of it: a released record keeps its other count.
 */
import { Metric, MetricBoundaries } from "effect"

/** Records accepted, the dropped ones included. */
export const accepted = Metric.counter("recorder_accepted_total", { incremental: true })
/** Records whose save was acknowledged by the storage. */
export const stored = Metric.counter("recorder_stored_total", { incremental: true })
/** Stored records whose id the storage already held. */
export const duplicates = Metric.counter("recorder_duplicates_total", { incremental: true })
/** Records that the storage cannot hold. */
export const setAside = Metric.counter("recorder_set_aside_total", { incremental: true })
/** Records set aside, or refused by the dead-letter sink, that were released from memory: more than `maxHeld` waited. */
export const released = Metric.counter("recorder_released_total", { incremental: true })
/** Records dropped by an overflow policy. */
export const dropped = Metric.counter("recorder_dropped_total", { incremental: true })
/** Records handed back unsaved. */
export const handedBack = Metric.counter("recorder_handed_back_total", { incremental: true })
/** Records that were not accepted. */
export const refused = Metric.counter("recorder_refused_total", { incremental: true })
/** Saves that were tried again. */
export const retries = Metric.counter("recorder_retries_total", { incremental: true })
/** Records accepted that have no outcome yet. */
export const pending = Metric.gauge("recorder_pending")
/** Age of the oldest pending record in milliseconds, measured about once a second while a save is running. */
export const oldestAge = Metric.gauge("recorder_oldest_pending_age_millis")
/** Records per acknowledged bulk save. */
export const batchSize = Metric.histogram(
  "recorder_batch_size",
  MetricBoundaries.fromIterable([1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000])
)
/** Duration of an acknowledged bulk save in milliseconds. */
export const saveDuration = Metric.histogram(
  "recorder_save_duration_millis",
  MetricBoundaries.fromIterable([0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 5000, 30000])
)
/** Faults of the HTTP audit's hooks; tagged by `hook` (`actor`, `setActor`, `action`, `redact`, `toRecord`). */
export const httpHookFaults = Metric.counter("recorder_http_hook_faults_total", { incremental: true })
/** Values that `WatchSse` has left out for all clients, because they have no JSON. */
export const watchSseLeftOut = Metric.counter("recorder_watch_sse_left_out_total", { incremental: true })
/** Watchers of a watch; tagged by `watch`, the watch's name. */
export const watchers = Metric.gauge("recorder_watch_watchers")
/** Reads of a live table that were answered at once; the metrics of live tables are tagged by `liveTable`, its name. */
export const liveTableHits = Metric.counter("recorder_live_table_hits_total", { incremental: true })
/** Reads of a live table that waited for the master. */
export const liveTableMisses = Metric.counter("recorder_live_table_misses_total", { incremental: true })
/** Reads of the master by a live table. */
export const liveTableLoads = Metric.counter("recorder_live_table_loads_total", { incremental: true })
/** Reads of the master that failed. */
export const liveTableLoadFailures = Metric.counter("recorder_live_table_load_failures_total", {
  incremental: true
})
/** Rows, lists and counts given up by a live table to keep its bound. */
export const liveTableEvicted = Metric.counter("recorder_live_table_evicted_total", { incremental: true })
/** Rows and queries of a live table that were invalidated. */
export const liveTableInvalidated = Metric.counter("recorder_live_table_invalidated_total", {
  incremental: true
})
/** Writes that a live table accepted. */
export const liveTableWrites = Metric.counter("recorder_live_table_writes_total", { incremental: true })
/** Writes that the master of a live table refused. */
export const liveTableWritesRefused = Metric.counter("recorder_live_table_writes_refused_total", {
  incremental: true
})
/** Writes of a live table that failed. */
export const liveTableWritesFailed = Metric.counter("recorder_live_table_writes_failed_total", {
  incremental: true
})
/** Rows that a live table took from its tier. */
export const liveTableTierHits = Metric.counter("recorder_live_table_tier_hits_total", { incremental: true })
/** Calls of a live table's tier that failed, and entries of it that could not be decoded. */
export const liveTableTierFaults = Metric.counter("recorder_live_table_tier_faults_total", {
  incremental: true
})
/** Sampled hits of a live table that differed from the master, without an event that explains it in time. */
export const liveTableStale = Metric.counter("recorder_live_table_stale_total", { incremental: true })
/** Rows, lists and counts that a live table keeps. */
export const liveTableEntries = Metric.gauge("recorder_live_table_entries")
/** Projections that were answered; tagged by `strategy`, too. */
export const projections = Metric.counter("recorder_projections_total", { incremental: true })
/** Projections that were answered by age, without reading the log. */
export const projectionStale = Metric.counter("recorder_projection_stale_total", { incremental: true })
/** Projections that failed. */
export const projectionFailures = Metric.counter("recorder_projection_failures_total", { incremental: true })
/** Callers of projections that shared the flight of another one. */
export const projectionJoined = Metric.counter("recorder_projection_joined_total", { incremental: true })
/** Events that were folded. */
export const projectionEvents = Metric.counter("recorder_projection_events_total", { incremental: true })
/** Duration of reading and folding the events of a projection in milliseconds; tagged by `strategy`, too. */
export const projectionFoldDuration = Metric.histogram(
  "recorder_projection_fold_duration_millis",
  MetricBoundaries.fromIterable([0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 5000, 30000])
)
/** Lookups of projections in their tier without a state that counts. */
export const projectionTierMisses = Metric.counter("recorder_projection_tier_misses_total", {
  incremental: true
})
/** Rows of a tier that were garbage, foreign, or ahead of the log. */
export const projectionTierRefused = Metric.counter("recorder_projection_tier_refused_total", {
  incremental: true
})
/** Calls of a projection's tier that failed, or took too long. */
export const projectionTierFaults = Metric.counter("recorder_projection_tier_faults_total", {
  incremental: true
})
/** States that a projection's tier did not take. */
export const projectionPutFailures = Metric.counter("recorder_projection_put_failures_total", {
  incremental: true
})
/** Revisions of a log that the projections of its frontier have not applied, at the last call of `awaitApplied`. */
export const projectionFrontierLag = Metric.gauge("recorder_projection_frontier_lag")
/** Stores that are open in a catalog. */
export const datastoreStores = Metric.gauge("recorder_datastore_stores")
/** Follows of the stores of a catalog. */
export const datastoreSubscribers = Metric.gauge("recorder_datastore_subscribers")
/** Operations on stores; tagged by `outcome`, too: `applied`, `repeated` or `refused`. */
export const datastoreOperations = Metric.counter("recorder_datastore_operations_total", {
  incremental: true
})
/** Operations that were accepted, and are not stored yet. */
export const datastoreUnsaved = Metric.gauge("recorder_datastore_unsaved")
/** Revisions that this catalog was answered for its stores, and has not read yet: the most of one store. */
export const datastoreLag = Metric.gauge("recorder_datastore_lag")
/** How often the rights of principals were raised: revoked, or over. */
export const datastoreRevocations = Metric.counter("recorder_datastore_revocations_total", {
  incremental: true
})
/** Calls that a quota refused. */
export const datastoreQuotaRefusals = Metric.counter("recorder_datastore_quota_refusals_total", {
  incremental: true
})
/** Stores that have failed: something could not be stored, or the ownership was lost. */
export const datastoreFailed = Metric.counter("recorder_datastore_failed_total", { incremental: true })
/** Pools that are open in a catalog. */
export const mergePoolPools = Metric.gauge("recorder_merge_pool_pools")
/** Follows of the pools of a catalog. */
export const mergePoolSubscribers = Metric.gauge("recorder_merge_pool_subscribers")
/** Removals that pools remember until their horizon passes them. */
export const mergePoolRemovals = Metric.gauge("recorder_merge_pool_removals")
/** Saves of permanent pools that were accepted, and are not stored yet. */
export const mergePoolUnsaved = Metric.gauge("recorder_merge_pool_unsaved")
/** Revisions that this catalog was answered for its pools, and has not read yet: the most of one pool. */
export const mergePoolLag = Metric.gauge("recorder_merge_pool_lag")
/** Merges into pools; tagged by `outcome`, too: `applied`, `unchanged` or `refused`. */
export const mergePoolMerges = Metric.counter("recorder_merge_pool_merges_total", { incremental: true })
/** Cells that merges have changed. */
export const mergePoolCells = Metric.counter("recorder_merge_pool_cells_total", { incremental: true })
/** Ticks of pools in which something has changed. */
export const mergePoolTicks = Metric.counter("recorder_merge_pool_ticks_total", { incremental: true })
/** How often the rights of principals were raised: revoked, or over. */
export const mergePoolRevocations = Metric.counter("recorder_merge_pool_revocations_total", {
  incremental: true
})
/** Calls that a quota refused. */
export const mergePoolQuotaRefusals = Metric.counter("recorder_merge_pool_quota_refusals_total", {
  incremental: true
})
/** Pools that have failed: their log has refused a change. */
export const mergePoolFailed = Metric.counter("recorder_merge_pool_failed_total", { incremental: true })
