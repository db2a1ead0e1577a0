/**
 * State that clients converge on, whatever the order in which their edits arrive, over any cut, with any clock.
 *
 * A pool holds rows of fields. Each field is joined by a strategy of its own (`last`, `max`, `min`, `counter`, `set`,
 * `custom`), so that all who have the same edits hold the same. Clients edit a replica of their own, send what they have
 * written, and follow what others have: one revision for each tick of 50 ms.
 *
 * Guarantees: a merge is applied whole or not at all, and what was refused changes nothing. Replicas with the same edits
 * have equal content and equal hashes. Removals are remembered for one hour; an older edit is refused as `TooOld`, so
 * nothing that was removed comes back. What a principal may not see reaches it in no frame. Each follow gets the last value
 * of a pool that ends, and then one typed end.
 *
 * A permanent pool is saved by a recorder; its cells, its horizon and the fingerprint of its strategies come back with it.
 * With `ack: "flushed"` any process writes it: each save joins anew with what is stored, and all read one log. With `ack:
 * "memory"` one process owns it and answers at once. Take a `Datastore` instead where edits must be judged in one order.
 *
 * Stamps are hybrid logical clocks (Kulkarni et al., 2014); the joins are state-based CRDTs (Shapiro et al., 2011).
 */
import type * as Context from "effect/Context"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Layer from "effect/Layer"
import type * as Option from "effect/Option"
import * as Scope from "effect/Scope"
import type * as Stream from "effect/Stream"
import type { ActorStopped, Status } from "./Actor.js"
import * as Arguments from "./internal/arguments.js"
import type { Backend } from "./internal/catalog/backend.js"
import type { OpenError } from "./internal/catalog/ended.js"
import { checkBackend } from "./internal/catalog/host.js"
import { memory as memoryBackend } from "./internal/catalog/memoryBackend.js"
import type { Connected, SessionOptions } from "./internal/catalog/sessionCalls.js"
import type { Leases } from "./internal/lease/leases.js"
import type { SessionRefused } from "./internal/lease/sessions.js"
import type { Fields } from "./internal/mergePool/definition.js"
import { exchangeClient } from "./internal/mergePool/exchangeClient.js"
import { exchangeHub } from "./internal/mergePool/exchangeHub.js"
import { exchangeVersion } from "./internal/mergePool/messages.js"
import { catalogOf } from "./internal/mergePool/poolCatalog.js"
import type { CloseReport } from "./internal/mergePool/poolClosing.js"
import type { PoolHandle } from "./internal/mergePool/poolHandle.js"
import * as Runtime from "./internal/mergePool/poolRuntime.js"
import { type OpenOptions, type Options, resolve } from "./internal/mergePool/poolSettings.js"
import type { Stats } from "./internal/mergePool/poolStats.js"
import type { Pool } from "./internal/mergePool/typed.js"
import type { InvalidOptions } from "./internal/options.js"
import type { MadeOrDeferred, Making } from "./internal/remedy.js"

export type { Backend } from "./internal/catalog/backend.js"
export { OpenError, StoreEnded } from "./internal/catalog/ended.js"
export type { FollowEnded } from "./internal/catalog/follows.js"
export type { Action, Authorize, Grant, Thing } from "./internal/catalog/policy.js"
export type { Quotas } from "./internal/catalog/quotas.js"
export type { As, Connected, SessionOptions } from "./internal/catalog/sessionCalls.js"
export type { StoreStatus } from "./internal/catalog/slot.js"
export type { Json } from "./internal/columns/jsonData.js"
export type { Leases } from "./internal/lease/leases.js"
export { type Session, SessionRefused, type Sessions } from "./internal/lease/sessions.js"
export type { EncodedCell } from "./internal/mergePool/cell.js"
export { counter } from "./internal/mergePool/counter.js"
export type { Fields, InvalidFields } from "./internal/mergePool/definition.js"
export type { Edit } from "./internal/mergePool/edits.js"
export type { ClientAction, ExchangeClient } from "./internal/mergePool/exchangeClient.js"
export type { ExchangeHub, HubConnection, HubOptions } from "./internal/mergePool/exchangeHub.js"
export { set } from "./internal/mergePool/members.js"
export type { EndReason } from "./internal/mergePool/messages.js"
export type { CellName, CellPatch, Patch, Refused, RowPatch } from "./internal/mergePool/patch.js"
export { type PoolCell, patchOf } from "./internal/mergePool/poolCells.js"
export type { CloseReport, Unsaved } from "./internal/mergePool/poolClosing.js"
export { MergeError } from "./internal/mergePool/poolErrors.js"
export type { FollowOptions, PoolHandle } from "./internal/mergePool/poolHandle.js"
export type { MergeOptions } from "./internal/mergePool/poolJudging.js"
export type { Migrate, StoredCell } from "./internal/mergePool/poolMigrating.js"
export type { Answer, Ask, ReadFailed, ReadOptions } from "./internal/mergePool/poolReading.js"
export type { ServeOptions, Serving } from "./internal/mergePool/poolServing.js"
export type { OpenOptions, Options } from "./internal/mergePool/poolSettings.js"
export type { Stats } from "./internal/mergePool/poolStats.js"
export type { Unsent } from "./internal/mergePool/replica.js"
export { type ReplicaHandle, type ReplicaOptions, replica } from "./internal/mergePool/replicaHandle.js"
export type { FieldEdit, Strategy } from "./internal/mergePool/strategy.js"
export type { EditOf, NameOf, Pool, Replica, RowOf, ValueOf } from "./internal/mergePool/typed.js"
export { type Custom, custom, last, max, min } from "./internal/mergePool/values.js"
export { InvalidOptions } from "./internal/options.js"

/** A catalog of pools. */
export interface MergePools {
  /** Opens a pool, or makes it. One that is open is returned, if it is what is asked for. */
  readonly open: <F extends Fields>(options: OpenOptions<F>) => Effect.Effect<Pool<F>, OpenError>
  /** Returns a pool that is open, by whatever strategies it was opened with. */
  readonly get: (id: string) => Effect.Effect<Option.Option<PoolHandle>>
  /** Ends every follow of a client in every pool, also one that is being opened. Returns how many. */
  readonly unsubscribeAll: (client: string) => Effect.Effect<number>
  /** Ends what is over, and counts the pools that have expired since the last call. */
  readonly purgeExpired: Effect.Effect<number>
  /**
   * Asks `authorize` anew for everything that concerns the principal. When it returns, no frame that was judged by the older
   * answers is delivered any more.
   */
  readonly revoke: (principal: string) => Effect.Effect<void>
  /**
   * Begins a session of a client, or resumes one by its secret. Its connection lives as long as the scope: then the session
   * has a grace to be resumed, and ends with the rows that name it.
   */
  readonly session: (
    options: SessionOptions
  ) => Effect.Effect<Connected, InvalidOptions | SessionRefused, Scope.Scope>
  /** Deadlines and sessions, to share with other catalogs. */
  readonly leases: Leases
  /** Completes when everything that was merged before it has an outcome. */
  readonly flush: Effect.Effect<void>
  /** Completes when the backend is there. Fails with the reason if it never is. */
  readonly ready: Effect.Effect<void, ActorStopped>
  readonly status: Effect.Effect<Status>
  /** The present status first. */
  readonly statusChanges: Stream.Stream<Status>
  readonly stats: Effect.Effect<Stats>
  readonly unsafeStats: () => Stats
  /** Saves what was merged, ends every pool as `Closed`, and hands the backend back. All closers share one report. */
  readonly close: Effect.Effect<CloseReport>
  /** `close` with a deadline; the earliest deadline wins. Dies with {@link InvalidOptions} if it is no duration from 0. */
  readonly closeWithin: (duration: Duration.DurationInput) => Effect.Effect<CloseReport>
}

/** Makes a catalog of pools; returns at once. It is closed with its scope, within `closeDeadline`. */
export const make = (
  backend: MadeOrDeferred & Backend,
  options: Options = {}
): Effect.Effect<MergePools, InvalidOptions, Scope.Scope> =>
  Effect.andThen(checkBackend(backend), () => makeDeferred(Effect.succeed(backend), options))

/**
 * Makes a catalog over a backend that is available later; returns at once. Pools in memory need no backend. `acquire` is
 * retried from 100 ms to every 30 s; a `StorageError` of kind `Fatal` ends it, then the catalog is `Failed`.
 */
export const makeDeferred = <E, R>(
  acquire: Making<"save"> & Effect.Effect<Backend, E, R>,
  options: Options = {}
): Effect.Effect<MergePools, InvalidOptions, Exclude<R, Scope.Scope> | Scope.Scope> =>
  Effect.gen(function* () {
    yield* Arguments.checkEffect("acquire", acquire)
    const settings = yield* resolve(options)
    const context = yield* Effect.context<Exclude<R, Scope.Scope>>()
    const scope = yield* Effect.scope
    // The context has all that R needs but the scope.
    const provided = acquire.pipe(
      Effect.provideService(Scope.Scope, scope),
      Effect.provide(context)
    ) as Effect.Effect<Backend, E>
    return yield* catalogOf(yield* Runtime.make(provided, settings))
  })

/** Makes a backend in memory. */
export const memory: () => Effect.Effect<Backend> = memoryBackend

/**
 * Makes a layer with a catalog over a backend that is available later, under a tag of your own:
 *
 * ```ts
 * class Boards extends Context.Tag("Boards")<Boards, MergePool.MergePools>() {}
 * ```
 */
export const layer = <Id, E, R>(
  tag: Context.Tag<Id, MergePools>,
  acquire: Making<"save"> & Effect.Effect<Backend, E, R>,
  options: Options = {}
): Layer.Layer<Id, InvalidOptions, Exclude<R, Scope.Scope>> =>
  Arguments.layer(tag, makeDeferred(acquire, options))

/** Makes a layer for tests: the same catalog over a backend in memory. */
export const layerMemory = <Id>(
  tag: Context.Tag<Id, MergePools>,
  options: Options = {}
): Layer.Layer<Id, InvalidOptions> =>
  Arguments.layer(
    tag,
    Effect.flatMap(memory(), (backend) => make(backend, options))
  )

/**
 * The exchange of a pool as lines of text, for any transport that keeps their order: pure, so that it runs in a browser and in
 * a worker.
 *
 * - `client` is a replica that follows a server: a pool by its `serve`, or a hub.
 * - `hub` is a server without a catalog, for replicas that converge among themselves.
 * - A client comes up to date by the changes since its cursor; else by the hash tree (Merkle, 1987), in at most 4 round trips;
 *   else by the whole state, once.
 *
 * ```ts
 * const client = MergePool.exchange.client({ votes: MergePool.counter }, { client: replica.client })
 * ```
 */
export const exchange = { version: exchangeVersion, client: exchangeClient, hub: exchangeHub } as const
