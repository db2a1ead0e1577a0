/**
 * Rings the change logs of other processes by Postgres's LISTEN and NOTIFY.
 *
 * A ring is a hint that there is something to read, and no more: nothing is lost when one is. So a doorbell whose
 * connection is down rings everybody more often, and everybody once when it is up again.
 */
import { Duration, Effect, Queue, Random, type Scope, Stream, SubscriptionRef } from "effect"
import { ringEach } from "../internal/log/changeLog.js"
import { type InvalidOptions, or, type Rules, resolve } from "../internal/options.js"
import type { Doorbell } from "./internal/log/doorbell.js"
import { timer } from "./internal/options.js"
import { ask, connectListener, type Listener } from "./internal/pg/listener.js"
import { connectionConfig, connectRules, type PgConnectOptions } from "./internal/pg/pool.js"

/** How the doorbell's own connection is made and watched. Intervals have defaults that fit production. */
export interface PgDoorbellOptions extends Omit<PgConnectOptions, "maxConnections"> {
  /** How often the server is asked whether it is there, which finds half-open links. Default 15 seconds. */
  readonly pingInterval?: Duration.DurationInput | undefined
  /** How long the answer may take. Default 5 seconds. */
  readonly pingTimeout?: Duration.DurationInput | undefined
  /** How often everybody is rung without a reason while the connection is up. Default 1 second. */
  readonly poll?: Duration.DurationInput | undefined
  /** And while it is down. Default 200 milliseconds. */
  readonly pollWhileDown?: Duration.DurationInput | undefined
}

/** Whether rings of other processes are heard. `Down` says why not. */
export type State = { readonly _tag: "Up" } | { readonly _tag: "Down"; readonly cause: string }

/** A doorbell over Postgres: the `doorbell` of a `SqlChangeLog`. */
export interface PgDoorbell extends Doorbell {
  readonly state: Effect.Effect<State>
  /** The state now, and each one after it. */
  readonly states: Stream.Stream<State>
}

/** Rings that came close together. */
const coalesceWindow = Duration.millis(10)

/** How long its end may wait for the server to have its last rings. */
const lastRingsTimeout = Duration.seconds(1)

const minPauseMillis = 50
const maxPauseMillis = 2000

const starting: State = { _tag: "Down", cause: "not connected yet" }

type Rings = Set<() => void>

/** Who listens, by channel and feed. */
type Channels = Map<string, Map<string, Rings>>

interface Ring {
  readonly channel: string
  readonly feed: string
  readonly seq: number
}

/**
 * All rings of a moment in one transaction. One with a NOTIFY holds up every other such commit of the server until its
 * own is on the disk, which a hint need not wait for.
 */
const notifyAll =
  `SELECT set_config('synchronous_commit', 'off', true), pg_notify(channel, payload)` +
  ` FROM jsonb_to_recordset($1::jsonb) AS rings (channel text, payload text)`

const quoted = (channel: string): string => `"${channel.replaceAll('"', '""')}"`

const ringAllOf = (feeds: ReadonlyMap<string, Rings> | undefined): void => {
  for (const rings of feeds?.values() ?? []) ringEach(rings)
}

/** Rings whom a payload `feed:seq` is for; any other payload is for everybody on the channel. */
const deliverTo = (channels: Channels) => (channel: string, payload: string) => {
  const feeds = channels.get(channel)
  const end = payload.lastIndexOf(":")
  if (end === -1) return ringAllOf(feeds)
  ringEach(feeds?.get(payload.slice(0, end)) ?? [])
}

const rules = {
  ...connectRules,
  pingInterval: or(timer, 15_000),
  pingTimeout: or(timer, 5000),
  poll: or(timer, 1000),
  pollWhileDown: or(timer, 200)
} satisfies Rules<PgDoorbellOptions>

/**
 * Makes the doorbell, and returns at once: it connects in the background, and for ever again when the connection is
 * lost (after 50 milliseconds at first, 2 seconds at most, jittered). It ends with the scope. One doorbell serves any
 * number of logs of one database.
 *
 * Rings are sent on its own connection, after the commit, and at most one for each feed in 10 milliseconds; those that
 * come while it is down are sent when it is up again. Its end sends those that still wait, for which it takes a second
 * at most. Fails with `InvalidOptions` when an option is wrong; a server that cannot be reached is a state.
 */
export const make = (options: PgDoorbellOptions): Effect.Effect<PgDoorbell, InvalidOptions, Scope.Scope> =>
  Effect.gen(function* () {
    const resolved = yield* resolve<PgDoorbellOptions>()(rules, options)
    const config = yield* connectionConfig(resolved)
    const { pingInterval, pingTimeout, poll, pollWhileDown } = resolved
    const state = yield* SubscriptionRef.make<State>(starting)
    const channels: Channels = new Map()
    let current: Listener | undefined
    let pending = new Map<string, Ring>()
    const dirty = yield* Queue.sliding<void>(1)

    const ringAll = Effect.sync(() => {
      for (const feeds of channels.values()) ringAllOf(feeds)
    })

    const session = Effect.gen(function* () {
      const listener = yield* connectListener(config, deliverTo(channels))
      // Who comes from here on listens on it at once; who was here before does below.
      current = listener
      yield* Effect.addFinalizer(() => Effect.sync(() => (current = undefined)))
      for (const channel of [...channels.keys()])
        yield* ask(listener, pingTimeout, `LISTEN ${quoted(channel)}`)
      yield* SubscriptionRef.set(state, { _tag: "Up" })
      // What was committed while nobody listened.
      yield* ringAll
      yield* Queue.offer(dirty, undefined)
      const ping = Effect.zipRight(Effect.sleep(pingInterval), ask(listener, pingTimeout, "SELECT 1"))
      return yield* Effect.raceFirst(listener.lost, Effect.forever(ping))
    }).pipe(Effect.scoped)

    const connect = (failures: number): Effect.Effect<never> =>
      Effect.gen(function* () {
        const cause = yield* Effect.flip(session)
        const { _tag } = yield* SubscriptionRef.get(state)
        yield* SubscriptionRef.set(state, { _tag: "Down", cause })
        const again = _tag === "Up" ? 0 : failures + 1
        const pause = Math.min(maxPauseMillis, minPauseMillis * 2 ** again)
        yield* Effect.sleep(pause * (yield* Random.nextRange(0.5, 1)))
        return yield* connect(again)
      })

    // What cannot be sent waits for the next connection, unless there is something newer.
    const keep = (ring: Ring): void => {
      const key = JSON.stringify([ring.channel, ring.feed])
      if ((pending.get(key)?.seq ?? -1) < ring.seq) pending.set(key, ring)
    }
    let sending: Listener | undefined
    const sendAll = Effect.sync(() => {
      const listener = current
      // One at a time: behind a slow server rings become fewer, and do not pile up.
      if (listener === undefined || sending === listener || pending.size === 0) return
      const rings = [...pending.values()]
      pending = new Map()
      sending = listener
      const payloads = rings.map(({ channel, feed, seq }) => ({ channel, payload: `${feed}:${seq}` }))
      listener.send(notifyAll, [JSON.stringify(payloads)], (error) => {
        if (sending === listener) sending = undefined
        if (error !== undefined) rings.forEach(keep)
        else if (pending.size > 0) dirty.unsafeOffer(undefined)
      })
    })
    // Statements are answered in their order.
    const awaitSent = Effect.suspend(() =>
      current === undefined || sending !== current
        ? Effect.void
        : Effect.ignore(ask(current, lastRingsTimeout, "SELECT 1"))
    )
    const up = Effect.suspend(() =>
      current !== undefined || pending.size === 0
        ? Effect.void
        : Stream.runHead(Stream.filter(state.changes, ({ _tag }) => _tag === "Up"))
    )
    // What was being sent, and what has come meanwhile. Whoever is not rung then finds out by the poll.
    const sendLast = up.pipe(
      Effect.zipRight(awaitSent),
      Effect.zipRight(sendAll),
      Effect.zipRight(awaitSent),
      // A finalizer is not interruptible by itself, and a link that is half-open does not answer.
      Effect.interruptible,
      Effect.timeoutOption(lastRingsTimeout)
    )
    const send = Effect.zipRight(Queue.take(dirty), Effect.zipRight(sendAll, Effect.sleep(coalesceWindow)))

    const pollOnce = Effect.flatMap(SubscriptionRef.get(state), ({ _tag }) =>
      Effect.zipRight(Effect.sleep(_tag === "Up" ? poll : pollWhileDown), ringAll)
    )

    yield* Effect.forkScoped(Effect.interruptible(connect(0)))
    // While it still connects, and after the last time that the others send.
    yield* Effect.addFinalizer(() => sendLast)
    yield* Effect.forkScoped(Effect.interruptible(Effect.forever(send)))
    yield* Effect.forkScoped(Effect.interruptible(Effect.forever(pollOnce)))

    const listen = (channel: string, feed: string, ring: () => void) =>
      Effect.sync(() => {
        const own = () => ring()
        const feeds = channels.get(channel) ?? new Map<string, Rings>()
        feeds.set(feed, (feeds.get(feed) ?? new Set()).add(own))
        if (channels.has(channel)) return own
        channels.set(channel, feeds)
        // Whoever has read before the server listened may have missed something. What fails, fails the session.
        current?.send(`LISTEN ${quoted(channel)}`, [], (error) => {
          if (error === undefined) ringAllOf(channels.get(channel))
        })
        return own
      })

    const unlisten = (channel: string, feed: string, own: () => void) =>
      Effect.sync(() => {
        const feeds = channels.get(channel)
        const rings = feeds?.get(feed)
        rings?.delete(own)
        if (rings?.size === 0) feeds?.delete(feed)
        if (feeds?.size !== 0) return
        channels.delete(channel)
        current?.send(`UNLISTEN ${quoted(channel)}`, [], () => {})
      })

    return {
      state: SubscriptionRef.get(state),
      states: state.changes,
      listen: (channel, feed, ring) =>
        Effect.asVoid(
          Effect.acquireRelease(listen(channel, feed, ring), (own) => unlisten(channel, feed, own))
        ),
      ring: (channel, feed, seq) =>
        Effect.sync(() => {
          keep({ channel, feed, seq })
          dirty.unsafeOffer(undefined)
        })
    }
  })
