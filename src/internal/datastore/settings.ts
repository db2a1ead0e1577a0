/** The options of a catalog of stores and of a store, their rules and their defaults. */
import { type Duration, Effect, Schema } from "effect"
import {
  ackRule,
  type CatalogOptions,
  catalogRules,
  idleRule,
  isAs,
  startRule,
  validateId,
  validateName
} from "../catalog/catalogOptions.js"
import type { Quotas } from "../catalog/quotas.js"
import type { As } from "../catalog/sessionCalls.js"
import * as Rules from "../options.js"
import type { CloseReport } from "./closing.js"
import type { JsonRow } from "./holding.js"

/** How a catalog of stores behaves; everything has a default. */
export interface Options extends CatalogOptions<JsonRow, CloseReport> {
  /** After so long without a call or a follow, a permanent store leaves memory. Default 10 minutes. */
  readonly idleTimeout?: Duration.DurationInput | undefined
}

const rules = {
  ...catalogRules("datastore"),
  idleTimeout: idleRule
}

/** The options of a catalog, with their defaults. */
export type Settings = Effect.Effect.Success<ReturnType<typeof resolve>>

export const resolve = (options: Options) =>
  Effect.map(Rules.resolve<Options>()(rules, options), ({ quotas = {}, ...settings }) => ({
    ...settings,
    quotas: quotas as Quotas
  }))

/** Reads older data of a permanent store. */
export type Migrate = (data: unknown, version: number) => unknown

/** Which store is opened, and how; everything has a default. */
export interface OpenOptions<in out A, in out I> {
  /** At most 512 bytes. Default: 24 random hexadecimal digits. */
  readonly id?: string | undefined
  /** `permanent`: it is stored, and never expires. Any other kind is temporary. Default `temp`. */
  readonly kind?: string | undefined
  /** The field of a record that is its key. Default `id`. */
  readonly primary?: string | undefined
  /** What records are. Synchronous. Default: any JSON object. */
  readonly schema?: Schema.Schema<A, I> | undefined
  /** The version of the schema. Default 0. */
  readonly version?: number | undefined
  /** Makes a record of this version from one that was stored by an older one. Pure. Default: older ones are refused. */
  readonly migrate?: Migrate | undefined
  /** How long a temporary store lives; 0 is the catalog's `ttl`. Permanent ones ignore it. */
  readonly ttl?: Duration.DurationInput | undefined
  /** `sliding`: writes and `touch` extend the life of a temporary store. Default `fixed`. */
  readonly expiry?: "fixed" | "sliding" | undefined
  /**
   * When a write to a permanent store is answered: `flushed`, after it is committed (the default), or `memory`, at once.
   * `memory` needs a process that owns the catalog, and loses what was not saved when that process is killed.
   */
  readonly ack?: "memory" | "flushed" | undefined
  /**
   * `queued`: the handle of a permanent store is there at once, and calls wait for the backend, and for the store to be
   * loaded. If it cannot be loaded, they fail with `StoreEnded`. Default `loaded`: the opening waits, and fails.
   */
  readonly start?: "loaded" | "queued" | undefined
  /** The most revisions that a temporary store keeps for followers that come back. Default 10,240. */
  readonly maxRevisions?: number | undefined
  /** On whose behalf it is opened. Default: the server itself. */
  readonly as?: As | undefined
}

const openRules = {
  id: Rules.optional(Rules.valid<string>(validateId)),
  kind: Rules.or(Rules.valid<string>(validateName), "temp"),
  primary: Rules.or(Rules.valid<string>(validateName), "id"),
  schema: Rules.optional(Rules.that("a Schema", Schema.isSchema)),
  version: Rules.or(Rules.whole(0), 0),
  migrate: Rules.optional(Rules.func("that returns the data")),
  ttl: Rules.optional(Rules.millis()),
  expiry: Rules.or(Rules.oneOf("fixed", "sliding"), "fixed"),
  ack: ackRule,
  start: startRule,
  maxRevisions: Rules.or(Rules.whole(1), 10_240),
  as: Rules.optional(Rules.that("{ principal, client? }", isAs))
}

/** What is opened, with its defaults. */
export type Opening = Effect.Effect.Success<ReturnType<typeof resolveOpening>>

export const resolveOpening = (options: OpenOptions<unknown, unknown>) =>
  Rules.resolve<OpenOptions<unknown, unknown>>()(openRules, options)
