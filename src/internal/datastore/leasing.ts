/**
 * Keeps the leases of sessions whose records are in permanent stores, and ends what a process has left behind. A lease is
 * there before the first record of its session, so no record outlives its session for ever.
 */
import { Effect, Schedule } from "effect"
import type { StorageError } from "../../Storage.js"
import type { Backend, Save } from "../catalog/backend.js"
import type { Saving } from "../catalog/saving.js"
import type { Sessions } from "../lease/sessions.js"
import { WriteError } from "./errors.js"

/** For how many milliseconds a lease holds without being extended: above any grace that the process waits for. */
const leaseFor = 90_000

/** How often leases are extended, and those of others are looked at. */
const interval = "15 seconds"

/** The most sessions that are ended in one look. */
const maxEnded = 1000

export interface Leasing {
  /** Takes the lease of a session, unless it is held. */
  readonly ensure: (session: string) => Effect.Effect<void, WriteError>
  /** Extends what is held, and ends what is over, until it is interrupted. */
  readonly run: Effect.Effect<never>
}

/** What a leasing needs of its catalog. */
export interface LeasingOptions {
  readonly backend: Effect.Effect<Backend, StorageError>
  readonly sessions: Sessions
  readonly saving: Saving
  readonly nextName: () => string
  /** Removes records of a session from a store that this process owns; `false`: it does not. */
  readonly removeOwned: (store: string, session: string) => boolean
}

const unavailable = (cause: StorageError): WriteError =>
  new WriteError({
    reason: "Unavailable",
    message: "the lease of the session could not be taken: try again",
    outcome: "NotStored",
    cause
  })

/** Removes the records that still belong to a session when it is decided. */
export const removalOf = (
  store: string,
  name: string,
  session: string,
  keys: ReadonlyArray<string>
): Save => ({
  store,
  name,
  keys,
  id: undefined,
  decide: ({ get }) => {
    const gone = keys.filter((key) => get(key)?.session === session)
    return { revisions: gone.length === 0 ? [] : [gone.map((key) => ({ _tag: "Delete", key }))] }
  }
})

const extend = (
  { backend, sessions }: LeasingOptions,
  held: Set<string>
): Effect.Effect<void, StorageError> =>
  Effect.suspend(() => {
    for (const id of held) if (sessions.get(id) === undefined) held.delete(id)
    if (held.size === 0) return Effect.void
    const leases = Array.from(held, (id) => ({ id, ttl: leaseFor }))
    return Effect.flatMap(backend, (backend) => backend.sessions.extend(leases))
  })

const endOne = (
  { nextName, removeOwned, saving }: LeasingOptions,
  backend: Backend,
  session: string,
  stores: ReadonlyArray<string>
): Effect.Effect<void, StorageError> =>
  Effect.gen(function* () {
    if (stores.length === 0) return yield* backend.sessions.forget([session])
    for (const store of stores) {
      if (removeOwned(store, session)) continue
      const keys = yield* backend.sessions.keysOf(store, session)
      if (keys.length > 0) saving.offer(removalOf(store, nextName(), session, keys), () => {})
    }
  })

/** Ends the sessions whose leases are over, whatever process had them. What is left of one is found the next time. */
const endOver = (options: LeasingOptions): Effect.Effect<void, StorageError> =>
  Effect.gen(function* () {
    const backend = yield* options.backend
    const over = yield* backend.sessions.ended(maxEnded)
    yield* Effect.forEach(over, ({ id, stores }) => endOne(options, backend, id, stores), { discard: true })
  })

export const make = (options: LeasingOptions): Leasing => {
  const held = new Set<string>()
  const round = Effect.andThen(extend(options, held), endOver(options))
  return {
    ensure: (session) =>
      Effect.suspend(() => {
        if (held.has(session)) return Effect.void
        const taken = Effect.flatMap(options.backend, (backend) =>
          backend.sessions.extend([{ id: session, ttl: leaseFor }])
        )
        return Effect.mapBoth(taken, {
          onFailure: unavailable,
          onSuccess: () => {
            held.add(session)
          }
        })
      }),
    // While the backend is away, the next round does what this one could not.
    run: Effect.andThen(Effect.repeat(Effect.ignoreLogged(round), Schedule.spaced(interval)), Effect.never)
  }
}
