/**
 * Keeps the leases of sessions that values of a backend end with, and ends what a process has left behind. A lease is there
 * before the first value of its session, so no value outlives its session for ever.
 */
import { Effect, Schedule } from "effect"
import type { StorageError } from "../../Storage.js"
import type { Sessions } from "../lease/sessions.js"
import type { Backend, Stored } from "./backend.js"

/** For how many milliseconds a lease holds without being extended: above any grace that the process waits for. */
const leaseFor = 90_000

/** How often leases are extended, and those of others are looked at. */
const interval = "15 seconds"

/** How many sessions one look reads at first: more, as long as there are more. */
const maxEnded = 1000

/**
 * The name of a session in the backend. Those of pools differ from those of stores, which keep other values: each catalog ends
 * its own.
 */
export const leaseOf = (part: Stored["part"], session: string): string =>
  part === "pool" ? `pool/${session}` : session

/** The session of a part that a backend names so, if it is of the part. */
export const sessionOf = (part: Stored["part"], lease: string): string | undefined => {
  const isOfPool = lease.startsWith("pool/")
  if (isOfPool !== (part === "pool")) return undefined
  return isOfPool ? lease.slice("pool/".length) : lease
}

export interface Leasing<E> {
  /** Takes the lease of a session, unless it is held. */
  readonly ensure: (session: string) => Effect.Effect<void, E>
  /** Ends the lease of a session that has ended here, if it is held: what is left of it is anyone's to remove. */
  readonly release: (session: string) => Effect.Effect<void, StorageError>
  /** Ends what is over by now. What fails is tried again by the next round. */
  readonly endOver: Effect.Effect<void>
  /** Extends what is held, and ends what is over, until it is interrupted. */
  readonly run: Effect.Effect<never>
}

/** What a leasing needs of its catalog. */
export interface LeasingOptions<E> {
  readonly part: Stored["part"]
  readonly backend: Effect.Effect<Backend, StorageError>
  readonly sessions: Sessions
  /** Removes what a store or pool holds of a session that is over. What it leaves is found the next time. */
  readonly remove: (backend: Backend, store: string, session: string) => Effect.Effect<void, StorageError>
  /** What a call fails with whose lease could not be taken. */
  readonly unavailable: (cause: StorageError) => E
}

const extend = (
  { backend, part, sessions }: Pick<LeasingOptions<unknown>, "backend" | "part" | "sessions">,
  held: Set<string>
): Effect.Effect<void, StorageError> =>
  Effect.suspend(() => {
    for (const id of held) if (sessions.get(id) === undefined) held.delete(id)
    if (held.size === 0) return Effect.void
    const leases = Array.from(held, (id) => ({ id: leaseOf(part, id), ttl: leaseFor }))
    return Effect.flatMap(backend, (backend) => backend.sessions.extend(leases))
  })

const endOne = <E>(
  { part, remove }: LeasingOptions<E>,
  backend: Backend,
  lease: string,
  stores: ReadonlyArray<string>
): Effect.Effect<void, StorageError> => {
  const session = sessionOf(part, lease)
  if (session === undefined) return Effect.void
  return stores.length === 0
    ? backend.sessions.forget([lease])
    : Effect.forEach(stores, (store) => remove(backend, store, session), { discard: true })
}

/**
 * Ends the sessions whose leases are over, whatever process had them. What is left of one is found the next time. Returns how
 * many to read then: those that others must end may be the first ones.
 */
const endOver = <E>(options: LeasingOptions<E>, limit: number): Effect.Effect<number, StorageError> =>
  Effect.gen(function* () {
    const backend = yield* options.backend
    const over = yield* backend.sessions.ended(limit)
    yield* Effect.forEach(over, ({ id, stores }) => endOne(options, backend, id, stores), { discard: true })
    return over.length < limit ? maxEnded : 2 * limit
  })

export const make = <E>(options: LeasingOptions<E>): Leasing<E> => {
  const held = new Set<string>()
  let limit = maxEnded
  const ending = Effect.suspend(() =>
    Effect.map(endOver(options, limit), (next) => {
      limit = next
    })
  )
  const round = Effect.andThen(extend(options, held), ending)
  return {
    release: (session) =>
      Effect.suspend(() => {
        if (!held.delete(session)) return Effect.void
        const lease = { id: leaseOf(options.part, session), ttl: 0 }
        return Effect.flatMap(options.backend, (backend) => backend.sessions.extend([lease]))
      }),
    endOver: Effect.ignoreLogged(ending),
    ensure: (session) =>
      Effect.suspend(() => {
        if (held.has(session)) return Effect.void
        const taken = Effect.flatMap(options.backend, (backend) =>
          backend.sessions.extend([{ id: leaseOf(options.part, session), ttl: leaseFor }])
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
