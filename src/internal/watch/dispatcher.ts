/**
 * The dispatcher of a watch: reads the log once for all its live watchers, and in slices for those that are behind.
 *
 * What it does between two reads is synchronous, and bounded by time: a pass that has more to do rings, and is run
 * again in the next turn of the event loop.
 */
import { Effect } from "effect"
import {
  ChangeLogError,
  type Compacted,
  type EpochChanged,
  type LoggedRevision,
  ownRevision,
  type Revision
} from "../log/events.js"
import { matches } from "../log/selector.js"
import * as State from "./dispatcherState.js"
import * as FanOut from "./fanOut.js"
import * as Registry from "./registry.js"
import * as Resnapshot from "./resnapshot.js"
import { backoff, isUnavailable } from "./snapshots.js"
import * as Syncs from "./syncs.js"
import * as Watcher from "./watcher.js"

type Dispatcher<V> = State.Dispatcher<V>

/** How much one pass does at once: watchers that are behind, and revisions; and for how long. */
const maxWatchersPerPass = 512
const maxRevisionsPerPass = 1000
const sliceNanos = 2_000_000n

/** Asks the log until it answers, also by `Compacted` or `EpochChanged`, or until the watch is closed. */
export const retryWhileUnavailable = <V, A, E>(
  dispatcher: Dispatcher<V>,
  question: Effect.Effect<A, E | ChangeLogError>
): Effect.Effect<A, E | ChangeLogError> =>
  question.pipe(
    Effect.tapBoth({
      onFailure: (error) =>
        Effect.sync(() =>
          isUnavailable(error) ? State.setCause(dispatcher, error) : State.noteAnswer(dispatcher)
        ),
      onSuccess: () => Effect.sync(() => State.noteAnswer(dispatcher))
    }),
    Effect.retry({ schedule: backoff, while: (error) => isUnavailable(error) && dispatcher.phase === "Open" })
  )

/** An answer of the log, and when it was asked for. */
interface Answered<A> {
  readonly answer: A
  readonly askedAt: number
}

/** As {@link retryWhileUnavailable}, with the time of the question that was answered. */
const timed = <V, A, E>(
  dispatcher: Dispatcher<V>,
  question: Effect.Effect<A, E | ChangeLogError>
): Effect.Effect<Answered<A>, E | ChangeLogError> =>
  retryWhileUnavailable(
    dispatcher,
    Effect.suspend(() => {
      const askedAt = dispatcher.millis()
      return Effect.map(question, (answer) => ({ answer, askedAt }))
    })
  )

const dispatchAll = <V>(dispatcher: Dispatcher<V>, rows: ReadonlyArray<LoggedRevision<V>>): void => {
  const { registry } = dispatcher
  const until = dispatcher.nanos() + sliceNanos
  let done = 0
  // Reading the clock costs as much as an offer to a few watchers.
  do done = FanOut.dispatch(registry, rows, done, Math.min(done + 32, rows.length))
  while (done < rows.length && !registry.blocked && dispatcher.nanos() <= until)
  const last = rows[rows.length - 1]
  if (last !== undefined) State.setHead(dispatcher, last.revision)
  if (!registry.blocked && (done < rows.length || rows.length === maxRevisionsPerPass))
    Registry.ring(registry)
}

const dispatchAnswer = <V>(
  dispatcher: Dispatcher<V>,
  { answer, askedAt }: Answered<ReadonlyArray<LoggedRevision<V>>>
): void => {
  dispatchAll(dispatcher, answer)
  // There may be more behind a full page.
  if (answer.length < maxRevisionsPerPass) State.noteKnown(dispatcher, askedAt)
}

/** Asks the log for its head, if a reader waits to have taken everything up to it. */
const answerSyncs = <V>(dispatcher: Dispatcher<V>): Effect.Effect<void> =>
  Effect.suspend(() => {
    const { registry, source } = dispatcher
    const asked = Syncs.startAsking(registry.syncs)
    if (asked.length === 0) return Effect.void
    return Effect.match(timed(dispatcher, source.head), {
      onSuccess: ({ answer: { head }, askedAt }) => {
        State.setHead(dispatcher, head)
        State.noteKnown(dispatcher, askedAt)
        Registry.setSyncTarget(registry, asked, ownRevision(head))
      },
      onFailure: (error) => Syncs.failAsked(registry.syncs, asked, error)
    })
  })

/** Dispatches to the live watchers what has been committed since. */
const advance = <V>(dispatcher: Dispatcher<V>): Effect.Effect<void, ChangeLogError> =>
  Effect.suspend(() => {
    const { registry, source } = dispatcher
    if (registry.position === undefined) return Effect.void
    const read = timed(dispatcher, source.read({ after: registry.position, limit: maxRevisionsPerPass }))
    return read.pipe(
      Effect.map((answered) => dispatchAnswer(dispatcher, answered)),
      Effect.catchTags({
        Compacted: () => restartAtHead(dispatcher),
        EpochChanged: () => restartAtHead(dispatcher)
      })
    )
  })

/** What comes next is gone from the log: all live watchers fall behind, and the dispatcher goes on at the head. */
const restartAtHead = <V>(dispatcher: Dispatcher<V>): Effect.Effect<void, ChangeLogError> =>
  Effect.map(retryWhileUnavailable(dispatcher, dispatcher.source.head), ({ head }) => {
    const { registry } = dispatcher
    State.setHead(dispatcher, head)
    if (registry.position !== undefined) Registry.restartAt(registry, head)
  })

/** Those with the oldest cursors; all of one epoch, because they read the same revisions. */
const oldestFirst = <V>(catchingUp: ReadonlySet<Watcher.Watcher<V>>): ReadonlyArray<Watcher.Behind<V>> => {
  const all = [...catchingUp].filter(Watcher.isBehind).sort((a, b) => a.cursor.seq - b.cursor.seq)
  const epoch = all[0]?.cursor.epoch
  return all.filter(({ cursor }) => cursor.epoch === epoch).slice(0, maxWatchersPerPass)
}

const lagging = new ChangeLogError({
  reason: "Unavailable",
  message: "the log returns less than its head: read from where the head is, or wait until it has caught up"
})

/** A log that returns nothing up to a revision that it had would be asked again at once, for as long as it lags. */
const isLagging = (rows: ReadonlyArray<unknown>, after: Revision, position: Revision): boolean =>
  rows.length === 0 && after.epoch === position.epoch && after.seq < position.seq

/** Lets the watchers that are behind read on, those with the oldest cursors first. */
const catchUp = <V>(dispatcher: Dispatcher<V>): Effect.Effect<void, ChangeLogError> =>
  Effect.suspend(() => {
    const { registry, source } = dispatcher
    const { position } = registry
    const slice = oldestFirst(registry.catchingUp)
    const oldest = slice[0]
    if (oldest === undefined || position === undefined) return Effect.void
    const after = oldest.cursor
    const read = Effect.flatMap(source.read({ after, limit: maxRevisionsPerPass }), (rows) =>
      isLagging(rows, after, position) ? Effect.fail(lagging) : Effect.succeed(rows)
    )
    return retryWhileUnavailable(dispatcher, read).pipe(
      Effect.map((rows) => replayAll(dispatcher, slice, rows)),
      Effect.catchTags({
        Compacted: (error) => resnapshotOrEnd(dispatcher, oldest, error),
        EpochChanged: (error) => resnapshotOrEnd(dispatcher, oldest, error),
        ChangeLogError: (error) => endUnreadable(dispatcher, oldest, error)
      }),
      Effect.tap(() =>
        registry.catchingUp.size > 0 ? Effect.sync(() => Registry.ring(registry)) : Effect.void
      )
    )
  })

const replayAll = <V>(
  { registry, ...dispatcher }: Dispatcher<V>,
  slice: ReadonlyArray<Watcher.Watcher<V>>,
  rows: ReadonlyArray<LoggedRevision<V>>
): void => {
  const { position } = registry
  if (position === undefined) return
  const until = dispatcher.nanos() + sliceNanos
  for (const row of rows) {
    for (const watcher of slice) {
      if (!Watcher.isBehind(watcher) || watcher.cursor.seq >= row.revision.seq) continue
      if (!registry.catchingUp.has(watcher)) continue
      if (!FanOut.replay(registry, watcher, row, matches)) Registry.stopCatchingUp(registry, watcher)
    }
    if (dispatcher.nanos() > until) break
  }
  for (const watcher of slice) {
    // The rights of one may have changed when its reader was woken.
    if (!Watcher.isBehind(watcher) || watcher.snapshotWait !== undefined) continue
    const { cursor } = watcher
    if (cursor.epoch === position.epoch && cursor.seq >= position.seq) {
      Registry.advanceTo(registry, watcher, cursor)
    }
  }
}

/** Lets a watcher that cannot read on begin again with a snapshot, or ends it. */
const resnapshotOrEnd = <V>(
  dispatcher: Dispatcher<V>,
  watcher: Watcher.Watcher<V>,
  error: Compacted | EpochChanged
): Effect.Effect<void> =>
  Effect.suspend(() => {
    const { registry } = dispatcher
    Registry.stopCatchingUp(registry, watcher)
    if (!registry.watchers.has(watcher.id)) return Effect.void
    if (watcher.autoResnapshot) return Resnapshot.start(dispatcher, watcher, error)
    Registry.end(registry, watcher, error._tag, error.message)
    return Effect.void
  })

/** Ends a watcher whose next revision cannot be read: live watchers need that revision no more. */
const endUnreadable = <V>(
  { registry }: Dispatcher<V>,
  watcher: Watcher.Watcher<V>,
  error: ChangeLogError
): Effect.Effect<void, ChangeLogError> =>
  // The watch is being closed.
  isUnavailable(error)
    ? Effect.fail(error)
    : Effect.sync(() =>
        Registry.end(registry, watcher, "Failed", "the log cannot be read after its cursor", error)
      )

/**
 * Runs one pass: the snapshots of those whose rights have changed, the head for readers that wait for it, what is new for
 * the live watchers, then a slice for those that are behind.
 */
export const pass = <V>(dispatcher: Dispatcher<V>): Effect.Effect<void, ChangeLogError> =>
  Effect.suspend(() =>
    dispatcher.registry.watchers.size === 0
      ? Effect.void
      : Resnapshot.startChanged(dispatcher).pipe(
          Effect.andThen(answerSyncs(dispatcher)),
          Effect.andThen(advance(dispatcher)),
          Effect.andThen(
            Effect.suspend(() =>
              dispatcher.registry.catchingUp.size === 0 ? Effect.void : catchUp(dispatcher)
            )
          )
        )
  )
