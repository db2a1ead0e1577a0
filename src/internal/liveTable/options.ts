/** The options of a live table, their rules and their defaults. */
import { type Duration, Effect } from "effect"
import type { Table, TableChange } from "../../Table.js"
import type { Tier } from "../../Tier.js"
import type { Watch } from "../../Watch.js"
import { check, handle } from "../arguments.js"
import { fingerprintOf } from "../columns/rowCodec.js"
import type { AnyDefinition } from "../columns/writes.js"
import * as Rules from "../options.js"
import type { Made } from "../remedy.js"
import type { AnyRow } from "./answers.js"
import type { CloseReport } from "./closeReport.js"

/** How a live table behaves; everything has a default. */
export interface Options<in out D extends AnyDefinition> {
  /** Names it in metrics, spans and log lines. Default `liveTable`. */
  readonly name?: string | undefined
  /** Takes the writes. Reads stay on the master, which gets them from here some time later. Default: the master. */
  readonly target?: (Made & Table<D>) | undefined
  /**
   * How long the master may take to show a write of `target`. For so long, a written row is answered from its
   * acknowledgement, which is kept in memory, and lists are not stored. Default 5 seconds.
   */
  readonly targetLag?: Duration.DurationInput | undefined
  /** The changes of the table, its own writes and foreign ones. Without it, foreign writes show after `ttl`. */
  readonly changes?: (Made & Watch<TableChange>) | undefined
  /** How many revisions of the log are read when following begins, to judge entries of the tier. Default 10,000. */
  readonly history?: number | undefined
  /**
   * An external cache, asked before the master. It is never trusted. With a log, what is written past both may show after
   * up to twice `ttl`: an entry of another process may be as old as `ttl`.
   */
  readonly tier?: (Made & Tier) | undefined
  /** The longest that a call of the tier may take. With a tier, below `hardTimeout`. Default 1 second. */
  readonly tierTimeout?: Duration.DurationInput | undefined
  /** How long an answer is fresh, less up to 10 % of jitter. Default 5 minutes. */
  readonly ttl?: Duration.DurationInput | undefined
  /** How long the absence of a row is fresh. Default 10 seconds. */
  readonly absentTtl?: Duration.DurationInput | undefined
  /** After `ttl`, answers are stale at once for so long, with one refresh. Default 0. */
  readonly staleWhileRevalidate?: Duration.DurationInput | undefined
  /** Below the age `ttl + grace` a value is served stale if the master is slow or fails. Default 0. */
  readonly grace?: Duration.DurationInput | undefined
  /** How long the master, or the tier, is left alone after it failed. Default 10 seconds. */
  readonly graceBackoff?: Duration.DurationInput | undefined
  /** How long a read waits for the master before it gets a stale value, if there is one. Default: not limited. */
  readonly softTimeout?: Duration.DurationInput | undefined
  /** The longest that a read of the master may take. Default 30 seconds. */
  readonly hardTimeout?: Duration.DurationInput | undefined
  /** The longest that a bulk write may take. Default 30 seconds. */
  readonly writeTimeout?: Duration.DurationInput | undefined
  /**
   * How long a write of unknown outcome may still be committed. Until the log shows it, or for so long, its ids and lists
   * are not stored. Default 30 seconds.
   */
  readonly doubt?: Duration.DurationInput | undefined
  /** The most rows, lists and counts that are kept. Default 10,000. Not together with `maxBytes`. */
  readonly maxEntries?: number | undefined
  /** The most bytes that are kept, measured by `sizeOf`. */
  readonly maxBytes?: number | undefined
  /** Measures one row in bytes. Required with `maxBytes`. */
  readonly sizeOf?: ((row: AnyRow) => number) | undefined
  /** The share of hits that is compared with the master, at most 10 a second. From 0 to 1; default 0.01. */
  readonly sample?: number | undefined
  /** The shortest time between two reads of a followed query. Default 100 ms. */
  readonly minInterval?: Duration.DurationInput | undefined
  /** How often a followed query is read again without a change. Default: never. */
  readonly refresh?: Duration.DurationInput | undefined
  /**
   * How long the end of the scope waits for the queued writes, and any close for reads that ignore their interruption.
   * Default 10 seconds.
   */
  readonly closeDeadline?: Duration.DurationInput | undefined
  /** Gets the report when the scope has ended before any call of `close`. */
  readonly onClosed?: ((report: CloseReport<D>) => Effect.Effect<void>) | undefined
}

/** A share, from 0 to 1. */
const share = Rules.that(
  "a number from 0 to 1",
  (given) => typeof given === "number" && given >= 0 && given <= 1
)

const aTable = handle("a Table", "definition", "write")

const rules = {
  name: Rules.or(Rules.text, "liveTable"),
  target: Rules.optional(aTable),
  targetLag: Rules.or(Rules.millis(), 5000),
  changes: Rules.optional(handle("a Watch", "open", "health")),
  history: Rules.or(Rules.whole(0, "revisions"), 10_000),
  tier: Rules.optional(handle("a Tier", "open")),
  tierTimeout: Rules.or(Rules.millis("above 0"), 1000),
  ttl: Rules.or(Rules.millis(), 300_000),
  absentTtl: Rules.or(Rules.millis(), 10_000),
  staleWhileRevalidate: Rules.or(Rules.millis(), 0),
  grace: Rules.or(Rules.millis(), 0),
  graceBackoff: Rules.or(Rules.millis(), 10_000),
  softTimeout: Rules.optional(Rules.millis()),
  hardTimeout: Rules.or(Rules.millis("above 0"), 30_000),
  writeTimeout: Rules.or(Rules.millis("above 0"), 30_000),
  doubt: Rules.or(Rules.millis(), 30_000),
  maxEntries: Rules.optional(Rules.whole(1, "entries")),
  maxBytes: Rules.optional(Rules.whole(1, "bytes")),
  sizeOf: Rules.optional(Rules.func("that gives a row's size in bytes")),
  sample: Rules.or(share, 0.01),
  minInterval: Rules.or(Rules.millis(), 100),
  refresh: Rules.optional(Rules.millis("above 0")),
  closeDeadline: Rules.or(Rules.millis(), 10_000),
  onClosed: Rules.optional(Rules.func("that gives an Effect"))
}

/** The options of a live table with their defaults. */
export type Settings<D extends AnyDefinition> = Rules.Resolved<Options<D>, typeof rules>

/** Returns why a target cannot take the writes of a master, or `undefined`. Their names may differ. */
const validateTarget = (master: AnyDefinition, target: AnyDefinition): Rules.InvalidOptions | undefined =>
  master.id === target.id && fingerprintOf(master.columns) === fingerprintOf(target.columns)
    ? undefined
    : new Rules.InvalidOptions({
        option: "target",
        message: "must have the columns and the id of the master: make it of the same definition"
      })

/** Fails if what a live table is to stand before is no table. */
export const checkMaster = (given: unknown): Effect.Effect<void, Rules.InvalidOptions> =>
  check("master", aTable, given)

/** Fails if a target cannot take the writes of a master. */
export const checkTarget = <D extends AnyDefinition>(
  master: Table<D>,
  target: Table<D> | undefined
): Effect.Effect<void, Rules.InvalidOptions> => {
  const problem = target === undefined ? undefined : validateTarget(master.definition, target.definition)
  return problem === undefined ? Effect.void : Effect.fail(problem)
}

/** Returns which options contradict each other, or `undefined`. */
const validateTogether = <D extends AnyDefinition>(
  settings: Settings<D>
): Rules.InvalidOptions | undefined => {
  const problem = (option: string, message: string) => new Rules.InvalidOptions({ option, message })
  const { grace, hardTimeout, maxBytes, maxEntries, sizeOf, softTimeout, staleWhileRevalidate } = settings
  const { tier, tierTimeout } = settings
  if (maxBytes !== undefined && sizeOf === undefined)
    return problem(
      "sizeOf",
      "must be given together with maxBytes: a function that gives a row's size in bytes"
    )
  if (maxBytes === undefined && sizeOf !== undefined)
    return problem("maxBytes", "must be given together with sizeOf: the most bytes that are kept")
  if (maxBytes !== undefined && maxEntries !== undefined)
    return problem("maxEntries", "must not be combined with maxBytes: leave one of them out")
  if (softTimeout !== undefined && softTimeout >= hardTimeout)
    return problem("softTimeout", "must be below hardTimeout: a slow read is answered before it is given up")
  if (softTimeout !== undefined && grace === 0 && staleWhileRevalidate === 0)
    return problem("softTimeout", "needs grace: without it there is no stale value that could be served")
  if (tier !== undefined && tierTimeout >= hardTimeout)
    return problem("tierTimeout", "must be below hardTimeout: after a slow tier, the master is asked")
  return undefined
}

/** The options with their defaults; fails with what is wrong with the first of them that cannot work. */
export const resolve = <D extends AnyDefinition>(
  options: Options<D>
): Effect.Effect<Settings<D>, Rules.InvalidOptions> =>
  Effect.flatMap(Rules.resolve<Options<D>>()(rules, options), (settings) => {
    const problem = validateTogether(settings)
    return problem === undefined ? Effect.succeed(settings) : Effect.fail(problem)
  })
