/**
 * The laws that every definition of a projection must keep, as data: hold a definition of yours against them.
 *
 * ```ts
 * const report = yield* ProjectionLaws.run(ProjectionLaws.subject(accounts))
 * ```
 *
 * It needs no test runner; `projectionLaws` of `effect-recorder/testing/vitest` makes a test of every law. Events are drawn
 * by their Schemas, or are `histories` of yours. {@link given} writes a single example in one line.
 */
export { type CheckOptions, LawBroken } from "./internal/law.js"
export { ExampleFailed, type Given, given } from "./internal/projection/given.js"
export { projectionLaws as laws, runProjectionLaws as run } from "./internal/projection/laws.js"
export {
  type History,
  type Lanes,
  type ProjectionGroup as Group,
  type ProjectionLaw as Law,
  type ProjectionNeed as Need,
  type ProjectionSubject as Subject,
  type ProjectionSubjectOptions as SubjectOptions,
  projectionLeftOutReason as leftOutReason,
  subject
} from "./internal/projection/subject.js"
export type { LeftOut, Report } from "./internal/report.js"
