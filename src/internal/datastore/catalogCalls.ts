/** The calls of a catalog of stores. */
import { type Duration, Effect, Option, type Schema } from "effect"
import * as Clients from "../catalog/clients.js"
import { isIdle } from "../catalog/idle.js"
import * as Operations from "../catalog/operations.js"
import { flushAll } from "../catalog/saving.js"
import { type SessionOptions, session } from "../catalog/sessionCalls.js"
import * as Slot from "../catalog/slot.js"
import { makeSecret } from "../lease/secret.js"
import * as Series from "../series.js"
import type { CloseReport } from "./closing.js"
import * as Closing from "./closing.js"
import { type Codec, codecOf } from "./data.js"
import { handleOf, type StoreHandle } from "./handle.js"
import * as Metering from "./metering.js"
import * as Open from "./opening.js"
import { type Runtime, savingsOf } from "./runtime.js"
import { type OpenOptions, resolveOpening } from "./settings.js"
import { statsOf } from "./stats.js"
import { end } from "./store.js"

const open = <A, I>(runtime: Runtime, options: OpenOptions<A, I>) =>
  Effect.gen(function* () {
    // The rules look at the options one by one, whatever the data is.
    const opening = yield* Effect.mapError(
      resolveOpening(options as OpenOptions<unknown, unknown>),
      Open.invalidOpening
    )
    const codec = codecOf(opening.schema as Schema.Schema<A, I> | undefined)
    const { kind, primary, start } = opening
    const id = opening.id ?? makeSecret()
    const named = { ...opening, id }
    // No part of the opening depends on the type of the data.
    const ofAny = codec as unknown as Codec<never>
    const opened = Open.open(runtime, named, ofAny)
    const loading = Open.loading(runtime, Open.reopen(runtime, named, ofAny))
    if (kind === "permanent" && start === "queued") {
      const slot = Slot.ofOpening(id, opened, loading)
      yield* Slot.start(slot)
      return yield* handleOf(runtime, slot, primary, codec)
    }
    return yield* handleOf(runtime, Slot.ofStore(yield* opened, loading), primary, codec)
  })

const purge = (runtime: Runtime): number => {
  runtime.leases.timers.runDue()
  const { expired } = runtime
  runtime.expired = 0
  return expired
}

/** Removes what no access asks for: old replies, and permanent stores that are idle. */
const tidy = ({ clients, entries, leases, settings }: Runtime): void => {
  const now = leases.timers.now()
  for (const { store } of Array.from(entries.values())) {
    Operations.prune(store.operations, now)
    if (isIdle(clients, store, now, settings.idleTimeout)) end(store, "Unloaded")
  }
}

/** For how many milliseconds what a backend remembers of a store is not looked at again. */
const tidyInterval = 60 * 60 * 1000

/** Lets the backend forget what is old of the stores that stay open: otherwise it does so when they are loaded. */
const tidyStored = ({ entries, leases }: Runtime): Effect.Effect<void> =>
  Effect.suspend(() => {
    const now = leases.timers.now()
    const due = Array.from(entries.values(), ({ store }) => store).filter(
      ({ tidiedAt, tidy }) => tidy !== undefined && now - tidiedAt >= tidyInterval
    )
    return Effect.forEach(
      due,
      (store) => {
        store.tidiedAt = now
        // While the backend is away, the next look does what this one could not.
        return Effect.ignoreLogged(store.tidy ?? Effect.void)
      },
      { discard: true }
    )
  })

const janitor = (runtime: Runtime): Effect.Effect<never> =>
  Effect.suspend(() => {
    const { settings, shared } = runtime
    // A backend that hangs or dies in it holds up nothing of what is in memory, and no second one is asked meanwhile.
    const stored = Effect.unsafeMakeSemaphore(1).withPermitsIfAvailable(1)(tidyStored(runtime))
    const look = Effect.sync(() => {
      tidy(runtime)
      shared.inBackground(Effect.asVoid(stored))
    })
    return Effect.forever(Effect.andThen(Effect.sleep(settings.janitorInterval), look))
  })

/** Makes the calls of a running catalog, which closes with the scope. */
export const catalogOf = (runtime: Runtime) =>
  Effect.gen(function* () {
    const { actor, leases, shared } = runtime
    yield* Effect.forkScoped(Effect.interruptible(janitor(runtime)))
    const series = yield* Series.open("name", runtime.settings.name)
    yield* Effect.forkScoped(Effect.interruptible(Metering.run(runtime, series)))
    const { close, closeWithin } = yield* Closing.start(runtime)
    const unsafeStats = () => statsOf(runtime)
    return {
      open: <A, I>(options: OpenOptions<A, I> = {}) => open(runtime, options),
      get: (id: string): Effect.Effect<Option.Option<StoreHandle<unknown>>> =>
        Effect.suspend(() => {
          const entry = Open.find(runtime, id)
          return entry === undefined
            ? Effect.succeed(Option.none())
            : Effect.asSome(
                handleOf(
                  runtime,
                  Slot.ofStore(entry.store, Open.loading(runtime, entry.reopen)),
                  entry.store.primary,
                  codecOf<unknown, unknown>(undefined)
                )
              )
        }),
      unsubscribeAll: (client: string) => Effect.sync(() => Clients.unsubscribe(runtime.clients, client)),
      purgeExpired: Effect.sync(() => purge(runtime)),
      revoke: (principal: string) => Effect.sync(() => shared.policy.revoke(principal)),
      leases,
      session: (options: SessionOptions) => session(leases.sessions, options),
      flush: flushAll(() => savingsOf(runtime)),
      ready: actor.ready,
      status: Effect.sync(actor.unsafeStatus),
      statusChanges: actor.statusChanges,
      stats: Effect.sync(unsafeStats),
      unsafeStats,
      close: close as Effect.Effect<CloseReport>,
      closeWithin: closeWithin as (duration: Duration.DurationInput) => Effect.Effect<CloseReport>
    }
  })
