/** All laws of tables, and how a table is held against them. */
import type { Kit } from "../law.js"
import { runnerOf } from "../report.js"
import { lawsOfBatches } from "./batches.js"
import { lawsOfConcurrency } from "./concurrency.js"
import { lawsOfData } from "./data.js"
import { lawsOfLog } from "./log.js"
import { lawsOfReading } from "./reading.js"
import { lacks, type TableGroup, type TableLaw, type TableNeed, type TableSubjects } from "./subject.js"
import { lawsOfWriting } from "./writing.js"

/** Every law, by groups. */
export const tableLaws: ReadonlyArray<TableLaw> = [
  ...lawsOfReading,
  ...lawsOfWriting,
  ...lawsOfBatches,
  ...lawsOfData,
  ...lawsOfConcurrency,
  ...lawsOfLog
]

/** The laws of tables, and which needs a table does not meet. */
export const tableKit: Kit<TableSubjects, TableNeed, TableGroup> = { laws: tableLaws, lacks }

/** Holds a table against every law, each in a place of its own. */
export const runTableLaws = runnerOf(tableKit)
