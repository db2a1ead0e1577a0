/**
 * The dispatcher of a watch: reads the log once for all its live watchers, and in slices for those that are behind.
 *
 * What it does between two reads is synchronous, and bounded by time: a pass that has more to do says so and is run
 * again in the next turn of the event loop.
 */
import { Effect } from "effect"
import type { ChangeLogError, Compacted, EpochChanged, LoggedRevision, Revision } from "../log/events.js"
import { matches } from "../log/selector.js"
import * as Outbox from "./buffer.js"
import * as Telling from "./fanOut.js"
import * as Hub from "./registry.js"
import * as Resnapshot from "./resnapshot.js"
import { backoff, isUnavailable, type Source } from "./snapshots.js"

export interface Dispatcher<V> {
  readonly hub: Hub.Hub<V>
  readonly source: Source<V>
  readonly nanos: () => bigint
  /** Milliseconds that only grow. */
  readonly millis: () => number
  /** The newest revision that the log has told of. */
  head: Revision | undefined
  /** When the log last answered, by `millis`. */
  answeredAt: number
  /** Why it does not answer. */
  trouble: ChangeLogError | undefined
  /** Nobody waits for the log any more. */
  closing: boolean
  /** The log has failed for good, or the dispatcher has: nobody is told anything any more. */
  failure: { readonly cause: unknown } | undefined
}

/** How much one pass does at once: watchers that are behind, and revisions; and for how long. */
const mostWatchers = 512
const mostRevisions = 1000
const sliceNanos = 2_000_000n

/** Asks the log until it answers, if only that something is gone, or until the watch is closed. */
export const insist = <V, A, E>(
  dispatcher: Dispatcher<V>,
  question: Effect.Effect<A, E | ChangeLogError>
): Effect.Effect<A, E | ChangeLogError> =>
  question.pipe(
    Effect.tapBoth({
      onFailure: (error) => Effect.sync(() => noted(dispatcher, isUnavailable(error) ? error : undefined)),
      onSuccess: () => Effect.sync(() => noted(dispatcher, undefined))
    }),
    Effect.retry({ schedule: backoff, while: (error) => isUnavailable(error) && !dispatcher.closing })
  )

const noted = <V>(dispatcher: Dispatcher<V>, trouble: ChangeLogError | undefined): void => {
  dispatcher.trouble = trouble
  if (trouble === undefined) dispatcher.answeredAt = dispatcher.millis()
}

const dispatchAll = <V>(dispatcher: Dispatcher<V>, rows: ReadonlyArray<LoggedRevision<V>>): void => {
  const { hub } = dispatcher
  const until = dispatcher.nanos() + sliceNanos
  let done = 0
  // Reading the clock costs as much as telling a few watchers.
  do done = Telling.dispatch(hub, rows, done, Math.min(done + 32, rows.length))
  while (done < rows.length && !hub.blocked && dispatcher.nanos() <= until)
  dispatcher.head = rows[rows.length - 1]?.revision ?? dispatcher.head
  if (!hub.blocked && (done < rows.length || rows.length === mostRevisions)) hub.ring()
}

/** Tells the live watchers what has been committed since. */
const advance = <V>(dispatcher: Dispatcher<V>): Effect.Effect<void, ChangeLogError> =>
  Effect.suspend(() => {
    const { hub, source } = dispatcher
    if (hub.position === undefined) return Effect.void
    const read = insist(dispatcher, source.read({ after: hub.position, limit: mostRevisions }))
    return read.pipe(
      Effect.map((rows) => dispatchAll(dispatcher, rows)),
      Effect.catchTags({ Compacted: () => begin(dispatcher), EpochChanged: () => begin(dispatcher) })
    )
  })

/** What comes next is gone: everybody who was live is behind now, and the dispatcher goes on at the head. */
const begin = <V>(dispatcher: Dispatcher<V>): Effect.Effect<void, ChangeLogError> =>
  Effect.map(insist(dispatcher, dispatcher.source.head), ({ head }) => {
    const { hub } = dispatcher
    const { position } = hub
    dispatcher.head = head
    if (position === undefined) return
    for (const watcher of hub.watchers.values()) {
      Hub.fallBehind(watcher, Hub.standing(hub, watcher))
      watcher.since = 0
      if (!Outbox.isFull(watcher) && watcher.wait === undefined) hub.hungry.add(watcher)
    }
    Hub.goOnAt(hub, head)
  })

/** Those who stand furthest back; all of one epoch, because they are told of the same revisions. */
const oldestFirst = <V>(hungry: Set<Hub.Watcher<V>>): ReadonlyArray<Hub.Watcher<V>> => {
  const all = [...hungry]
    .filter(({ cursor }) => cursor !== undefined)
    .sort((a, b) => a.cursor!.seq - b.cursor!.seq)
  const epoch = all[0]?.cursor?.epoch
  return all.filter(({ cursor }) => cursor?.epoch === epoch).slice(0, mostWatchers)
}

/** Lets those who are behind read on, the oldest first. */
const catchUp = <V>(dispatcher: Dispatcher<V>): Effect.Effect<void, ChangeLogError> =>
  Effect.suspend(() => {
    const { hub, source } = dispatcher
    const slice = oldestFirst(hub.hungry)
    const oldest = slice[0]
    if (oldest?.cursor === undefined || hub.position === undefined) return Effect.void
    const after = oldest.cursor
    return insist(dispatcher, source.read({ after, limit: mostRevisions })).pipe(
      Effect.map((rows) => replayAll(dispatcher, slice, rows)),
      Effect.catchTags({
        Compacted: (error) => lost(dispatcher, oldest, error),
        EpochChanged: (error) => lost(dispatcher, oldest, error),
        ChangeLogError: (error) => unreadable(dispatcher, oldest, error)
      }),
      Effect.tap(() => (hub.hungry.size > 0 ? Effect.sync(hub.ring) : Effect.void))
    )
  })

const replayAll = <V>(
  { hub, ...dispatcher }: Dispatcher<V>,
  slice: ReadonlyArray<Hub.Watcher<V>>,
  rows: ReadonlyArray<LoggedRevision<V>>
): void => {
  const { position } = hub
  if (position === undefined) return
  const until = dispatcher.nanos() + sliceNanos
  for (const row of rows) {
    for (const watcher of slice) {
      const { cursor } = watcher
      if (cursor === undefined || cursor.seq >= row.revision.seq || !hub.hungry.has(watcher)) continue
      if (!Telling.replay(hub, watcher, row, matches)) hub.hungry.delete(watcher)
    }
    if (dispatcher.nanos() > until) break
  }
  for (const watcher of slice) {
    const { cursor } = watcher
    if (cursor === undefined || !hub.watchers.has(watcher.id)) continue
    if (cursor.epoch === position.epoch && cursor.seq >= position.seq) Hub.standAt(hub, watcher, cursor)
  }
}

/** A watcher cannot read on: it begins again with a snapshot, or ends. */
const lost = <V>(
  dispatcher: Dispatcher<V>,
  watcher: Hub.Watcher<V>,
  error: Compacted | EpochChanged
): Effect.Effect<void> =>
  Effect.suspend(() => {
    const { hub } = dispatcher
    hub.hungry.delete(watcher)
    if (!hub.watchers.has(watcher.id)) return Effect.void
    if (watcher.autoResnapshot) return Resnapshot.begin(dispatcher, watcher, error)
    Hub.end(hub, watcher, error._tag, error.message)
    return Effect.void
  })

/** What a watcher would read next cannot be read: those who are live need it no more. */
const unreadable = <V>(
  { hub }: Dispatcher<V>,
  watcher: Hub.Watcher<V>,
  error: ChangeLogError
): Effect.Effect<void, ChangeLogError> =>
  // The watch is being closed.
  isUnavailable(error)
    ? Effect.fail(error)
    : Effect.sync(() => Hub.end(hub, watcher, "Failed", "the log cannot be read where it stands", error))

/** One pass: what is new for the live ones, then a slice for those that are behind. */
export const pass = <V>(dispatcher: Dispatcher<V>): Effect.Effect<void, ChangeLogError> =>
  Effect.suspend(() =>
    dispatcher.hub.watchers.size === 0
      ? Effect.void
      : Effect.zipRight(
          advance(dispatcher),
          Effect.suspend(() => (dispatcher.hub.hungry.size === 0 ? Effect.void : catchUp(dispatcher)))
        )
  )

/** Everybody who is live and waits is told how far the log is. */
export const tellProgress = <V>({ hub }: Dispatcher<V>): void => {
  for (const watcher of hub.watchers.values()) {
    if (watcher.cursor !== undefined) continue
    watcher.owesProgress = true
    if (Outbox.isEmpty(watcher)) Outbox.nudge(watcher)
  }
}
