/** All wrong tiers: each does one thing wrong, as caches in the field have done it. */
import { wrongKeeping } from "./keeping.js"
import { wrongNames } from "./names.js"
import { wrongOrder } from "./order.js"
import { wrongReading } from "./reading.js"
import type { WrongTier } from "./wrong.js"

export const wrongTiers: ReadonlyArray<WrongTier> = [
  ...wrongReading,
  ...wrongNames,
  ...wrongKeeping,
  ...wrongOrder
]
