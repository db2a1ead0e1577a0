/** Opens stores: one that is open is returned, if it is what was asked for. */
import { Effect, Scope } from "effect"
import * as Places from "../catalog/places.js"
import type { Loading } from "../catalog/slot.js"
import type { InvalidOptions } from "../options.js"
import type { As } from "./accept.js"
import type { Codec } from "./data.js"
import { OpenError, type StoreEnded } from "./errors.js"
import * as Permanent from "./permanent.js"
import type { Entry, Opened, Runtime } from "./runtime.js"
import type { Opening } from "./settings.js"
import { access, end, type Store } from "./store.js"
import * as Temporary from "./temporary.js"

export const invalidOpening = ({ message, option }: InvalidOptions): OpenError =>
  new OpenError({ reason: "InvalidOptions", option, message: `${option} ${message}` })

/** What is opened, by its id. */
export type Named = Opening & Places.CountedFor & { readonly id: string }

/** What an opener names, to compare it with what is open. */
const openedBy = ({ settings }: Runtime, opening: Opening, codec: Codec<never>): Opened => {
  const isPermanent = opening.kind === "permanent"
  return {
    kind: opening.kind,
    primary: opening.primary,
    ttl: isPermanent ? 0 : Temporary.lifetimeOf(opening, settings),
    expiry: isPermanent ? "fixed" : opening.expiry,
    schema: codec.fingerprint,
    version: opening.version,
    ack: isPermanent ? opening.ack : "memory"
  }
}

/** Returns the difference between what is open and what is asked for. */
export const mismatch = (id: string, open: Opened, wanted: Opened): OpenError | undefined => {
  for (const option of Object.keys(wanted) as ReadonlyArray<keyof Opened>) {
    if (open[option] === wanted[option]) continue
    const detail = option === "schema" ? "" : ` (${open[option]}, and not ${wanted[option]})`
    const message = `the store ${JSON.stringify(id)} has another ${option}${detail}: name it as it is, or use another id`
    return new OpenError({ reason: "OpenMismatch", option, message })
  }
  return undefined
}

const mayOpen = ({ shared }: Runtime, as: As | undefined, id: string, kind: string): boolean =>
  as === undefined || shared.policy.rights(as.principal, { id, kind }).actions.has("open")

/** Adds a store that was made to those that are open, unless it has ended meanwhile. */
const add = (
  { entries, shared }: Runtime,
  store: Store,
  opened: Opened,
  reopen: Entry["reopen"],
  principal: string | undefined
): Effect.Effect<Store, OpenError> =>
  Effect.suspend(() => {
    if (shared.isClosed) end(store, "Closed")
    const { ended } = store
    if (ended !== undefined) {
      const failed = ended.reason === "Closed" ? closed : failedMeanwhile(ended)
      // The tasks of a catalog that is closed run no more; it has no followers yet.
      return Effect.andThen(store.following.end(ended, 0), Effect.andThen(store.release, failed))
    }
    entries.set(store.id, { store, opened, reopen, principal })
    return Effect.succeed(store)
  })

/** Returns the store of an id that is open now, after what is over has ended. */
export const find = ({ entries, shared }: Runtime, id: string): Entry | undefined => {
  const entry = entries.get(id)
  if (entry === undefined || access(entry.store, shared.timers.now()) !== undefined) return undefined
  return entry
}

const closed = new OpenError({ reason: "Closed", message: "the catalog is closed: make another one" })

const failedMeanwhile = (cause: StoreEnded): OpenError =>
  new OpenError({
    reason: "Unavailable",
    message: "the store has failed while it was opened: open it again",
    cause
  })

const openPermanent = (
  runtime: Runtime,
  opening: Opening,
  id: string,
  codec: Codec<never>
): Effect.Effect<Store, OpenError> =>
  Effect.gen(function* () {
    const backend = yield* Effect.mapError(
      runtime.backend,
      (cause) => new OpenError({ reason: "Unavailable", message: cause.message, cause })
    )
    const owned = opening.ack === "memory" ? yield* runtime.owning.take(backend) : undefined
    return yield* Permanent.open({
      runtime,
      backend,
      saving: owned ?? runtime.saving,
      opening,
      id,
      codec,
      owner: owned === undefined ? "" : runtime.settings.name
    })
  })

const openNow = (runtime: Runtime, opening: Named, codec: Codec<never>): Effect.Effect<Store, OpenError> =>
  Effect.suspend(() => {
    if (runtime.shared.isClosed) return Effect.fail(closed)
    const { as, id, kind } = opening
    if (!mayOpen(runtime, as, id, kind)) {
      return Effect.fail(
        new OpenError({ reason: "Forbidden", message: "the principal may not open the store" })
      )
    }
    const wanted = openedBy(runtime, opening, codec)
    const entry = find(runtime, id)
    if (entry !== undefined) {
      const problem = mismatch(id, entry.opened, wanted)
      return problem === undefined ? Effect.succeed(entry.store) : Effect.fail(problem)
    }
    const { entries, places, shared } = runtime
    const over = Places.overQuota(places, shared.quotas, entries.size, as?.principal)
    if (over !== undefined) {
      shared.count.quotaRefusals++
      return Effect.fail(over)
    }
    const made =
      kind === "permanent"
        ? openPermanent(runtime, opening, id, codec)
        : Effect.mapError(
            Scope.extend(Temporary.make(runtime.shared, runtime.settings, opening, id, codec), runtime.scope),
            invalidOpening
          )
    const principal = Places.countedFor(opening)
    const added = Effect.flatMap(made, (store) =>
      add(runtime, store, wanted, reopen(runtime, opening, codec), principal)
    )
    return Places.counted(places, id, principal, added)
  })

/** Opens a store; callers that open one and the same share the opening. */
export const open = (
  runtime: Runtime,
  opening: Named,
  codec: Codec<never>
): Effect.Effect<Store, OpenError> => runtime.inOrder(opening.id, openNow(runtime, opening, codec))

/**
 * Opens a store again that has left memory. The server itself does it: the opening was allowed when its handle was given
 * out, each call of the handle is judged by its own `as`, and the first opener may have lost the right since. It counts for the
 * first opener still.
 */
export const reopen = (
  runtime: Runtime,
  opening: Named,
  codec: Codec<never>
): Effect.Effect<Store, OpenError> => open(runtime, Places.again(opening), codec)

/** How handles of this catalog load their stores. */
export const loading = (
  { scope, shared }: Runtime,
  reopen: Effect.Effect<Store, OpenError>
): Loading<Store> => ({
  thing: "store",
  reopen,
  // An access would keep a permanent one in memory.
  look: (store) => (store.lifetime === undefined ? undefined : access(store, shared.timers.now())),
  scope,
  inBackground: shared.inBackground
})
