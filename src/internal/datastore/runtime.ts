/** A catalog of stores while it runs: which stores are open, and what they share. */
import { Deferred, Effect, ExecutionStrategy, type Option, Scope } from "effect"
import * as Actor from "../../Actor.js"
import { StorageError } from "../../Storage.js"
import type { Backend } from "../catalog/backend.js"
import * as Clients from "../catalog/clients.js"
import * as Policy from "../catalog/policy.js"
import { makeRates } from "../catalog/quotas.js"
import * as Saving from "../catalog/saving.js"
import { type Leases, make as makeLeases } from "../lease/leases.js"
import type { InvalidOptions } from "../options.js"
import { makeRandom, randomName } from "../random.js"
import { removeAll } from "./accept.js"
import type { Unsaved } from "./closing.js"
import type { OpenError } from "./errors.js"
import type { JsonRow } from "./holding.js"
import * as Leasing from "./leasing.js"
import * as Owning from "./owning.js"
import * as Records from "./records.js"
import type { Settings } from "./settings.js"
import { beforeMark, type Counters, type Shared, type Store } from "./store.js"

/** A store of the catalog that is open. */
export interface Entry {
  readonly store: Store
  /** What it was opened with, to compare. */
  readonly opened: Opened
  /** Opens it again, after it has left memory. */
  readonly reopen: Effect.Effect<Store, OpenError>
  /** Who has opened it first; none: the server itself. */
  readonly principal: string | undefined
}

/** What an opener must name alike. */
export interface Opened {
  readonly kind: string
  readonly primary: string
  readonly ttl: number
  readonly expiry: "fixed" | "sliding"
  readonly schema: string
  readonly version: number
  readonly ack: "memory" | "flushed"
}

export interface Runtime {
  readonly settings: Settings
  readonly shared: Shared
  readonly leases: Leases
  readonly entries: Map<string, Entry>
  /** Runs openings of one id one after the other. */
  readonly inOrder: <A, E>(id: string, effect: Effect.Effect<A, E>) => Effect.Effect<A, E>
  readonly owning: Owning.Owning
  readonly clients: Clients.Clients
  /** By principal: how many stores of theirs are open, or being opened. */
  readonly storesOf: Map<string, number>
  /** Stores that are being opened. They count already. */
  readonly opening: Set<string>
  /** Completes when the backend is there; fails with what keeps it away for ever. */
  readonly backend: Effect.Effect<Backend, StorageError>
  readonly actor: Actor.Actor<Backend, never, Option.Option<Backend>>
  readonly tasks: Actor.Actor<void, Effect.Effect<void>, unknown>
  readonly leasing: Leasing.Leasing
  /** Saves what any process writes. */
  readonly saving: Saving.Saving
  /** What was accepted and could not be stored, in order: the last 10,000 at least. */
  readonly unsaved: Array<Unsaved>
  /** Ends with the close. */
  readonly scope: Scope.CloseableScope
  /** Stores that have expired and that no purge has counted yet. */
  expired: number
}

/** The most operations that are kept to be handed back. Beyond it the oldest are released. */
const maxUnsaved = 10_000

/** Keeps an operation that was accepted and could not be stored, for the close report. */
export const handBack = ({ unsaved }: Runtime, operation: Unsaved): void => {
  unsaved.push(operation)
  if (unsaved.length >= 2 * maxUnsaved) unsaved.splice(0, unsaved.length - maxUnsaved)
}

/** What saves the stores of a catalog. */
export const savingsOf = ({ owning, saving }: Runtime): ReadonlyArray<Saving.Saving> => [
  saving,
  ...owning.savings()
]

const noCounters = (): Counters => ({ applied: 0, refused: 0, repeated: 0, quotaRefusals: 0, failed: 0 })

/** Runs tasks in order, each on its own: one that dies stops no other. */
const makeTasks = (name: string): Effect.Effect<Runtime["tasks"], InvalidOptions, Scope.Scope> =>
  Actor.make<void, Effect.Effect<void>, unknown>(() => ({
    name: `${name}-tasks`,
    acquire: Effect.void,
    onBatch: (_, batch) =>
      Effect.forEach(
        batch.items,
        (task) => Effect.catchAllCause(task, (cause) => Effect.logError(`${name}: a task failed`, cause)),
        { discard: true }
      ),
    report: () => undefined
  }))

/** Makes what runs effects of one name in turn. A name that nothing waits for is forgotten. */
const makeOrder: Effect.Effect<Runtime["inOrder"]> = Effect.sync(() => {
  const turns = new Map<string, { readonly alone: Effect.Semaphore; waiting: number }>()
  return (id, effect) =>
    Effect.suspend(() => {
      const turn = turns.get(id) ?? { alone: Effect.unsafeMakeSemaphore(1), waiting: 0 }
      turns.set(id, turn)
      turn.waiting++
      return Effect.ensuring(
        turn.alone.withPermits(1)(effect),
        Effect.sync(() => {
          if (--turn.waiting === 0) turns.delete(id)
        })
      )
    })
})

/** Removes the records of a session from a store: one revision. */
const removeFrom = (saving: Saving.Saving, store: Store, session: string): void => {
  const keys = Records.keysOfSession(store.records, session)
  if (store.ended !== undefined || keys.length === 0) return
  if (store.parts === undefined) removeAll(store, keys)
  else saving.offer(Leasing.removalOf(store.id, store.shared.nextName(), session, keys), () => {})
}

/** Removes the records of a session that has ended, from every store that holds some. */
const endSession = (stores: Map<string, Set<Store>>, saving: Saving.Saving, session: string): void => {
  const holding = stores.get(session)
  if (holding === undefined) return
  stores.delete(session)
  for (const store of holding) removeFrom(saving, store, session)
}

const neverUp = (cause: Actor.ActorStopped): StorageError =>
  new StorageError({
    kind: "Fatal",
    outcome: "NotStored",
    message: "the backend never came up, see the cause",
    cause
  })

export const make = (
  acquire: Effect.Effect<Backend, unknown>,
  settings: Settings
): Effect.Effect<Runtime, InvalidOptions, Scope.Scope> =>
  Effect.gen(function* () {
    const { authorize, name, quotas } = settings
    const scope = yield* Scope.fork(yield* Effect.scope, ExecutionStrategy.sequential)
    const leases = settings.leases ?? (yield* makeLeases)
    const random = yield* makeRandom
    const process = randomName(random)
    const tasks = yield* makeTasks(name)
    const up = yield* Deferred.make<Backend, StorageError>()
    const actor = yield* Actor.make<Backend, never, Option.Option<Backend>>(() => ({
      name,
      acquire: Effect.tap(acquire, (backend) => Deferred.succeed(up, backend)),
      onBatch: () => Effect.void,
      report: ({ resource }) => resource
    }))
    const backend = Deferred.await(up)
    yield* Effect.forkScoped(
      Effect.interruptible(Effect.catchAll(actor.ready, (cause) => Deferred.fail(up, neverUp(cause))))
    )
    const saving = yield* Saving.make(name, backend, undefined)
    const entries = new Map<string, Entry>()
    const sessions = new Map<string, Set<Store>>()
    let names = 0
    const inBackground = (task: Effect.Effect<void>): void => {
      tasks.unsafeOffer(task)
    }
    const recheck = (principal: string): void => {
      for (const id of Clients.followedBy(runtime.clients, principal)) {
        entries.get(id)?.store.following.unsafeRecheck()
      }
    }
    const shared: Shared = {
      timers: leases.timers,
      policy: Policy.make<JsonRow>(authorize, leases.timers, recheck),
      mark: authorize === undefined ? "" : `${beforeMark}${process}`,
      quotas,
      rates: makeRates(quotas.operationsPerSecond, leases.timers),
      isSession: (id, as) => {
        const session = leases.sessions.get(id)
        if (session === undefined || as === undefined) return session !== undefined
        const isOfPrincipal = session.principal === undefined || session.principal === as.principal
        return session.client === as.client && isOfPrincipal
      },
      noteSession: (session, store) => {
        const holding = sessions.get(session)
        if (holding === undefined) sessions.set(session, new Set([store]))
        else holding.add(store)
      },
      inBackground,
      nextName: () => `${process}/${++names}`,
      onEnded: (store) => ended(runtime, store),
      count: noCounters(),
      isClosed: false
    }
    const leasing = Leasing.make({
      backend,
      sessions: leases.sessions,
      saving,
      nextName: shared.nextName,
      removeOwned: (id, session) => {
        const store = entries.get(id)?.store
        if (store?.outbox === undefined) return false
        removeFrom(saving, store, session)
        return true
      }
    })
    const runtime: Runtime = {
      settings,
      leasing,
      shared,
      leases,
      entries,
      inOrder: yield* makeOrder,
      owning: yield* Owning.make(name, scope, entries),
      clients: Clients.make(),
      storesOf: new Map(),
      opening: new Set(),
      backend,
      actor,
      tasks,
      saving,
      unsaved: [],
      scope,
      expired: 0
    }
    const stop = leases.sessions.onEnd(({ id }) => endSession(sessions, saving, id))
    yield* Effect.addFinalizer(() => Effect.sync(stop))
    yield* Effect.forkScoped(Effect.interruptible(leasing.run))
    return runtime
  })

export const countDown = (counts: Map<string, number>, name: string): void => {
  const count = counts.get(name) ?? 0
  if (count <= 1) counts.delete(name)
  else counts.set(name, count - 1)
}

/** What follows the end of a store: it leaves the catalog, and its followers get one end. */
const ended = (runtime: Runtime, store: Store): void => {
  const { entries, shared, storesOf } = runtime
  const entry = entries.get(store.id)
  if (entry?.store === store) {
    entries.delete(store.id)
    if (entry.principal !== undefined) countDown(storesOf, entry.principal)
  }
  const { reason } = store.ended!
  if (reason === "Expired") runtime.expired++
  if (reason === "Failed") shared.count.failed++
  shared.inBackground(Effect.andThen(store.following.end(store.ended!), store.release))
}
