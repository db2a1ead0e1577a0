/** How something stands to laws: those that hold, those that are broken, those that were left out. */
import { Effect } from "effect"
import type { LawBroken } from "./storage/subject.js"

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

/** Holds something against laws, one after the other. It does not fail: a broken law stands in the report. */
export const report = <L extends { readonly name: string }>(
  laws: ReadonlyArray<L>,
  leftOutReason: (law: L) => string | undefined,
  check: (law: L) => Effect.Effect<void, LawBroken>
): Effect.Effect<Report> =>
  Effect.gen(function* () {
    const held: Array<string> = []
    const broken: Array<LawBroken> = []
    const leftOut: Array<LeftOut> = []
    for (const law of laws) {
      const reason = leftOutReason(law)
      if (reason !== undefined) {
        leftOut.push({ law: law.name, reason })
        continue
      }
      const result = yield* Effect.either(check(law))
      if (result._tag === "Right") held.push(law.name)
      else broken.push(result.left)
    }
    return { held, broken, leftOut }
  })
