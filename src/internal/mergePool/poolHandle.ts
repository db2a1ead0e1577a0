/** The handle of a pool: one life of it. */
import { Effect, type Option, type Scope, type Stream } from "effect"
import { prefix, type Revision } from "../../ChangeLog.js"
import type { FollowError, Frame, Watcher, FollowOptions as WatchOptions } from "../../Watch.js"
import * as Clients from "../catalog/clients.js"
import type { StoreEnded } from "../catalog/ended.js"
import { cursorOf, markShared } from "../catalog/epochMark.js"
import * as Follows from "../catalog/follows.js"
import * as Lifetime from "../catalog/lifetime.js"
import * as Permits from "../catalog/permits.js"
import type { Action } from "../catalog/policy.js"
import * as Savings from "../catalog/saving.js"
import type { As } from "../catalog/sessionCalls.js"
import * as Slot from "../catalog/slot.js"
import type { InvalidOptions } from "../options.js"
import { openedStream } from "../takenStream.js"
import type { Patch } from "./patch.js"
import { access, end, type Pool } from "./pool.js"
import type { PoolCell } from "./poolCells.js"
import { MergeError } from "./poolErrors.js"
import type { MergeOptions } from "./poolJudging.js"
import * as Merging from "./poolMerging.js"
import * as Reads from "./poolReading.js"
import { type Runtime, savingsOf } from "./poolRuntime.js"
import * as Serving from "./poolServing.js"

/** Options of a follow of a pool; each has a default. */
export interface FollowOptions extends Pick<WatchOptions<never>, "buffer"> {
  /**
   * Resumes after this revision, exclusive. If what came after it is gone, or the follower's rights have changed since, it
   * begins with a snapshot. Default: with a snapshot.
   */
  readonly after?: Revision | undefined
  /** Which cells are delivered. A cell that ceases to match comes as a delete. Pure. */
  readonly view?: ((cell: PoolCell) => boolean) | undefined
  /** Who follows. Default: the server itself, which sees everything. */
  readonly as?: As | undefined
}

/** A pool that is open: one life of it. Its calls fail with `StoreEnded` when that is over. */
export interface PoolHandle {
  readonly id: string
  /** Names this life: cursors of another one do not count. */
  readonly epoch: Effect.Effect<string, StoreEnded>
  /** Completes when the pool is loaded, of one that was opened with `start: "queued"`. */
  readonly ready: Effect.Effect<void, StoreEnded>
  /** Differs between pools that do not join alike. */
  readonly fingerprint: string
  /**
   * Merges a patch, all of it or nothing. Returns the cells that it has changed, as they are joined: of a permanent pool as
   * its `ack` has it.
   */
  readonly merge: (patch: Patch, options?: MergeOptions) => Effect.Effect<Patch, MergeError | StoreEnded>
  /** Reads a row: its fields that are something, and may be seen; none if there is none. */
  readonly get: (
    key: string,
    options?: Reads.ReadOptions
  ) => Effect.Effect<Option.Option<ReadonlyMap<string, unknown>>, Reads.ReadFailed>
  /** Reads all that is held and may be seen, removals too, as a patch. */
  readonly state: (options?: Reads.ReadOptions) => Effect.Effect<Patch, Reads.ReadFailed>
  /** Hashes all that is held: replicas with equal content have equal hashes. `Forbidden` where a view hides a part. */
  readonly hash: (options?: Reads.ReadOptions) => Effect.Effect<string, MergeError | Reads.ReadFailed>
  /** Answers a peer that looks for what differs by hashes. `Forbidden` where a view hides a part. */
  readonly diff: (
    ask: Reads.Ask,
    options?: Reads.ReadOptions
  ) => Effect.Effect<Reads.Answer, MergeError | Reads.ReadFailed>
  /**
   * Follows the cells: a snapshot, or what came after a revision, then `Synced`, then one revision for each tick of 50 ms
   * with a change, and at last one typed end. A slow follower gets the last form of each cell. Of a permanent pool it gets what
   * is committed. It begins when the stream runs.
   */
  readonly follow: (options?: FollowOptions) => Stream.Stream<Frame<PoolCell>, Follows.FollowEnded>
  /**
   * Serves the pool to one client of an exchange, as long as the scope lives: whatever carries the messages, the client comes
   * up to date by its cursor, by the hash tree, or by the whole state, and sends its edits.
   *
   * Changes of a permanent pool are sent when they are committed. With `ack: "memory"` the state that a client comes up to date
   * by is that of `get`: it may have cells that were answered and are not committed yet. If the process is killed before they
   * are, the client gives them up when it connects again. While the backend is away, a client that connects has that state,
   * its edits are merged, and its phase is `Syncing` until all that it has is committed.
   */
  readonly serve: (
    options?: Serving.ServeOptions
  ) => Effect.Effect<Serving.Serving, InvalidOptions | StoreEnded, Scope.Scope>
  /** Extends the life of a pool with sliding expiry, and returns whether it did. */
  readonly touch: Effect.Effect<boolean, StoreEnded>
  /** As `touch`, on behalf of a principal that has the right to `write`. */
  readonly touchAs: (as: As) => Effect.Effect<boolean, MergeError | StoreEnded>
  /**
   * Counts a client among the subscribers, also when it follows nothing. Returns whether it was new. Fails when the quota
   * `subscribers` is reached, or the principal has no right to `subscribe`.
   */
  readonly subscribe: (client: string, as?: As) => Effect.Effect<boolean, MergeError | StoreEnded>
  /** Ends all follows of a client here, and counts it no more. Returns whether it was there. */
  readonly unsubscribe: (client: string) => Effect.Effect<boolean>
  /** The clients that follow it or were subscribed, each once. */
  readonly subscribers: Effect.Effect<ReadonlyArray<string>>
  /** Completes when everything that was merged before it has an outcome. */
  readonly flush: Effect.Effect<void>
  /** Never loads the pool. `unsaved` counts merges that wait, with `ack: "memory"` ticks. */
  readonly status: Effect.Effect<Slot.StoreStatus>
  /** Ends the pool for all, as `Ended`: each follow gets the last value, then its end. */
  readonly end: Effect.Effect<void>
  /** As `end`, on behalf of a principal that has the right to `admin`. */
  readonly endAs: (as: As) => Effect.Effect<void, MergeError | StoreEnded>
}

/** Opens a watcher of all cells. */
const openWatcher = (
  runtime: Runtime,
  pool: Pool,
  first: Follows.Beginning,
  { as, buffer, view }: Omit<FollowOptions, "after">
): Effect.Effect<Watcher<PoolCell>, FollowError | StoreEnded, Scope.Scope> =>
  Effect.gen(function* () {
    const { epoch, flow, following, id, kind, marks, parts } = pool
    const { policy, timers } = runtime.shared
    const ended = access(pool, timers.now())
    if (ended !== undefined) return yield* ended
    if (parts !== undefined) yield* markShared(policy, { id, kind, marks, head: parts.head }, as)
    const followed = { id, kind, epoch, following, marks, seq: flow.seq }
    const own = view && ((_: string, cell: PoolCell): boolean => view(cell))
    const options = { buffer, policy: "conflate", view: own, autoResnapshot: "on", ...first } as const
    return yield* Follows.open(Follows.followersOf(runtime), followed, as, prefix(""), options)
  })

/** Follows the pool of a slot: it begins when the stream runs. */
const follow = (
  runtime: Runtime,
  slot: Slot.Slot<Pool>,
  { after, ...options }: FollowOptions
): Stream.Stream<Frame<PoolCell>, Follows.FollowEnded> =>
  openedStream(
    Effect.flatMap(Slot.live(slot), (pool) => {
      const cursor = after && cursorOf(runtime.shared.policy, pool.epoch, after, options.as)
      const watcher = Follows.resumed(cursor, (first) => openWatcher(runtime, pool, first, options))
      const end = Follows.endOf(pool)
      return Effect.mapBoth(watcher, {
        onFailure: end,
        onSuccess: ({ takeAll }) => Effect.mapError(takeAll, end)
      })
    })
  )

/** Calls a pool that has not ended, after it was loaded. */
const live = <A>(slot: Slot.Slot<Pool>, then: (pool: Pool, now: number) => A): Effect.Effect<A, StoreEnded> =>
  Effect.flatMap(Slot.live(slot), (pool) => {
    const now = pool.shared.timers.now()
    const ended = access(pool, now)
    return ended === undefined ? Effect.succeed(then(pool, now)) : Effect.fail(ended)
  })

/** As {@link live}, on behalf of a principal that has the right to it. */
const permitted = <A>(
  slot: Slot.Slot<Pool>,
  as: As | undefined,
  action: Action,
  then: (pool: Pool, now: number) => A | Permits.NotPermitted
): Effect.Effect<A, MergeError | StoreEnded> =>
  Effect.flatMap(
    live(slot, (pool, now) => Permits.forbidden(pool.shared.policy, pool, as, action) ?? then(pool, now)),
    (done) => (Permits.isRefusal(done) ? Effect.fail(new MergeError(done)) : Effect.succeed(done))
  )

const touch = (pool: Pool, now: number): boolean => {
  Lifetime.use(pool, now)
  return pool.lifetime?.expiry === "sliding"
}

/** Takes the lease of the session that rows of a permanent pool end with, before it holds any. */
const leased = (
  { leasing, shared }: Runtime,
  pool: Pool,
  { as, session }: MergeOptions
): Effect.Effect<void, MergeError> => {
  // One that is not open is refused later, and gets no lease.
  const needsLease =
    session !== undefined &&
    pool.lifetime === undefined &&
    pool.leaving !== undefined &&
    shared.isSession(session, as)
  return needsLease ? leasing.ensure(session) : Effect.void
}

/** Merges into a pool that is loaded first, or that a backend decides. */
const mergeLater = (
  slot: Slot.Slot<Pool>,
  patch: Patch,
  options: MergeOptions
): Effect.Effect<Patch, MergeError | StoreEnded> =>
  Effect.flatMap(Slot.live(slot), (pool): Effect.Effect<Patch, MergeError | StoreEnded> => {
    const { parts } = pool
    if (parts === undefined) return Merging.merge(pool, patch, options)
    return Effect.async((resume) => parts.merge(patch, options, resume))
  })

const merge = (
  runtime: Runtime,
  slot: Slot.Slot<Pool>,
  patch: Patch,
  options: MergeOptions
): Effect.Effect<Patch, MergeError | StoreEnded> =>
  Effect.suspend(() => {
    const pool = Slot.present(slot)
    if (options.session !== undefined && pool?.lifetime === undefined) {
      const taken = Effect.flatMap(Slot.live(slot), (pool) => leased(runtime, pool, options))
      return Effect.andThen(taken, mergeLater(slot, patch, options))
    }
    return pool !== undefined && pool.parts === undefined
      ? Merging.merge(pool, patch, options)
      : mergeLater(slot, patch, options)
  })

/** Gives what was merged to be saved, and waits for it. What waits for the pool to be loaded is merged first. */
const flush = (runtime: Runtime, slot: Slot.Slot<Pool>): Effect.Effect<void> =>
  Effect.suspend(() => {
    const loaded = slot.waiting === undefined ? Effect.void : Effect.ignore(Slot.live(slot))
    return Effect.andThen(
      loaded,
      Effect.suspend(() => flushAll(runtime))
    )
  })

/** Gives what was merged into all pools to be saved, and waits for it. */
export const flushAll = (runtime: Runtime): Effect.Effect<void> =>
  Effect.suspend(() => {
    for (const { pool } of runtime.entries.values()) pool.flow.flush()
    return Savings.flushAll(() => savingsOf(runtime))
  })

/** Makes the handle of a slot. */
export const handleOf = (runtime: Runtime, slot: Slot.Slot<Pool>, fingerprint: string): PoolHandle => {
  const { clients } = runtime
  const { id } = slot
  const members = () => Slot.present(slot)?.members
  return {
    id,
    epoch: Effect.map(Slot.live(slot), ({ epoch }) => epoch),
    ready: Effect.asVoid(Slot.live(slot)),
    fingerprint,
    merge: (patch, options = {}) => merge(runtime, slot, patch, options),
    get: (key, options = {}) => Reads.get(slot, key, options),
    state: (options = {}) => Reads.state(slot, options),
    hash: (options = {}) => Reads.hash(slot, options),
    diff: (ask, options = {}) => Reads.diff(slot, ask, options),
    follow: (options = {}) => follow(runtime, slot, options),
    serve: (options = {}) =>
      Effect.flatMap(Slot.live(slot), (pool) => {
        const open: Serving.Calls["open"] = (first, as) => openWatcher(runtime, pool, first, { as })
        const calls: Serving.Calls = { merge: (patch, options) => merge(runtime, slot, patch, options), open }
        return Serving.serve(pool, calls, options)
      }),
    touch: live(slot, touch),
    touchAs: (as) => permitted(slot, as, "write", touch),
    subscribe: (client, as) =>
      permitted(slot, as, "subscribe", ({ members, shared }) => {
        const joined = Permits.join(clients, members, shared.quotas, client)
        if (Permits.isRefusal(joined)) shared.count.quotaRefusals++
        return joined
      }),
    unsubscribe: (client) =>
      Effect.sync(() => {
        const joined = members()
        const wasMember = joined !== undefined && Clients.leave(clients, joined, client)
        return Clients.endAll(clients, client, id) > 0 || wasMember
      }),
    subscribers: Effect.sync(() =>
      Array.from(new Set([...(members() ?? []), ...Clients.clientsOf(clients, id)]))
    ),
    flush: flush(runtime, slot),
    status: Effect.sync(() => Slot.statusOf(slot)),
    end: Effect.ignore(
      Effect.map(Slot.live(slot), (pool) => {
        end(pool, "Ended")
      })
    ),
    endAs: (as) =>
      permitted(slot, as, "admin", (pool) => {
        end(pool, "Ended")
      })
  }
}
