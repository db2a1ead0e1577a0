/** All laws of change logs, and how a log is held against them. */
import type { Kit } from "../law.js"
import { runnerOf } from "../report.js"
import { logLawsOfOthers } from "./concurrency.js"
import { logLawsOfConditions } from "./conditions.js"
import { logLawsOfErrors } from "./errors.js"
import { logLawsOfHistory } from "./history.js"
import { logLawsOfKeys } from "./keys.js"
import { logLawsOfReading } from "./reading.js"
import { logLawsOfScans } from "./scans.js"
import { logLawsOfSeqs } from "./seqs.js"
import { logLawsOfSharing } from "./sharing.js"
import { logLawsOfState } from "./state.js"
import { type LogGroup, type LogLaw, type LogNeed, type LogSubjects, lacks } from "./subject.js"

/** Every law, by groups. */
export const logLaws: ReadonlyArray<LogLaw> = [
  ...logLawsOfReading,
  ...logLawsOfErrors,
  ...logLawsOfHistory,
  ...logLawsOfState,
  ...logLawsOfSharing,
  ...logLawsOfOthers,
  ...logLawsOfKeys,
  ...logLawsOfScans,
  ...logLawsOfConditions,
  ...logLawsOfSeqs
]

/** The laws of change logs, and which needs a log does not meet. */
export const logKit: Kit<LogSubjects, LogNeed, LogGroup> = { laws: logLaws, lacks }

/** Holds a log against every law, each in a place of its own. */
export const runLogLaws = runnerOf(logKit)
