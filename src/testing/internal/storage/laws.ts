/** All laws of storages, and how a storage is held against them. */
import type { Kit } from "../law.js"
import { runnerOf } from "../report.js"
import { lawsOfData } from "./data.js"
import { lawsOfDuplicates } from "./duplicates.js"
import { lawsOfErrors } from "./errors.js"
import { lawsOfHandles } from "./handles.js"
import { lawsOfInterruption } from "./interruption.js"
import { lawsOfOrder } from "./order.js"
import { lawsOfPreparing } from "./preparing.js"
import { lawsOfRecorder } from "./recorder.js"
import { lawsOfSaving } from "./saving.js"
import { type Group, type Law, lacks, type Need, type Subjects } from "./subject.js"
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

/** The laws of storages, and which needs a storage does not meet. */
export const storageKit: Kit<Subjects, Need, Group> = { laws, lacks }

/** Holds a storage against every law, each in a place of its own. */
export const run = runnerOf(storageKit)
