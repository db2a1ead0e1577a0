/** The calls of a catalog of pools. */
import { Effect, Option } from "effect"
import * as Clients from "../catalog/clients.js"
import { OpenError } from "../catalog/ended.js"
import { isIdle } from "../catalog/idle.js"
import { type SessionOptions, session } from "../catalog/sessionCalls.js"
import * as Slot from "../catalog/slot.js"
import { makeSecret } from "../lease/secret.js"
import * as Series from "../series.js"
import type { Fields } from "./definition.js"
import { end, forgetRemovals } from "./pool.js"
import * as Closing from "./poolClosing.js"
import { flushAll, handleOf, type PoolHandle } from "./poolHandle.js"
import * as Open from "./poolOpening.js"
import type { Runtime } from "./poolRuntime.js"
import { type Named, type OpenOptions, resolveOpening } from "./poolSettings.js"
import * as Stats from "./poolStats.js"
import type { Pool } from "./typed.js"

const open = (runtime: Runtime, options: OpenOptions) =>
  resolveOpening(options).pipe(
    Effect.mapError(Open.invalidOpening),
    Effect.flatMap((opening) => openHandle(runtime, { ...opening, id: opening.id ?? makeSecret() }))
  )

const openHandle = (runtime: Runtime, opening: Named): Effect.Effect<PoolHandle, OpenError> =>
  Effect.gen(function* () {
    const { id, kind, start } = opening
    const opened = Open.open(runtime, opening)
    const loading = Open.loading(runtime, Open.reopen(runtime, opening))
    if (kind !== "permanent" || start === "loaded") {
      const pool = yield* opened
      return handleOf(runtime, Slot.ofStore(pool, loading), pool.state.definition.fingerprint)
    }
    const definition = Open.validate(opening)
    if (definition instanceof OpenError) return yield* definition
    const slot = Slot.ofOpening(id, opened, loading)
    yield* Slot.start(slot)
    return handleOf(runtime, slot, definition.fingerprint)
  })

const purge = (runtime: Runtime): number => {
  runtime.leases.timers.runDue()
  const { expired } = runtime
  runtime.expired = 0
  return expired
}

/** Forgets old removals, and lets permanent pools that are idle leave memory. */
const tidy = ({ clients, entries, leases, settings }: Runtime): void => {
  const now = leases.timers.now()
  for (const { pool } of Array.from(entries.values())) {
    forgetRemovals(pool)
    if (isIdle(clients, pool, now, settings.idleTimeout)) end(pool, "Unloaded")
  }
}

/** Returns the handle of a pool that is open. */
const get = (runtime: Runtime, id: string): Option.Option<PoolHandle> =>
  Option.map(Option.fromNullable(Open.find(runtime, id)), ({ opened, pool, reopen }) =>
    handleOf(runtime, Slot.ofStore(pool, Open.loading(runtime, reopen)), opened.strategies)
  )

const janitor = (runtime: Runtime): Effect.Effect<never> =>
  Effect.forever(
    Effect.andThen(
      Effect.sleep(runtime.settings.janitorInterval),
      Effect.sync(() => tidy(runtime))
    )
  )

/** Makes the calls of a running catalog, which closes with the scope. */
export const catalogOf = (runtime: Runtime) =>
  Effect.gen(function* () {
    const { actor, leases, shared } = runtime
    yield* Effect.forkScoped(Effect.interruptible(janitor(runtime)))
    const series = yield* Series.open("name", runtime.settings.name)
    yield* Effect.forkScoped(Effect.interruptible(Stats.run(runtime, series)))
    const { close, closeWithin } = yield* Closing.start(runtime)
    const unsafeStats = () => Stats.statsOf(runtime)
    return {
      open: <F extends Fields>(options: OpenOptions<F>) =>
        // The pool is joined by these strategies, so they read its values.
        open(runtime, options) as Effect.Effect<Pool<F>, OpenError>,
      get: (id: string): Effect.Effect<Option.Option<PoolHandle>> => Effect.sync(() => get(runtime, id)),
      unsubscribeAll: (client: string) => Effect.sync(() => Clients.unsubscribe(runtime.clients, client)),
      purgeExpired: Effect.sync(() => purge(runtime)),
      revoke: (principal: string) => Effect.sync(() => shared.policy.revoke(principal)),
      leases,
      session: (options: SessionOptions) => session(leases.sessions, options),
      flush: flushAll(runtime),
      ready: actor.ready,
      status: Effect.sync(actor.unsafeStatus),
      statusChanges: actor.statusChanges,
      stats: Effect.sync(unsafeStats),
      unsafeStats,
      close,
      closeWithin
    }
  })
