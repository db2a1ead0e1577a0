/**
 * The laws that every backend of permanent stores must keep, as data: hold a backend of your own against them.
 *
 * ```ts
 * const report = yield* DatastoreLaws.run({
 *   name: "my backend",
 *   place: Effect.map(emptyFolder, (folder) => ({ open: openBackend(folder) })),
 *   capabilities: { faults: "none", time: "real" }
 * })
 * ```
 *
 * It needs no test runner; `datastoreLaws` of `effect-recorder/testing/vitest` makes a test of every law. A law whose needs
 * the capabilities do not meet is left out, with the reason.
 */

export { datastoreLaws as laws, runDatastoreLaws as run } from "./internal/datastore/laws.js"
export {
  type DatastoreCapabilities as Capabilities,
  type DatastoreGroup as Group,
  type DatastoreLaw as Law,
  type DatastoreNeed as Need,
  type DatastorePlace as Place,
  type DatastoreSubject as Subject,
  datastoreLeftOutReason as leftOutReason
} from "./internal/datastore/subject.js"
export { type CheckOptions, LawBroken } from "./internal/law.js"
export type { LeftOut, Report } from "./internal/report.js"
