/**
 * How a follow begins: where it stands is found out beside everything else, and then it is admitted in the
 * dispatcher's turn. What has been committed in between it reads from the log, so that nothing is left out and
 * nothing is told twice.
 */
import { Data, Deferred, Effect, type Scope } from "effect"
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
import { outsideTransaction } from "../surroundings.js"
import * as Outbox from "./buffer.js"
import type { Dispatcher } from "./dispatcher.js"
import { type FollowOptions, followProblem } from "./followOptions.js"
import { type SnapshotFrame, WatchEnded } from "./frames.js"
import * as Hub from "./registry.js"
import * as Snapshots from "./snapshots.js"

/** Why a follow could not begin; nothing was registered. */
export class WatchRefused extends Data.TaggedError("WatchRefused")<{
  /**
   * `Full`: the cap on watchers is reached. `Closed`: the watch is. `Log`: the watch has failed, see `cause`; make
   * another one.
   */
  readonly reason: "Full" | "Closed" | "Log"
  readonly message: string
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
export interface Desk<V> {
  readonly log: ChangeLog<V>
  readonly dispatcher: Dispatcher<V>
  readonly maxWatchers: number
  readonly hasSnapshots: boolean
  lastId: number
  /** Fails as soon as nobody is admitted any more. */
  readonly over: Deferred.Deferred<never, WatchRefused>
  /** Runs something in the dispatcher's turn. */
  readonly inTurn: (effect: Effect.Effect<void, WatchRefused>) => Effect.Effect<void, WatchRefused>
  /** The number of watchers may have changed. */
  readonly told: () => void
}

const noSnapshots = (what: string): ChangeLogError =>
  new ChangeLogError({
    reason: "NoState",
    message: `${what} needs a log that is made with state: "latest"`
  })

/** Ends a watcher whose reader, or whose scope, wants no more. */
export const cancel = <V>({ dispatcher, told }: Desk<V>, watcher: Hub.Watcher<V>): Effect.Effect<void> =>
  Effect.sync(() => {
    Hub.end(dispatcher.hub, watcher, "Closed", "it was cancelled")
    told()
  })

/** Where a watcher begins, and what it is told first. */
interface Beginning<V> {
  readonly at: Revision
  /** The log has come at least so far. */
  readonly head: Revision
  readonly first?: SnapshotFrame<V> | Snapshots.Threw
}

const beginning = <V>(
  { source }: Dispatcher<V>,
  watcher: Hub.Watcher<V>,
  { after, snapshot }: FollowOptions<V>
): Effect.Effect<Beginning<V>, FollowError> => {
  const head = Effect.map(source.head, ({ head }) => ownRevision(head))
  if (snapshot === "first") {
    return Effect.map(Snapshots.take(source, watcher), (first) => ({
      // To whom nothing was told, he stands where the log begins.
      at: first._tag === "Threw" ? start(first.revision.epoch) : first.revision,
      head: first.revision,
      first
    }))
  }
  if (after === undefined) return Effect.map(head, (head) => ({ at: head, head }))
  // It says whether the log can go on from there.
  const at = ownRevision(after)
  return Effect.zipRight(
    source.read({ after: at, limit: 1 }),
    Effect.map(head, (head) => ({ at, head }))
  )
}

const isFull = <V>({ dispatcher: { hub }, maxWatchers }: Desk<V>): boolean => hub.watchers.size >= maxWatchers

const full = <V>({ maxWatchers }: Desk<V>): WatchRefused =>
  new WatchRefused({ reason: "Full", message: `the cap of ${maxWatchers} watchers is reached` })

const admit = <V>(
  desk: Desk<V>,
  watcher: Hub.Watcher<V>,
  { at, first, head }: Beginning<V>
): Effect.Effect<void, WatchRefused> =>
  Effect.suspend(() => {
    const { dispatcher, told } = desk
    const { hub } = dispatcher
    // Whoever asked may have gone meanwhile.
    if (watcher.ended !== undefined) return Effect.void
    if (isFull(desk)) return full(desk)
    dispatcher.head = head
    dispatcher.answeredAt = dispatcher.millis()
    watcher.taken = at
    if (first?._tag === "Threw") {
      const { cause } = first
      const failed = new WatchEnded({ reason: "Failed", message: "its predicate threw", cursor: at, cause })
      Outbox.end(watcher, failed)
      return Effect.void
    }
    if (first !== undefined) Outbox.push(watcher, first)
    hub.position ??= head
    Hub.add(hub, watcher, at)
    told()
    return Effect.void
  })

const newWatcher = <V>(desk: Desk<V>, selector: Selector, options: FollowOptions<V>): Hub.Watcher<V> =>
  Hub.newWatcher({
    id: ++desk.lastId,
    selector,
    where: options.where,
    policy: options.policy ?? "resync",
    previous: options.previous === "include",
    autoResnapshot: options.autoResnapshot === "on",
    capacity: options.buffer ?? 256,
    owesSynced: true
  })

/** Begins a follow, which ends with the scope. */
export const open = <V>(
  desk: Desk<V>,
  selector: Selector,
  options: FollowOptions<V>
): Effect.Effect<Hub.Watcher<V>, FollowError, Scope.Scope> =>
  Effect.uninterruptibleMask((restore) =>
    Effect.gen(function* () {
      const checked = yield* resolveSelector(selector)
      const wrong = followProblem(options)
      if (wrong !== undefined) return yield* wrong
      const { dispatcher, hasSnapshots, inTurn, log, over } = desk
      if (options.previous === "include" && log.state !== "latest")
        return yield* noSnapshots("a previous value")
      if ((options.snapshot === "first" || options.autoResnapshot === "on") && !hasSnapshots) {
        return yield* noSnapshots("a snapshot")
      }
      const watcher = newWatcher(desk, checked, options)
      const gone = cancel(desk, watcher)
      const begins = Effect.suspend(() =>
        isFull(desk) ? full(desk) : outsideTransaction(beginning(dispatcher, watcher, options))
      )
      yield* restore(
        // The one that loses is interrupted also where the caller cannot be: a server's handlers, say.
        Effect.flatMap(
          Effect.raceFirst(Effect.interruptible(Deferred.await(over)), Effect.interruptible(begins)),
          (found) => inTurn(admit(desk, watcher, found))
        )
      ).pipe(Effect.onError(() => gone))
      yield* Effect.addFinalizer(() => gone)
      // There may be something to read on from the log, or for everybody.
      dispatcher.hub.ring()
      return watcher
    })
  )
