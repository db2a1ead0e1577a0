/** The handle of a pool: one life of it. */
import { Effect, type Option, type Stream } from "effect"
import { prefix, type Revision } from "../../ChangeLog.js"
import type { Frame, FollowOptions as WatchOptions } from "../../Watch.js"
import * as Clients from "../catalog/clients.js"
import type { StoreEnded } from "../catalog/ended.js"
import * as Follows from "../catalog/follows.js"
import * as Lifetime from "../catalog/lifetime.js"
import type { As } from "../catalog/sessionCalls.js"
import { openedStream } from "../takenStream.js"
import type { Patch } from "./patch.js"
import { access, end, type Pool } from "./pool.js"
import type { PoolCell } from "./poolCells.js"
import type { MergeError } from "./poolErrors.js"
import * as Merging from "./poolMerging.js"
import * as Reads from "./poolReading.js"
import type { Runtime } from "./poolRuntime.js"

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
  readonly epoch: string
  /** Differs between pools that do not join alike. */
  readonly fingerprint: string
  /** Merges a patch, all of it or nothing. Returns the cells that it has changed, as they are joined. */
  readonly merge: (
    patch: Patch,
    options?: Merging.MergeOptions
  ) => Effect.Effect<Patch, MergeError | StoreEnded>
  /** Reads a row: its fields that are something, and may be seen; none if there is none. */
  readonly get: (
    key: string,
    options?: Reads.ReadOptions
  ) => Effect.Effect<Option.Option<ReadonlyMap<string, unknown>>, StoreEnded>
  /** Reads all that is held and may be seen, removals too, as a patch. */
  readonly state: (options?: Reads.ReadOptions) => Effect.Effect<Patch, StoreEnded>
  /** Hashes all that is held: replicas with equal content have equal hashes. `Forbidden` where a view hides a part. */
  readonly hash: (options?: Reads.ReadOptions) => Effect.Effect<string, MergeError | StoreEnded>
  /** Answers a peer that looks for what differs by hashes. `Forbidden` where a view hides a part. */
  readonly diff: (
    ask: Reads.Ask,
    options?: Reads.ReadOptions
  ) => Effect.Effect<Reads.Answer, MergeError | StoreEnded>
  /**
   * Follows the cells: a snapshot, or what came after a revision, then `Synced`, then one revision for each tick of 50 ms
   * with a change, and at last one typed end. A slow follower gets the last form of each cell. It begins when the stream runs.
   */
  readonly follow: (options?: FollowOptions) => Stream.Stream<Frame<PoolCell>, Follows.FollowEnded>
  /** Extends the life of a pool with sliding expiry, and returns whether it did. */
  readonly touch: Effect.Effect<boolean, StoreEnded>
  /** Counts a client among the subscribers, also when it follows nothing. Returns whether it was new. */
  readonly subscribe: (client: string) => Effect.Effect<boolean, StoreEnded>
  /** Ends all follows of a client here, and counts it no more. Returns whether it was there. */
  readonly unsubscribe: (client: string) => Effect.Effect<boolean>
  /** The clients that follow it or were subscribed, each once. */
  readonly subscribers: Effect.Effect<ReadonlyArray<string>>
  /** Ends the pool for all, as `Ended`: each follow gets the last value, then its end. */
  readonly end: Effect.Effect<void>
}

const follow = (
  runtime: Runtime,
  pool: Pool,
  { after, as, buffer, view }: FollowOptions
): Stream.Stream<Frame<PoolCell>, Follows.FollowEnded> => {
  const followers = Follows.followersOf(runtime)
  const { epoch, following, id, kind, marks, ticking } = pool
  const followed = { id, kind, epoch, following, marks, seq: () => ticking.seq }
  const own = view && ((_: string, cell: PoolCell): boolean => view(cell))
  const begin = (first: Follows.Beginning) =>
    Effect.suspend(() => {
      const ended = access(pool, runtime.shared.timers.now())
      if (ended !== undefined) return Effect.fail(ended)
      const options = { buffer, policy: "conflate", view: own, autoResnapshot: "on", ...first } as const
      return Follows.open(followers, followed, as, prefix(""), options)
    })
  const end = Follows.endOf(pool)
  const opened = Effect.mapBoth(Follows.resumed(after, begin), {
    onFailure: end,
    onSuccess: ({ takeAll }) => Effect.mapError(takeAll, end)
  })
  return openedStream(opened)
}

const live = <A>(pool: Pool, then: (now: number) => A): Effect.Effect<A, StoreEnded> =>
  Effect.suspend(() => {
    const now = pool.shared.timers.now()
    const ended = access(pool, now)
    return ended === undefined ? Effect.succeed(then(now)) : Effect.fail(ended)
  })

/** Makes the handle of a pool. */
export const handleOf = (runtime: Runtime, pool: Pool): PoolHandle => {
  const { clients } = runtime
  const { id, members } = pool
  return {
    id,
    epoch: pool.epoch,
    fingerprint: pool.state.definition.fingerprint,
    merge: (patch, options = {}) => Effect.suspend(() => Merging.merge(pool, patch, options)),
    get: (key, options = {}) => Reads.get(pool, key, options),
    state: (options = {}) => Reads.state(pool, options),
    hash: (options = {}) => Reads.hash(pool, options),
    diff: (ask, options = {}) => Reads.diff(pool, ask, options),
    follow: (options = {}) => follow(runtime, pool, options),
    touch: live(pool, (now) => {
      Lifetime.use(pool, now)
      return pool.lifetime?.expiry === "sliding"
    }),
    subscribe: (client) => live(pool, () => Clients.join(clients, members, client)),
    unsubscribe: (client) =>
      Effect.sync(() => {
        const wasMember = Clients.leave(clients, members, client)
        return Clients.endAll(clients, client, id) > 0 || wasMember
      }),
    subscribers: Effect.sync(() => Array.from(new Set([...members, ...Clients.clientsOf(clients, id)]))),
    end: Effect.sync(() => {
      end(pool, "Ended")
    })
  }
}
