/** The options of a catalog of pools and of a pool, their rules and their defaults. */
import { type Duration, Effect } from "effect"
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
import type { CountedFor } from "../catalog/places.js"
import type { Quotas } from "../catalog/quotas.js"
import type { As } from "../catalog/sessionCalls.js"
import * as Rules from "../options.js"
import { type Fields, isFields } from "./definition.js"
import type { PoolCell } from "./poolCells.js"
import type { CloseReport } from "./poolClosing.js"
import type { Migrate } from "./poolMigrating.js"

/**
 * How a catalog of pools behaves; everything has a default. Quotas of `stores` count pools, `records` rows, those removed
 * within the last hour too.
 */
export interface Options extends CatalogOptions<PoolCell, CloseReport> {
  /** After so long without a call or a follow, a permanent pool leaves memory. Default 10 minutes. */
  readonly idleTimeout?: Duration.DurationInput | undefined
}

const rules = {
  ...catalogRules("merge-pool"),
  idleTimeout: idleRule
}

/** The options of a catalog, with their defaults. */
export type Settings = Effect.Effect.Success<ReturnType<typeof resolve>>

export const resolve = (options: Options) =>
  Effect.map(Rules.resolve<Options>()(rules, options), ({ quotas = {}, ...settings }) => ({
    ...settings,
    quotas: quotas as Quotas
  }))

/** Which pool is opened, and how; all but `strategies` has a default. */
export interface OpenOptions<F extends Fields = Fields> {
  /** How each field of a row is joined. A field that names no strategy, `{}`, is joined by `last`. */
  readonly strategies: F
  /** At most 512 bytes. Default: 24 random hexadecimal digits. */
  readonly id?: string | undefined
  /** `permanent`: it is stored, and never expires. Any other kind is temporary. Default `temp`. */
  readonly kind?: string | undefined
  /**
   * When a merge into a permanent pool is answered: `flushed`, after it is committed (the default), or `memory`, at once.
   * With `flushed` the merges of one tick of 50 ms are one save, so a merge waits for the end of its tick, too. `memory` needs
   * a process that owns the catalog. What was not saved when that process is killed, is lost.
   */
  readonly ack?: "memory" | "flushed" | undefined
  /**
   * Makes cells of these strategies from stored ones of others, once. Pure. While other processes add rows, that is tried 10
   * times within some seconds; then the opening fails as `Unavailable`. Default: others are refused.
   */
  readonly migrate?: Migrate | undefined
  /**
   * `queued`: the handle of a permanent pool is there at once, and calls wait for the backend, and for the pool to be loaded.
   * If it cannot be loaded, they fail with `StoreEnded`. Default `loaded`: the opening waits, and fails.
   */
  readonly start?: "loaded" | "queued" | undefined
  /** How long a temporary pool lives; 0 is the catalog's `ttl`. Permanent ones ignore it. */
  readonly ttl?: Duration.DurationInput | undefined
  /** `sliding`: merges and `touch` extend the life of a temporary pool. Default `fixed`. */
  readonly expiry?: "fixed" | "sliding" | undefined
  /**
   * `remove`: each merge of a client names a session, and the rows that it writes are removed when that ends. A row follows its
   * last writer. The session of a process that is gone ends for a permanent pool when its lease in the backend is over, after
   * 90 seconds: by any process that has the pool open so, else while it is opened again, before its first read. Where the
   * backend takes over 5 seconds for that, it is removed later. Name it alike in all processes.
   * Default `keep`.
   */
  readonly onLeave?: "keep" | "remove" | undefined
  /** The most revisions that a temporary pool keeps for followers that come back. Default 10,240. */
  readonly maxRevisions?: number | undefined
  /** On whose behalf it is opened. Default: the server itself. */
  readonly as?: As | undefined
}

const openRules = {
  strategies: Rules.that("a record of strategies, by the names of their fields", isFields),
  id: Rules.optional(Rules.valid<string>(validateId)),
  kind: Rules.or(Rules.valid<string>(validateName), "temp"),
  ack: ackRule,
  migrate: Rules.optional(Rules.func("that returns a cell")),
  start: startRule,
  ttl: Rules.optional(Rules.millis()),
  expiry: Rules.or(Rules.oneOf("fixed", "sliding"), "fixed"),
  onLeave: Rules.or(Rules.oneOf("keep", "remove"), "keep"),
  maxRevisions: Rules.or(Rules.whole(1), 10_240),
  as: Rules.optional(Rules.that("{ principal, client? }", isAs))
}

/** What is opened, with its defaults. */
export type Opening = Effect.Effect.Success<ReturnType<typeof resolveOpening>>

/** What is opened, by its id. */
export type Named = Opening & CountedFor & { readonly id: string }

export const resolveOpening = (options: OpenOptions) => Rules.resolve<OpenOptions>()(openRules, options)
