/** A catalog of stores while it runs: which stores are open, and what they share. */
import { Effect, type Scope } from "effect"
import type { Backend } from "../catalog/backend.js"
import * as Clients from "../catalog/clients.js"
import { endingOf } from "../catalog/endings.js"
import { markOf } from "../catalog/epochMark.js"
import * as Host from "../catalog/host.js"
import * as Leasing from "../catalog/leasing.js"
import * as Owning from "../catalog/owning.js"
import * as Places from "../catalog/places.js"
import * as Policy from "../catalog/policy.js"
import { makeRates } from "../catalog/quotas.js"
import * as Saving from "../catalog/saving.js"
import { isSessionOf } from "../catalog/sessionCalls.js"
import { keep } from "../catalog/unsaved.js"
import type { InvalidOptions } from "../options.js"
import type { Unsaved } from "./closing.js"
import type { OpenError, WriteError } from "./errors.js"
import type { JsonRow } from "./holding.js"
import { type Left, removeFrom, removeLeft, removeStored, unavailable } from "./leaving.js"
import type { Settings } from "./settings.js"
import { type Counters, end, type Shared, type Store } from "./store.js"

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

export interface Runtime extends Host.Host {
  readonly settings: Settings
  readonly shared: Shared
  readonly entries: Map<string, Entry>
  readonly owning: Owning.Owning
  readonly leasing: Leasing.Leasing<WriteError>
  /** Saves what any process writes. */
  readonly saving: Saving.Saving
  /** What was accepted and could not be stored, in order: the last 10,000 at least. */
  readonly unsaved: Array<Unsaved>
  /** Stores that have expired and that no purge has counted yet. */
  expired: number
}

/** Keeps an operation that was accepted and could not be stored, for the close report. */
export const handBack = ({ unsaved }: Runtime, operation: Unsaved): void => keep(unsaved, operation)

/** What saves the stores of a catalog. */
export const savingsOf = ({ owning, saving }: Runtime): ReadonlyArray<Saving.Saving> => [
  saving,
  ...owning.savings()
]

const noCounters = (): Counters => ({ applied: 0, refused: 0, repeated: 0, quotaRefusals: 0, failed: 0 })

/** Ends all stores that were decided in memory. */
const endOwned = (entries: ReadonlyMap<string, Entry>, cause: unknown): void => {
  for (const { store } of Array.from(entries.values()))
    if (store.outbox !== undefined) end(store, "Failed", cause)
}

/**
 * Removes the records of a session that has ended: at once from the stores that are decided in memory, and from what a
 * backend holds behind what was accepted before.
 */
const endSession = (runtime: Runtime, sessions: Map<string, Left>, session: string): void => {
  const left = sessions.get(session)
  if (left === undefined) return
  sessions.delete(session)
  for (const id of left.keys()) {
    const store = runtime.entries.get(id)?.store
    store?.sessions.delete(session)
    if (store !== undefined && store.parts === undefined) removeFrom(runtime.saving, store, session)
    if (store?.lifetime !== undefined) left.delete(id)
  }
  if (left.size > 0) runtime.shared.inBackground(removeLeft(runtime, left, session))
}

export const make = (
  acquire: Effect.Effect<Backend, unknown>,
  settings: Settings
): Effect.Effect<Runtime, InvalidOptions, Scope.Scope> =>
  Effect.gen(function* () {
    const { authorize, name, quotas } = settings
    const host = yield* Host.make(acquire, settings)
    const { backend, leases, scope, tasks } = host
    const saving = yield* Saving.make(name, backend, undefined)
    const entries = new Map<string, Entry>()
    const sessions = new Map<string, Left>()
    const inBackground = tasks.unsafeOffer
    const recheck = (principal: string): void => {
      for (const id of Clients.followedBy(runtime.clients, principal)) {
        entries.get(id)?.store.following.unsafeRecheck()
      }
    }
    const shared: Shared = {
      timers: leases.timers,
      policy: Policy.make<JsonRow>(authorize, leases.timers, recheck),
      mark: markOf(authorize, host.process),
      quotas,
      rates: makeRates(quotas.operationsPerSecond, leases.timers),
      isSession: (id, as) => isSessionOf(leases.sessions, id, as),
      noteSession: (session, store) => {
        const left: Left = sessions.get(session) ?? new Map()
        sessions.set(session, left.set(store.id, store.outbox !== undefined))
        store.sessions.add(session)
      },
      leaveSession: (session, store) => {
        const left = sessions.get(session)
        // What a permanent one holds stays in its backend.
        if (store.lifetime === undefined || left === undefined) return
        left.delete(store.id)
        if (left.size === 0) sessions.delete(session)
      },
      inBackground,
      nextName: host.nextName,
      onEnded: (store) => ended(runtime, store),
      count: noCounters(),
      isClosed: false
    }
    const leasing = Leasing.make({
      part: "store",
      backend,
      sessions: leases.sessions,
      remove: (backend, id, session) =>
        removeStored(saving, backend, shared.nextName, { id, open: entries.get(id)?.store }, session),
      unavailable
    })
    const runtime: Runtime = {
      ...host,
      settings,
      leasing,
      shared,
      entries,
      owning: yield* Owning.make(name, scope, (cause) => endOwned(entries, cause)),
      saving,
      unsaved: [],
      expired: 0
    }
    const stop = leases.sessions.onEnd(({ id }) => endSession(runtime, sessions, id))
    yield* Effect.addFinalizer(() => Effect.sync(stop))
    yield* Effect.forkScoped(Effect.interruptible(leasing.run))
    return runtime
  })

/** What follows the end of a store: it leaves the catalog, and its followers get one end. */
const ended = (runtime: Runtime, store: Store): void => {
  const { clients, entries, places, shared } = runtime
  Clients.dismiss(clients, store.members)
  const entry = entries.get(store.id)
  if (entry?.store === store) {
    entries.delete(store.id)
    Places.leave(places, entry.principal)
  }
  const { reason } = store.ended!
  if (reason === "Expired") runtime.expired++
  if (reason === "Failed") shared.count.failed++
  runtime.endings.unsafeBegin(endingOf(store, () => savingsOf(runtime)))
}
