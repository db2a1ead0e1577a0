/**
 * Keeps the leases of sessions that values of a backend end with, and ends what a process has left behind. A lease is there
 * before the first value of its session, so no value outlives its session for ever.
 */
import { Effect, Schedule } from "effect"
import type { StorageError } from "../../Storage.js"
import type { Sessions } from "../lease/sessions.js"
import type { Backend } from "./backend.js"

/** For how many milliseconds a lease holds without being extended: above any grace that the process waits for. */
const leaseFor = 90_000

/** How often leases are extended, and those of others are looked at. */
const interval = "15 seconds"

/** The most sessions that are ended in one look. */
const maxEnded = 1000

export interface Leasing<E> {
  /** Takes the lease of a session, unless it is held. */
  readonly ensure: (session: string) => Effect.Effect<void, E>
  /** Extends what is held, and ends what is over, until it is interrupted. */
  readonly run: Effect.Effect<never>
}

/** What a leasing needs of its catalog. */
export interface LeasingOptions<E> {
  readonly backend: Effect.Effect<Backend, StorageError>
  readonly sessions: Sessions
  /** Removes what a store or pool holds of a session that is over. What it leaves is found the next time. */
  readonly remove: (backend: Backend, store: string, session: string) => Effect.Effect<void, StorageError>
  /** What a call fails with whose lease could not be taken. */
  readonly unavailable: (cause: StorageError) => E
}

const extend = (
  { backend, sessions }: Pick<LeasingOptions<unknown>, "backend" | "sessions">,
  held: Set<string>
): Effect.Effect<void, StorageError> =>
  Effect.suspend(() => {
    for (const id of held) if (sessions.get(id) === undefined) held.delete(id)
    if (held.size === 0) return Effect.void
    const leases = Array.from(held, (id) => ({ id, ttl: leaseFor }))
    return Effect.flatMap(backend, (backend) => backend.sessions.extend(leases))
  })

const endOne = <E>(
  { remove }: LeasingOptions<E>,
  backend: Backend,
  session: string,
  stores: ReadonlyArray<string>
): Effect.Effect<void, StorageError> =>
  stores.length === 0
    ? backend.sessions.forget([session])
    : Effect.forEach(stores, (store) => remove(backend, store, session), { discard: true })

/** Ends the sessions whose leases are over, whatever process had them. What is left of one is found the next time. */
const endOver = <E>(options: LeasingOptions<E>): Effect.Effect<void, StorageError> =>
  Effect.gen(function* () {
    const backend = yield* options.backend
    const over = yield* backend.sessions.ended(maxEnded)
    yield* Effect.forEach(over, ({ id, stores }) => endOne(options, backend, id, stores), { discard: true })
  })

export const make = <E>(options: LeasingOptions<E>): Leasing<E> => {
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
          onFailure: options.unavailable,
          onSuccess: () => {
            held.add(session)
          }
        })
      }),
    // While the backend is away, the next round does what this one could not.
    run: Effect.andThen(Effect.repeat(Effect.ignoreLogged(round), Schedule.spaced(interval)), Effect.never)
  }
}
