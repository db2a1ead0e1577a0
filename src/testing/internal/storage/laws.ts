/** All laws of storages, and how a storage is held against them. */
import type { Effect } from "effect"
import { type Report, report } from "../report.js"
import { lawsOfData } from "./data.js"
import { lawsOfDuplicates } from "./duplicates.js"
import { lawsOfErrors } from "./errors.js"
import { lawsOfHandles } from "./handles.js"
import { lawsOfInterruption } from "./interruption.js"
import { lawsOfOrder } from "./order.js"
import { lawsOfPreparing } from "./preparing.js"
import { lawsOfRecorder } from "./recorder.js"
import { lawsOfSaving } from "./saving.js"
import { type CheckOptions, type Law, leftOutReason, type Subject } from "./subject.js"
import { lawsOfText } from "./text.js"

/** Every law, by groups. */
export const laws: ReadonlyArray<Law> = [
  ...lawsOfSaving,
  ...lawsOfOrder,
  ...lawsOfDuplicates,
  ...lawsOfErrors,
  ...lawsOfInterruption,
  ...lawsOfHandles,
  ...lawsOfPreparing,
  ...lawsOfRecorder,
  ...lawsOfData,
  ...lawsOfText
]

/** Holds a storage against every law, each in a place of its own. */
export const run = <Record, Query>(
  subject: Subject<Record, Query>,
  options: CheckOptions = {}
): Effect.Effect<Report> =>
  report(
    laws,
    (law) => leftOutReason(law, subject),
    (law) => law.check(subject, options)
  )
