/** All wrong tables. */
import { wrongBatches, wrongConcurrency, wrongValues } from "./calls.js"
import { wrongLogs } from "./logs.js"
import { wrongReads, wrongWrites } from "./reads.js"
import type { Wrong } from "./right.js"

export const wrongTables: ReadonlyArray<Wrong> = [
  ...wrongReads,
  ...wrongWrites,
  ...wrongBatches,
  ...wrongValues,
  ...wrongConcurrency,
  ...wrongLogs
]
