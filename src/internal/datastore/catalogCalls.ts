/** The calls of a catalog of stores. */
import { type Duration, Effect, Option, type Schema } from "effect"
import * as Clients from "../catalog/clients.js"
import * as Operations from "../catalog/operations.js"
import type { CloseReport } from "./closing.js"
import * as Closing from "./closing.js"
import { type Codec, codecOf } from "./data.js"
import { handleOf, type StoreHandle } from "./handle.js"
import * as Open from "./opening.js"
import type { Runtime } from "./runtime.js"
import { type OpenOptions, resolveOpening } from "./settings.js"
import { statsOf } from "./stats.js"

const open = <A, I>(runtime: Runtime, options: OpenOptions<A, I>) =>
  Effect.gen(function* () {
    // The rules look at the options one by one, whatever the data is.
    const opening = yield* Effect.mapError(
      resolveOpening(options as OpenOptions<unknown, unknown>),
      Open.invalidOpening
    )
    const codec = codecOf(opening.schema as Schema.Schema<A, I> | undefined)
    const store = yield* Open.open(runtime, opening, codec as unknown as Codec<never>)
    return yield* handleOf(runtime, store, codec)
  })

const unsubscribeAll = ({ clients, entries }: Runtime, client: string): number => {
  let members = 0
  for (const { store } of entries.values()) if (store.members.delete(client)) members++
  return Clients.endAll(clients, client) + members
}

const purge = (runtime: Runtime): number => {
  runtime.leases.timers.runDue()
  const { expired } = runtime
  runtime.expired = 0
  return expired
}

/** Removes what no access asks for: old replies. */
const tidy = ({ entries, leases }: Runtime): void => {
  const now = leases.timers.now()
  for (const { store } of entries.values()) Operations.prune(store.operations, now)
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
    const { actor, leases, saving, shared } = runtime
    yield* Effect.forkScoped(Effect.interruptible(janitor(runtime)))
    const { close, closeWithin } = yield* Closing.start(runtime)
    const unsafeStats = () => statsOf(runtime)
    return {
      open: <A, I>(options: OpenOptions<A, I> = {}) => open(runtime, options),
      get: (id: string): Effect.Effect<Option.Option<StoreHandle<unknown>>> =>
        Effect.suspend(() => {
          const entry = Open.find(runtime, id)
          return entry === undefined
            ? Effect.succeed(Option.none())
            : Effect.asSome(handleOf(runtime, entry.store, codecOf<unknown, unknown>(undefined)))
        }),
      unsubscribeAll: (client: string) => Effect.sync(() => unsubscribeAll(runtime, client)),
      purgeExpired: Effect.sync(() => purge(runtime)),
      revoke: (principal: string) => Effect.sync(() => shared.policy.revoke(principal)),
      leases,
      flush: saving.flush,
      ready: actor.ready,
      status: Effect.sync(actor.unsafeStatus),
      statusChanges: actor.statusChanges,
      stats: Effect.sync(unsafeStats),
      unsafeStats,
      close: close as Effect.Effect<CloseReport>,
      closeWithin: closeWithin as (duration: Duration.DurationInput) => Effect.Effect<CloseReport>
    }
  })
