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
import { appendNow } from "./internal/log/changeLog.js"
import type { Change, Revision } from "./internal/log/events.js"
import { func, type InvalidOptions, millis, optional, or, resolve, text, whole } from "./internal/options.js"
import * as Dispatch from "./internal/watch/dispatcher.js"
import * as State from "./internal/watch/dispatcherState.js"
import { type FollowOptions, type RegisterOptions, resolveRegister } from "./internal/watch/followOptions.js"
import type { Frame, WatchEnded } from "./internal/watch/frames.js"
import { type Health, healthOf } from "./internal/watch/health.js"
import * as Heartbeat from "./internal/watch/heartbeat.js"
import * as Opening from "./internal/watch/opening.js"
import { type FollowError, WatchRefused } from "./internal/watch/opening.js"
import * as Reader from "./internal/watch/reader.js"
import * as Registry from "./internal/watch/registry.js"
import * as Snapshots from "./internal/watch/snapshots.js"
import * as Internal from "./internal/watch/watcher.js"
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
  /**
   * Calls `onReady` once when a frame or the end can be taken, perhaps at once; returns how to stop waiting. For an
   * adapter that serves very many watchers: a fiber that waits for each costs more. Instead of `take`, not beside it.
   */
  readonly unsafeWhenReady: (onReady: () => void) => () => void
  /** Why it has ended, once everything was taken. */
  readonly unsafeEnded: () => WatchEnded | undefined
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
    options?: RegisterOptions<V>
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
  readonly closeDeadline: number
}

const handleOf = <V>(runtime: Runtime<V>, watcher: Internal.Watcher<V>): Watcher<V> => {
  const { dispatcher } = runtime
  const { registry } = dispatcher
  return {
    id: watcher.id,
    selector: watcher.selector,
    take: Reader.take(registry, watcher),
    takeAll: Reader.takeAll(registry, watcher),
    unsafePoll: () => Reader.poll(registry, watcher),
    unsafeWhenReady: (onReady) => Internal.whenReady(watcher, onReady),
    unsafeEnded: () => Reader.endedError(watcher),
    frames: Stream.repeatEffectChunk(Reader.takeAll(registry, watcher)),
    health: Effect.sync(() => Reader.healthOf(dispatcher, watcher)),
    cancel: Opening.cancel(runtime, watcher)
  }
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
  options: RegisterOptions<V>
): Effect.Effect<Registration<V>, FollowError, Scope.Scope> =>
  Effect.uninterruptibleMask((restore) =>
    Effect.gen(function* () {
      const follow = yield* resolveRegister(options)
      const own = yield* Scope.make()
      const receiver = yield* restore(open(runtime, keyOf(key), follow)).pipe(
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
  const append = appendNow(log) ?? log.append
  const appendAndWait = (changes: ReadonlyArray<Change<V>>) =>
    Effect.tap(log.append(changes), (revision) =>
      Effect.async<void>((resume) =>
        Effect.sync(Registry.whenDispatched(registry, revision, () => resume(Effect.void)))
      )
    )
  return (changes) =>
    Effect.suspend(() => (registry.blocking === 0 ? append(changes) : appendAndWait(changes)))
}

const refuse = <V>({ refused }: Opening.Admission<V>, error: WatchRefused): void =>
  Deferred.unsafeDone(refused, error)

/** The log has failed for good, or a pass has died. */
const fail = <V>(admission: Opening.Admission<V>, error: unknown): void => {
  const { dispatcher, setGauge } = admission
  const cause = Cause.isCause(error) ? Cause.squash(error) : error
  if (!State.fail(dispatcher, cause)) return
  Registry.endAll(dispatcher.registry, "Failed", "its log failed", cause)
  setGauge()
  const message = "the watch has failed: make another one"
  refuse(admission, new WatchRefused({ reason: "Log", message, cause }))
}

const passOf = <V>(admission: Opening.Admission<V>): Effect.Effect<void> =>
  Effect.suspend(() => {
    const { dispatcher } = admission
    Registry.startPass(dispatcher.registry)
    return Effect.catchAll(Dispatch.pass(dispatcher), (error) => Effect.sync(() => fail(admission, error)))
  })

const closing = <V>(runtime: Runtime<V>): Effect.Effect<void> =>
  Effect.suspend(() => {
    const { actor, closeDeadline, dispatcher, setGauge } = runtime
    Registry.ring(dispatcher.registry)
    State.startClosing(dispatcher)
    refuse(runtime, new WatchRefused({ reason: "Closed", message: "the watch is closed" }))
    return Effect.andThen(actor.closeWithin(closeDeadline), () => {
      State.setClosed(dispatcher)
      Registry.endAll(dispatcher.registry, "Closed", "the watch was closed")
      setGauge()
    })
  })

const watchOf = <V>(runtime: Runtime<V>, close: Effect.Effect<void>): Watch<V> => ({
  publish: publishing(runtime),
  register: (key, options = {}) => register(runtime, key, options),
  open: (selector, options = {}) => open(runtime, selector, options),
  follow: (selector, options = {}) =>
    Stream.unwrapScoped(Effect.map(open(runtime, selector, options), ({ frames }) => frames)),
  health: Effect.sync(() => healthOf(runtime.dispatcher)),
  close
})

const rules = {
  name: or(text, "watch"),
  maxWatchers: or(whole(1), Number.POSITIVE_INFINITY),
  heartbeat: or(millis(), 30_000),
  snapshots: optional(func("that takes a selector")),
  closeDeadline: or(millis(), 1000)
}

/**
 * Makes a watch over a log; returns at once, and is closed with its scope. It reads nothing while there is no watcher.
 * While the log does not answer it is asked again, from 50 ms to every 2 s, and `health` holds the cause.
 */
export const make = <V>(
  log: ChangeLog<V>,
  options: Options<V> = {}
): Effect.Effect<Watch<V>, InvalidOptions, Scope.Scope> =>
  Effect.gen(function* () {
    const resolved = yield* resolve<Options<V>>()(rules, options)
    const { closeDeadline, heartbeat, maxWatchers, name, snapshots } = resolved
    const source = yield* Snapshots.sourceOf(log, snapshots)
    const wake = (): boolean => actor.unsafeOffer("wake")
    const dispatcher: State.Dispatcher<V> = State.make(source, yield* Effect.clock, heartbeat, wake)
    const refused = yield* Deferred.make<never, WatchRefused>()
    const labels = [MetricLabel.make("watch", name)]
    const admission: Opening.Admission<V> = {
      log,
      dispatcher,
      maxWatchers,
      hasSnapshots: log.state === "latest" || snapshots !== undefined,
      refused,
      inTurn: (effect) =>
        Effect.catchTags(
          actor.ask(() => effect),
          { ActorStopped: () => Deferred.await(refused), AskTimedOut: Effect.die }
        ),
      setGauge: () => Metrics.watchers.unsafeUpdate(dispatcher.registry.watchers.size, labels)
    }
    const actor: Runtime<V>["actor"] = yield* Actor.make<ChangeLog<V>, "wake", void>(() => ({
      name,
      acquire: Effect.succeed(log),
      onBatch: () => passOf(admission),
      onFailed: (cause) => fail(admission, cause),
      closeDeadline,
      report: () => undefined
    }))
    const runtime: Runtime<V> = { ...admission, actor, closeDeadline }
    const close = closing(runtime)
    yield* log.doorbell(() => Registry.ring(dispatcher.registry))
    if (heartbeat > 0) {
      const beats = Heartbeat.run(dispatcher, (effect) => actor.ask(() => effect))
      yield* Effect.forkScoped(Effect.interruptible(beats))
    }
    yield* Effect.addFinalizer(() => close)
    return watchOf(runtime, close)
  })

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
