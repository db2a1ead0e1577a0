/** All wrong backends: each does one thing wrong, as databases and their drivers have done it. */
import { wrongInOpening } from "./opening.js"
import { wrongInOwning } from "./owning.js"
import { wrongInSaving } from "./saving.js"
import type { WrongBackend } from "./wrong.js"

export const wrongBackends: ReadonlyArray<WrongBackend> = [
  ...wrongInOpening,
  ...wrongInSaving,
  ...wrongInOwning
]
