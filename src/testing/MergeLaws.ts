/**
 * The laws that every join of a pool's values must keep, as data: hold the join of a `custom` strategy against them.
 *
 * ```ts
 * const report = yield* MergeLaws.run(
 *   MergeLaws.subject(
 *     { name: "words", join: union, encode: (words) => words, decode: decodeWords },
 *     Arbitrary.make(Words)
 *   )
 * )
 * ```
 *
 * It needs no test runner; `mergeLaws` of `effect-recorder/testing/vitest` makes a test of every law. A broken law is shown
 * by the smallest example that was found. Values are equal if their encodings are.
 */

export { type CheckOptions, LawBroken } from "./internal/law.js"
export { mergeLaws as laws, runMergeLaws as run } from "./internal/merge/laws.js"
export {
  type MergeGroup as Group,
  type MergeJoin as Join,
  type MergeLaw as Law,
  type MergeNeed as Need,
  type MergeSubject as Subject,
  mergeLeftOutReason as leftOutReason,
  subject
} from "./internal/merge/subject.js"
export type { LeftOut, Report } from "./internal/report.js"
