/** The handle of a store: one life of it. */
import { Effect, type Option, PubSub, type Scope, Stream } from "effect"
import type { Selector } from "../../ChangeLog.js"
import {
  type FollowError,
  type Frame,
  type Watcher,
  type FollowOptions as WatchOptions,
  WatchRefused
} from "../../Watch.js"
import * as Clients from "../catalog/clients.js"
import type { FollowEnded } from "../catalog/follows.js"
import * as Permits from "../catalog/permits.js"
import type { Action } from "../catalog/policy.js"
import { flushAll } from "../catalog/saving.js"
import * as Slot from "../catalog/slot.js"
import type { JsonObject } from "../columns/jsonData.js"
import { invalid } from "../options.js"
import type { As } from "./accept.js"
import type { FollowOptions, ReadOptions, StepOptions, WriteOptions } from "./callOptions.js"
import type { Codec } from "./data.js"
import { type StoreEnded, WriteError } from "./errors.js"
import * as Follow from "./followCalls.js"
import type { Row, Step } from "./operation.js"
import * as Reads from "./reading.js"
import { type Runtime, savingsOf } from "./runtime.js"
import { access, end, type Store, use } from "./store.js"
import * as Writes from "./writing.js"

/** A store that is open: one life of it. Its calls fail with `StoreEnded` when that is over. */
export interface StoreHandle<in out A> {
  readonly id: string
  /** Names this life: cursors of another one do not count. */
  readonly epoch: Effect.Effect<string, StoreEnded>
  /** Completes when the store is loaded, of one that was opened with `start: "queued"`. */
  readonly ready: Effect.Effect<void, StoreEnded>
  /** Reads a record; none if there is none that may be seen. */
  readonly get: (key: string, options?: ReadOptions) => Effect.Effect<Option.Option<Row<A>>, Reads.ReadError>
  /** Reads all records that may be seen, ascending by seq. Those of one batch have one seq, and no order among them. */
  readonly snapshot: (options?: ReadOptions) => Effect.Effect<Reads.Snapshot<A>, Reads.ReadError>
  /** Replaces a record as a whole, or makes it. */
  readonly set: (data: A, options?: StepOptions) => Effect.Effect<Row<A>, WriteError | StoreEnded>
  /**
   * Sets a record without waiting; `false`: it is refused. For plain handlers: it is synchronous and never throws. What
   * it fails with later comes in `failures`.
   */
  readonly unsafeSet: (data: A) => boolean
  /** Sets and removes top-level fields of a record that is there, never the primary one. */
  readonly patch: (
    key: string,
    fields: Writes.PatchFields<A>,
    options?: StepOptions
  ) => Effect.Effect<Row<A>, WriteError | StoreEnded>
  /** Removes a record; none if there was none. */
  readonly delete: (
    key: string,
    options?: StepOptions
  ) => Effect.Effect<Option.Option<Writes.Removed>, WriteError | StoreEnded>
  /** Applies 1 to 1,000 steps in order, all of them or none, as one revision. */
  readonly batch: (
    steps: ReadonlyArray<Step<A>>,
    options?: WriteOptions
  ) => Effect.Effect<Writes.Batched<A>, WriteError | StoreEnded>
  /** Operations that were accepted without waiting, and what they failed with later; the last 256 first. */
  readonly failures: Stream.Stream<Writes.Failure>
  /** Extends the life of a store with sliding expiry, and returns whether it did. */
  readonly touch: Effect.Effect<boolean, StoreEnded>
  /** As `touch`, on behalf of a principal that has the right to `write`. */
  readonly touchAs: (as: As) => Effect.Effect<boolean, WriteError | StoreEnded>
  /**
   * Follows the records: a snapshot, or the changes after a revision, then `Synced`, then every change as it is made, and
   * at last one typed end. It begins when the stream runs.
   */
  readonly follow: (options?: FollowOptions<A>) => Stream.Stream<Frame<Row<A>>, FollowEnded>
  /**
   * Opens watchers on behalf of a principal, as `Watch.open` does, for adapters such as `WatchSse`: within its rights, and
   * counted as its client's. Values are rows of JSON data.
   */
  readonly opener: (as?: As) => Opener
  /**
   * Counts a client among the subscribers, also when it follows nothing. Returns whether it was new. Fails when the quota
   * `subscribers` is reached, or the principal has no right to `subscribe`. Dies with `InvalidOptions` if it is no text.
   */
  readonly subscribe: (client: string, as?: As) => Effect.Effect<boolean, WriteError | StoreEnded>
  /** Ends all follows of a client here, and counts it no more. Returns whether it was there. */
  readonly unsubscribe: (client: string) => Effect.Effect<boolean>
  /** The clients that follow it or were subscribed, each once. */
  readonly subscribers: Effect.Effect<ReadonlyArray<string>>
  /** Completes when everything that was accepted before it has an outcome. */
  readonly flush: Effect.Effect<void>
  /** Never loads the store. */
  readonly status: Effect.Effect<Slot.StoreStatus>
  /** Ends the store for all, as `Ended`: each follow gets what is committed, then its end. */
  readonly end: Effect.Effect<void>
  /** As `end`, on behalf of a principal that has the right to `admin`. */
  readonly endAs: (as: As) => Effect.Effect<void, WriteError | StoreEnded>
}

/** What opens watchers of a store. */
export interface Opener {
  readonly open: (
    selector: Selector,
    options?: WatchOptions<Row<JsonObject>>
  ) => Effect.Effect<Watcher<Row<JsonObject>>, FollowError, Scope.Scope>
}

/** The end of a store, for what knows watches only. */
const refusedBy = (error: FollowError | StoreEnded): FollowError => {
  if (error._tag !== "StoreEnded") return error
  const { cause, message, reason } = error
  if (reason === "Closed" || reason === "Unloaded") return new WatchRefused({ reason: "Closed", message })
  return new WatchRefused({ reason: "Ended", ended: reason, message, cause })
}

/** Calls a store that has not ended, after it was loaded. */
const live = <A>(
  slot: Slot.Slot<Store>,
  then: (store: Store, now: number) => A
): Effect.Effect<A, StoreEnded> =>
  Effect.flatMap(Slot.live(slot), (store) => {
    const now = store.shared.timers.now()
    const ended = access(store, now)
    return ended === undefined ? Effect.succeed(then(store, now)) : Effect.fail(ended)
  })

/** As {@link live}, on behalf of a principal that has the right to it. */
const permitted = <A>(
  slot: Slot.Slot<Store>,
  as: As | undefined,
  action: Action,
  then: (store: Store, now: number) => A | Permits.NotPermitted
): Effect.Effect<A, WriteError | StoreEnded> =>
  Effect.flatMap(
    live(slot, (store, now) => Permits.forbidden(store.shared.policy, store, as, action) ?? then(store, now)),
    (done) => (Permits.isRefusal(done) ? Effect.fail(new WriteError(done)) : Effect.succeed(done))
  )

const touch = (store: Store, now: number): boolean => {
  use(store, now)
  return store.lifetime?.expiry === "sliding"
}

const subscribe = (
  { clients, shared }: Runtime,
  slot: Slot.Slot<Store>,
  client: string,
  as: As | undefined
): Effect.Effect<boolean, WriteError | StoreEnded> =>
  typeof client !== "string"
    ? Effect.die(invalid("client", "a string", client))
    : permitted(slot, as, "subscribe", ({ members }) => {
        const joined = Permits.join(clients, members, shared.quotas, client)
        if (Permits.isRefusal(joined)) shared.count.quotaRefusals++
        return joined
      })

/** What waits for the store to be loaded is accepted first. */
const flush = (runtime: Runtime, slot: Slot.Slot<Store>): Effect.Effect<void> =>
  Effect.suspend(() => {
    const loaded = slot.waiting === undefined ? Effect.void : Effect.ignore(Slot.live(slot))
    return Effect.andThen(
      loaded,
      flushAll(() => savingsOf(runtime))
    )
  })

const openerOf = (runtime: Runtime, slot: Slot.Slot<Store>, as: As | undefined): Opener => ({
  open: (selector, options = {}) =>
    Slot.live(slot).pipe(
      Effect.flatMap((store) => Follow.open(runtime, store, as, selector, options)),
      Effect.mapError(refusedBy)
    )
})

/** Makes the handle of a slot for callers with this data. */
export const handleOf = <A>(
  runtime: Runtime,
  slot: Slot.Slot<Store>,
  primary: string,
  codec: Codec<A>
): Effect.Effect<StoreHandle<A>> =>
  Effect.map(PubSub.sliding<Writes.Failure>({ capacity: 256, replay: 256 }), (failures) => {
    const writing: Writes.Writing<A> = { runtime, slot, primary, codec, failures }
    const { clients } = runtime
    return {
      id: slot.id,
      epoch: Effect.map(Slot.live(slot), ({ epoch }) => epoch),
      ready: Effect.asVoid(Slot.live(slot)),
      get: (key, options) => Reads.get(slot, codec, key, options),
      snapshot: (options) => Reads.snapshot(slot, codec, options),
      set: (data, options) => Writes.set(writing, data, options),
      unsafeSet: (data) => Writes.unsafeWrite(writing, { _tag: "Set", data }),
      patch: (key, fields, options) => Writes.patch(writing, key, fields, options),
      delete: (key, options) => Writes.remove(writing, key, options),
      batch: (steps, options) => Writes.batch(writing, steps, options),
      failures: Stream.fromPubSub(failures),
      touch: live(slot, touch),
      touchAs: (as) => permitted(slot, as, "write", touch),
      follow: (options = {}) => Follow.follow(runtime, slot, codec, options),
      opener: (as) => openerOf(runtime, slot, as),
      subscribe: (client, as) => subscribe(runtime, slot, client, as),
      unsubscribe: (client) =>
        Effect.sync(() => {
          const store = Slot.present(slot)
          const wasMember = store !== undefined && Clients.leave(clients, store.members, client)
          return Clients.endAll(clients, client, slot.id) > 0 || wasMember
        }),
      subscribers: Effect.sync(() =>
        Array.from(new Set([...(Slot.present(slot)?.members ?? []), ...Clients.clientsOf(clients, slot.id)]))
      ),
      flush: flush(runtime, slot),
      status: Effect.sync(() => Slot.statusOf(slot)),
      end: Effect.ignore(
        Effect.map(Slot.live(slot), (store) => {
          end(store, "Ended")
        })
      ),
      endAs: (as) =>
        permitted(slot, as, "admin", (store) => {
          end(store, "Ended")
        })
    }
  })
