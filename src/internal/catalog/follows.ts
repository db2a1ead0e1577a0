/** The follows of a store or pool: what a principal may see, from a snapshot or a revision on, until one typed end. */
import { Deferred, Effect, ExecutionStrategy, Exit, Option, Scope } from "effect"
import { EpochChanged, type Event, type Revision, type Selector } from "../../ChangeLog.js"
import type { FollowError, Frame, View, WatchEnded, FollowOptions as WatchOptions } from "../../Watch.js"
import { type Watcher, WatchRefused } from "../../Watch.js"
import type { Timers } from "../lease/timers.js"
import { isCursor } from "../log/events.js"
import * as Clients from "./clients.js"
import type { StoreEnded } from "./ended.js"
import type { Following } from "./following.js"
import * as Policy from "./policy.js"
import { exceeded, messageOf, type Quotas } from "./quotas.js"
import type { As } from "./sessionCalls.js"

/** Why a follow could not begin, or has ended. */
export type FollowEnded = FollowError | WatchEnded | StoreEnded

/** What follows of a catalog share. */
export interface Followers<V> {
  readonly clients: Clients.Clients
  readonly quotas: Quotas
  readonly policy: Policy.Policy<V>
  readonly timers: Timers
  readonly inBackground: (task: Effect.Effect<void>) => void
  /** Called when a quota has refused a follow. */
  readonly onRefused: () => void
}

/** What the runtimes of stores and of pools have for their follows. */
interface Catalog<V> {
  readonly clients: Clients.Clients
  readonly settings: { readonly quotas: Quotas }
  readonly shared: Pick<Followers<V>, "policy" | "timers" | "inBackground"> & {
    readonly count: { quotaRefusals: number }
  }
}

/** What the follows of a catalog share. */
export const followersOf = <V>({ clients, settings, shared }: Catalog<V>): Followers<V> => ({
  clients,
  quotas: settings.quotas,
  policy: shared.policy,
  timers: shared.timers,
  inBackground: shared.inBackground,
  onRefused: () => {
    shared.count.quotaRefusals++
  }
})

/** A store or pool that is open. */
export interface Followed<V> extends Policy.Thing {
  readonly epoch: string
  readonly marks: Policy.Marks
  readonly following: Following<V>
  /** The number of the last revision. */
  readonly seq: () => number
}

const refusedFull = (limit: number): WatchRefused =>
  new WatchRefused({ reason: "Full", message: messageOf({ name: "subscribers", limit }) })

type Visible<V> = (row: V) => boolean

const everything = (): boolean => true

/** What is visible by the rights of a principal; `undefined`: nothing. */
const visibleBy = <V>(
  { policy }: Followers<V>,
  { id, kind }: Followed<V>,
  principal: string
): Visible<V> | undefined => {
  const { actions, view } = policy.rights(principal, { id, kind })
  return actions.has("subscribe") && actions.has("read") ? (view ?? everything) : undefined
}

/** What a follower sees: its own view, within the rights of its principal as they are at each delivery. */
const viewOf = <V>(
  followers: Followers<V>,
  followed: Followed<V>,
  own: View<V> | undefined,
  as: As | undefined
): View<V> | undefined => {
  const { policy } = followers
  if (as === undefined || policy.isOpen) return own
  const { id, kind } = followed
  const { principal } = as
  const rights = typeof own === "object" ? own : undefined
  return {
    // Both only grow.
    version: () => policy.versionOf(principal, { id, kind }) + (rights?.version() ?? 0),
    visible: () => {
      const visible = visibleBy(followers, followed, principal)
      const inner = typeof own === "object" ? own.visible() : (own ?? everything)
      if (visible === undefined || inner === undefined) return undefined
      return (key, row) => visible(row) && inner(key, row)
    }
  }
}

/** Whether a cursor was made under the rights that its follower has now. */
const isOfTheseRights = <V>(
  { policy }: Followers<V>,
  followed: Followed<V>,
  { seq }: Revision,
  as: As | undefined
): boolean => {
  if (as === undefined || policy.isOpen) return true
  const { id, kind, marks } = followed
  const version = policy.versionOf(as.principal, { id, kind })
  // At the revision itself it is not known which was first: the cursor, or the version.
  return version === 0 || seq > Policy.seqOf(marks, version, followed.seq())
}

const subscribed = <V>(
  { clients, onRefused, quotas }: Followers<V>,
  { id }: Followed<V>,
  as: As | undefined,
  end: () => void
): Effect.Effect<void, WatchRefused, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.suspend(() => {
      const over = exceeded(quotas, "subscribers", Clients.countOf(clients, id) + 1)
      if (over !== undefined) {
        onRefused()
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
const recheckedInTime = <V>(
  { policy, timers }: Followers<V>,
  { id, kind }: Followed<V>,
  as: As | undefined
) =>
  Effect.acquireRelease(
    Effect.sync(() => {
      if (as === undefined || policy.isOpen) return undefined
      let timer: ReturnType<typeof timers.schedule> | undefined
      const rights = () => policy.rights(as.principal, { id, kind })
      const wait = (): void => {
        const { until, version } = rights()
        const look = (): void => {
          // To ask after the instant raises the version, unless the answer was forgotten meanwhile.
          if (rights().version === version) policy.revoke(as.principal)
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
export const open = <V>(
  followers: Followers<V>,
  followed: Followed<V>,
  as: As | undefined,
  selector: Selector,
  options: WatchOptions<V>
): Effect.Effect<Watcher<V>, FollowError | StoreEnded, Scope.Scope> =>
  Effect.gen(function* () {
    const { after, view } = options
    // What is no cursor is refused by the watch.
    if (isCursor(after) && !isOfTheseRights(followers, followed, after, as)) {
      return yield* otherRights(followed.epoch)
    }
    const stopped = yield* Deferred.make<never, WatchRefused>()
    let watcher: Watcher<V> | undefined
    const end = (): void => {
      const error = new WatchRefused({ reason: "Closed", message: "the client was unsubscribed" })
      Deferred.unsafeDone(stopped, Effect.fail(error))
      if (watcher !== undefined) followers.inBackground(watcher.cancel)
    }
    yield* subscribed(followers, followed, as, end)
    yield* recheckedInTime(followers, followed, as)
    const watch = yield* followed.following.watch
    const seen = viewOf(followers, followed, view, as)
    const opening = watch.open(selector, { ...options, view: seen })
    watcher = yield* Effect.raceFirst(opening, Deferred.await(stopped))
    // It may have been ended between.
    if (yield* Deferred.isDone(stopped)) return yield* Deferred.await(stopped)
    return watcher
  }).pipe(alone)

/** How a follow begins. */
export type Beginning = Pick<WatchOptions<never>, "after" | "snapshot">

/** Begins a follow after a cursor, or with a snapshot if there is none, or it cannot resume. */
export const resumed = <A, R>(
  after: Revision | undefined,
  begin: (first: Beginning) => Effect.Effect<A, FollowError | StoreEnded, R>
): Effect.Effect<A, FollowError | StoreEnded, R> => {
  const anew = () => begin({ snapshot: "first" })
  return after === undefined
    ? anew()
    : Effect.catchTags(begin({ after }), { Compacted: anew, EpochChanged: anew })
}

const eventOf = <V, A>(row: (value: V) => A, event: Event<V>): Event<A> => {
  const { key, revision } = event
  const previous = event.previous && { previous: Option.map(event.previous, row) }
  return event._tag === "Put"
    ? { _tag: "Put", key, value: row(event.value), revision, ...previous }
    : { _tag: "Delete", key, revision, ...previous }
}

/** Makes a frame of other values. */
export const frameOf =
  <V, A>(row: (value: V) => A) =>
  (frame: Frame<V>): Frame<A> => {
    switch (frame._tag) {
      case "Snapshot":
        return {
          ...frame,
          entries: frame.entries.map((entry) => ({ ...entry, value: row(entry.value) }))
        }
      case "Events":
        return { ...frame, events: frame.events.map((event) => eventOf(row, event)) }
      default:
        return frame
    }
  }

/** Reports the end of the store or pool as such, and every other end as the watch has it. */
export const endOf =
  (followed: { readonly ended: StoreEnded | undefined }) =>
  (error: FollowEnded): FollowEnded => {
    const isOfOwner = error._tag === "WatchEnded" || error._tag === "WatchRefused"
    return isOfOwner && followed.ended !== undefined ? followed.ended : error
  }
