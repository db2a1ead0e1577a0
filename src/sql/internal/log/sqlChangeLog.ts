/** The change log that every SQL adapter is: options, the handle over a store, retention and doorbells. */
import type { SqlClient } from "@effect/sql/SqlClient"
import { Duration, Effect, Option, Queue, Schedule, type Scope } from "effect"
import type { ChangeLog } from "../../../ChangeLog.js"
import { checkRing, ringEach } from "../../../internal/log/changeLog.js"
import {
  type ChangeLogError,
  type Entry,
  noState,
  type Revision,
  validateRange
} from "../../../internal/log/events.js"
import type { CommitResult } from "../../../internal/log/memoryLog.js"
import { resolveSelector } from "../../../internal/log/selector.js"
import {
  type InvalidOptions,
  invalid,
  millis,
  nested,
  optional,
  or,
  type Resolved,
  type Rule,
  type Rules,
  resolve,
  whole
} from "../../../internal/options.js"
import type { Made } from "../../../internal/remedy.js"
import type { StorageError } from "../../../Storage.js"
import { warnOfLosses } from "../durability.js"
import { doorbell as doorbellRule, timer } from "../options.js"
import { type AppendAs, appendEntries, appendExpected, appendLocked } from "./append.js"
import type { Doorbell } from "./doorbell.js"
import { typed } from "./failures.js"
import { indexHandle } from "./keyHandle.js"
import { LocalDoorbell, listenLocally } from "./localDoorbell.js"
import { type Bounds, compact, prune } from "./retention.js"
import type { Rings } from "./rings.js"
import { encodeEntries, refuseEntry } from "./rows.js"
import type { Limits, LogStatements } from "./statements.js"
import * as Store from "./store.js"
import { type Feed, type FeedOptions, feedRules, makeFeed, tablesOf } from "./tables.js"

/** How much of its history a log holds at least. The oldest revisions beyond any of these bounds are given up. */
export interface Retention {
  /** Revisions. */
  readonly count?: number | undefined
  /** Bytes of the revisions' changes, as JSON in UTF-8. The last revision stays, however large it is. */
  readonly bytes?: number | undefined
  /** How long ago a revision was appended, by the clock of its writer. */
  readonly age?: Duration.DurationInput | undefined
}

/** How logs in a database behave, whichever feed they are of. */
export interface LogBehavior {
  /**
   * Revisions beyond it are deleted in batches of 1,000, in the background: once a second at most while this process
   * commits, and every 30 seconds. Default: everything is held, until `compact`.
   */
  readonly retention?: Retention | undefined
  /**
   * On Postgres, how long a commit waits for the one before it, and how long a transaction that has appended may be
   * idle before the server ends it, because every other commit waits for it. Whole milliseconds. Default 5 seconds.
   */
  readonly lockTimeout?: Duration.DurationInput | undefined
  /** How often the log is read again for commits of other processes, without a `doorbell`. Default 1 second. */
  readonly poll?: Duration.DurationInput | undefined
  /** Rings the logs of other processes, instead of their polling: see `PgDoorbell`. */
  readonly doorbell?: (Made & Doorbell) | undefined
}

/** Which log in a database, and how it behaves. */
export interface LogOptions extends FeedOptions, LogBehavior {}

/** A change log in a database. */
export interface SqlChangeLog<in out V> extends ChangeLog<V> {
  /** Gives up the revisions that are beyond the retention, now, and gives their number. */
  readonly prune: Effect.Effect<number, ChangeLogError>
}

/** A finite age: what is older than for ever is nothing. */
const age: Rule<number> = {
  read: (option, given) => {
    const value = millis("above 0").read(option, given)
    return value === Number.POSITIVE_INFINITY ? invalid(option, "a finite duration above 0", given) : value
  }
}

const lockTimeout = or(timer, 5000)

/** The rules of how logs behave. */
export const behaviorRules = {
  retention: optional(
    nested<Retention>()({
      count: optional(whole(1, "revisions")),
      bytes: optional(whole(1, "bytes")),
      age: optional(age)
    })
  ),
  lockTimeout,
  poll: or(timer, 1000),
  doorbell: optional(doorbellRule)
} satisfies Rules<LogBehavior>

/** The rules of a log's options. */
const logRules = { ...feedRules, ...behaviorRules } satisfies Rules<LogOptions>

/** How logs behave, resolved. */
export type Behavior = Resolved<LogBehavior, typeof behaviorRules>

type ResolvedLog = Resolved<LogOptions, typeof logRules>

/** What the log of a storage or a table has of a log's options. */
export const storedLogRules = { ...feedRules, lockTimeout, doorbell: optional(doorbellRule) }

/** How long a commit and an idle transaction may keep others waiting. */
export const limitsOf = (lockTimeout: number): Limits => {
  const millis = Math.ceil(lockTimeout)
  return { lock: millis, idle: millis }
}

/** An open log: its store, and what its commits ring. */
export interface OpenLog {
  readonly store: Store.LogStore
  /** The client of the caller's that the log is over, if it is over one. */
  readonly client: SqlClient | undefined
  readonly local: Rings
  readonly doorbell: Doorbell | undefined
}

/**
 * Where a handle carries its open log, for `transact`. It is not enumerable: a copy of a handle, whose members may do
 * something else, carries none.
 */
const openLog: unique symbol = Symbol("effect-recorder/sql/openLog")

/** Gives the open log of a handle that an adapter has made. */
export const openLogOf = (log: object): OpenLog | undefined =>
  // Only `handle` writes the member: the symbol does not leave this file.
  (log as { readonly [openLog]?: OpenLog })[openLog]

/** The channel of a log's table. Tables of the same name in other schemas are rung too, in vain and to no harm. */
export const channelOf = ({ log }: Feed): string => log.name

/** What rings the logs of a feed. */
interface Rung extends Pick<OpenLog, "local" | "doorbell"> {
  readonly store: Pick<Store.LogStore, "feed" | "logId">
}

/** Rings every log of the feed after a commit, in this process and in others. */
export const ringEverywhere = ({ doorbell, local, store }: Rung, seq: number): Effect.Effect<void> =>
  Effect.suspend(() => {
    local.ring(store.logId)
    return doorbell === undefined ? Effect.void : doorbell.ring(channelOf(store.feed), store.feed.feed, seq)
  })

const pruneInterval = Duration.seconds(1)
const idlePruneInterval = Duration.seconds(30)

/** Gives up what is beyond the bounds while the log grows. */
const pruneInBackground = (
  { local, store }: OpenLog,
  bounds: Bounds
): Effect.Effect<void, never, Scope.Scope> =>
  Effect.gen(function* () {
    const pending = yield* Queue.sliding<void>(1)
    yield* listenLocally(local, store.logId, () => pending.unsafeOffer(undefined))
    const round = Effect.raceFirst(Queue.take(pending), Effect.sleep(idlePruneInterval)).pipe(
      Effect.zipRight(prune(store, bounds)),
      // The revisions stay a while longer, and the next round tries again.
      Effect.catchAll(({ message }) =>
        Effect.logWarning(`the log ${store.feed.log.sql} could not give up old revisions: ${message}`)
      ),
      Effect.zipRight(Effect.sleep(pruneInterval))
    )
    yield* Effect.forkScoped(Effect.interruptible(Effect.forever(round)))
  })

const handle = <V>(open: OpenLog, { poll, retention: bounds }: Behavior): SqlChangeLog<V> => {
  const { doorbell, local, store } = open
  const { feed, state } = store.feed
  const commit = <E>(
    entries: ReadonlyArray<Entry<V>>,
    appendAs: AppendAs<E>
  ): Effect.Effect<CommitResult, ChangeLogError | StorageError | E> =>
    Effect.flatMap(encodeEntries(entries, store.random, store.feed), (encoded) =>
      Effect.gen(function* () {
        const committed = yield* appendEntries(store, encoded, entries.length, appendAs)
        const last = committed.revisions.at(-1)
        // In the caller's own transaction nothing is committed yet: the poll finds it.
        if (last !== undefined && Option.isNone(yield* store.backend.joined))
          yield* ringEverywhere(open, last.seq)
        return committed
      })
    )
  const log: SqlChangeLog<V> = {
    append: (changes) =>
      Effect.map(
        typed(Effect.suspend(() => commit([{ changes }], appendLocked))),
        ({ revisions }) => revisions[0] as Revision
      ),
    commit: (entries) => typed(Effect.suspend(() => commit(entries, appendExpected))),
    check: refuseEntry(store.feed),
    read: (options) =>
      Effect.suspend(() => {
        const problem = validateRange(options)
        return problem === undefined
          ? typed(Store.read<V>(store, options.after, options.limit))
          : Effect.fail(problem)
      }),
    head: typed(Effect.map(Store.readHead(store), ({ floor, head }) => ({ floor, head }))),
    revisionAt: (seq) => typed(Store.revisionAt(store, seq)),
    compact: (upTo) => typed(compact(store, upTo)),
    renewEpoch: Effect.tap(typed(Store.renew(store)), () => ringEverywhere(open, 0)),
    snapshot: (selector) =>
      Effect.flatMap(resolveSelector(selector), (selector) =>
        state === "latest" ? typed(Store.snapshot<V>(store, selector)) : noState
      ),
    state,
    index: store.statements.index && indexHandle<V>(store, store.statements.index),
    doorbell: (ring) =>
      checkRing(ring).pipe(
        Effect.andThen(listenLocally(local, store.logId, ring)),
        Effect.andThen(
          doorbell === undefined
            ? Effect.forkScoped(
                // A fiber inherits that its caller cannot be interrupted, and would then never end.
                Effect.interruptible(
                  Effect.schedule(
                    Effect.sync(() => ringEach([ring])),
                    Schedule.spaced(poll)
                  )
                )
              )
            : doorbell.listen(channelOf(store.feed), feed, ring)
        ),
        Effect.asVoid
      ),
    prune: bounds === undefined ? Effect.succeed(0) : typed(prune(store, bounds))
  }
  return Object.defineProperty(log, openLog, { value: open })
}

/** The log of an open store. It gives up what is beyond the retention until the scope ends. */
export const serveLog = <V>(
  open: OpenLog,
  behavior: Behavior
): Effect.Effect<SqlChangeLog<V>, never, Scope.Scope> =>
  Effect.as(
    behavior.retention === undefined ? Effect.void : pruneInBackground(open, behavior.retention),
    handle<V>(open, behavior)
  )

/** What an adapter brings. */
export interface Connected {
  readonly statements: (feed: Feed, limits: Limits) => LogStatements
  readonly backend: Store.LogBackend
  /** The client of the caller's, if it is over one. */
  readonly client: SqlClient | undefined
}

/**
 * Checks the options, lets the adapter connect, makes sure of the tables and the feed, and builds the log. `rules` are
 * those of the options `X` that the adapter has besides.
 */
export const makeSqlChangeLog =
  <X extends object>() =>
  <V, const R extends Rules<X>, Env>(
    options: LogOptions & X,
    rules: R,
    connect: (feed: Feed, own: Resolved<X, R>) => Effect.Effect<Connected, StorageError | InvalidOptions, Env>
  ): Effect.Effect<SqlChangeLog<V>, StorageError | InvalidOptions, Env | Scope.Scope> =>
    Effect.gen(function* () {
      // Each option was resolved by the rule of its name.
      const resolved = (yield* resolve<object>()({ ...logRules, ...rules }, options)) as ResolvedLog &
        Resolved<X, R>
      const { doorbell, lockTimeout } = resolved
      const feed = makeFeed(resolved)
      const { backend, client, statements } = yield* connect(feed, resolved)
      const store = yield* Store.openStore(feed, statements(feed, limitsOf(lockTimeout)), backend)
      yield* warnOfLosses(store.statements.dialect, tablesOf(feed), backend.executor)
      const open: OpenLog = { store, client, local: yield* LocalDoorbell, doorbell }
      return yield* serveLog<V>(open, resolved)
    })

/** For a log that owns its connections, which no transaction of a caller's can use. */
export const noTransaction: Store.LogBackend["joined"] = Effect.succeed(Option.none())
