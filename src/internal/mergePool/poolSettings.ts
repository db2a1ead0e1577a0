/** The options of a catalog of pools and of a pool, their rules and their defaults. */
import { type Duration, Effect } from "effect"
import {
  type CatalogOptions,
  catalogRules,
  isAs,
  validateId,
  validateName
} from "../catalog/catalogOptions.js"
import type { Quotas } from "../catalog/quotas.js"
import type { As } from "../catalog/sessionCalls.js"
import * as Rules from "../options.js"
import type { Fields } from "./definition.js"
import type { PoolCell } from "./poolCells.js"
import type { CloseReport } from "./poolClosing.js"

/**
 * How a catalog of pools behaves; everything has a default. Quotas of `stores` count pools, `records` rows, those removed
 * within the last hour too.
 */
export interface Options extends CatalogOptions<PoolCell, CloseReport> {}

const rules = catalogRules("merge-pool")

/** The options of a catalog, with their defaults. */
export type Settings = Effect.Effect.Success<ReturnType<typeof resolve>>

export const resolve = (options: Options) =>
  Effect.map(Rules.resolve<Options>()(rules, options), ({ quotas = {}, ...settings }) => ({
    ...settings,
    quotas: quotas as Quotas
  }))

/** Which pool is opened, and how; all but `strategies` has a default. */
export interface OpenOptions {
  /** How each field of a row is joined. */
  readonly strategies: Fields
  /** At most 512 bytes. Default: 24 random hexadecimal digits. */
  readonly id?: string | undefined
  /** What `authorize` gets beside the id. Pools are in memory, whatever the kind. Default `temp`. */
  readonly kind?: string | undefined
  /** How long it lives; 0 is the catalog's `ttl`. */
  readonly ttl?: Duration.DurationInput | undefined
  /** `sliding`: merges and `touch` extend its life. Default `fixed`. */
  readonly expiry?: "fixed" | "sliding" | undefined
  /** `remove`: each merge of a client names a session, and the rows that it writes are removed when that ends. Default `keep`. */
  readonly onLeave?: "keep" | "remove" | undefined
  /** The most revisions that it keeps for followers that come back. Default 10,240. */
  readonly maxRevisions?: number | undefined
  /** On whose behalf it is opened. Default: the server itself. */
  readonly as?: As | undefined
}

const isFields = (given: unknown): boolean => {
  if (typeof given !== "object" || given === null || Array.isArray(given)) return false
  return Object.values(given).every((one) => typeof one === "object" && one !== null && "fingerprint" in one)
}

const validateKind = (given: unknown): string | undefined =>
  given === "permanent" ? 'must not be "permanent": pools are kept in memory' : validateName(given)

const openRules = {
  strategies: Rules.that("a record of strategies, by the names of their fields", isFields),
  id: Rules.optional(Rules.valid<string>(validateId)),
  kind: Rules.or(Rules.valid<string>(validateKind), "temp"),
  ttl: Rules.optional(Rules.millis()),
  expiry: Rules.or(Rules.oneOf("fixed", "sliding"), "fixed"),
  onLeave: Rules.or(Rules.oneOf("keep", "remove"), "keep"),
  maxRevisions: Rules.or(Rules.whole(1), 10_240),
  as: Rules.optional(Rules.that("{ principal, client? }", isAs))
}

/** What is opened, with its defaults. */
export type Opening = Effect.Effect.Success<ReturnType<typeof resolveOpening>>

export const resolveOpening = (options: OpenOptions) => Rules.resolve<OpenOptions>()(openRules, options)
