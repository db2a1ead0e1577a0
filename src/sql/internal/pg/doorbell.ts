/** What a doorbell over Postgres does with its connection: it listens, sends rings, and connects again. */
import { Duration, Effect, Queue, Random, Stream, SubscriptionRef } from "effect"
import type * as Pg from "pg"
import { makeRandom, randomName } from "../../../internal/random.js"
import { makeRings, type Rings } from "../log/rings.js"
import { type Ear, makeEar, prove } from "./ear.js"
import { ask, connectListener, type Listener } from "./listener.js"
import { makePendingRings, type PendingRings, type Ring } from "./pendingRings.js"

/** Whether rings of other processes arrive. `Down` has the reason why not. */
export type State = { readonly _tag: "Up" } | { readonly _tag: "Down"; readonly cause: string }

/** In milliseconds. */
interface Intervals {
  readonly pingInterval: number
  readonly pingTimeout: number
  readonly poll: number
  readonly pollWhileDown: number
}

/** A doorbell's state. Only this file writes it. */
export interface Link {
  readonly config: Pg.ClientConfig
  readonly intervals: Intervals
  readonly state: SubscriptionRef.SubscriptionRef<State>
  /** The callbacks of the feeds of each channel that is listened on. */
  readonly channels: Map<string, Rings>
  readonly pending: PendingRings
  /** Wakes the sender. */
  readonly dirty: Queue.Queue<void>
  readonly ear: Ear
  /** The present connection, from its beginning until it is lost. It sends rings also where none arrive. */
  sender: Listener | undefined
  /** The present connection once notifications have arrived on it, from before it listens on a feed's channel. */
  listener: Listener | undefined
  /** The connection that has not answered the last rings yet. */
  sending: Listener | undefined
}

/** How long the sender waits for more rings: those that come close together are one statement. */
const coalesceWindow = Duration.millis(10)

/** How long the end of a doorbell waits for the server to have its last rings. */
const lastRingsTimeout = Duration.seconds(1)

const minPauseMillis = 50
const maxPauseMillis = 2000

/**
 * All rings of a moment in one transaction. One with a NOTIFY holds up every other such commit of the server until its
 * own is on the disk, which a hint need not wait for.
 */
const notifyAll =
  `SELECT set_config('synchronous_commit', 'off', true), pg_notify(channel, payload)` +
  ` FROM jsonb_to_recordset($1::jsonb) AS rings (channel text, payload text)`

const quoted = (channel: string): string => `"${channel.replaceAll('"', '""')}"`

/** Makes the state of a doorbell that is not connected yet. */
export const make = (config: Pg.ClientConfig, intervals: Intervals): Effect.Effect<Link> =>
  Effect.gen(function* () {
    return {
      config,
      intervals,
      state: yield* SubscriptionRef.make<State>({ _tag: "Down", cause: "not connected yet" }),
      channels: new Map(),
      pending: makePendingRings(),
      dirty: yield* Queue.sliding<void>(1),
      ear: makeEar(`recorder_ear_${randomName(yield* makeRandom)}`),
      sender: undefined,
      listener: undefined,
      sending: undefined
    }
  })

const ringAll = ({ channels }: Link): void => {
  for (const feeds of channels.values()) feeds.ringAll()
}

/** Rings the feed of a payload `feed:seq`; any other payload rings every feed of the channel. */
const deliver = ({ channels }: Link, channel: string, payload: string): void => {
  const feeds = channels.get(channel)
  const end = payload.lastIndexOf(":")
  if (end === -1) feeds?.ringAll()
  else feeds?.ring(payload.slice(0, end))
}

/** One connection, until it is lost. Fails with the reason. */
const session = (link: Link): Effect.Effect<never, string> =>
  Effect.gen(function* () {
    const { channels, config, dirty, ear, intervals, state } = link
    const listener = yield* connectListener(config, (channel, payload) =>
      channel === ear.channel ? ear.notified(payload) : deliver(link, channel, payload)
    )
    yield* Effect.addFinalizer(() =>
      Effect.sync(() => {
        link.sender = undefined
        link.listener = undefined
      })
    )
    link.sender = listener
    yield* Queue.offer(dirty, undefined)
    yield* Effect.raceFirst(listener.lost, prove(ear, listener, config, intervals.pingTimeout))
    // A feed that comes from here on listens on it at once; those from before do below.
    link.listener = listener
    for (const channel of [...channels.keys()]) {
      yield* ask(listener, intervals.pingTimeout, `LISTEN ${quoted(channel)}`)
    }
    yield* SubscriptionRef.set(state, { _tag: "Up" })
    // For what was committed while nothing listened.
    yield* Effect.sync(() => ringAll(link))
    const ping = Effect.andThen(
      Effect.sleep(intervals.pingInterval),
      ear.ringBy(listener, intervals.pingTimeout)
    )
    return yield* Effect.raceFirst(listener.lost, Effect.forever(ping))
  }).pipe(Effect.scoped)

/** Connects, and connects again whenever the connection is lost, after pauses that grow while it cannot be made. */
export const keepConnected = (link: Link, failures = 0): Effect.Effect<never> =>
  Effect.gen(function* () {
    const cause = yield* Effect.flip(session(link))
    const { _tag } = yield* SubscriptionRef.get(link.state)
    yield* SubscriptionRef.set(link.state, { _tag: "Down", cause })
    const inRow = _tag === "Up" ? 0 : failures + 1
    const pause = Math.min(maxPauseMillis, minPauseMillis * 2 ** inRow)
    yield* Effect.sleep(pause * (yield* Random.nextRange(0.5, 1)))
    return yield* keepConnected(link, inRow)
  })

/** Sends what is pending. One statement at a time: behind a slow server rings become fewer, and do not pile up. */
const sendAll = (link: Link): void => {
  const { dirty, pending, sender } = link
  if (sender === undefined || link.sending === sender || pending.isEmpty()) return
  const rings = pending.takeAll()
  link.sending = sender
  const payloads = rings.map(({ channel, feed, seq }) => ({ channel, payload: `${feed}:${seq}` }))
  sender.send(notifyAll, [JSON.stringify(payloads)], (error) => {
    if (link.sending === sender) link.sending = undefined
    if (error !== undefined) rings.forEach(pending.add)
    else if (!pending.isEmpty()) dirty.unsafeOffer(undefined)
  })
}

/** Sends what is pending whenever there is something, at most once in the window. */
export const sendForever = (link: Link): Effect.Effect<never> =>
  Effect.forever(
    Effect.zipRight(
      Queue.take(link.dirty),
      Effect.zipRight(
        Effect.sync(() => sendAll(link)),
        Effect.sleep(coalesceWindow)
      )
    )
  )

/** Waits until the server has answered what is being sent: it answers statements in their order. */
const awaitSent = (link: Link): Effect.Effect<void> =>
  Effect.suspend(() =>
    link.sender === undefined || link.sending !== link.sender
      ? Effect.void
      : Effect.ignore(ask(link.sender, lastRingsTimeout, "SELECT 1"))
  )

/** Waits for a connection if there is something to send and none to send it on. */
const awaitUp = ({ pending, sender, state }: Link): Effect.Effect<unknown> =>
  sender !== undefined || pending.isEmpty()
    ? Effect.void
    : Stream.runHead(Stream.filter(state.changes, ({ _tag }) => _tag === "Up"))

/** Sends what was being sent and what has come meanwhile. Feeds that are not rung then are rung by the poll. */
export const sendLast = (link: Link): Effect.Effect<unknown> =>
  Effect.suspend(() => awaitUp(link)).pipe(
    Effect.zipRight(awaitSent(link)),
    Effect.zipRight(Effect.sync(() => sendAll(link))),
    Effect.zipRight(awaitSent(link)),
    // A finalizer is not interruptible by itself, and a link that is half-open does not answer.
    Effect.interruptible,
    Effect.timeoutOption(lastRingsTimeout)
  )

/** Rings every feed without a reason, more often while the connection is down. */
export const pollForever = (link: Link): Effect.Effect<never> =>
  SubscriptionRef.get(link.state).pipe(
    Effect.flatMap(({ _tag }) =>
      Effect.sleep(_tag === "Up" ? link.intervals.poll : link.intervals.pollWhileDown)
    ),
    Effect.zipRight(Effect.sync(() => ringAll(link))),
    Effect.forever
  )

/** Queues a ring for the sender. */
export const ring = ({ dirty, pending }: Link, ring: Ring): void => {
  pending.add(ring)
  dirty.unsafeOffer(undefined)
}

/** Listens on the channel if no feed did, and gives what ends it. */
export const listen = (
  link: Link,
  channel: string,
  feed: string,
  ring: () => void
): Effect.Effect<() => void> =>
  Effect.sync(() => {
    const { channels } = link
    const feeds = channels.get(channel) ?? makeRings()
    const remove = feeds.add(feed, ring)
    if (!channels.has(channel)) {
      channels.set(channel, feeds)
      // A reader that has read before the server listened may have missed a commit. What fails, fails the session.
      link.listener?.send(`LISTEN ${quoted(channel)}`, [], (error) => {
        if (error === undefined) channels.get(channel)?.ringAll()
      })
    }
    return () => {
      remove()
      if (!feeds.isEmpty()) return
      channels.delete(channel)
      link.listener?.send(`UNLISTEN ${quoted(channel)}`, [], () => {})
    }
  })
