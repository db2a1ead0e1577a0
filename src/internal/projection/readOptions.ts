/** What callers pass to reads and waits, checked by rules. */
import type { Duration } from "effect"
import { isRevision, type Revision } from "../log/events.js"
import * as Rules from "../options.js"
import type { Freshness, OutcomeOptions } from "./outcome.js"

const waitRules = {
  revision: Rules.that("a revision of the log", isRevision),
  timeout: Rules.millis()
}

const atLeast = Rules.nested<Extract<Freshness, { readonly _tag: "AtLeast" }>>()({
  _tag: Rules.oneOf("AtLeast"),
  ...waitRules
})

const outcomeRules = {
  // Each way of reading checks it: most reads have a freshness that needs no check.
  freshness: Rules.anything,
  times: Rules.or(Rules.oneOf("on", "off"), "off")
} satisfies Rules.Rules<OutcomeOptions>

const problemOf = (read: unknown): string | undefined =>
  read instanceof Rules.InvalidOptions ? `${read.option}: ${read.message}` : undefined

/** Returns what is wrong with a freshness, or `undefined`. An age that is no duration counts as 0. */
export const validateFreshness = (given: Freshness | undefined): string | undefined => {
  if (given === undefined) return undefined
  // It may come from untyped code.
  const tag: unknown = (given as Freshness | null)?._tag
  if (tag === "Consistent" || tag === "MaybeStale") return undefined
  return tag === "AtLeast"
    ? problemOf(atLeast.read("freshness", given))
    : "freshness: must be made by consistent, maybeStale or atLeast"
}

/** Returns what is wrong with the options of a read, or `undefined`. */
export const validateOutcomeOptions = (options: OutcomeOptions): string | undefined =>
  problemOf(Rules.readOptions<OutcomeOptions>()(outcomeRules, options))

/** Returns what is wrong with a wait for a revision, or `undefined`. */
export const validateWait = (revision: Revision, timeout: Duration.DurationInput): string | undefined =>
  problemOf(
    Rules.readOptions<{ revision: Revision; timeout: Duration.DurationInput }>()(waitRules, {
      revision,
      timeout
    })
  )
