/** All laws of change logs, and how a log is held against them. */
import type { Effect } from "effect"
import { type Report, report } from "../report.js"
import type { CheckOptions } from "../storage/subject.js"
import { logLawsOfOthers } from "./concurrency.js"
import { logLawsOfErrors } from "./errors.js"
import { logLawsOfHistory } from "./history.js"
import { logLawsOfReading } from "./reading.js"
import { logLawsOfSharing } from "./sharing.js"
import { logLawsOfState } from "./state.js"
import { type LogLaw, type LogSubject, logLeftOutReason } from "./subject.js"

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
