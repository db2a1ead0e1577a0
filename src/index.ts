/**
 * The modules that need `effect` alone. Each adapter has a subpath of its own: `effect-recorder/sql/SqlStorage`,
 * `effect-recorder/platform/HttpAudit`, and so on.
 */
export * as Actor from "./Actor.js"
export * as ChangeLog from "./ChangeLog.js"
export * as Datastore from "./Datastore.js"
export * as Id from "./Id.js"
export * as LiveTable from "./LiveTable.js"
export * as MergePool from "./MergePool.js"
export * as Metrics from "./Metrics.js"
export * as Projection from "./Projection.js"
export * as Recorder from "./Recorder.js"
export * as Storage from "./Storage.js"
export * as Table from "./Table.js"
export * as Tier from "./Tier.js"
export * as Watch from "./Watch.js"
