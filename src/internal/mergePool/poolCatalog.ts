/** The calls of a catalog of pools. */
import { Effect, Option } from "effect"
import * as Clients from "../catalog/clients.js"
import { type SessionOptions, session } from "../catalog/sessionCalls.js"
import { makeSecret } from "../lease/secret.js"
import { forgetRemovals } from "./pool.js"
import * as Closing from "./poolClosing.js"
import { handleOf, type PoolHandle } from "./poolHandle.js"
import * as Open from "./poolOpening.js"
import type { Runtime } from "./poolRuntime.js"
import { type OpenOptions, resolveOpening } from "./poolSettings.js"
import * as Stats from "./poolStats.js"

const open = (runtime: Runtime, options: OpenOptions) =>
  resolveOpening(options).pipe(
    Effect.mapError(Open.invalidOpening),
    Effect.flatMap((opening) => Open.open(runtime, { ...opening, id: opening.id ?? makeSecret() })),
    Effect.map((pool) => handleOf(runtime, pool))
  )

const purge = (runtime: Runtime): number => {
  runtime.leases.timers.runDue()
  const { expired } = runtime
  runtime.expired = 0
  return expired
}

const tidy = ({ entries }: Runtime): void => {
  for (const { pool } of Array.from(entries.values())) forgetRemovals(pool)
}

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
    yield* Effect.forkScoped(Effect.interruptible(Stats.run(runtime)))
    const { close, closeWithin } = yield* Closing.start(runtime)
    const unsafeStats = () => Stats.statsOf(runtime)
    return {
      open: (options: OpenOptions) => open(runtime, options),
      get: (id: string): Effect.Effect<Option.Option<PoolHandle>> =>
        Effect.sync(() =>
          Option.map(Option.fromNullable(Open.find(runtime, id)), ({ pool }) => handleOf(runtime, pool))
        ),
      unsubscribeAll: (client: string) => Effect.sync(() => Clients.unsubscribe(runtime.clients, client)),
      purgeExpired: Effect.sync(() => purge(runtime)),
      revoke: (principal: string) => Effect.sync(() => shared.policy.revoke(principal)),
      leases,
      session: (options: SessionOptions) => session(leases.sessions, options),
      ready: actor.ready,
      status: Effect.sync(actor.unsafeStatus),
      statusChanges: actor.statusChanges,
      stats: Effect.sync(unsafeStats),
      unsafeStats,
      close,
      closeWithin
    }
  })
