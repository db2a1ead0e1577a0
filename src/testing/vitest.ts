/**
 * Makes a test of every storage law, inside of a vitest run:
 *
 * ```ts
 * import { storageLaws } from "effect-recorder/testing/vitest"
 *
 * storageLaws({ name: "my storage", place, capabilities, record, idOf, all })
 * ```
 *
 * A law that is left out shows as skipped, with the reason. This module can be loaded only where vitest runs; the laws
 * themselves are in `effect-recorder/testing/StorageLaws`.
 */
import { describe, it } from "@effect/vitest"
import { Duration } from "effect"
import { laws } from "./internal/allLaws.js"
import { type CheckOptions, leftOutReason, type Subject } from "./internal/law.js"

/** How the laws are run. */
export interface StorageLawsOptions extends CheckOptions {
  /** The longest that one law may take. Default 60 seconds. */
  readonly timeout?: Duration.DurationInput | undefined
}

/** Registers a test for every law. They run on the live clock, each in a place of its own. */
export const storageLaws = <Record, Query>(
  subject: Subject<Record, Query>,
  options: StorageLawsOptions = {}
): void => {
  const timeout = Duration.toMillis(options.timeout ?? "60 seconds")
  describe(`the storage laws: ${subject.name}`, () => {
    for (const law of laws) {
      const reason = leftOutReason(law, subject)
      const title = `${law.group}: ${law.name}: ${law.statement}`
      if (reason !== undefined) it(title, ({ skip }) => skip(`left out: ${reason}`))
      else it.live(title, () => law.check(subject, options), timeout)
    }
  })
}
