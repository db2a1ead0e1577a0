/** A catalog of pools while it runs: which pools are open, and what they share. */
import { Effect, type Scope } from "effect"
import type { StorageError } from "../../Storage.js"
import type { Backend } from "../catalog/backend.js"
import * as Clients from "../catalog/clients.js"
import type { OpenError } from "../catalog/ended.js"
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
import type { InvalidOptions } from "../options.js"
import { steady } from "../time.js"
import { leaseOfPool } from "./leavingRows.js"
import { end, type Pool, type Shared } from "./pool.js"
import type { PoolCell } from "./poolCells.js"
import type { Unsaved } from "./poolClosing.js"
import { MergeError } from "./poolErrors.js"
import { removeLeft } from "./poolMerging.js"
import type { Settings } from "./poolSettings.js"

/** A pool of the catalog that is open. */
export interface Entry {
  readonly pool: Pool
  /** What it was opened with, to compare. */
  readonly opened: Opened
  /** Opens it again, after it has left memory. */
  readonly reopen: Effect.Effect<Pool, OpenError>
  /** Who has opened it first; none: the server itself. */
  readonly principal: string | undefined
}

/** What an opener must name alike. */
export interface Opened {
  readonly kind: string
  readonly strategies: string
  readonly ttl: number
  readonly expiry: "fixed" | "sliding"
  readonly onLeave: "keep" | "remove"
  readonly ack: "memory" | "flushed"
}

export interface Runtime extends Host.Host {
  readonly settings: Settings
  readonly shared: Shared
  readonly entries: Map<string, Entry>
  readonly owning: Owning.Owning
  readonly leasing: Leasing.Leasing<MergeError>
  /** Saves what any process writes. */
  readonly saving: Saving.Saving
  /** What was merged and could not be stored, in order: the last 10,000 ticks at least. */
  readonly unsaved: Array<Unsaved>
  /** Pools that have expired and that no purge has counted yet. */
  expired: number
}

/** What saves the pools of a catalog. */
export const savingsOf = ({ owning, saving }: Runtime): ReadonlyArray<Saving.Saving> => [
  saving,
  ...owning.savings()
]

/** Ends all permanent pools that are decided in memory. */
const endOwned = (entries: ReadonlyMap<string, Entry>, cause: unknown): void => {
  for (const { pool } of Array.from(entries.values())) {
    if (pool.lifetime === undefined && pool.parts === undefined) end(pool, "Failed", cause)
  }
}

/** What follows the end of a pool: it leaves the catalog, and its followers get one end. */
const ended = (runtime: Runtime, pool: Pool): void => {
  const { clients, entries, places, shared } = runtime
  Clients.dismiss(clients, pool.members)
  const entry = entries.get(pool.id)
  if (entry?.pool === pool) {
    entries.delete(pool.id)
    Places.leave(places, entry.principal)
  }
  for (const session of pool.leaving?.bySession.keys() ?? []) shared.leaveSession(session, pool)
  shared.count.ticks += pool.flow.ticks()
  const { reason } = pool.ended!
  if (reason === "Expired") runtime.expired++
  if (reason === "Failed") shared.count.failed++
  runtime.endings.unsafeBegin(endingOf(pool, () => savingsOf(runtime)))
}

const counters = (): Shared["count"] => ({
  applied: 0,
  unchanged: 0,
  refused: 0,
  quotaRefusals: 0,
  failed: 0,
  cells: 0,
  ticks: 0
})

/** A session that has ended here, and the pools that several processes write in which it may have left something. */
interface Left {
  readonly pools: ReadonlyArray<Pool>
  readonly session: string
}

/** Removes the rows of a session that has ended from the pools that are decided in memory. Returns what is left. */
const endSession = (holding: Map<string, Set<Pool>>, session: string): Left => {
  const all = Array.from(holding.get(session) ?? [])
  holding.delete(session)
  for (const pool of all) if (pool.parts === undefined) removeLeft(pool, session)
  return { session, pools: all.filter(({ parts }) => parts !== undefined) }
}

/** Removes what the backend holds of a session from a pool. */
const removeStored = (
  backend: Backend,
  { leaving, ended, id, parts }: Pool,
  session: string
): Effect.Effect<void, StorageError> =>
  Effect.map(backend.sessions.keysOf(id, leaseOfPool(session)), (keys) => {
    leaving?.bySession.delete(session)
    if (ended === undefined && keys.length > 0) parts?.removeLeft(session, keys)
  })

/** Removes what a session that has ended here has left, behind what was merged before. What fails ends by its lease. */
const removeEnded = (
  { backend, leasing, saving }: Pick<Runtime, "backend" | "leasing" | "saving">,
  { pools, session }: Left
): Effect.Effect<void> => {
  const merged = Effect.suspend(() => {
    for (const { flow } of pools) flow.flush()
    return saving.flush
  })
  const removed = Effect.flatMap(backend, (backend) =>
    Effect.forEach(pools, (pool) => removeStored(backend, pool, session), { discard: true })
  )
  const all = pools.length === 0 ? Effect.void : Effect.andThen(merged, removed)
  return Effect.ignoreLogged(Effect.andThen(all, leasing.release(session)))
}

/** Removes what a session that is over has left in a pool, if it is open here: others do not know how its cells join. */
const removeOver = (
  entry: Entry | undefined,
  backend: Backend,
  session: string
): Effect.Effect<void, StorageError> =>
  Effect.suspend(() => {
    const pool = entry?.pool
    if (pool?.leaving === undefined || pool.ended !== undefined) return Effect.void
    if (pool.parts !== undefined) return removeStored(backend, pool, session)
    return Effect.sync(() => removeLeft(pool, session))
  })

const unleased = (cause: StorageError): MergeError =>
  new MergeError({
    reason: "Unavailable",
    message: "the lease of the session could not be taken: try again",
    outcome: "NotStored",
    cause
  })

export const make = (
  acquire: Effect.Effect<Backend, unknown>,
  settings: Settings
): Effect.Effect<Runtime, InvalidOptions, Scope.Scope> =>
  Effect.gen(function* () {
    const { authorize, name, quotas } = settings
    const host = yield* Host.make(acquire, settings)
    const { leases } = host
    const clock = steady(yield* Effect.clock)
    const entries = new Map<string, Entry>()
    const sessions = new Map<string, Set<Pool>>()
    const recheck = (principal: string): void => {
      for (const id of Clients.followedBy(host.clients, principal)) {
        entries.get(id)?.pool.following.unsafeRecheck()
      }
    }
    const shared: Shared = {
      timers: leases.timers,
      wall: () => clock.unsafeCurrentTimeMillis(),
      policy: Policy.make<PoolCell>(authorize, leases.timers, recheck),
      quotas,
      rates: makeRates(quotas.operationsPerSecond, leases.timers),
      isSession: (id, as) => isSessionOf(leases.sessions, id, as),
      noteSession: (session, pool) => {
        const holding = sessions.get(session)
        if (holding === undefined) sessions.set(session, new Set([pool]))
        else holding.add(pool)
      },
      leaveSession: (session, pool) => {
        const holding = sessions.get(session)
        if (holding?.delete(pool) === true && holding.size === 0) sessions.delete(session)
      },
      inBackground: host.tasks.unsafeOffer,
      nextName: host.nextName,
      mark: markOf(authorize, host.process),
      onEnded: (pool) => ended(runtime, pool),
      count: counters(),
      isClosed: false
    }
    const saving = yield* Saving.make(name, host.backend, undefined)
    const leasing = Leasing.make({
      part: "pool",
      backend: host.backend,
      sessions: leases.sessions,
      remove: (backend, id, session) => removeOver(entries.get(id), backend, session),
      unavailable: unleased
    })
    const runtime: Runtime = {
      ...host,
      settings,
      shared,
      entries,
      owning: yield* Owning.make(name, host.scope, (cause) => endOwned(entries, cause)),
      leasing,
      saving,
      unsaved: [],
      expired: 0
    }
    const stop = leases.sessions.onEnd(({ id }) => {
      shared.inBackground(removeEnded(runtime, endSession(sessions, id)))
    })
    yield* Effect.addFinalizer(() => Effect.sync(stop))
    yield* Effect.forkScoped(Effect.interruptible(leasing.run))
    return runtime
  })
