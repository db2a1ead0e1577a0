/**
 * The dispatcher of a watch: reads the log once for all its live watchers, and in slices for those that are behind.
 *
 * What it does between two reads is synchronous, and bounded by time: a pass that has more to do says so and is run
 * again in the next turn of the event loop.
 */
import { Effect } from "effect"
import type { ChangeLogError, Compacted, EpochChanged, LoggedRevision, Revision } from "../log/events.js"
import { matches } from "../log/selector.js"
import * as Buffer from "./buffer.js"
import * as FanOut from "./fanOut.js"
import * as Registry from "./registry.js"
import * as Resnapshot from "./resnapshot.js"
import { backoff, isUnavailable, type Source } from "./snapshots.js"

export interface Dispatcher<V> {
  readonly registry: Registry.Registry<V>
  readonly source: Source<V>
  readonly nanos: () => bigint
  /** Milliseconds that only grow. */
  readonly millis: () => number
  /** The newest revision that the log has told of. */
  head: Revision | undefined
  /** When the log last answered, by `millis`. */
  answeredAt: number
  /** Why it does not answer. */
  cause: ChangeLogError | undefined
  /** Nobody waits for the log any more. */
  closing: boolean
  /** The log has failed for good, or the dispatcher has: nobody is told anything any more. */
  failure: { readonly cause: unknown } | undefined
}

/** How much one pass does at once: watchers that are behind, and revisions; and for how long. */
const maxWatchersPerPass = 512
const maxRevisionsPerPass = 1000
const sliceNanos = 2_000_000n

/** Asks the log until it answers, if only that something is gone, or until the watch is closed. */
export const retryWhileUnavailable = <V, A, E>(
  dispatcher: Dispatcher<V>,
  question: Effect.Effect<A, E | ChangeLogError>
): Effect.Effect<A, E | ChangeLogError> =>
  question.pipe(
    Effect.tapBoth({
      onFailure: (error) =>
        Effect.sync(() => recordAnswer(dispatcher, isUnavailable(error) ? error : undefined)),
      onSuccess: () => Effect.sync(() => recordAnswer(dispatcher, undefined))
    }),
    Effect.retry({ schedule: backoff, while: (error) => isUnavailable(error) && !dispatcher.closing })
  )

const recordAnswer = <V>(dispatcher: Dispatcher<V>, trouble: ChangeLogError | undefined): void => {
  dispatcher.cause = trouble
  if (trouble === undefined) dispatcher.answeredAt = dispatcher.millis()
}

const dispatchAll = <V>(dispatcher: Dispatcher<V>, rows: ReadonlyArray<LoggedRevision<V>>): void => {
  const { registry } = dispatcher
  const until = dispatcher.nanos() + sliceNanos
  let done = 0
  // Reading the clock costs as much as telling a few watchers.
  do done = FanOut.dispatch(registry, rows, done, Math.min(done + 32, rows.length))
  while (done < rows.length && !registry.blocked && dispatcher.nanos() <= until)
  dispatcher.head = rows[rows.length - 1]?.revision ?? dispatcher.head
  if (!registry.blocked && (done < rows.length || rows.length === maxRevisionsPerPass)) registry.ring()
}

/** Tells the live watchers what has been committed since. */
const advance = <V>(dispatcher: Dispatcher<V>): Effect.Effect<void, ChangeLogError> =>
  Effect.suspend(() => {
    const { registry, source } = dispatcher
    if (registry.position === undefined) return Effect.void
    const read = retryWhileUnavailable(
      dispatcher,
      source.read({ after: registry.position, limit: maxRevisionsPerPass })
    )
    return read.pipe(
      Effect.map((rows) => dispatchAll(dispatcher, rows)),
      Effect.catchTags({
        Compacted: () => restartAtHead(dispatcher),
        EpochChanged: () => restartAtHead(dispatcher)
      })
    )
  })

/** What comes next is gone: everybody who was live is behind now, and the dispatcher goes on at the head. */
const restartAtHead = <V>(dispatcher: Dispatcher<V>): Effect.Effect<void, ChangeLogError> =>
  Effect.map(retryWhileUnavailable(dispatcher, dispatcher.source.head), ({ head }) => {
    const { registry } = dispatcher
    const { position } = registry
    dispatcher.head = head
    if (position === undefined) return
    for (const watcher of registry.watchers.values()) {
      Registry.fallBehind(watcher, Registry.positionOf(registry, watcher))
      watcher.deliveredFrom = 0
      if (!Buffer.isFull(watcher) && watcher.snapshotWait === undefined) registry.catchingUp.add(watcher)
    }
    Registry.skipTo(registry, head)
  })

/** Those who stand furthest back; all of one epoch, because they are told of the same revisions. */
const oldestFirst = <V>(catchingUp: Set<Registry.Watcher<V>>): ReadonlyArray<Registry.Watcher<V>> => {
  const all = [...catchingUp]
    .filter(({ cursor }) => cursor !== undefined)
    .sort((a, b) => a.cursor!.seq - b.cursor!.seq)
  const epoch = all[0]?.cursor?.epoch
  return all.filter(({ cursor }) => cursor?.epoch === epoch).slice(0, maxWatchersPerPass)
}

/** Lets those who are behind read on, the oldest first. */
const catchUp = <V>(dispatcher: Dispatcher<V>): Effect.Effect<void, ChangeLogError> =>
  Effect.suspend(() => {
    const { registry, source } = dispatcher
    const slice = oldestFirst(registry.catchingUp)
    const oldest = slice[0]
    if (oldest?.cursor === undefined || registry.position === undefined) return Effect.void
    const after = oldest.cursor
    return retryWhileUnavailable(dispatcher, source.read({ after, limit: maxRevisionsPerPass })).pipe(
      Effect.map((rows) => replayAll(dispatcher, slice, rows)),
      Effect.catchTags({
        Compacted: (error) => resnapshotOrEnd(dispatcher, oldest, error),
        EpochChanged: (error) => resnapshotOrEnd(dispatcher, oldest, error),
        ChangeLogError: (error) => endUnreadable(dispatcher, oldest, error)
      }),
      Effect.tap(() => (registry.catchingUp.size > 0 ? Effect.sync(registry.ring) : Effect.void))
    )
  })

const replayAll = <V>(
  { registry, ...dispatcher }: Dispatcher<V>,
  slice: ReadonlyArray<Registry.Watcher<V>>,
  rows: ReadonlyArray<LoggedRevision<V>>
): void => {
  const { position } = registry
  if (position === undefined) return
  const until = dispatcher.nanos() + sliceNanos
  for (const row of rows) {
    for (const watcher of slice) {
      const { cursor } = watcher
      if (cursor === undefined || cursor.seq >= row.revision.seq || !registry.catchingUp.has(watcher))
        continue
      if (!FanOut.replay(registry, watcher, row, matches)) registry.catchingUp.delete(watcher)
    }
    if (dispatcher.nanos() > until) break
  }
  for (const watcher of slice) {
    const { cursor } = watcher
    if (cursor === undefined || !registry.watchers.has(watcher.id)) continue
    if (cursor.epoch === position.epoch && cursor.seq >= position.seq)
      Registry.advanceTo(registry, watcher, cursor)
  }
}

/** A watcher cannot read on: it begins again with a snapshot, or ends. */
const resnapshotOrEnd = <V>(
  dispatcher: Dispatcher<V>,
  watcher: Registry.Watcher<V>,
  error: Compacted | EpochChanged
): Effect.Effect<void> =>
  Effect.suspend(() => {
    const { registry } = dispatcher
    registry.catchingUp.delete(watcher)
    if (!registry.watchers.has(watcher.id)) return Effect.void
    if (watcher.autoResnapshot) return Resnapshot.start(dispatcher, watcher, error)
    Registry.end(registry, watcher, error._tag, error.message)
    return Effect.void
  })

/** What a watcher would read next cannot be read: those who are live need it no more. */
const endUnreadable = <V>(
  { registry }: Dispatcher<V>,
  watcher: Registry.Watcher<V>,
  error: ChangeLogError
): Effect.Effect<void, ChangeLogError> =>
  // The watch is being closed.
  isUnavailable(error)
    ? Effect.fail(error)
    : Effect.sync(() =>
        Registry.end(registry, watcher, "Failed", "the log cannot be read where it stands", error)
      )

/** One pass: what is new for the live ones, then a slice for those that are behind. */
export const pass = <V>(dispatcher: Dispatcher<V>): Effect.Effect<void, ChangeLogError> =>
  Effect.suspend(() =>
    dispatcher.registry.watchers.size === 0
      ? Effect.void
      : Effect.zipRight(
          advance(dispatcher),
          Effect.suspend(() =>
            dispatcher.registry.catchingUp.size === 0 ? Effect.void : catchUp(dispatcher)
          )
        )
  )

/** Everybody who is live and waits is told how far the log is. */
export const signalProgress = <V>({ registry }: Dispatcher<V>): void => {
  for (const watcher of registry.watchers.values()) {
    if (watcher.cursor !== undefined) continue
    watcher.owesProgress = true
    if (Buffer.isEmpty(watcher)) Buffer.nudge(watcher)
  }
}
