/**
 * The laws that every change log must keep, as data: hold a log of your own against them.
 *
 * ```ts
 * const report = yield* ChangeLogLaws.run({
 *   name: "my log",
 *   place: Effect.map(emptyTable, (table) => ({ open: openLog(table) })),
 *   capabilities: { state: "none", handles: "together", values: "json" }
 * })
 * ```
 *
 * It needs no test runner; `changeLogLaws` of `effect-recorder/testing/vitest` makes a test of every law. A law whose
 * needs the capabilities do not meet is left out, with the reason.
 */
export { InvalidOptions } from "../internal/options.js"
export { type CheckOptions, LawBroken } from "./internal/law.js"
export { logLaws as laws, runLogLaws as run } from "./internal/log/laws.js"
export {
  type LogCapabilities as Capabilities,
  type LogGroup as Group,
  type LogLaw as Law,
  type LogNeed as Need,
  type LogPlace as Place,
  type LogSubject as Subject,
  logLeftOutReason as leftOutReason
} from "./internal/log/subject.js"
export type { LeftOut, Report } from "./internal/report.js"
