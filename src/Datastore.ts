/**
 * Shared tables that several clients edit at once, with the server as the authority.
 *
 * A catalog holds stores. A store holds records of JSON data under the key of a primary field. Each accepted operation
 * (a set, patch or delete, or a batch of them) is one revision of the store, and what it writes has its number as `seq`.
 * Subscribers follow these revisions: nothing is left out, doubled, or in another order, over any absence.
 *
 * Guarantees: operations are judged in the order in which they are accepted. A batch is applied whole or not at all. An
 * operation of a client that is sent again acts once, and gets the same reply. What a principal may not see reaches it
 * in no frame, reply or error; after `revoke` nothing that was judged before is delivered. A store that has ended gives
 * each follow one typed end, and its next life is a new one. No reader can change what another one gets.
 */
import { type Context, type Duration, Effect, type Layer, type Option, Scope, type Stream } from "effect"
import type { ActorStopped, Status } from "./Actor.js"
import * as Arguments from "./internal/arguments.js"
import type { Backend } from "./internal/catalog/backend.js"
import { checkBackend } from "./internal/catalog/host.js"
import { memory as memoryBackend } from "./internal/catalog/memoryBackend.js"
import type { Connected, SessionOptions } from "./internal/catalog/sessionCalls.js"
import * as Calls from "./internal/datastore/catalogCalls.js"
import type { CloseReport } from "./internal/datastore/closing.js"
import type { OpenError } from "./internal/datastore/errors.js"
import type { StoreHandle } from "./internal/datastore/handle.js"
import * as Runtime from "./internal/datastore/runtime.js"
import { type OpenOptions, type Options, resolve } from "./internal/datastore/settings.js"
import type { Stats } from "./internal/datastore/stats.js"
import type { Leases } from "./internal/lease/leases.js"
import type { SessionRefused } from "./internal/lease/sessions.js"
import type { InvalidOptions } from "./internal/options.js"
import type { MadeOrDeferred, Making } from "./internal/remedy.js"

export type { Backend } from "./internal/catalog/backend.js"
export type { FollowEnded } from "./internal/catalog/follows.js"
export type { Action, Authorize, Grant, Thing } from "./internal/catalog/policy.js"
export type { Quotas } from "./internal/catalog/quotas.js"
export type { Connected, SessionOptions } from "./internal/catalog/sessionCalls.js"
export type { StoreStatus } from "./internal/catalog/slot.js"
export type { Json, JsonObject } from "./internal/columns/jsonData.js"
export type { As } from "./internal/datastore/accept.js"
export { apply } from "./internal/datastore/apply.js"
export type {
  FollowOptions,
  OperationAs,
  ReadOptions,
  StepOptions,
  WriteOptions
} from "./internal/datastore/callOptions.js"
export { checkSteps } from "./internal/datastore/check.js"
export type { CloseReport, Unsaved } from "./internal/datastore/closing.js"
export { OpenError, StoreEnded, WriteError } from "./internal/datastore/errors.js"
export type { StoreHandle } from "./internal/datastore/handle.js"
export {
  type Changed,
  type Changes,
  type Expect,
  type Judge,
  type Operation,
  patch,
  type Refused,
  type Row,
  remove,
  type State,
  type Step,
  set
} from "./internal/datastore/operation.js"
export type { ReadError, Snapshot } from "./internal/datastore/reading.js"
export type { Migrate, OpenOptions, Options } from "./internal/datastore/settings.js"
export type { Stats } from "./internal/datastore/stats.js"
export type {
  Batched,
  Failure,
  PatchFields,
  Removed
} from "./internal/datastore/writing.js"
export type { Leases } from "./internal/lease/leases.js"
export { type Session, SessionRefused, type Sessions } from "./internal/lease/sessions.js"
export { InvalidOptions } from "./internal/options.js"

/** A catalog of stores. */
export interface Datastores {
  /** Opens a store, or makes it. One that is open is returned, if it is what is asked for. */
  readonly open: <A = Record<string, unknown>, I = A>(
    options?: OpenOptions<A, I>
  ) => Effect.Effect<StoreHandle<A>, OpenError>
  /** Returns a store that is open, with its data as JSON. */
  readonly get: (id: string) => Effect.Effect<Option.Option<StoreHandle<unknown>>>
  /** Ends every follow of a client in every store, also one that is being opened. Returns how many. */
  readonly unsubscribeAll: (client: string) => Effect.Effect<number>
  /** Ends what is over, and counts the stores that have expired since the last call. */
  readonly purgeExpired: Effect.Effect<number>
  /**
   * Asks `authorize` anew for everything that concerns the principal. When it returns, no frame that was judged by the older
   * answers is delivered any more.
   */
  readonly revoke: (principal: string) => Effect.Effect<void>
  /**
   * Begins a session of a client, or resumes one by its secret. Its connection lives as long as the scope: then the session
   * has a grace to be resumed, and ends with the records that name it.
   */
  readonly session: (
    options: SessionOptions
  ) => Effect.Effect<Connected, InvalidOptions | SessionRefused, Scope.Scope>
  /** Deadlines and sessions, to share with other catalogs. */
  readonly leases: Leases
  /** Completes when everything accepted before it has an outcome. */
  readonly flush: Effect.Effect<void>
  /** Completes when the backend is there. Fails with the reason if it never is. */
  readonly ready: Effect.Effect<void, ActorStopped>
  readonly status: Effect.Effect<Status>
  /** The present status first. */
  readonly statusChanges: Stream.Stream<Status>
  readonly stats: Effect.Effect<Stats>
  readonly unsafeStats: () => Stats
  /** Ends every store as `Closed`, saves what was accepted, and hands the backend back. All closers share one report. */
  readonly close: Effect.Effect<CloseReport>
  /** `close` with a deadline; the earliest deadline wins. Dies with {@link InvalidOptions} if it is no duration from 0. */
  readonly closeWithin: (duration: Duration.DurationInput) => Effect.Effect<CloseReport>
}

/** Makes a catalog of stores; returns at once. It is closed with its scope, within `closeDeadline`. */
export const make = (
  backend: MadeOrDeferred & Backend,
  options: Options = {}
): Effect.Effect<Datastores, InvalidOptions, Scope.Scope> =>
  Effect.andThen(checkBackend(backend), () => makeDeferred(Effect.succeed(backend), options))

/**
 * Makes a catalog over a backend that is available later; returns at once. Temporary stores need no backend. `acquire` is
 * retried from 100 ms to every 30 s; a `StorageError` of kind `Fatal` ends it, then the catalog is `Failed`.
 */
export const makeDeferred = <E, R>(
  acquire: Making<"save"> & Effect.Effect<Backend, E, R>,
  options: Options = {}
): Effect.Effect<Datastores, InvalidOptions, Exclude<R, Scope.Scope> | Scope.Scope> =>
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
    return yield* Calls.catalogOf(yield* Runtime.make(provided, settings))
  })

/** Makes a backend in memory, for tests and for stores that need not outlive the process. */
export const memory: () => Effect.Effect<Backend> = memoryBackend

/**
 * Makes a layer with a catalog over a backend that is available later, under a tag of your own:
 *
 * ```ts
 * class Boards extends Context.Tag("Boards")<Boards, Datastore.Datastores>() {}
 * ```
 */
export const layer = <Id, E, R>(
  tag: Context.Tag<Id, Datastores>,
  acquire: Making<"save"> & Effect.Effect<Backend, E, R>,
  options: Options = {}
): Layer.Layer<Id, InvalidOptions, Exclude<R, Scope.Scope>> =>
  Arguments.layer(tag, makeDeferred(acquire, options))

/** Makes a layer for tests: the same catalog over a backend in memory. */
export const layerMemory = <Id>(
  tag: Context.Tag<Id, Datastores>,
  options: Options = {}
): Layer.Layer<Id, InvalidOptions> =>
  Arguments.layer(
    tag,
    Effect.flatMap(memory(), (backend) => make(backend, options))
  )
