/** All laws, and how a storage is held against them. */
import { Effect } from "effect"
import { type CheckOptions, type Law, type LawBroken, leftOutReason, type Subject } from "./law.js"
import { lawsOfData } from "./lawsOfData.js"
import { lawsOfDuplicates } from "./lawsOfDuplicates.js"
import { lawsOfErrors } from "./lawsOfErrors.js"
import { lawsOfHandles } from "./lawsOfHandles.js"
import { lawsOfInterruption } from "./lawsOfInterruption.js"
import { lawsOfPreparing } from "./lawsOfPreparing.js"
import { lawsOfRecorder } from "./lawsOfRecorder.js"
import { lawsOfSaving } from "./lawsOfSaving.js"

/** Every law, by groups. */
export const laws: ReadonlyArray<Law> = [
  ...lawsOfSaving,
  ...lawsOfDuplicates,
  ...lawsOfErrors,
  ...lawsOfInterruption,
  ...lawsOfHandles,
  ...lawsOfPreparing,
  ...lawsOfRecorder,
  ...lawsOfData
]

/** A law that was not checked. */
export interface LeftOut {
  readonly law: string
  readonly reason: string
}

/** How a storage stands to the laws. */
export interface Report {
  /** The laws that hold. */
  readonly held: ReadonlyArray<string>
  readonly broken: ReadonlyArray<LawBroken>
  readonly leftOut: ReadonlyArray<LeftOut>
}

/**
 * Holds a storage against every law, one after the other, each in a place of its own. It does not fail: a broken law
 * stands in the report.
 */
export const run = <Record, Query>(
  subject: Subject<Record, Query>,
  options: CheckOptions = {}
): Effect.Effect<Report> =>
  Effect.gen(function* () {
    const held: Array<string> = []
    const broken: Array<LawBroken> = []
    const leftOut: Array<LeftOut> = []
    for (const law of laws) {
      const reason = leftOutReason(law, subject)
      if (reason !== undefined) {
        leftOut.push({ law: law.name, reason })
        continue
      }
      const result = yield* Effect.either(law.check(subject, options))
      if (result._tag === "Right") held.push(law.name)
      else broken.push(result.left)
    }
    return { held, broken, leftOut }
  })
