/** The follows of a store: what a principal may see, from a snapshot or a revision on, until one typed end. */
import { Deferred, Effect, Option, type Scope, Stream } from "effect"
import { type Event, prefix, type Revision } from "../../ChangeLog.js"
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
import { access, type Store } from "./store.js"

/** Options of a follow of a store; each has a default. */
export interface FollowOptions<A> extends Pick<WatchOptions<never>, "buffer" | "policy" | "previous"> {
  /**
   * Resumes after this revision, exclusive. If what came after it is gone, or the follower's rights have changed since, it
   * begins with a snapshot. Default: with a snapshot.
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

const nothingVisible = () => undefined

/** What a follower sees: its own view, within the rights of its principal as they are at each delivery. */
const viewOf = (
  { shared }: Runtime,
  store: Store,
  own: ((row: JsonRow) => boolean) | undefined,
  as: As | undefined
): View<JsonRow> | undefined => {
  const visibleBy = (...views: ReadonlyArray<((row: JsonRow) => boolean) | undefined>) => {
    const [first, second] = views.filter((view) => view !== undefined)
    if (first === undefined) return () => true
    return (_: string, row: JsonRow): boolean => first(row) && second?.(row) !== false
  }
  if (as === undefined || shared.policy.isOpen) return own && visibleBy(own)
  const { id, kind } = store
  return {
    version: () => shared.policy.versionOf(as.principal, { id, kind }),
    visible: () => {
      const { actions, view } = shared.policy.rights(as.principal, { id, kind })
      if (!actions.has("subscribe") || !actions.has("read")) return nothingVisible()
      return visibleBy(view, own)
    }
  }
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
  return seq >= Policy.seqOf(marks, version, store.holding.seq())
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
        client: as?.client ?? "",
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
      const look = (): void => {
        const { until } = shared.policy.rights(as.principal, { id, kind })
        timer = until === Number.POSITIVE_INFINITY ? undefined : timers.schedule(until, look)
        store.following.unsafeRecheck()
      }
      const { until } = shared.policy.rights(as.principal, { id, kind })
      if (until !== Number.POSITIVE_INFINITY) timer = timers.schedule(until, look)
      return () => timer && timers.cancel(timer)
    }),
    (stop) => Effect.sync(() => stop?.())
  )

/** Opens a follow, as long as the scope lives. */
export const open = <A>(
  runtime: Runtime,
  store: Store,
  codec: Codec<A>,
  { after, as, buffer, policy, previous, view }: FollowOptions<A>
): Effect.Effect<Watcher<JsonRow>, FollowError | StoreEnded, Scope.Scope> =>
  Effect.gen(function* () {
    const ended = access(store, runtime.shared.timers.now())
    if (ended !== undefined) return yield* ended
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
    const resumes = after !== undefined && isOfTheseRights(runtime, store, after, as)
    const own = view && ((row: JsonRow): boolean => view(codec.row(row)))
    const seen = viewOf(runtime, store, own, as)
    const begin = (first: WatchOptions<JsonRow>) =>
      watch.open(prefix(""), {
        buffer,
        policy,
        previous,
        autoResnapshot: "on",
        ...(seen && { view: seen }),
        ...first
      })
    const opening = resumes
      ? Effect.catchTags(begin({ after }), {
          Compacted: () => begin({ snapshot: "first" }),
          EpochChanged: () => begin({ snapshot: "first" })
        })
      : begin({ snapshot: "first" })
    watcher = yield* Effect.raceFirst(opening, Deferred.await(stopped))
    return watcher
  })

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
    Effect.map(open(runtime, store, codec, options), (watcher) => watcher.frames)
  )
  const decoded =
    codec.problem === undefined
      ? // Without a schema, A is JSON.
        (frames as unknown as Stream.Stream<Frame<Row<A>>, FollowEnded>)
      : Stream.map(frames, frameOf(codec))
  return Stream.mapError(decoded, endOf(store))
}
