/**
 * The laws that every tier must keep, as data: hold a tier of your own against them.
 *
 * ```ts
 * const report = yield* TierLaws.run({
 *   name: "my tier",
 *   place: Effect.map(emptyFolder, (folder) => ({ open: Effect.succeed(Tier.make(sourceIn(folder))) })),
 *   capabilities: { order: "ignored", ttl: "kept", faults: "none" }
 * })
 * ```
 *
 * It needs no test runner; `tierLaws` of `effect-recorder/testing/vitest` makes a test of every law. A law whose needs
 * the capabilities do not meet is left out, with the reason.
 */
export { type CheckOptions, LawBroken } from "./internal/law.js"
export type { LeftOut, Report } from "./internal/report.js"
export { runTierLaws as run, tierLaws as laws } from "./internal/tier/laws.js"
export {
  type TierCapabilities as Capabilities,
  type TierGroup as Group,
  type TierLaw as Law,
  type TierNeed as Need,
  type TierPlace as Place,
  type TierSubject as Subject,
  tierLeftOutReason as leftOutReason
} from "./internal/tier/subject.js"
