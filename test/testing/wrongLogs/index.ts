/** All wrong logs: each does one thing wrong, as logs in the field have done it. */
import { wrongErrors } from "./errors.js"
import { wrongHistory } from "./history.js"
import { wrongOthers } from "./others.js"
import { wrongReading } from "./reading.js"
import { wrongSharing } from "./sharing.js"
import type { WrongLog } from "./wrong.js"

export const wrongLogs: ReadonlyArray<WrongLog> = [
  ...wrongReading,
  ...wrongErrors,
  ...wrongHistory,
  ...wrongOthers,
  ...wrongSharing
]
