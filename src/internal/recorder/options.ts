/** The options of a recorder, and their rules. */
import { type Duration, type Effect, Schedule } from "effect"
import type { Bound } from "../../Actor.js"
import type { MemoryOptions, StorageError } from "../../Storage.js"
import { check, handle } from "../arguments.js"
import type { Columns } from "../columns/columns.js"
import * as Rules from "../options.js"
import type { CloseReport } from "./closeReport.js"
import type { SetAside } from "./deadLetters.js"

/** How a recorder behaves; everything has a default. */
export interface Options<in out Record> {
  /** Names it in metrics, spans and log lines. Default `recorder`. */
  readonly name?: string | undefined
  /** The most records of one save. Default 1,000; a storage may name a smaller number. */
  readonly maxBatchSize?: number | undefined
  /**
   * How long a batch waits for more records, from its first one. Default `"adaptive"`: the first record after a pause is
   * saved at the end of its event-loop turn. While small saves follow each other closely, the next one waits up to 10 ms,
   * or until it holds 100 records. A duration fixes the wait, 0 turns it off. A `saveDurable`, `load`, `flush` or `close`,
   * a full batch and a bound that is half reached end it. The `Clock` of Effect measures it: on a clock that stands, such
   * as an unmoved `TestClock`, nothing follows closely, and nothing waits.
   */
  readonly linger?: Duration.DurationInput | "adaptive" | undefined
  /** The longest that one save, or one call of the dead-letter sink, may take. Default 30 seconds. */
  readonly saveTimeout?: Duration.DurationInput | undefined
  /** The longest that one `load` may take once it is its turn. Default 30 seconds. */
  readonly loadTimeout?: Duration.DurationInput | undefined
  /** When a save is tried again. Default {@link defaultRetry}. When it ends, the failure counts as fatal. */
  readonly retry?: Schedule.Schedule<unknown, StorageError> | undefined
  /** What a fatal failure does: stop the recorder as `Failed` (the default), or set the records aside and go on. */
  readonly onFatal?: "stop" | "set-aside" | undefined
  /**
   * The dead-letter sink: takes the records that cannot be stored. Tried 3 times; then the record is handed back by
   * `close` with the reason `SinkFailed`. Without a sink, records set aside stay with the recorder. See `maxHeld`.
   */
  readonly deadLetters?: ((entry: SetAside<Record>) => Effect.Effect<void, unknown>) | undefined
  /**
   * The most records that stay with the recorder after they could not be stored: set aside without a sink, or refused by
   * it. A whole number from 0; default 10,000. They take no room of `bound`. Beyond it the oldest are released from
   * memory: counted as set aside and as `released`, and nothing names them any more. An interval of releases leaves one
   * log line and one gap note. It ends with a `redrive`, or when no record was released for a minute.
   */
  readonly maxHeld?: number | undefined
  /** Bounds what is pending, and decides what happens over it. Default: unbounded, with a warning per doubling. */
  readonly bound?: Bound<Record> | undefined
  /** How long the end of the scope waits for the drain. Default 10 seconds. */
  readonly closeDeadline?: Duration.DurationInput | undefined
  /** Gets what was not written when the scope has ended before any call of `close`. */
  readonly onClosed?: ((report: CloseReport<Record>) => Effect.Effect<void>) | undefined
}

/** Exponential from 100 ms by factor 2, at most 30 s, jittered by 20 %, for ever. */
export const defaultRetry: Schedule.Schedule<unknown, unknown> = Schedule.exponential("100 millis", 2).pipe(
  Schedule.union(Schedule.spaced("30 seconds")),
  Schedule.jittered
)

/** The part below has this option too, and checks it. */
const checkedBelow = Rules.optional(Rules.anything)

const rules = {
  name: Rules.or(Rules.text, "recorder"),
  maxBatchSize: checkedBelow,
  linger: Rules.or(Rules.anything, "adaptive" as const),
  saveTimeout: Rules.or(Rules.millis("above 0"), 30_000),
  loadTimeout: Rules.or(Rules.millis("above 0"), 30_000),
  retry: Rules.or(Rules.schedule, defaultRetry),
  onFatal: Rules.or(Rules.oneOf("stop", "set-aside"), "stop" as const),
  deadLetters: Rules.optional(Rules.func("that gives an Effect")),
  maxHeld: Rules.or(Rules.whole(0, "records"), 10_000),
  bound: checkedBelow,
  closeDeadline: checkedBelow,
  onClosed: Rules.optional(Rules.func("that gives an Effect"))
}

/** The options of a recorder with their defaults. */
export type Settings<Record> = Rules.Resolved<Options<Record>, typeof rules>

export const resolve = <Record>(
  options: Options<Record>
): Effect.Effect<Settings<Record>, Rules.InvalidOptions> => Rules.resolve<Options<Record>>()(rules, options)

const memoryRules = { ...rules, table: checkedBelow, columns: checkedBelow, id: checkedBelow }

/** Fails if what a recorder is to stand on is no storage. */
export const checkStorage = (given: unknown): Effect.Effect<void, Rules.InvalidOptions> =>
  check("storage", handle("a Storage", "save"), given)

/** Checks the options of a recorder of a storage in memory. `Storage.memory` has the rules of its own. */
export const resolveMemory = <Record>(
  options: Options<Record> & Partial<MemoryOptions<Columns>>
): Effect.Effect<unknown, Rules.InvalidOptions> => Rules.resolve<typeof options>()(memoryRules, options)
