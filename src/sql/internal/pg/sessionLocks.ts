/** Advisory locks of the session that a doorbell has, which the server frees when the session is gone. */
import { Deferred, Effect, FiberId, Stream } from "effect"
import type { SessionLock, SessionLocks } from "../owner/sessionLocks.js"
import type { Link } from "./doorbell.js"
import type { Listener } from "./listener.js"

const lock = "SELECT pg_try_advisory_lock($1::bigint)::text AS taken"
const unlock = "SELECT pg_advisory_unlock($1::bigint)"

/** Completes when the link has another connection than this one. */
const leaves = (link: Link, listener: Listener | undefined): Effect.Effect<void> =>
  link.state.changes.pipe(
    Stream.filter(() => link.listener !== listener),
    Stream.runHead,
    Effect.asVoid
  )

/** Asks for a lock on a connection. `forget` is called once, when the lock is not held or asked for any more. */
const askFor = (link: Link, listener: Listener, key: bigint, forget: () => void): SessionLock => {
  const answer = Deferred.unsafeMake<boolean>(FiberId.none)
  const free = Deferred.unsafeMake<void>(FiberId.none)
  let phase: "asked" | "taken" | "over" = "asked"
  const unlocked = (): void => Deferred.unsafeDone(free, Effect.void)
  const end = (): void => {
    phase = "over"
    forget()
  }
  const unsafeRelease = (): void => {
    if (phase === "over") return
    end()
    // Behind the question for it, in order.
    listener.send(unlock, [String(key)], unlocked)
  }
  listener.send(lock, [String(key)], (error, [row]) => {
    if (phase === "asked") {
      if (error === undefined && row?.taken === "true") phase = "taken"
      else {
        end()
        unlocked()
      }
    }
    Deferred.unsafeDone(answer, Effect.succeed(phase === "taken"))
  })
  return {
    taken: Deferred.await(answer).pipe(
      Effect.timeout(link.intervals.pingTimeout),
      Effect.orElse(() => Effect.as(Effect.sync(unsafeRelease), false))
    ),
    isHeld: () => phase === "taken" && link.listener === listener,
    lost: leaves(link, listener),
    unsafeRelease,
    released: Effect.raceFirst(Deferred.await(free), leaves(link, listener))
  }
}

/** Gives the locks of a link. The server counts how often a session takes one, so each is taken once at a time. */
export const sessionLocks = (link: Link): SessionLocks => {
  /** The sessions of the locks that are held or asked for. */
  const sessions = new Map<bigint, Listener>()
  return {
    unsafeTake: (key) => {
      const { listener } = link
      if (listener === undefined || sessions.get(key) === listener) return undefined
      sessions.set(key, listener)
      return askFor(link, listener, key, () => {
        if (sessions.get(key) === listener) sessions.delete(key)
      })
    },
    changed: Effect.suspend(() => leaves(link, link.listener))
  }
}
