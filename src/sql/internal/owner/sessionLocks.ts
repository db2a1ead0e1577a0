/** Locks that the database frees when a session is gone. `PgDoorbell` has such a session. */
import type { Effect } from "effect"

/** A lock of one session, from when it was asked for. */
export interface SessionLock {
  /** Completes when the database has answered, with whether it is held. */
  readonly taken: Effect.Effect<boolean>
  /** Whether it is held now: its session is still there, as far as this process knows. */
  readonly isHeld: () => boolean
  /** Completes when its session is gone. */
  readonly lost: Effect.Effect<void>
  /** Asks for its end, also before it is taken. */
  readonly unsafeRelease: () => void
  /** Completes when it is free, or its session is gone. */
  readonly released: Effect.Effect<void>
}

/** The locks of the present session of a connection that is made anew when it is lost. */
export interface SessionLocks {
  /** Asks for a lock at once, and gives none while there is no session, or if this process holds it already. */
  readonly unsafeTake: (key: bigint) => SessionLock | undefined
  /** Completes when the present session is gone, or if there is none when there is one. */
  readonly changed: Effect.Effect<void>
}

/**
 * Where a doorbell carries the locks of its session. It is not enumerable: a copy of a doorbell, whose members may do
 * something else, carries none.
 */
const sessionLocks: unique symbol = Symbol("effect-recorder/sql/sessionLocks")

/** Lets a doorbell carry the locks of its session. */
export const withSessionLocks = <D extends object>(doorbell: D, locks: SessionLocks): D =>
  Object.defineProperty(doorbell, sessionLocks, { value: locks })

/** Gives the locks that a doorbell carries. */
export const sessionLocksOf = (doorbell: object | undefined): SessionLocks | undefined =>
  // Only `withSessionLocks` writes the member: the symbol does not leave this file.
  (doorbell as { readonly [sessionLocks]?: SessionLocks } | undefined)?.[sessionLocks]
