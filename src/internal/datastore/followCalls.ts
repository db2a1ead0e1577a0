/** The follows of a store: what a principal may see, from a snapshot or a revision on, until one typed end. */
import { Deferred, Effect, ExecutionStrategy, Exit, Option, Scope, Stream } from "effect"
import { EpochChanged, type Event, prefix, type Revision, type Selector } from "../../ChangeLog.js"
import type { FollowError, Frame, View, WatchEnded, FollowOptions as WatchOptions } from "../../Watch.js"
import { type Watcher, WatchRefused } from "../../Watch.js"
import * as Clients from "../catalog/clients.js"
import * as Policy from "../catalog/policy.js"
import { exceeded, messageOf } from "../catalog/quotas.js"
import type { As } from "./accept.js"
import type { Codec } from "./data.js"
import type { StoreEnded } from "./errors.js"
import type { JsonRow } from "./holding.js"
import type { Row } from "./operation.js"
import type { Runtime } from "./runtime.js"
import { access, beforeMark, type Store } from "./store.js"

/** Options of a follow of a store; each has a default. */
export interface FollowOptions<A> extends Pick<WatchOptions<never>, "buffer" | "policy" | "previous"> {
  /**
   * Resumes after this revision, exclusive. If what came after it is gone, or the follower's rights have changed since, it
   * begins with a snapshot; with `authorize` also if another process gave the cursor. Default: with a snapshot.
   */
  readonly after?: Revision | undefined
  /** Which records are delivered. A record that begins or ceases to match comes as a put or a delete. Pure. */
  readonly view?: ((row: Row<A>) => boolean) | undefined
  /** Who follows. Default: the server itself, which sees everything. */
  readonly as?: As | undefined
}

/** Why a follow could not begin, or has ended. */
export type FollowEnded = FollowError | WatchEnded | StoreEnded

const refusedFull = (limit: number): WatchRefused =>
  new WatchRefused({ reason: "Full", message: messageOf({ name: "subscribers", limit }) })

type RowView = (row: JsonRow) => boolean

const everything = (): boolean => true

/** What is visible by the rights of a principal; `undefined`: nothing. */
const visibleBy = ({ shared }: Runtime, { id, kind }: Store, principal: string): RowView | undefined => {
  const { actions, view } = shared.policy.rights(principal, { id, kind })
  return actions.has("subscribe") && actions.has("read") ? (view ?? everything) : undefined
}

/** What a follower sees: its own view, within the rights of its principal as they are at each delivery. */
const viewOf = (
  runtime: Runtime,
  store: Store,
  own: View<JsonRow> | undefined,
  as: As | undefined
): View<JsonRow> | undefined => {
  const { policy } = runtime.shared
  if (as === undefined || policy.isOpen) return own
  const { id, kind } = store
  const { principal } = as
  const rights = typeof own === "object" ? own : undefined
  return {
    // Both only grow.
    version: () => policy.versionOf(principal, { id, kind }) + (rights?.version() ?? 0),
    visible: () => {
      const visible = visibleBy(runtime, store, principal)
      const inner = typeof own === "object" ? own.visible() : (own ?? everything)
      if (visible === undefined || inner === undefined) return undefined
      return (key, row) => visible(row) && inner(key, row)
    }
  }
}

const unmarked = (epoch: string): string => epoch.split(beforeMark, 1)[0]!

/** The server itself sees everything, whichever process has given it the cursor. */
const cursorOf = ({ shared }: Runtime, { epoch }: Store, after: Revision, as: As | undefined): Revision =>
  (as === undefined || shared.policy.isOpen) && unmarked(after.epoch) === unmarked(epoch)
    ? { ...after, epoch }
    : after

/**
 * Notes of a store that other processes write too where the versions that were given fall: at most at its last revision.
 * A cursor behind that was made later. Until it is noted, cursors count as older.
 */
const markShared = (
  { shared }: Runtime,
  { id, kind, marks, parts }: Store,
  as: As | undefined
): Effect.Effect<void> => {
  const { policy } = shared
  if (parts === undefined || as === undefined || policy.isOpen) return Effect.void
  // What is over raises the version first.
  policy.versionOf(as.principal, { id, kind })
  const count = policy.count()
  if (Policy.isMarked(marks, count)) return Effect.void
  // A head that cannot be read is read by the next opening.
  return Effect.ignore(Effect.map(parts.head, (seq) => Policy.mark(marks, count, seq)))
}

/** Whether a cursor was made under the rights that its follower has now. */
const isOfTheseRights = (
  { shared }: Runtime,
  store: Store,
  { seq }: Revision,
  as: As | undefined
): boolean => {
  if (as === undefined || shared.policy.isOpen) return true
  const { id, kind, marks } = store
  const version = shared.policy.versionOf(as.principal, { id, kind })
  // At the revision itself it is not known which was first: the cursor, or the version.
  return version === 0 || seq > Policy.seqOf(marks, version, store.holding.seq())
}

const subscribed = (
  { clients, settings, shared }: Runtime,
  { id }: Store,
  as: As | undefined,
  end: () => void
): Effect.Effect<void, WatchRefused, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.suspend(() => {
      const over = exceeded(settings.quotas, "subscribers", Clients.countOf(clients, id) + 1)
      if (over !== undefined) {
        shared.count.quotaRefusals++
        return Effect.fail(refusedFull(over.limit))
      }
      const subscription: Clients.Subscription = {
        client: as?.client ?? Clients.noClient,
        principal: as?.principal,
        id,
        end
      }
      Clients.add(clients, subscription)
      return Effect.succeed(subscription)
    }),
    (subscription) => Effect.sync(() => Clients.remove(clients, subscription))
  )

/** Rights that end at an instant are compared then, also for a follower that waits. */
const recheckedInTime = ({ shared }: Runtime, store: Store, as: As | undefined) =>
  Effect.acquireRelease(
    Effect.sync(() => {
      if (as === undefined || shared.policy.isOpen) return undefined
      const { id, kind } = store
      const { timers } = shared
      let timer: ReturnType<typeof timers.schedule> | undefined
      const rights = () => shared.policy.rights(as.principal, { id, kind })
      const wait = (): void => {
        const { until, version } = rights()
        const look = (): void => {
          // To ask after the instant raises the version, unless the answer was forgotten meanwhile.
          if (rights().version === version) shared.policy.revoke(as.principal)
          wait()
        }
        timer = until === Number.POSITIVE_INFINITY ? undefined : timers.schedule(until, look)
      }
      wait()
      return () => timer && timers.cancel(timer)
    }),
    (stop) => Effect.sync(() => stop?.())
  )

const otherRights = (epoch: string): EpochChanged =>
  new EpochChanged({ epoch, message: "the follower's rights have changed since: begin with a snapshot" })

/** Gives an opening a scope of its own, so that one that fails leaves nothing behind in the scope of the next. */
const alone = <A, E>(opening: Effect.Effect<A, E, Scope.Scope>): Effect.Effect<A, E, Scope.Scope> =>
  Effect.flatMap(Effect.scope, (outer) =>
    Effect.flatMap(Scope.fork(outer, ExecutionStrategy.sequential), (scope) =>
      Effect.onError(Scope.extend(opening, scope), (cause) => Scope.close(scope, Exit.failCause(cause)))
    )
  )

/**
 * Opens a follow of what a selector matches, within the rights of its principal, as long as the scope lives. A cursor that
 * was made under other rights fails with `EpochChanged`.
 */
export const open = (
  runtime: Runtime,
  store: Store,
  as: As | undefined,
  selector: Selector,
  options: WatchOptions<JsonRow>
): Effect.Effect<Watcher<JsonRow>, FollowError | StoreEnded, Scope.Scope> =>
  Effect.gen(function* () {
    const ended = access(store, runtime.shared.timers.now())
    if (ended !== undefined) return yield* ended
    const { view } = options
    const after = options.after && cursorOf(runtime, store, options.after, as)
    yield* markShared(runtime, store, as)
    if (after !== undefined && !isOfTheseRights(runtime, store, after, as)) {
      return yield* otherRights(store.epoch)
    }
    const stopped = yield* Deferred.make<never, WatchRefused>()
    let watcher: Watcher<JsonRow> | undefined
    const end = (): void => {
      const error = new WatchRefused({ reason: "Closed", message: "the client was unsubscribed" })
      Deferred.unsafeDone(stopped, Effect.fail(error))
      if (watcher !== undefined) runtime.shared.inBackground(watcher.cancel)
    }
    yield* subscribed(runtime, store, as, end)
    yield* recheckedInTime(runtime, store, as)
    const watch = yield* store.following.watch
    const seen = viewOf(runtime, store, view, as)
    const opening = watch.open(selector, { ...options, after, view: seen })
    watcher = yield* Effect.raceFirst(opening, Deferred.await(stopped))
    // It may have been ended between.
    if (yield* Deferred.isDone(stopped)) return yield* Deferred.await(stopped)
    return watcher
  }).pipe(alone)

/** Opens a follow of all records, which begins with a snapshot if it cannot resume. */
const openAll = <A>(
  runtime: Runtime,
  store: Store,
  codec: Codec<A>,
  { after, as, buffer, policy, previous, view }: FollowOptions<A>
): Effect.Effect<Watcher<JsonRow>, FollowError | StoreEnded, Scope.Scope> => {
  const own = view && ((_: string, row: JsonRow): boolean => view(codec.row(row)))
  const begin = (first: WatchOptions<JsonRow>) =>
    open(runtime, store, as, prefix(""), {
      buffer,
      policy,
      previous,
      view: own,
      autoResnapshot: "on",
      ...first
    })
  const anew = () => begin({ snapshot: "first" })
  return after === undefined
    ? anew()
    : Effect.catchTags(begin({ after }), { Compacted: anew, EpochChanged: anew })
}

const eventOf = <A>({ row }: Codec<A>, event: Event<JsonRow>): Event<Row<A>> => {
  const { key, revision } = event
  const previous = event.previous && { previous: Option.map(event.previous, row) }
  return event._tag === "Put"
    ? { _tag: "Put", key, value: row(event.value), revision, ...previous }
    : { _tag: "Delete", key, revision, ...previous }
}

const frameOf =
  <A>(codec: Codec<A>) =>
  (frame: Frame<JsonRow>): Frame<Row<A>> => {
    switch (frame._tag) {
      case "Snapshot":
        return {
          ...frame,
          entries: frame.entries.map((entry) => ({ ...entry, value: codec.row(entry.value) }))
        }
      case "Events":
        return { ...frame, events: frame.events.map((event) => eventOf(codec, event)) }
      default:
        return frame
    }
  }

/** Reports the end of the store as such, and every other end as the watch has it. */
const endOf =
  (store: Store) =>
  (error: FollowEnded): FollowEnded => {
    const isOfStore = error._tag === "WatchEnded" || error._tag === "WatchRefused"
    return isOfStore && store.ended !== undefined ? store.ended : error
  }

/** Follows a store: it begins when the stream runs. */
export const follow = <A>(
  runtime: Runtime,
  store: Store,
  codec: Codec<A>,
  options: FollowOptions<A>
): Stream.Stream<Frame<Row<A>>, FollowEnded> => {
  const frames = Stream.unwrapScoped(
    Effect.map(openAll(runtime, store, codec, options), (watcher) => watcher.frames)
  )
  const decoded =
    codec.problem === undefined
      ? // Without a schema, A is JSON.
        (frames as unknown as Stream.Stream<Frame<Row<A>>, FollowEnded>)
      : Stream.map(frames, frameOf(codec))
  return Stream.mapError(decoded, endOf(store))
}
