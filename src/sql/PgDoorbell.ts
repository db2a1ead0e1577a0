/**
 * Rings the change logs of other processes by Postgres's LISTEN and NOTIFY.
 *
 * A ring is a hint that there is something to read: no revision is lost with one. A doorbell whose connection is down
 * rings every feed more often, and every feed once when the connection is up again.
 *
 * Notifications need a connection of its own to one backend. A pooler in transaction mode, such as PgBouncer with
 * `pool_mode = transaction`, accepts LISTEN and delivers nothing. So a doorbell is up only when a ring to itself has
 * arrived. Behind such a pooler it is down with that reason, sends rings, and polls. Connect it to the server itself,
 * or by a pooler in session mode; the other connections of this library may use either.
 */
import { type Duration, Effect, type Scope, type Stream, SubscriptionRef } from "effect"
import { type InvalidOptions, or, type Rules, resolve } from "../internal/options.js"
import type { Doorbell } from "./internal/log/doorbell.js"
import { timer } from "./internal/options.js"
import { withSessionLocks } from "./internal/owner/sessionLocks.js"
import { connectionConfig, connectRules, type PgConnectOptions } from "./internal/pg/connectOptions.js"
import * as Link from "./internal/pg/doorbell.js"
import { sessionLocks } from "./internal/pg/sessionLocks.js"

export { InvalidOptions } from "../internal/options.js"

/** Configures the doorbell's own connection. The intervals have defaults that fit production. */
export interface PgDoorbellOptions extends Omit<PgConnectOptions, "maxConnections"> {
  /** How often it rings itself, which finds links that are half-open or deaf. Default 15 seconds. */
  readonly pingInterval?: Duration.DurationInput | undefined
  /** How long that ring, or the answer to a statement, may take. Default 5 seconds. */
  readonly pingTimeout?: Duration.DurationInput | undefined
  /** How often every feed is rung without a reason while the connection is up. Default 1 second. */
  readonly poll?: Duration.DurationInput | undefined
  /** How often every feed is rung while the connection is down. Default 200 milliseconds. */
  readonly pollWhileDown?: Duration.DurationInput | undefined
}

export type { State } from "./internal/pg/doorbell.js"

/** A doorbell over Postgres, for the option `doorbell` of a `SqlChangeLog`. */
export interface PgDoorbell extends Doorbell {
  readonly state: Effect.Effect<Link.State>
  /** The state now, and each one after it. */
  readonly states: Stream.Stream<Link.State>
}

const rules = {
  ...connectRules,
  pingInterval: or(timer, 15_000),
  pingTimeout: or(timer, 5000),
  poll: or(timer, 1000),
  pollWhileDown: or(timer, 200)
} satisfies Rules<PgDoorbellOptions>

/**
 * Makes the doorbell, and returns at once. One doorbell serves any number of logs of one database. It ends with the
 * scope.
 *
 * It connects in the background. If the connection is lost, or its own rings do not arrive, it connects again, for
 * ever: after 50 milliseconds at first and 2 seconds at most, jittered. Behind a pooler a second connection sends the
 * first of its own rings, and is closed again.
 *
 * It sends rings on its own connection, after the commit, at most one for each feed in 10 milliseconds. While the
 * connection is down rings wait. Its end sends the rings that still wait, for at most a second.
 *
 * It needs a session of its own: LISTEN does not pass a pooler in transaction mode, such as PgBouncer's. Give it a url
 * that leads to the server itself, or to a pooler in session mode.
 *
 * Fails with `InvalidOptions` if an option is wrong. A server that cannot be reached is a state, not a failure.
 */
export const make = (options: PgDoorbellOptions): Effect.Effect<PgDoorbell, InvalidOptions, Scope.Scope> =>
  Effect.gen(function* () {
    const resolved = yield* resolve<PgDoorbellOptions>()(rules, options)
    const config = yield* connectionConfig(resolved)
    const link = yield* Link.make(config, resolved)
    yield* Effect.forkScoped(Effect.interruptible(Link.keepConnected(link)))
    // Before the connection ends, and after the sender has ended.
    yield* Effect.addFinalizer(() => Link.sendLast(link))
    yield* Effect.forkScoped(Effect.interruptible(Link.sendForever(link)))
    yield* Effect.forkScoped(Effect.interruptible(Link.pollForever(link)))
    const doorbell: PgDoorbell = {
      state: SubscriptionRef.get(link.state),
      states: link.state.changes,
      listen: (channel, feed, ring) =>
        Effect.asVoid(
          Effect.acquireRelease(Link.listen(link, channel, feed, ring), (unlisten) => Effect.sync(unlisten))
        ),
      ring: (channel, feed, seq) => Effect.sync(() => Link.ring(link, { channel, feed, seq }))
    }
    return withSessionLocks(doorbell, sessionLocks(link))
  })
