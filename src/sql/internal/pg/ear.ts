/**
 * Proves that notifications arrive on a connection. A pooler in transaction mode accepts LISTEN, for a backend that
 * others use next, and all statements succeed: nothing else shows that no ring will ever come.
 */
import { Deferred, Duration, Effect } from "effect"
import type * as Pg from "pg"
import { ask, connectListener, type Listener } from "./listener.js"

/** A channel on which a doorbell rings itself. */
export interface Ear {
  readonly channel: string
  /** Takes a notification of the channel. */
  readonly notified: (token: string) => void
  /** Rings it by a connection, and waits until the ring arrives. Fails with the reason when it does not. */
  readonly ringBy: (sender: Listener, limit: Duration.DurationInput) => Effect.Effect<void, string>
}

/** Makes the ear of a doorbell. Its channel is its own: rings for itself wake no other process. */
export const makeEar = (channel: string): Ear => {
  let rings = 0
  const awaited = new Map<string, Deferred.Deferred<void>>()
  return {
    channel,
    notified: (token) => {
      const arrived = awaited.get(token)
      if (arrived !== undefined) Deferred.unsafeDone(arrived, Effect.void)
    },
    ringBy: (sender, limit) =>
      Effect.gen(function* () {
        const token = String(++rings)
        const arrived = yield* Deferred.make<void>()
        awaited.set(token, arrived)
        yield* Effect.ensuring(
          Effect.andThen(ask(sender, limit, notify(channel, token)), awaitArrival(arrived, limit)),
          Effect.sync(() => awaited.delete(token))
        )
      })
  }
}

// A hint need not wait for the disk, and one that did would hold up every other commit with a NOTIFY.
const notify = (channel: string, token: string): string =>
  `BEGIN; SET LOCAL synchronous_commit = off; NOTIFY "${channel}", '${token}'; COMMIT`

const awaitArrival = (arrived: Deferred.Deferred<void>, limit: Duration.DurationInput) =>
  Effect.timeoutFail(Deferred.await(arrived), {
    duration: limit,
    onTimeout: () =>
      `notifications do not arrive: the doorbell's own ring did not within ${Duration.format(Duration.decode(limit))}. ` +
      "Connect the doorbell to the server itself, or by a pooler in session mode"
  })

/**
 * Listens on the ear, and completes when a ring has arrived. Behind a pooler the ring is sent by a second connection,
 * which is closed again: one that is sent by the same connection may come back with its answer although no other will.
 */
export const prove = (
  ear: Ear,
  listener: Listener,
  config: Pg.ClientConfig,
  limit: Duration.DurationInput
): Effect.Effect<void, string> =>
  Effect.gen(function* () {
    yield* ask(listener, limit, `LISTEN "${ear.channel}"`)
    const [backend] = yield* ask(listener, limit, "SELECT pg_backend_pid()::text AS pid")
    if (backend?.pid === String(listener.backend)) return yield* ear.ringBy(listener, limit)
    return yield* Effect.scoped(
      Effect.flatMap(
        connectListener(config, () => {}),
        (other) => ear.ringBy(other, limit)
      )
    )
  })
