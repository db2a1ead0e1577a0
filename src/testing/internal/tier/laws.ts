/** All laws of tiers, and how a tier is held against them. */
import type { Kit } from "../law.js"
import { runnerOf } from "../report.js"
import { tierLawsOfErrors } from "./errors.js"
import { tierLawsOfKeeping } from "./keeping.js"
import { tierLawsOfNames } from "./names.js"
import { tierLawsOfOrder } from "./order.js"
import { tierLawsOfReading } from "./reading.js"
import { lacks, type TierGroup, type TierLaw, type TierNeed, type TierSubjects } from "./subject.js"

/** Every law, by groups. */
export const tierLaws: ReadonlyArray<TierLaw> = [
  ...tierLawsOfReading,
  ...tierLawsOfNames,
  ...tierLawsOfKeeping,
  ...tierLawsOfOrder,
  ...tierLawsOfErrors
]

/** The laws of tiers, and which needs a tier does not meet. */
export const tierKit: Kit<TierSubjects, TierNeed, TierGroup> = { laws: tierLaws, lacks }

/** Holds a tier against every law, each in a place of its own. */
export const runTierLaws = runnerOf(tierKit)
