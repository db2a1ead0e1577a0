/**
 * Makes a test of every law, inside of a vitest run:
 *
 * ```ts
 * import { storageLaws } from "effect-recorder/testing/vitest"
 *
 * storageLaws({ name: "my storage", place, capabilities, record, idOf, all })
 * ```
 *
 * A law that is left out shows as skipped, with the reason. This module can be loaded only where vitest runs; the laws
 * themselves are in `effect-recorder/testing/StorageLaws` and `effect-recorder/testing/ChangeLogLaws`.
 */
import { describe, it } from "@effect/vitest"
import { Duration, type Effect } from "effect"
import { logLaws } from "./internal/log/laws.js"
import { type LogSubject, logLeftOutReason } from "./internal/log/subject.js"
import { laws } from "./internal/storage/laws.js"
import { type CheckOptions, type LawBroken, leftOutReason, type Subject } from "./internal/storage/subject.js"

/** How the laws are run. */
export interface LawsOptions extends CheckOptions {
  /** The longest that one law may take. Default 60 seconds. */
  readonly timeout?: Duration.DurationInput | undefined
}

interface Named {
  readonly name: string
  readonly group: string
  readonly statement: string
}

const register = <L extends Named>(
  title: string,
  laws: ReadonlyArray<L>,
  reasonOf: (law: L) => string | undefined,
  check: (law: L) => Effect.Effect<void, LawBroken>,
  options: LawsOptions
): void => {
  const timeout = Duration.toMillis(options.timeout ?? "60 seconds")
  describe(title, () => {
    for (const law of laws) {
      const reason = reasonOf(law)
      const title = `${law.group}: ${law.name}: ${law.statement}`
      if (reason !== undefined) it(title, ({ skip }) => skip(`left out: ${reason}`))
      else it.live(title, () => check(law), timeout)
    }
  })
}

/** Registers a test for every law of storages. They run on the live clock, each in a place of its own. */
export const storageLaws = <Record, Query>(
  subject: Subject<Record, Query>,
  options: LawsOptions = {}
): void =>
  register(
    `the storage laws: ${subject.name}`,
    laws,
    (law) => leftOutReason(law, subject),
    (law) => law.check(subject, options),
    options
  )

/** Registers a test for every law of change logs. They run on the live clock, each in a place of its own. */
export const changeLogLaws = (subject: LogSubject, options: LawsOptions = {}): void =>
  register(
    `the laws of change logs: ${subject.name}`,
    logLaws,
    (law) => logLeftOutReason(law, subject),
    (law) => law.check(subject, options),
    options
  )
