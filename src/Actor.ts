/**
 * The one runtime of this library: a fiber that owns a resource behind an unbounded queue.
 *
 * Callers offer *items* and ask *queries*. Neighbours in the queue are handled as one batch. Queries are answered one
 * by one, in queue order: a query sees every item offered before it and none offered after it. The resource may be
 * available late, or never; the queue takes items meanwhile. On close the actor finishes what it has accepted and
 * gives the resource back.
 *
 * Guarantees: `unsafeOffer` waits for nothing and never throws. Batches, queries and the acquisition never overlap.
 * Every query gets an answer, also when the actor fails or is closed. Each step can be interrupted on its own without
 * ending the actor. A failure of `onBatch` or `acquire`, a defect too, ends it as `Failed`: items are refused, queries
 * fail, and `close` hands everything back.
 */
import { Deferred, type Duration, Effect, ExecutionStrategy, Scope, type Stream } from "effect"
import { constVoid } from "effect/Function"
import { type AskOptions, ask } from "./internal/actor/ask.js"
import * as Control from "./internal/actor/control.js"
import * as Engine from "./internal/actor/engine.js"
import type { ActorStopped, AskTimedOut } from "./internal/actor/errors.js"
import * as Intake from "./internal/actor/intake.js"
import * as Lifetime from "./internal/actor/lifetime.js"
import { type Leftover, type Options, resolve } from "./internal/actor/options.js"
import { changes, type Status, statusOf } from "./internal/actor/status.js"
import * as Arguments from "./internal/arguments.js"
import { withoutCallerContext } from "./internal/callerContext.js"
import { func, type InvalidOptions } from "./internal/options.js"

export type { AskOptions } from "./internal/actor/ask.js"
export type { Extension } from "./internal/actor/batches.js"
export type { Bound, Overflow } from "./internal/actor/bound.js"
export type { Control, Counts } from "./internal/actor/control.js"
export { ActorStopped, AskTimedOut } from "./internal/actor/errors.js"
export type { GapNote } from "./internal/actor/gaps.js"
export type { Batch } from "./internal/actor/mailbox.js"
export type { Leftover, Options } from "./internal/actor/options.js"
export type { Status } from "./internal/actor/status.js"
export { InvalidOptions } from "./internal/options.js"

/** The handle of an actor. */
export interface Actor<in out Resource, in out Item, out Report = Leftover<Resource, Item>> {
  /** Accepts an item or refuses it, at once. Never throws. */
  readonly unsafeOffer: (item: Item) => boolean
  /** Accepts an item; waits only under the policy `suspend`. `false`: refused. */
  readonly offer: (item: Item) => Effect.Effect<boolean>
  /** Accepts all items in order, or none. */
  readonly offerAll: (items: Iterable<Item>) => Effect.Effect<boolean>
  /**
   * Offers all items or none, and calls `answer` with where they went; `undefined`: refused. It is called at once, or
   * under the policy `suspend` as soon as there is room. The returned function ends such a wait.
   */
  readonly unsafeOfferAll: (
    items: ReadonlyArray<Item>,
    answer: (placed: Placed | undefined) => void
  ) => () => void
  /**
   * Runs a query on the resource, in queue order. It is tried once; its failure goes to its caller and changes nothing
   * else. If the caller is interrupted, a waiting query is skipped and a running one is interrupted.
   */
  readonly ask: <A, E>(
    query: (resource: Resource) => Effect.Effect<A, E>,
    options?: AskOptions
  ) => Effect.Effect<A, E | ActorStopped | AskTimedOut>
  /** Completes when every item accepted before it has been handled. */
  readonly flush: Effect.Effect<void, ActorStopped>
  /** Completes when the resource is available. Fails with the reason if it never is, also while a close is pending. */
  readonly ready: Effect.Effect<void, ActorStopped>
  readonly unsafeStatus: () => Status
  /** The present status first, the terminal one always; then it ends. */
  readonly statusChanges: Stream.Stream<Status>
  /** Finishes what was accepted and ends. All closers share one report; interrupting one abandons only its wait. */
  readonly close: Effect.Effect<Report>
  /**
   * `close` with a deadline; the earliest deadline wins. Returns within it and 100 ms. Dies with `InvalidOptions`, and
   * closes nothing, if it is no duration from 0.
   */
  readonly closeWithin: (duration: Duration.DurationInput) => Effect.Effect<Report>
  readonly control: Control.Control<Item>
}

/**
 * Where accepted items went: the position of the first queued one and how many were queued, fewer than were offered
 * when the policy dropped some. Positions count from 0 in queue order and name an item in `onDropped`.
 */
export interface Placed {
  readonly position: number
  readonly queued: number
}

const offerAll = <R, I>(
  { intake }: Engine.Engine<R, I>,
  items: ReadonlyArray<I>,
  answer: (placed: Placed | undefined) => void
): (() => void) => {
  const offered = Intake.offerAll(intake, items)
  if (offered._tag === "Waits") {
    const waiter = offered.park((position) =>
      answer(position === undefined ? undefined : { position, queued: items.length })
    )
    return () => Intake.cancelWaiter(intake, waiter)
  }
  answer(offered._tag === "Taken" ? offered : undefined)
  return constVoid
}

const handle = <R, I, Report>(
  engine: Engine.Engine<R, I>,
  control: Control.Control<I>,
  { close, closeWithin }: Lifetime.Lifetime<Report>
): Actor<R, I, Report> => {
  const offerItems = (items: ReadonlyArray<I>) =>
    Effect.async<boolean>((resume) =>
      Effect.sync(offerAll(engine, items, (placed) => resume(Effect.succeed(placed !== undefined))))
    )
  const { intake } = engine
  return {
    unsafeOffer: Intake.offererOf(intake),
    offer: (item) =>
      Effect.suspend(() =>
        intake.bound?.overflow === "suspend" ? offerItems([item]) : Effect.succeed(Intake.offer(intake, item))
      ),
    offerAll: (items) => Effect.suspend(() => offerItems(Array.from(items))),
    unsafeOfferAll: (items, answer) => offerAll(engine, items, answer),
    ask: (query, options) => ask(engine, query, options),
    flush: Effect.catchTag(
      ask(engine, () => Effect.void, { kind: "barrier" }),
      "AskTimedOut",
      Effect.die
    ),
    ready: Effect.suspend(() => {
      const wasClosed = engine.phase === "Closed"
      return Effect.mapError(Deferred.await(engine.acquired), (stopped) =>
        wasClosed ? Engine.stoppedError(engine) : stopped
      )
    }),
    unsafeStatus: () => statusOf(engine),
    statusChanges: changes(engine.statuses),
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
  define: (control: Control.Control<Item>) => Options<Resource, Item, Report, R>
): Effect.Effect<Actor<Resource, Item, Report>, InvalidOptions, Exclude<R, Scope.Scope> | Scope.Scope> =>
  Effect.gen(function* () {
    yield* Arguments.check("define", func("that returns options"), define)
    const control = Control.make<Resource, Item>(() => engine)
    const settings = yield* resolve(define(control))
    const context = withoutCallerContext(yield* Effect.context<Exclude<R, Scope.Scope>>())
    // Forked before the actor's finalizer is added: so the resource outlives the actor.
    const resourceScope = yield* Scope.fork(yield* Effect.scope, ExecutionStrategy.sequential)
    // The context has all that R needs but the scope.
    const acquire = settings.acquire.pipe(
      Effect.provideService(Scope.Scope, resourceScope),
      Effect.provide(context)
    ) as Effect.Effect<Resource, unknown>
    const engine: Engine.Engine<Resource, Item> = yield* Engine.make<Resource, Item>({ ...settings, acquire })
    return handle(engine, control, yield* Lifetime.start(engine, settings))
  })
