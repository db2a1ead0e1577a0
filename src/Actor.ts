/**
 * The one runtime of this library: a fiber that owns a resource behind an unbounded queue.
 *
 * Callers offer *items* and ask *questions*. Items that stand next to each other in the queue are handled as one
 * batch, questions stand alone and in order: a question sees every item offered before it and none offered after it.
 * The resource may come late, or never; the queue takes items meanwhile. On close the actor finishes what it has
 * accepted and gives the resource back.
 *
 * Guarantees: `unsafeOffer` waits for nothing and never throws. Batches, questions and the acquisition never
 * overlap. Every question gets an answer, also when the actor fails or is closed. Each step can be interrupted on its
 * own without ending the actor. A failure of `onBatch` or `acquire`, a defect too, ends it as `Failed`:
 * items are refused, questions fail, and `close` hands everything back.
 */
import {
  Cause,
  Context,
  Deferred,
  type Duration,
  Effect,
  ExecutionStrategy,
  Exit,
  Option,
  Scope,
  type Stream
} from "effect"
import { constVoid } from "effect/Function"
import {
  type ActorStopped,
  type AskOptions,
  type AskTimedOut,
  ask,
  stoppedError
} from "./internal/actor/ask.js"
import { type Bound, invalidBound } from "./internal/actor/bound.js"
import * as Engine from "./internal/actor/engine.js"
import * as Intake from "./internal/actor/intake.js"
import type * as Mailbox from "./internal/actor/mailbox.js"
import { type Status, statusOf, type Trouble } from "./internal/actor/status.js"
import * as Statuses from "./internal/actor/statuses.js"
import { forceClose, requestClose, supervise } from "./internal/actor/supervisor.js"
import { InvalidOptions, millisOf } from "./internal/options.js"
import { inSlices } from "./internal/slices.js"
import { withoutSurroundings } from "./internal/surroundings.js"
import { monotonicMillis } from "./internal/time.js"
import { CurrentTurn } from "./internal/turn.js"

export { ActorStopped, type AskOptions, AskTimedOut } from "./internal/actor/ask.js"
export type { Bound, GapNote, Overflow } from "./internal/actor/bound.js"
export type { Batch } from "./internal/actor/mailbox.js"
export type { Status } from "./internal/actor/status.js"
export { InvalidOptions } from "./internal/options.js"

/** What is left when an actor has ended. Nothing of it was handled, but for `current`: that one was begun. */
export interface Leftover<out Resource, out Item> {
  /** None when it never came. */
  readonly resource: Option.Option<Resource>
  /** The items of the batch under way; how far it came is known to `onBatch`. */
  readonly current: ReadonlyArray<Item>
  /** Above 10,000, an item is looked up when it is first read: millions of them cost nothing until then. */
  readonly queued: ReadonlyArray<Item>
  /** The step under way ignored its interruption and may still be using the resource. */
  readonly busy: boolean
  /** Why it failed; none when it was closed in order, or by a deadline. */
  readonly cause: Option.Option<Cause.Cause<unknown>>
}

/** What the behavior of an actor may tell it, and ask of it, once it runs. All of it is synchronous. */
export interface Control<in out Item> {
  /**
   * This many items of the present batch have an outcome: they take no more room. `bytes` is the sum of their sizes.
   * For a behavior that settles a batch in parts; the end of a batch settles the rest of it.
   */
  readonly settle: (count: number, bytes: number) => void
  /** Puts the next items of the queue behind the present batch, passing over questions that read nothing. */
  readonly takeMore: () => Extension
  /**
   * Handles items again that were settled before, as a batch of their own before what is queued. They take room again,
   * cannot be dropped, and are the first of `Rest.queued` when their turn has not come.
   */
  readonly requeue: (items: Array<Item>, sizes: Array<number> | undefined) => Mailbox.Batch<Item>
  /** The resource is away, or back (`undefined`). Shown as `Degraded`, `Starting` or `Closing` with its cause. */
  readonly setOutage: (cause: { readonly cause: unknown; readonly attempt: number } | undefined) => void
  /** Publishes the present status: something has changed that it says. */
  readonly statusChanged: () => void
  /** Runs an effect, such as a log line, beside the steps. */
  readonly runInBackground: (effect: Effect.Effect<void>) => void
  /** When the present step began, in nanoseconds of the clock. */
  readonly stepStartedAt: () => bigint
  /** The accepting side, for a part that keeps accounts of its own. */
  readonly intake: Intake.Intake<Item>
}

/** How many items a batch was extended by, and the position of the first of them. */
export interface Extension {
  readonly count: number
  readonly first: number
}

export interface Options<Resource, Item, Report = Leftover<Resource, Item>, R = never> {
  /** Gets the resource. Its scope ends with the scope that the actor was made in, after the actor. */
  readonly acquire: Effect.Effect<Resource, unknown, R>
  /**
   * Handles a batch. The array belongs to the callee. `false` means: not finished, call again with the same batch (for
   * work in several steps, each with its own time limit). A failure ends the actor as `Failed`.
   */
  readonly onBatch: (resource: Resource, batch: Mailbox.Batch<Item>) => Effect.Effect<boolean | void, unknown>
  /** Does what needs no resource for the next full batch while another one is out. Pure. */
  readonly prepare?: ((resource: Resource, batch: Mailbox.Batch<Item>) => void) | undefined
  /** The most items of one batch, or how to learn it from the resource. Default 1,000. */
  readonly maxBatchSize?: number | undefined
  readonly resourceMaxBatchSize?: ((resource: Resource) => number | undefined) | undefined
  /**
   * How long a batch waits for more items, unless it is full, the bound is reached, a question comes or the actor is
   * closed. Default 0: until the end of the event-loop turn.
   */
  readonly linger?: Duration.DurationInput | undefined
  /** The longest that one call of `onBatch` may take. Default: no limit. */
  readonly limit?: ((batch: Mailbox.Batch<Item>) => number) | undefined
  /** A call of `onBatch` overran its limit, was interrupted, and has ended. The batch is handled again next. */
  readonly onTimeout?: ((batch: Mailbox.Batch<Item>) => void) | undefined
  readonly bound?: Bound<Item> | undefined
  /** A queued item was dropped by the bound's policy; its position. */
  readonly onDropped?: ((position: number) => void) | undefined
  /** Items were refused while no step was under way: `onTick` comes only while there is one. */
  readonly onRefused?: (() => void) | undefined
  /** The actor has failed; its queue is handed back by `close`. */
  readonly onFailed?: ((cause: Cause.Cause<unknown>) => void) | undefined
  /** Called about once a second while a step is under way. */
  readonly onTick?: (() => void) | undefined
  /** Makes the one report that all closers get. Called once. */
  readonly report: (rest: Leftover<Resource, Item>) => Report
  /** How long the scope's end waits for the actor to finish. Default 10 seconds. */
  readonly closeDeadline?: Duration.DurationInput | undefined
  /** Told the report when the scope has ended before anybody called `close`. */
  readonly onScopeClosed?: ((report: Report) => Effect.Effect<void>) | undefined
  /** For log lines. */
  readonly name?: string | undefined
}

export interface Actor<in out Resource, in out Item, out Report = Leftover<Resource, Item>> {
  /** Accepts an item or refuses it, at once. Never throws. */
  readonly unsafeOffer: (item: Item) => boolean
  /** Accepts an item; waits only under the policy `suspend`. False: refused. */
  readonly offer: (item: Item) => Effect.Effect<boolean>
  /** Accepts all items in order, or none. */
  readonly offerAll: (items: Iterable<Item>) => Effect.Effect<boolean>
  /**
   * Offers all items or none, and tells `answer` where they went; undefined: refused. It is told at once, but under the
   * policy `suspend`, when it is told as soon as there is room. The returned function ends such a wait.
   */
  readonly unsafeOfferAll: (
    items: ReadonlyArray<Item>,
    answer: (placed: Placed | undefined) => void
  ) => () => void
  /**
   * Runs a question on the resource, in queue order. It is tried once; its failure goes to its caller and changes
   * nothing else. When the caller goes away, a waiting question is skipped and a running one is interrupted.
   */
  readonly ask: <A, E>(
    question: (resource: Resource) => Effect.Effect<A, E>,
    options?: AskOptions
  ) => Effect.Effect<A, E | ActorStopped | AskTimedOut>
  /** Completes when every item accepted before it has been handled. */
  readonly flush: Effect.Effect<void, ActorStopped>
  /** Completes when the resource is there. */
  readonly ready: Effect.Effect<void, ActorStopped>
  readonly unsafeStatus: () => Status
  /** The present status first, the terminal one always; then it ends. */
  readonly statusChanges: Stream.Stream<Status>
  /** Finishes what was accepted and ends. All closers share one report; interrupting one abandons only its wait. */
  readonly close: Effect.Effect<Report>
  /** `close` with a deadline; the earliest deadline wins. Returns within it and 100 ms. */
  readonly closeWithin: (duration: Duration.DurationInput) => Effect.Effect<Report>
  readonly control: Control<Item>
}

/**
 * Where accepted items went: the position of the first queued one and how many were queued, fewer than were offered
 * when the policy dropped some. Positions count from 0 in queue order and name an item in `onDropped`.
 */
export interface Placed {
  readonly position: number
  readonly queued: number
}

const wholeAbove0 = (n: number): boolean => Number.isSafeInteger(n) && n > 0

const millis = (option: string, input: Duration.DurationInput): Effect.Effect<number, InvalidOptions> => {
  const found = millisOf(option, input)
  return typeof found === "number" ? Effect.succeed(found) : found
}

const offerAll = <R, I>(
  engine: Engine.Engine<R, I>,
  items: ReadonlyArray<I>,
  answer: (placed: Placed | undefined) => void
): (() => void) => {
  const offered = Intake.offerAll(engine.intake, items)
  if (offered._tag === "Waits") {
    const waiter = offered.park((position) =>
      answer(position === undefined ? undefined : { position, queued: items.length })
    )
    return () => Intake.cancelWaiter(engine.intake, waiter)
  }
  answer(offered._tag === "Taken" ? offered : undefined)
  return constVoid
}

const handle = <R, I, Report>(
  engine: Engine.Engine<R, I>,
  statuses: Statuses.Statuses<Status>,
  control: Control<I>,
  status: () => Status,
  close: Effect.Effect<Report>,
  closeWithin: (duration: Duration.DurationInput) => Effect.Effect<Report>
): Actor<R, I, Report> => {
  const offerItems = (items: ReadonlyArray<I>) =>
    Effect.async<boolean>((resume) =>
      Effect.sync(offerAll(engine, items, (placed) => resume(Effect.succeed(placed !== undefined))))
    )
  const intake = engine.intake
  return {
    unsafeOffer:
      intake.bound === undefined && !intake.lingers
        ? (item) => Intake.offerUnbounded(intake, item)
        : (item) => Intake.offer(intake, item),
    offer: (item) =>
      Effect.suspend(() =>
        engine.intake.bound?.overflow === "suspend"
          ? offerItems([item])
          : Effect.succeed(Intake.offer(engine.intake, item))
      ),
    offerAll: (items) => Effect.suspend(() => offerItems(Array.from(items))),
    unsafeOfferAll: (items, answer) => offerAll(engine, items, answer),
    ask: (question, options) => ask(engine, question, options),
    flush: Effect.catchTag(
      ask(engine, () => Effect.void, { kind: "barrier" }),
      "AskTimedOut",
      Effect.die
    ),
    ready: Effect.catchAll(Deferred.await(engine.acquired), () => Effect.suspend(() => stoppedError(engine))),
    unsafeStatus: status,
    statusChanges: Statuses.changes(statuses),
    close,
    closeWithin,
    control
  }
}

/**
 * Starts an actor; returns at once. It is closed with its scope, within `closeDeadline`. Wrong options fail here. It
 * runs without its maker's transaction and parent span.
 */
export const make = <Resource, Item, Report = Leftover<Resource, Item>, R = never>(
  define: (control: Control<Item>) => Options<Resource, Item, Report, R>
): Effect.Effect<Actor<Resource, Item, Report>, InvalidOptions, Exclude<R, Scope.Scope> | Scope.Scope> =>
  Effect.gen(function* () {
    let trouble: Trouble | undefined
    const control: Control<Item> = {
      settle: (count, bytes) => Engine.settle(engine, count, bytes),
      takeMore: () => Engine.takeMore(engine),
      requeue: (items, sizes) => Engine.requeue(engine, items, sizes),
      setOutage: (next) => {
        if (next === undefined && trouble === undefined) return
        trouble = next === undefined ? undefined : { ...next, since: trouble?.since ?? now() }
        publish()
      },
      statusChanged: () => publish(),
      runInBackground: (effect) => Engine.runInBackground(engine, effect),
      stepStartedAt: () => engine.startedAt,
      get intake() {
        return engine.intake
      }
    }
    const options = define(control)
    const maxBatchSize = options.maxBatchSize ?? 1000
    if (!wholeAbove0(maxBatchSize)) {
      return yield* new InvalidOptions({ option: "maxBatchSize", message: "must be a whole number above 0" })
    }
    const wrongBound = options.bound === undefined ? undefined : invalidBound(options.bound)
    if (wrongBound !== undefined) return yield* wrongBound
    const linger = yield* millis("linger", options.linger ?? 0)
    const closeDeadline = yield* millis("closeDeadline", options.closeDeadline ?? "10 seconds")
    const name = options.name ?? "actor"

    const context = withoutSurroundings(yield* Effect.context<Exclude<R, Scope.Scope>>())
    const clock = yield* Effect.clock
    const turn = yield* CurrentTurn
    const scope = yield* Effect.scope
    const now = () => clock.unsafeCurrentTimeMillis()
    // Forked before the finalizer below is added: so the resource outlives the actor.
    const resourceScope = yield* Scope.fork(scope, ExecutionStrategy.sequential)

    const publish = () => {
      const status = statusOf(engine, trouble)
      Statuses.publish(statuses, status, status._tag === "Closed" || status._tag === "Failed")
    }
    const closed = yield* Deferred.make<Report>()
    const monotonic = () => monotonicMillis(clock)
    const engine: Engine.Engine<Resource, Item> = Engine.make({
      turn,
      monotonic,
      clock,
      linger,
      closeRequested: yield* Deferred.make<void>(),
      acquired: yield* Deferred.make<void, Cause.Cause<unknown>>(),
      intake: Intake.make<Item>({
        limit: maxBatchSize,
        bound: options.bound,
        lingers: linger > 0,
        now,
        monotonic,
        inSlices: inSlices(turn, clock),
        events: {
          work: () => Engine.signal(engine),
          noRoom: () => Engine.stopLingering(engine),
          dropped: options.onDropped ?? constVoid,
          refused: () => {
            if (engine.step === 0) options.onRefused?.()
          },
          gapOpened: (reason) =>
            control.runInBackground(
              Effect.logWarning(`${name}: the bound is reached, records are being dropped (${reason})`)
            ),
          grown: (pending) =>
            control.runInBackground(Effect.logWarning(`${name}: ${pending} records are pending`))
        }
      }),
      behavior: {
        acquire: options.acquire.pipe(
          Effect.provideService(Scope.Scope, resourceScope),
          Effect.provide(context)
        ) as Effect.Effect<Resource, unknown>,
        onBatch: options.onBatch,
        prepare: options.prepare,
        maxBatchSize: (resource) => {
          const most = options.resourceMaxBatchSize?.(resource)
          return most !== undefined && wholeAbove0(most) ? Math.min(most, maxBatchSize) : maxBatchSize
        },
        limit: options.limit ?? (() => Number.POSITIVE_INFINITY),
        onTimeout: options.onTimeout ?? constVoid,
        onTick: options.onTick ?? constVoid,
        onClosing: publish,
        onPhase: () => {
          trouble = undefined
          if (engine.phase === "Failed") options.onFailed?.(engine.cause ?? Cause.empty)
          publish()
        }
      }
    })
    const statuses = Statuses.make<Status>(statusOf(engine, undefined))

    const reportOf = (rest: Engine.Rest<Resource, Item>): Report =>
      options.report({
        resource: Option.fromNullable(rest.resource),
        current: rest.current?.items ?? [],
        queued: rest.queued,
        busy: rest.busy,
        cause: Option.fromNullable(rest.cause)
      })
    const finish = (report: Report): void => {
      publish()
      Deferred.unsafeDone(closed, Exit.succeed(report))
    }
    let delivered = false
    const report = Effect.tap(Deferred.await(closed), () => {
      delivered = true
    })
    const close = Effect.suspend(() => {
      requestClose(engine)
      return report
    })
    const closeWithin = (duration: Duration.DurationInput) =>
      Effect.suspend(() => {
        requestClose(engine)
        // A daemon: the deadline holds also when this closer is interrupted.
        return Effect.raceFirst(
          Effect.asVoid(Deferred.await(closed)),
          Effect.andThen(Effect.sleep(duration), forceClose(engine))
        ).pipe(Effect.interruptible, Effect.forkDaemon, Effect.zipRight(report))
      })
    // Not to be interrupted in between: an actor that runs is closed by its scope.
    yield* supervise(engine, reportOf).pipe(
      Effect.map(finish),
      Effect.mapInputContext((_: Context.Context<never>) => Context.empty()),
      Effect.forkDaemon,
      Effect.zipRight(
        Effect.addFinalizer(() =>
          Effect.gen(function* () {
            const untold = !delivered
            const rest = yield* closeWithin(closeDeadline)
            if (untold && options.onScopeClosed !== undefined) yield* options.onScopeClosed(rest)
          })
        )
      ),
      Effect.uninterruptible
    )

    return handle(engine, statuses, control, () => statusOf(engine, trouble), close, closeWithin)
  })
