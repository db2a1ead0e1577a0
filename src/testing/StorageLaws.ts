/**
 * The laws that every storage must keep, as data: hold a storage of your own against them.
 *
 * ```ts
 * const report = yield* StorageLaws.run(subject)
 * // Effect.Effect<{ held, broken: ReadonlyArray<LawBroken>, leftOut }>
 * ```
 *
 * It needs no test runner; `effect-recorder/testing/vitest` makes a test of every law. A law judges what was committed
 * by `peek`, another reader of the same place, and not by what the storage answers. What the backend cannot be
 * asked to produce (lost answers, hangs, outages, parts) is put between the storage and a recorder.
 *
 * A law whose needs the capabilities do not meet is left out, with the reason.
 */

export { InvalidOptions } from "../internal/options.js"
export { type CheckOptions, LawBroken } from "./internal/law.js"
export type { LeftOut, Report } from "./internal/report.js"
export { laws, run } from "./internal/storage/laws.js"
export {
  type Capabilities,
  type Group,
  type Law,
  leftOutReason,
  type Need,
  type Place,
  type Subject
} from "./internal/storage/subject.js"
