/**
 * Watchers of keys, prefixes and ranges of a `ChangeLog`.
 *
 * One dispatcher reads the log once and tells every watcher what matches; who publishes never waits for it (but for
 * watchers with the policy `block`). A watcher has a bounded buffer. One that is slow is set aside, by its policy,
 * and holds up nobody else.
 *
 * Guarantees, with the policies `resync` and `block`: every revision that matches is told once, whole, and in order;
 * a watcher resumes after any revision that it was told; what cannot be told any more is announced, never skipped.
 * `conflate` keeps the order and the last event of each key; `drop-oldest` announces what it drops by a `Gap`;
 * `cancel` tells a part without a hole, and then ends.
 */
import {
  Cause,
  type Chunk,
  type Context,
  Deferred,
  type Duration,
  Effect,
  Exit,
  Layer,
  MetricLabel,
  Random,
  Scope,
  Stream
} from "effect"
import * as Actor from "./Actor.js"
import {
  type ChangeLog,
  type ChangeLogError,
  key as keyOf,
  type Selector,
  type Snapshot
} from "./ChangeLog.js"
import type { Change, Revision } from "./internal/log/events.js"
import { InvalidOptions, millisOf } from "./internal/options.js"
import { monotonicMillis } from "./internal/time.js"
import * as Dispatch from "./internal/watch/dispatcher.js"
import { type FollowOptions, wholeAbove0 } from "./internal/watch/followOptions.js"
import type { Frame, WatchEnded } from "./internal/watch/frames.js"
import { type Health, healthOf } from "./internal/watch/health.js"
import * as Opening from "./internal/watch/opening.js"
import { type FollowError, WatchRefused } from "./internal/watch/opening.js"
import * as Reader from "./internal/watch/reader.js"
import * as Registry from "./internal/watch/registry.js"
import * as Snapshots from "./internal/watch/snapshots.js"
import * as Metrics from "./Metrics.js"

export { InvalidOptions } from "./internal/options.js"
export type { Policy } from "./internal/watch/buffer.js"
export type { FollowOptions } from "./internal/watch/followOptions.js"
export { type Frame, WatchEnded } from "./internal/watch/frames.js"
export type { Health } from "./internal/watch/health.js"
export { type FollowError, WatchRefused } from "./internal/watch/opening.js"
export type { WatcherHealth } from "./internal/watch/reader.js"

/** A watcher, to be read by one reader. */
export interface Watcher<V> {
  /** Counted from 1, never used again. */
  readonly id: number
  readonly selector: Selector
  /** The next frame; waits for one. Fails with the reason when it has ended and everything was taken. */
  readonly take: Effect.Effect<Frame<V>, WatchEnded>
  /** All frames that wait; waits for the first. */
  readonly takeAll: Effect.Effect<Chunk.NonEmptyChunk<Frame<V>>, WatchEnded>
  /** The next frame, when there is one. */
  readonly unsafePoll: () => Frame<V> | undefined
  readonly frames: Stream.Stream<Frame<V>, WatchEnded>
  readonly health: Effect.Effect<Reader.WatcherHealth>
  /** Ends it as `Closed`; what was buffered can still be taken. Again: nothing. */
  readonly cancel: Effect.Effect<void>
}

/** A watcher of one key that lives as long as its handle. */
export interface Registration<V> {
  readonly id: number
  readonly key: string
  readonly receiver: Watcher<V>
  /** Unregisters it at once, as the end of the scope does. */
  readonly release: Effect.Effect<void>
  /** The receiver outlives the handle and its scope, until it is cancelled. */
  readonly detach: Effect.Effect<Watcher<V>>
}

export interface Watch<V> {
  /**
   * Appends a revision to the log. Does not wait for watchers, but for those with the policy `block`: then it
   * completes when the revision has been dispatched, or the log has given it up. The array may be used again
   * afterwards; values belong to the log.
   */
  readonly publish: (changes: ReadonlyArray<Change<V>>) => Effect.Effect<Revision, ChangeLogError>
  /** Follows one key from now on, as long as the scope lives. */
  readonly register: (
    key: string,
    options?: Pick<FollowOptions<V>, "buffer" | "policy" | "previous">
  ) => Effect.Effect<Registration<V>, FollowError, Scope.Scope>
  /** Follows what a selector matches, as long as the scope lives. */
  readonly open: (
    selector: Selector,
    options?: FollowOptions<V>
  ) => Effect.Effect<Watcher<V>, FollowError, Scope.Scope>
  /** {@link Watch.open} as a stream: it begins when the stream runs, and ends with it. */
  readonly follow: (
    selector: Selector,
    options?: FollowOptions<V>
  ) => Stream.Stream<Frame<V>, FollowError | WatchEnded>
  readonly health: Effect.Effect<Health>
  /**
   * Tells what is committed until now, then ends every watcher as `Closed`, within `closeDeadline`. It waits neither
   * for those who have no room nor for snapshots: their cursors say where they stood.
   */
  readonly close: Effect.Effect<void>
}

/** How a watch behaves; everything has a default. */
export interface Options<V> {
  /** Names it in metrics and log lines. Default `watch`. */
  readonly name?: string | undefined
  /** The most watchers. Default: no limit. */
  readonly maxWatchers?: number | undefined
  /**
   * How often the log is asked whether it is there, and watchers that wait are told how far it is. Jittered by
   * 10 %. Default 30 seconds; 0: never.
   */
  readonly heartbeat?: Duration.DurationInput | undefined
  /**
   * Where snapshots come from when the log keeps no state. Each must be of one revision of this log: the watch reads on
   * from there, and does not tell one whose revision the log cannot go on from. At most 8 are taken at once; one that
   * takes longer than a second does not count. It is never called in anybody else's turn.
   */
  readonly snapshots?: ((selector: Selector) => Effect.Effect<Snapshot<V>, ChangeLogError>) | undefined
  /** How long the end may take. Default 1 second. */
  readonly closeDeadline?: Duration.DurationInput | undefined
}

interface Runtime<V> extends Opening.Admission<V> {
  readonly actor: Actor.Actor<ChangeLog<V>, "wake", void>
  readonly heartbeat: number
}

const isSuspect = <V>({ dispatcher, heartbeat }: Runtime<V>): boolean =>
  heartbeat > 0 && dispatcher.millis() - dispatcher.answeredAt > 2 * heartbeat

const handleOf = <V>(runtime: Runtime<V>, watcher: Registry.Watcher<V>): Watcher<V> => {
  const { dispatcher } = runtime
  const { registry } = dispatcher
  return Reader.withSignal(watcher, {
    id: watcher.id,
    selector: watcher.selector,
    take: Reader.take(registry, watcher),
    takeAll: Reader.takeAll(registry, watcher),
    unsafePoll: () => Reader.poll(registry, watcher),
    frames: Stream.repeatEffectChunk(Reader.takeAll(registry, watcher)),
    health: Effect.sync(() => Reader.healthOf(dispatcher, watcher, isSuspect(runtime))),
    cancel: Opening.cancel(runtime, watcher)
  })
}

const open = <V>(
  runtime: Runtime<V>,
  selector: Selector,
  options: FollowOptions<V>
): Effect.Effect<Watcher<V>, FollowError, Scope.Scope> =>
  Effect.map(Opening.open(runtime, selector, options), (watcher) => handleOf(runtime, watcher))

const register = <V>(
  runtime: Runtime<V>,
  key: string,
  options: FollowOptions<V>
): Effect.Effect<Registration<V>, FollowError, Scope.Scope> =>
  Effect.uninterruptibleMask((restore) =>
    Effect.gen(function* () {
      const own = yield* Scope.make()
      const receiver = yield* restore(open(runtime, keyOf(key), { policy: "cancel", ...options })).pipe(
        Scope.extend(own),
        Effect.onError((cause) => Scope.close(own, Exit.failCause(cause)))
      )
      let detached = false
      const release = Effect.suspend(() => (detached ? Effect.void : Scope.close(own, Exit.void)))
      yield* Effect.addFinalizer(() => release)
      return {
        id: receiver.id,
        key,
        receiver,
        release,
        detach: Effect.sync(() => {
          detached = true
          return receiver
        })
      }
    })
  )

const publishing = <V>({ dispatcher: { registry }, log }: Runtime<V>): Watch<V>["publish"] => {
  const append = log.append.now ?? log.append
  const appendAndWait = (changes: ReadonlyArray<Change<V>>) =>
    Effect.tap(log.append(changes), (revision) =>
      Effect.async<void>((resume) =>
        Effect.sync(Registry.whenDispatched(registry, revision, () => resume(Effect.void)))
      )
    )
  return (changes) =>
    Effect.suspend(() => (registry.blocking === 0 ? append(changes) : appendAndWait(changes)))
}

const heartbeats = <V>(runtime: Runtime<V>): Effect.Effect<void> => {
  const { actor, dispatcher, heartbeat } = runtime
  const { registry, source } = dispatcher
  const answered = (head: Revision): void => {
    dispatcher.head = head
    dispatcher.answeredAt = dispatcher.millis()
    if (registry.position === undefined) return
    // A doorbell that did not ring costs a heartbeat at most.
    if (head.seq !== registry.position.seq || head.epoch !== registry.position.epoch) registry.ring()
    Dispatch.signalProgress(dispatcher)
  }
  const ask = actor.ask(() =>
    Effect.matchEffect(source.head, {
      onSuccess: ({ head }) => Effect.sync(() => answered(head)),
      // The next pass asks until it is answered, and says meanwhile why it is not.
      onFailure: () => Effect.sync(registry.ring)
    })
  )
  const pause = Effect.flatMap(Random.nextRange(0.9, 1.1), (factor) => Effect.sleep(heartbeat * factor))
  const next = Effect.zipRight(pause, Effect.exit(ask))
  return Effect.asVoid(Effect.repeat(next, { while: () => dispatcher.failure === undefined }))
}

const endAll = <V>(
  runtime: Runtime<V>,
  reason: "Closed" | "Failed",
  message: string,
  cause?: unknown
): void => {
  const { registry } = runtime.dispatcher
  for (const watcher of [...registry.watchers.values()])
    Registry.end(registry, watcher, reason, message, cause)
  runtime.setGauge()
}

const optionProblem = <V>({ maxWatchers, name, snapshots }: Options<V>): InvalidOptions | undefined => {
  if (maxWatchers !== undefined && wholeAbove0(maxWatchers) !== undefined) {
    return new InvalidOptions({ option: "maxWatchers", message: "must be a whole number above 0" })
  }
  if (name !== undefined && typeof name !== "string") {
    return new InvalidOptions({ option: "name", message: "must be a string" })
  }
  return snapshots !== undefined && typeof snapshots !== "function"
    ? new InvalidOptions({ option: "snapshots", message: "must be a function" })
    : undefined
}

/**
 * Makes a watch over a log; returns at once, and is closed with its scope. It reads nothing while nobody follows. While
 * the log does not answer it is asked again, from 50 ms to every 2 s, and `health` says so.
 */
export const make = <V>(
  log: ChangeLog<V>,
  options: Options<V> = {}
): Effect.Effect<Watch<V>, InvalidOptions, Scope.Scope> =>
  Effect.gen(function* () {
    const wrong = optionProblem(options)
    if (wrong !== undefined) return yield* wrong
    const heartbeat = millisOf("heartbeat", options.heartbeat ?? "30 seconds")
    if (typeof heartbeat !== "number") return yield* heartbeat
    const name = options.name ?? "watch"
    const clock = yield* Effect.clock
    const labels = [MetricLabel.make("watch", name)]
    let isClosed = false
    let pending = false
    const ring = (): void => {
      if (pending || registry.watchers.size === 0) return
      pending = true
      actor.unsafeOffer("wake")
    }
    const registry: Registry.Registry<V> = Registry.make(ring)
    const dispatcher: Dispatch.Dispatcher<V> = {
      registry,
      source: {
        read: log.read,
        head: log.head,
        snapshot: snapshotsOf(log, options),
        isExternal: options.snapshots !== undefined,
        slots: yield* Effect.makeSemaphore(Snapshots.maxSlots)
      },
      nanos: () => clock.unsafeCurrentTimeNanos(),
      millis: () => monotonicMillis(clock),
      head: undefined,
      answeredAt: monotonicMillis(clock),
      cause: undefined,
      closing: false,
      failure: undefined
    }
    const refused = yield* Deferred.make<never, WatchRefused>()
    const refuse = (error: WatchRefused): void => Deferred.unsafeDone(refused, error)
    const failed = (error: unknown): void => {
      if (dispatcher.closing || dispatcher.failure !== undefined) return
      const cause = Cause.isCause(error) ? Cause.squash(error) : error
      dispatcher.failure = { cause }
      endAll(runtime, "Failed", "its log failed", cause)
      const message = "the watch has failed: make another one"
      refuse(new WatchRefused({ reason: "Log", message, cause }))
    }
    const onBatch = Effect.suspend(() => {
      pending = false
      return Effect.catchAll(Dispatch.pass(dispatcher), (error) => Effect.sync(() => failed(error)))
    })
    const actor: Actor.Actor<ChangeLog<V>, "wake", void> = yield* Actor.make<ChangeLog<V>, "wake", void>(
      () => ({
        name,
        acquire: Effect.succeed(log),
        onBatch: () => onBatch,
        onFailed: failed,
        closeDeadline: options.closeDeadline ?? "1 second",
        report: () => undefined
      })
    )
    const runtime: Runtime<V> = {
      log,
      dispatcher,
      actor,
      heartbeat,
      maxWatchers: options.maxWatchers ?? Number.POSITIVE_INFINITY,
      hasSnapshots: log.state === "latest" || options.snapshots !== undefined,
      lastId: 0,
      refused,
      inTurn: (effect) =>
        Effect.catchTags(
          actor.ask(() => effect),
          { ActorStopped: () => Deferred.await(refused), AskTimedOut: Effect.die }
        ),
      setGauge: () => Metrics.watchers.unsafeUpdate(registry.watchers.size, labels)
    }
    const close = Effect.suspend(() => {
      ring()
      dispatcher.closing = true
      refuse(new WatchRefused({ reason: "Closed", message: "the watch is closed" }))
      return Effect.zipRight(
        actor.closeWithin(options.closeDeadline ?? "1 second"),
        Effect.sync(() => {
          isClosed = true
          endAll(runtime, "Closed", "the watch was closed")
        })
      )
    })
    yield* log.doorbell(ring)
    if (heartbeat > 0) yield* Effect.forkScoped(Effect.interruptible(heartbeats(runtime)))
    yield* Effect.addFinalizer(() => close)
    return {
      publish: publishing(runtime),
      register: (key, options = {}) => register(runtime, key, options),
      open: (selector, options = {}) => open(runtime, selector, options),
      follow: (selector, options = {}) =>
        Stream.unwrapScoped(Effect.map(open(runtime, selector, options), ({ frames }) => frames)),
      health: Effect.sync(() => healthOf(dispatcher, isClosed, isSuspect(runtime))),
      close
    }
  })

const snapshotsOf = <V>(log: ChangeLog<V>, { snapshots }: Options<V>): Snapshots.Source<V>["snapshot"] => {
  if (snapshots !== undefined) return snapshots
  // The selector was checked when its watcher began.
  return (selector) => Effect.catchTag(log.snapshot(selector), "InvalidSelector", Effect.die)
}

/**
 * A layer with a watch over a log, under a tag of your own:
 *
 * ```ts
 * class Changes extends Context.Tag("Changes")<Changes, Watch.Watch<Order>>() {}
 * ```
 */
export const layer = <Id, V, E, R>(
  tag: Context.Tag<Id, Watch<V>>,
  log: Effect.Effect<ChangeLog<V>, E, R>,
  options: Options<V> = {}
): Layer.Layer<Id, E | InvalidOptions, Exclude<R, Scope.Scope>> =>
  Layer.scoped(
    tag,
    Effect.flatMap(log, (log) => make(log, options))
  )
