/** All laws of storages, and how a storage is held against them. */
import type { Effect } from "effect"
import { type CheckOptions, type Law, leftOutReason, type Subject } from "./law.js"
import { lawsOfData } from "./lawsOfData.js"
import { lawsOfDuplicates } from "./lawsOfDuplicates.js"
import { lawsOfErrors } from "./lawsOfErrors.js"
import { lawsOfHandles } from "./lawsOfHandles.js"
import { lawsOfInterruption } from "./lawsOfInterruption.js"
import { lawsOfOrder } from "./lawsOfOrder.js"
import { lawsOfPreparing } from "./lawsOfPreparing.js"
import { lawsOfRecorder } from "./lawsOfRecorder.js"
import { lawsOfSaving } from "./lawsOfSaving.js"
import { lawsOfText } from "./lawsOfText.js"
import { type Report, report } from "./report.js"

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
