/** The options that catalogs of stores and of pools share, their rules and their defaults. */
import type { Duration, Effect } from "effect"
import { handle } from "../arguments.js"
import type { Leases } from "../lease/leases.js"
import * as Rules from "../options.js"
import { validateText } from "../text.js"
import type { Authorize } from "./policy.js"
import { type Quotas, quotaRules } from "./quotas.js"

/** How a catalog behaves; everything has a default. */
export interface CatalogOptions<in Row, in Report> {
  /** Names it in metrics and log lines, and is what an owner owns. Default: the part's name, as `datastore`. */
  readonly name?: string | undefined
  /** Deadlines and sessions that are shared with other catalogs. Default: its own. */
  readonly leases?: Leases | undefined
  /** Decides what principals may do. Default: everybody may do everything. */
  readonly authorize?: Authorize<Row> | undefined
  readonly quotas?: Quotas | undefined
  /** How long a temporary store or pool lives without its own `ttl`. Default 1 hour. */
  readonly ttl?: Duration.DurationInput | undefined
  /** How often what no call asks for is removed. Default 1 minute. */
  readonly janitorInterval?: Duration.DurationInput | undefined
  /** How long the end of the scope waits for what is not saved. Default 10 seconds. */
  readonly closeDeadline?: Duration.DurationInput | undefined
  /** Gets the report when the scope has ended before any call of `close`. */
  readonly onClosed?: ((report: Report) => Effect.Effect<void>) | undefined
}

/** The rules of the shared options. */
export const catalogRules = (name: string) => ({
  name: Rules.or(Rules.text, name),
  leases: Rules.optional(handle("the leases of another catalog", "timers", "sessions")),
  authorize: Rules.optional(Rules.func("that returns what a principal may do")),
  quotas: Rules.optional(Rules.nested<Quotas>()(quotaRules)),
  ttl: Rules.or(Rules.millis("above 0"), 60 * 60 * 1000),
  janitorInterval: Rules.or(Rules.millis("above 0"), 60 * 1000),
  closeDeadline: Rules.or(Rules.millis(), 10_000),
  onClosed: Rules.optional(Rules.func("that returns an Effect"))
})

/** How long permanent stores or pools stay in memory without a call or a follow. */
export const idleRule = Rules.or(Rules.millis("above 0"), 10 * 60 * 1000)

/** When a write of a permanent store or pool is answered. */
export const ackRule = Rules.or(Rules.oneOf("memory", "flushed"), "flushed")

/** Whether an opening waits for the backend. */
export const startRule = Rules.or(Rules.oneOf("loaded", "queued"), "loaded")

const maxIdBytes = 512

/** Returns what is wrong with the id of a store or pool, or `undefined`. */
export const validateId = (given: unknown): string | undefined => {
  const problem = validateText("it", given)?.replace("it must", "must")
  if (problem !== undefined) return problem
  if (given === "") return "must not be empty: leave it out for a random one"
  return new TextEncoder().encode(given as string).length > maxIdBytes
    ? `must have at most ${maxIdBytes} bytes`
    : undefined
}

/** Returns what is wrong with a name, or `undefined`. */
export const validateName = (given: unknown): string | undefined =>
  given === "" ? "must not be empty" : validateText("it", given)?.replace("it must", "must")

/** Whether a value names on whose behalf a call acts. */
export const isAs = (given: unknown): boolean => {
  if (typeof given !== "object" || given === null) return false
  const { client, n, principal } = given as { readonly [name: string]: unknown }
  return (
    typeof principal === "string" &&
    (client === undefined || typeof client === "string") &&
    (n === undefined || typeof n === "number")
  )
}
