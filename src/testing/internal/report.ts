/** Holds a subject against the laws of a kit: those that hold, those that are broken, those that were left out. */
import { Effect } from "effect"
import type { TypeLambda } from "effect/HKT"
import type { InvalidOptions } from "../../internal/options.js"
import { type CheckOptions, type Kit, type LawBroken, leftOutReasonOf, type SubjectOf } from "./law.js"

/** A law that was not checked. */
export interface LeftOut {
  readonly law: string
  readonly reason: string
}

/** Which laws a subject keeps. */
export interface Report {
  /** The laws that hold. */
  readonly held: ReadonlyArray<string>
  readonly broken: ReadonlyArray<LawBroken>
  readonly leftOut: ReadonlyArray<LeftOut>
}

/**
 * Makes the runner of a kit. It holds a subject against every law, each in a place of its own, one after the other. It
 * fails only with `InvalidOptions`: a broken law is in the report.
 */
export const runnerOf =
  <Subjects extends TypeLambda, Need extends string, Group extends string>({
    lacks,
    laws
  }: Kit<Subjects, Need, Group>) =>
  <A, B>(
    subject: SubjectOf<Subjects, A, B>,
    options: CheckOptions = {}
  ): Effect.Effect<Report, InvalidOptions> =>
    Effect.gen(function* () {
      const leftOutReason = leftOutReasonOf(lacks)
      const held: Array<string> = []
      const broken: Array<LawBroken> = []
      const leftOut: Array<LeftOut> = []
      for (const law of laws) {
        const reason = leftOutReason(law, subject)
        if (reason !== undefined) {
          leftOut.push({ law: law.name, reason })
          continue
        }
        yield* Effect.matchEffect(law.check(subject, options), {
          onSuccess: () => Effect.sync(() => held.push(law.name)),
          onFailure: (error) =>
            error._tag === "LawBroken" ? Effect.sync(() => broken.push(error)) : Effect.fail(error)
        })
      }
      return { held, broken, leftOut }
    })
