/**
 * The laws that every table must keep, as data: hold a table of your own against them.
 *
 * ```ts
 * const report = yield* TableLaws.run({
 *   name: "my table",
 *   place: (definition) => Effect.succeed({ open: Table.make(definition, mySource(definition)) }),
 *   capabilities: { log: "no", handles: "one", tag: "free" }
 * })
 * ```
 *
 * It needs no test runner; `tableLaws` of `effect-recorder/testing/vitest` makes a test of every law. A law whose needs
 * the capabilities do not meet is left out, with the reason.
 */
export { type CheckOptions, LawBroken } from "./internal/law.js"
export type { LeftOut, Report } from "./internal/report.js"
export { runTableLaws as run, tableLaws as laws } from "./internal/table/laws.js"
export {
  type TableCapabilities as Capabilities,
  type TableGroup as Group,
  type TableLaw as Law,
  type TableNeed as Need,
  type TablePlace as Place,
  type TableSubject as Subject,
  tableLeftOutReason as leftOutReason
} from "./internal/table/subject.js"
