/** All laws of change logs, and how a log is held against them. */
import type { Effect } from "effect"
import type { CheckOptions } from "./law.js"
import { type LogLaw, type LogSubject, logLeftOutReason } from "./logLaw.js"
import { logLawsOfErrors } from "./logLawsOfErrors.js"
import { logLawsOfHistory } from "./logLawsOfHistory.js"
import { logLawsOfOthers } from "./logLawsOfOthers.js"
import { logLawsOfReading } from "./logLawsOfReading.js"
import { logLawsOfSharing } from "./logLawsOfSharing.js"
import { logLawsOfState } from "./logLawsOfState.js"
import { type Report, report } from "./report.js"

/** Every law, by groups. */
export const logLaws: ReadonlyArray<LogLaw> = [
  ...logLawsOfReading,
  ...logLawsOfErrors,
  ...logLawsOfHistory,
  ...logLawsOfState,
  ...logLawsOfSharing,
  ...logLawsOfOthers
]

/** Holds a log against every law, each in a place of its own. */
export const runLogLaws = (subject: LogSubject, options: CheckOptions = {}): Effect.Effect<Report> =>
  report(
    logLaws,
    (law) => logLeftOutReason(law, subject),
    (law) => law.check(subject, options)
  )
