/** The options of an actor, their rules, and what it leaves when it has ended. */
import { type Cause, type Duration, Effect, type Option } from "effect"
import { constUndefined, constVoid } from "effect/Function"
import * as Rules from "../options.js"
import { type Bound, boundRule } from "./bound.js"
import type { Batch } from "./mailbox.js"

/** What is left when an actor has ended. Nothing of it was handled, but for `current`: that one was begun. */
export interface Leftover<out Resource, out Item> {
  /** None if it was never available. */
  readonly resource: Option.Option<Resource>
  /** The items of the batch under way. `onBatch` knows how much of it was done. */
  readonly current: ReadonlyArray<Item>
  /** Above 10,000, an item is looked up when it is first read: millions of them cost nothing until then. */
  readonly queued: ReadonlyArray<Item>
  /** The step under way ignored its interruption and may still be using the resource. */
  readonly busy: boolean
  /** Why it failed; none when it was closed in order, or by a deadline. */
  readonly cause: Option.Option<Cause.Cause<unknown>>
}

/** What an actor does, and how. */
export interface Options<Resource, Item, Report = Leftover<Resource, Item>, R = never> {
  /** Gets the resource. Its scope ends with the scope that the actor was made in, after the actor. */
  readonly acquire: Effect.Effect<Resource, unknown, R>
  /**
   * Handles a batch. The array belongs to the callee. `false` means: not finished, call again with the same batch (for
   * work in several steps, each with its own time limit). A failure ends the actor as `Failed`.
   */
  readonly onBatch: (resource: Resource, batch: Batch<Item>) => Effect.Effect<boolean | void, unknown>
  /** Does what needs no resource for the next full batch while another one is out. Pure. */
  readonly prepare?: ((resource: Resource, batch: Batch<Item>) => void) | undefined
  /** The most items of one batch. Default 1,000. */
  readonly maxBatchSize?: number | undefined
  /** The most items of one batch that the resource takes; the smaller of both holds. */
  readonly resourceMaxBatchSize?: ((resource: Resource) => number | undefined) | undefined
  /**
   * How long a batch waits for more items, from its first one. A full batch, a bound that is half reached, a request,
   * `control.hurry` and a close end the wait. Default 0: until the end of the event-loop turn. `"adaptive"`: up to 10 ms
   * while small batches follow each other closely.
   */
  readonly linger?: Duration.DurationInput | "adaptive" | undefined
  /** The longest that one call of `onBatch` may take, in milliseconds. Default: no limit. */
  readonly limit?: ((batch: Batch<Item>) => number) | undefined
  /** A call of `onBatch` exceeded its limit, was interrupted, and has ended. The batch is handled again next. */
  readonly onTimeout?: ((batch: Batch<Item>) => void) | undefined
  readonly bound?: Bound<Item> | undefined
  /** A queued item was dropped by the bound's policy; its position. */
  readonly onDropped?: ((position: number) => void) | undefined
  /** Items were refused while no step was under way: `onTick` is called only while there is one. */
  readonly onRefused?: (() => void) | undefined
  /** The actor has failed; its queue is handed back by `close`. */
  readonly onFailed?: ((cause: Cause.Cause<unknown>) => void) | undefined
  /** Called about once a second while a step is under way. */
  readonly onTick?: (() => void) | undefined
  /** Makes the one report that all closers get. Called once. */
  readonly report: (leftover: Leftover<Resource, Item>) => Report
  /** How long the scope's end waits for the actor to finish. Default 10 seconds. */
  readonly closeDeadline?: Duration.DurationInput | undefined
  /** Gets the report when the scope has ended before any call of `close`. */
  readonly onScopeClosed?: ((report: Report) => Effect.Effect<void>) | undefined
  /** For log lines. Default `actor`. */
  readonly name?: string | undefined
}

const noLimit = () => Number.POSITIVE_INFINITY

const rulesOf = <Item>() => ({
  acquire: Rules.that("an Effect", Effect.isEffect),
  onBatch: Rules.func("that gives an Effect"),
  prepare: Rules.optional(Rules.func()),
  maxBatchSize: Rules.or(Rules.whole(1), 1000),
  resourceMaxBatchSize: Rules.or(Rules.func("that gives a number"), constUndefined),
  linger: Rules.or(Rules.millisOr("adaptive"), 0),
  limit: Rules.or(Rules.func("that gives milliseconds"), noLimit),
  onTimeout: Rules.or(Rules.func(), constVoid),
  bound: Rules.optional(boundRule<Item>()),
  onDropped: Rules.or(Rules.func(), constVoid),
  onRefused: Rules.or(Rules.func(), constVoid),
  onFailed: Rules.or(Rules.func(), constVoid),
  onTick: Rules.or(Rules.func(), constVoid),
  report: Rules.func(),
  closeDeadline: Rules.or(Rules.millis(), 10_000),
  onScopeClosed: Rules.optional(Rules.func("that gives an Effect")),
  name: Rules.or(Rules.text, "actor")
})

/** The options of an actor with their defaults. */
export type Settings<Resource, Item, Report, R> = Rules.Resolved<
  Options<Resource, Item, Report, R>,
  ReturnType<typeof rulesOf<Item>>
>

/** The options with their defaults; fails with what is wrong with the first of them that cannot work. */
export const resolve = <Resource, Item, Report, R>(
  options: Options<Resource, Item, Report, R>
): Effect.Effect<Settings<Resource, Item, Report, R>, Rules.InvalidOptions> =>
  Rules.resolve<Options<Resource, Item, Report, R>>()(rulesOf<Item>(), options)
