/**
 * Watchers of keys, prefixes and ranges of a `ChangeLog`.
 *
 * One dispatcher reads the log once, and delivers to every watcher what matches. A publisher does not wait for it,
 * except for watchers with the policy `block`. A watcher has a bounded buffer. A slow watcher is set aside, by its
 * policy, and delays no other watcher.
 *
 * Guarantees with the policies `resync` and `block`: every revision that matches is delivered once, whole and in
 * order. A watcher resumes after any revision that was delivered to it. What cannot be delivered any more is
 * announced, never skipped. `conflate` keeps the order and the last event of each key. `drop-oldest` announces what it
 * drops by a `Gap`. `cancel` delivers a part without a hole, and then ends.
 */
import { type Chunk, type Context, Deferred, Effect, Exit, type Layer, Scope, type Stream } from "effect"
import type { DurationInput } from "effect/Duration"
import * as Actor from "./Actor.js"
import { type ChangeLog, type ChangeLogError, key as keyOf, type Selector } from "./ChangeLog.js"
import * as Arguments from "./internal/arguments.js"
import type { Change, Revision } from "./internal/log/events.js"
import type { InvalidOptions } from "./internal/options.js"
import type { Made, Making } from "./internal/remedy.js"
import * as Series from "./internal/series.js"
import { openedStream, takenStream } from "./internal/takenStream.js"
import * as Dispatch from "./internal/watch/dispatcher.js"
import * as State from "./internal/watch/dispatcherState.js"
import * as Ending from "./internal/watch/ending.js"
import { type FollowOptions, type RegisterOptions, resolveRegister } from "./internal/watch/followOptions.js"
import type { Frame, OwnerReason, WatchEnded } from "./internal/watch/frames.js"
import { type Health, healthOf } from "./internal/watch/health.js"
import * as Heartbeat from "./internal/watch/heartbeat.js"
import type { FollowError, WatchRefused } from "./internal/watch/opening.js"
import * as Opening from "./internal/watch/opening.js"
import * as Reader from "./internal/watch/reader.js"
import * as Registry from "./internal/watch/registry.js"
import * as Snapshots from "./internal/watch/snapshots.js"
import * as Internal from "./internal/watch/watcher.js"
import { type Options, resolveOptions } from "./internal/watch/watchOptions.js"
import * as Metrics from "./Metrics.js"

export { InvalidOptions } from "./internal/options.js"
export type { Policy } from "./internal/watch/buffer.js"
export type { FollowOptions } from "./internal/watch/followOptions.js"
export {
  type EventsFrame,
  type Frame,
  type OwnerReason,
  type SnapshotFrame,
  WatchEnded
} from "./internal/watch/frames.js"
export type { Health } from "./internal/watch/health.js"
export { type FollowError, WatchRefused } from "./internal/watch/opening.js"
export type { WatcherHealth } from "./internal/watch/reader.js"
export type { Rights, View, Visible } from "./internal/watch/view.js"
export type { Options } from "./internal/watch/watchOptions.js"

/** A watcher. One reader takes its frames. */
export interface Watcher<V> {
  /** Counted from 1, never used again. */
  readonly id: number
  readonly selector: Selector
  /** Takes the next frame; waits for one. When it has ended and everything was taken, fails with the reason. */
  readonly take: Effect.Effect<Frame<V>, WatchEnded>
  /** Takes all frames that wait; waits for the first. */
  readonly takeAll: Effect.Effect<Chunk.NonEmptyChunk<Frame<V>>, WatchEnded>
  /** Takes the next frame, if there is one. */
  readonly unsafePoll: () => Frame<V> | undefined
  /**
   * Calls `onReady` once when a frame or the end can be taken, perhaps at once. Returns how to stop waiting. Use it in
   * an adapter of very many watchers, instead of `take`: a fiber that waits for each watcher costs more.
   */
  readonly unsafeWhenReady: (onReady: () => void) => () => void
  /** Returns why it has ended, once everything was taken; `undefined` before. */
  readonly unsafeEnded: () => WatchEnded | undefined
  /**
   * Compares the rights of its view, as each take does. Returns how often they were asked what is visible, 0 without
   * rights. A frame that was taken at another number was judged by older rights: send nothing more of it.
   */
  readonly unsafeVersion: () => number
  readonly frames: Stream.Stream<Frame<V>, WatchEnded>
  /**
   * Reads the log now, also if no doorbell rang. Completes with the log's head when everything up to it that matches was
   * taken, not only buffered. Take the frames in another fiber.
   *
   * - `conflate`, `drop-oldest`: what was replaced or dropped counts as taken once its successor or its Gap was.
   * - Several calls share one question to the log. One that waits for a slow reader delays nothing else.
   * - While the log is `Unavailable` it is asked again, from 50 ms to every 2 s. Another error of the log fails the call.
   * - If the log begins another epoch meanwhile, the call completes with a head of that epoch.
   * - Fails with the end of the watcher at once, whatever is still buffered.
   */
  readonly synced: Effect.Effect<Revision, WatchEnded | ChangeLogError>
  readonly health: Effect.Effect<Reader.WatcherHealth>
  /** Ends it as `Closed`. What was buffered can still be taken. A second call does nothing. */
  readonly cancel: Effect.Effect<void>
  /**
   * Ends it for the owner of the log. What was buffered can still be taken. The first end holds. Dies with
   * `InvalidOptions` if it is no reason, or the message no text.
   */
  readonly end: (reason: OwnerReason, message: string, cause?: unknown) => Effect.Effect<void>
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
   * Appends a revision to the log. It waits for no watcher but those with the policy `block`. With such a watcher it
   * completes when the revision has been dispatched, or the log has given it up. The array may be used again
   * afterwards; values belong to the log.
   */
  readonly publish: (changes: ReadonlyArray<Change<V>>) => Effect.Effect<Revision, ChangeLogError>
  /**
   * Follows one key from now on, as long as the scope lives. Its first frame is `Synced`, before any event: from there on
   * the watcher misses nothing.
   */
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
  /**
   * Compares the rights of all follows whose `view` has some, as each of them does when its reader takes. Call it when
   * rights have changed, for readers that wait.
   */
  readonly recheck: Effect.Effect<void>
  /** {@link Watch.recheck}, at once. */
  readonly unsafeRecheck: () => void
  readonly health: Effect.Effect<Health>
  /**
   * Delivers what is committed until now, then ends every watcher as `Closed`, within `closeDeadline`. It waits
   * neither for watchers without room nor for snapshots: their cursors hold their positions.
   */
  readonly close: Effect.Effect<void>
  /** `close` with another deadline, also while it closes or ends: the earliest one wins. Dies with `InvalidOptions`. */
  readonly closeWithin: (duration: DurationInput) => Effect.Effect<void>
  /**
   * Closes it for the owner of the log: every watcher ends with this reason. Later follows are refused as `Ended`. The
   * first of `close` and `end` holds; a later call completes with it. Dies with `InvalidOptions` if it is no reason, or the
   * message no text.
   */
  readonly end: (reason: OwnerReason, message: string, cause?: unknown) => Effect.Effect<void>
}

interface Runtime<V> extends Ending.Closing<V> {
  readonly actor: Actor.Actor<ChangeLog<V>, "wake", void>
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
    unsafeVersion: () => Reader.versionOf(registry, watcher),
    frames: takenStream(Reader.takeAll(registry, watcher)),
    synced: Reader.synced(registry, watcher),
    health: Effect.sync(() => Reader.healthOf(dispatcher, watcher)),
    cancel: Opening.cancel(runtime, watcher),
    end: Ending.byOwner((how) => Opening.end(runtime, watcher, how))
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

const passOf = <V>(admission: Opening.Admission<V>): Effect.Effect<void> =>
  Effect.suspend(() => {
    const { dispatcher } = admission
    Registry.startPass(dispatcher.registry)
    return Effect.catchAll(Dispatch.pass(dispatcher), (error) =>
      Effect.sync(() => Ending.fail(admission, error))
    )
  })

const watchOf = <V>(runtime: Runtime<V>, close: Effect.Effect<void>): Watch<V> => ({
  publish: publishing(runtime),
  register: (key, options = {}) => register(runtime, key, options),
  open: (selector, options = {}) => open(runtime, selector, options),
  follow: (selector, options = {}) =>
    openedStream(Effect.map(open(runtime, selector, options), ({ takeAll }) => takeAll)),
  recheck: Effect.sync(() => Reader.recheckAll(runtime.dispatcher.registry)),
  unsafeRecheck: () => Reader.recheckAll(runtime.dispatcher.registry),
  health: Effect.sync(() => healthOf(runtime.dispatcher)),
  close,
  closeWithin: Ending.within((limit) => Ending.close(runtime, Ending.closed, limit)),
  end: Ending.byOwner((how) => Ending.close(runtime, how))
})

/**
 * Makes a watch over a log. It returns at once, and is closed with its scope. It reads nothing while there is no
 * watcher. While the log does not answer, the watch asks again, from 50 ms to every 2 s, and `health` holds the cause.
 */
export const make = <V>(
  log: Made<", or pass the Effect to layer"> & ChangeLog<V>,
  options: Options<V> = {}
): Effect.Effect<Watch<V>, InvalidOptions, Scope.Scope> =>
  Effect.gen(function* () {
    yield* Arguments.check("log", Arguments.handle("a ChangeLog", "read", "doorbell"), log)
    const resolved = yield* resolveOptions(options)
    const { closeDeadline, heartbeat, maxWatchers, name, snapshots } = resolved
    const source = yield* Snapshots.sourceOf(log, snapshots)
    const wake = (): boolean => actor.unsafeOffer("wake")
    const dispatcher: State.Dispatcher<V> = State.make(source, yield* Effect.clock, heartbeat, wake)
    const refused = yield* Deferred.make<never, WatchRefused>()
    const series = yield* Series.open("watch", name)
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
      setGauge: () => series.update(Metrics.watchers, dispatcher.registry.watchers.size)
    }
    const actor: Runtime<V>["actor"] = yield* Actor.make<ChangeLog<V>, "wake", void>(() => ({
      name,
      acquire: Effect.succeed(log),
      // What rings has waited for its commit: one more wait would be one of every watcher.
      linger: 0,
      onBatch: () => passOf(admission),
      onFailed: (cause) => Ending.fail(admission, cause),
      closeDeadline,
      report: series.end
    }))
    const runtime: Runtime<V> = { ...admission, actor, closeDeadline }
    const close = Ending.close(runtime, Ending.closed)
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
  log: Making<"append"> & Effect.Effect<ChangeLog<V>, E, R>,
  options: Options<V> = {}
): Layer.Layer<Id, E | InvalidOptions, Exclude<R, Scope.Scope>> =>
  Arguments.layer(
    tag,
    Effect.flatMap(Arguments.run("log", log), (log) => make(log, options))
  )
