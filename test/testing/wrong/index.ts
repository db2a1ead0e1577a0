/** All wrong storages. */
import { wrongData } from "./data.js"
import { wrongDuplicates } from "./duplicates.js"
import { wrongErrors } from "./errors.js"
import { wrongHandles, wrongPreparing } from "./handles.js"
import { wrongInterruption } from "./interruption.js"
import type { Wrong } from "./right.js"
import { wrongSaving } from "./saving.js"

export const wrongStorages: ReadonlyArray<Wrong> = [
  ...wrongSaving,
  ...wrongDuplicates,
  ...wrongErrors,
  ...wrongInterruption,
  ...wrongHandles,
  ...wrongPreparing,
  ...wrongData
]
