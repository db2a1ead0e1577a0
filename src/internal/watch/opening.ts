/**
 * Begins a follow: its start position is found outside of the dispatcher's turn, and then it is admitted in a turn. It
 * reads from the log what has been committed in between, so that nothing is left out and nothing is delivered twice.
 */
import { Data, Deferred, Effect, type Scope } from "effect"
import { outsideTransaction } from "../callerContext.js"
import type { ChangeLog } from "../log/changeLog.js"
import {
  ChangeLogError,
  type Compacted,
  type EpochChanged,
  ownRevision,
  type Revision,
  start
} from "../log/events.js"
import { type InvalidSelector, resolveSelector, type Selector } from "../log/selector.js"
import type { InvalidOptions } from "../options.js"
import { type Dispatcher, type Ending, noteHead } from "./dispatcherState.js"
import { type Follow, type FollowOptions, resolveFollow } from "./followOptions.js"
import { type OwnerReason, type SnapshotFrame, WatchEnded } from "./frames.js"
import * as Registry from "./registry.js"
import * as Snapshots from "./snapshots.js"
import * as View from "./view.js"
import * as Watcher from "./watcher.js"

/** Why a follow could not begin. Nothing was registered. */
export class WatchRefused extends Data.TaggedError("WatchRefused")<{
  /**
   * `Full`: the cap on watchers is reached. `Closed`: the watch is. `Ended`: its owner ended it, see `ended`. `Log`: the
   * watch has failed, see `cause`; make another one.
   */
  readonly reason: "Full" | "Closed" | "Ended" | "Log"
  readonly message: string
  /** How the owner ended the watch. */
  readonly ended?: OwnerReason
  readonly cause?: unknown
}> {}

/** Everything that can keep a follow from beginning. */
export type FollowError =
  | WatchRefused
  | InvalidOptions
  | InvalidSelector
  | Compacted
  | EpochChanged
  | ChangeLogError

/** The part of a watch that admits watchers. */
export interface Admission<V> {
  readonly log: ChangeLog<V>
  readonly dispatcher: Dispatcher<V>
  readonly maxWatchers: number
  readonly hasSnapshots: boolean
  /** Fails as soon as no watcher is admitted any more. */
  readonly refused: Deferred.Deferred<never, WatchRefused>
  /** Runs an effect in the dispatcher's turn. */
  readonly inTurn: (effect: Effect.Effect<void, WatchRefused>) => Effect.Effect<void, WatchRefused>
  /** Sets the metric of watchers, whose number may have changed. */
  readonly setGauge: () => void
}

const noSnapshots = (what: string): ChangeLogError =>
  new ChangeLogError({
    reason: "NoState",
    message: `${what} needs a log that is made with state: "latest"`
  })

/** Ends a watcher, behind what waits for it. */
export const end = <V>(
  { dispatcher, setGauge }: Admission<V>,
  watcher: Watcher.Watcher<V>,
  { cause, message, reason }: Ending
): Effect.Effect<void> =>
  Effect.sync(() => {
    Registry.end(dispatcher.registry, watcher, reason, message, cause)
    setGauge()
  })

/** Ends a watcher for its reader, or with its scope. */
export const cancel = <V>(admission: Admission<V>, watcher: Watcher.Watcher<V>): Effect.Effect<void> =>
  end(admission, watcher, { reason: "Closed", message: "it was cancelled" })

/** Where a watcher begins, and its first frame. */
interface StartPosition<V> {
  readonly at: Revision
  /** The log is there, or further. */
  readonly head: Revision
  readonly first?: SnapshotFrame<V>
  /** It ends before it is registered. */
  readonly end?: Ending
}

const backOf = <V>(source: Snapshots.Source<V>, back: number): Effect.Effect<StartPosition<V>, FollowError> =>
  Effect.flatMap(source.head, ({ floor, head }) => {
    const seq = head.seq - back
    const first = { at: ownRevision(floor), head: ownRevision(head) }
    if (seq <= floor.seq || source.revisionAt === undefined) return Effect.succeed(first)
    return Effect.flatMap(source.revisionAt(seq), (at) =>
      // Removed meanwhile: then the log has another floor, or another epoch.
      at === undefined ? backOf(source, back) : Effect.succeed({ ...first, at: ownRevision(at) })
    )
  })

/** Where a watcher ends that may see nothing: nothing was delivered to it. */
const endPosition = <V>(
  source: Snapshots.Source<V>,
  { after, back = 0, snapshot }: Follow<V>,
  end: Ending
): Effect.Effect<StartPosition<V>, FollowError> =>
  Effect.map(source.head, ({ head: found }) => {
    const head = ownRevision(found)
    const fromNow = back === 0 && snapshot === "none"
    return { at: after === undefined ? (fromNow ? head : start(head.epoch)) : ownRevision(after), head, end }
  })

const startPosition = <V>(
  { source }: Dispatcher<V>,
  watcher: Watcher.Watcher<V>,
  follow: Follow<V>
): Effect.Effect<StartPosition<V>, FollowError> => {
  const { after, back = 0, snapshot } = follow
  const found = watcher.view === undefined ? undefined : View.compare(watcher.view)
  if (found?._tag === "Ended") return endPosition(source, follow, found)
  if (back > 0) return backOf(source, back)
  const head = Effect.map(source.head, ({ head }) => ownRevision(head))
  if (snapshot === "first") {
    return Effect.map(Snapshots.take(source, watcher), (first): StartPosition<V> => {
      const { revision } = first
      if (first._tag === "Snapshot") return { at: revision, head: revision, first }
      // A watcher to which nothing was delivered has the position where the log begins.
      const end = { reason: "Failed", message: "its predicate threw", cause: first.cause } as const
      return { at: start(revision.epoch), head: revision, end }
    })
  }
  if (after === undefined) return Effect.map(head, (head) => ({ at: head, head }))
  // The read fails if the log cannot go on from there.
  const at = ownRevision(after)
  return Effect.zipRight(
    source.read({ after: at, limit: 1 }),
    Effect.map(head, (head) => ({ at, head }))
  )
}

const isFull = <V>({ dispatcher: { registry }, maxWatchers }: Admission<V>): boolean =>
  registry.watchers.size >= maxWatchers

const full = <V>({ maxWatchers }: Admission<V>): WatchRefused =>
  new WatchRefused({
    reason: "Full",
    message: `there are ${maxWatchers} watchers: end one, or raise maxWatchers`
  })

const admit = <V>(
  admission: Admission<V>,
  watcher: Watcher.Watcher<V>,
  { at, end, first, head }: StartPosition<V>
): Effect.Effect<void, WatchRefused> =>
  Effect.suspend(() => {
    const { dispatcher, setGauge } = admission
    const { registry } = dispatcher
    // Its scope may have been closed meanwhile.
    if (Watcher.hasEnded(watcher)) return Effect.void
    if (isFull(admission)) return full(admission)
    noteHead(dispatcher, head)
    Watcher.startAt(watcher, at)
    if (end !== undefined) {
      const { cause, message, reason } = end
      Watcher.end(
        watcher,
        new WatchEnded({ reason, message, cursor: at, ...(cause === undefined ? {} : { cause }) })
      )
      return Effect.void
    }
    if (first !== undefined) Watcher.push(watcher, first)
    Registry.add(registry, watcher, at, head)
    setGauge()
    return Effect.void
  })

const newWatcher = <V>(
  { dispatcher: { registry } }: Admission<V>,
  selector: Selector,
  { autoResnapshot, buffer, policy, previous, view, where }: Follow<V>
): Watcher.Watcher<V> =>
  Watcher.make({
    id: Registry.nextId(registry),
    selector,
    where,
    view: view === undefined ? undefined : View.make(view),
    policy,
    previous: previous === "include",
    autoResnapshot: autoResnapshot === "on",
    capacity: buffer,
    owesSynced: true
  })

/** Checks that the log can give what the follow asks for. */
const validateLog = <V>(
  { hasSnapshots, log }: Admission<V>,
  { autoResnapshot, previous, snapshot, view }: Follow<V>
): ChangeLogError | undefined => {
  if (view !== undefined && log.state !== "latest") return noSnapshots("a view")
  if (previous === "include" && log.state !== "latest") return noSnapshots("a previous value")
  const wantsSnapshot = snapshot === "first" || autoResnapshot === "on"
  return wantsSnapshot && !hasSnapshots ? noSnapshots("a snapshot") : undefined
}

/** Begins a follow, which ends with the scope. */
export const open = <V>(
  admission: Admission<V>,
  selector: Selector,
  options: FollowOptions<V>
): Effect.Effect<Watcher.Watcher<V>, FollowError, Scope.Scope> =>
  Effect.uninterruptibleMask((restore) =>
    Effect.gen(function* () {
      const checked = yield* resolveSelector(selector)
      const follow = yield* resolveFollow(options)
      const problem = validateLog(admission, follow)
      if (problem !== undefined) return yield* problem
      const { dispatcher, inTurn, refused } = admission
      const watcher = newWatcher(admission, checked, follow)
      const gone = cancel(admission, watcher)
      const begins = Effect.suspend(() =>
        isFull(admission) ? full(admission) : outsideTransaction(startPosition(dispatcher, watcher, follow))
      )
      yield* restore(
        // The loser is interrupted also where the caller cannot be, as in a server's handlers.
        Effect.flatMap(
          Effect.raceFirst(Effect.interruptible(Deferred.await(refused)), Effect.interruptible(begins)),
          (found) => inTurn(admit(admission, watcher, found))
        )
      ).pipe(Effect.onError(() => gone))
      yield* Effect.addFinalizer(() => gone)
      // There may be something to read on from the log, or for all watchers.
      Registry.ring(dispatcher.registry)
      return watcher
    })
  )
