/** What a change log does in its database: appends, reads, gives up what is old. */
import { Effect, Either, identity, Option } from "effect"
import {
  type Compacted,
  type EpochChanged,
  type KeyValue,
  type LoggedRevision,
  ownRevision,
  type Revision,
  type Snapshot,
  validateCursor
} from "../../../internal/log/events.js"
import type { Selector } from "../../../internal/log/selector.js"
import { makeRandom, randomName } from "../../../internal/random.js"
import { StorageError } from "../../../Storage.js"
import type { Dialect, Executor, Row, Run, Statement } from "../dialect.js"
import { ensureTable } from "../ensureTable.js"
import { storageError, whileBusy } from "../errors.js"
import { type Step, savepoint, step, steps, transaction } from "../transaction.js"
import { decodeRow, seqOf } from "./rows.js"
import type { LogStatements } from "./statements.js"
import { type Feed, kindOfFeed, tablesOf } from "./tables.js"

/** How a log reaches its database. */
export interface LogBackend {
  readonly executor: Executor
  /** The connection of the transaction that the calling fiber is in, which everything takes part in. */
  readonly joined: Effect.Effect<Option.Option<Run>>
}

/** A feed that exists, and how to reach it. */
export interface LogStore {
  readonly feed: Feed
  readonly statements: LogStatements
  readonly backend: LogBackend
  readonly random: Int32Array
  /** The same for all handles of one feed, in whatever process they are. */
  readonly logId: string
}

/** What a log needs of its store while its head is locked by a transaction. */
export type LockedStore = Pick<LogStore, "feed" | "statements">

/** The head's row. */
export interface HeadRow {
  readonly logId: string
  readonly state: string
  readonly head: Revision
  readonly floor: Revision
  /** The bytes of all revisions that there ever were in this epoch. */
  readonly bytes: number
}

const fatal = (message: string) => new StorageError({ kind: "Fatal", outcome: "NotStored", message })

export const missingFeed = (feed: Feed) =>
  fatal(`the table ${feed.heads.sql} has lost the feed ${JSON.stringify(feed.feed)}: make the log again`)

/** The error of a row that this module has not written. */
export const unreadableRow = (feed: Feed) =>
  fatal(`a row of the table ${feed.log.sql} cannot be read: another program has written it`)

export const decodeHead = (row: Row): HeadRow => {
  const epoch = String(row.epoch)
  return {
    logId: String(row.bell),
    state: String(row.state),
    head: ownRevision({ epoch, seq: Number(row.seq), tag: Number(row.tag) }),
    floor: ownRevision({ epoch, seq: Number(row.floor), tag: Number(row.floor_tag) }),
    bytes: Number(row.bytes)
  }
}

const headFrom = (
  feed: Feed,
  statements: LogStatements,
  result: unknown
): Either.Either<HeadRow, StorageError> => {
  const row = statements.dialect.rows(statements.last(result))[0]
  return row === undefined ? Either.left(missingFeed(feed)) : Either.right(decodeHead(row))
}

/** Why a feed that was made in one way cannot be used in another, or `undefined`. */
const validateFeedKind = (feed: Feed, found: string): string | undefined => {
  if (found === kindOfFeed(feed)) return undefined
  const name = `the feed ${JSON.stringify(feed.feed)}`
  const [state, keys] = found.split("+")
  if (state !== feed.state) {
    const is = state === "latest" ? "keeps the state" : "keeps no state"
    return `${name} ${is}: make it with state: "${state}", or use another feed`
  }
  return keys === undefined
    ? `${name} has no index of its keys, and what it holds cannot be indexed later: make another feed with` +
        ` keys: "indexed", read all revisions of this one and commit their changes to it, then use that one`
    : `${name} has an index of its keys, which every writer keeps: make it with keys: "indexed", or use another feed`
}

/** Makes sure of the tables of a feed. */
export const ensureTables = (
  dialect: Dialect,
  feed: Feed,
  executor: Executor
): Effect.Effect<void, StorageError> =>
  Effect.forEach(tablesOf(feed), (table) => ensureTable(dialect, table, executor), { discard: true })

/** Creates the feed if there is none. Its tables are there. */
export const openFeed = (
  feed: Feed,
  statements: LogStatements,
  backend: LogBackend,
  random: Int32Array
): Effect.Effect<LogStore, StorageError> =>
  Effect.gen(function* () {
    const run = step(statements.dialect, backend.executor.run)
    yield* whileBusy(run(statements.createFeed(randomName(random), randomName(random))))
    const { logId, state } = yield* Effect.flatMap(run(statements.head()), (result) =>
      headFrom(feed, statements, result)
    )
    const problem = validateFeedKind(feed, state)
    if (problem !== undefined) return yield* fatal(problem)
    return { feed, statements, backend, random, logId }
  })

/** Creates the tables and the feed where there are none. */
export const openStore = (
  feed: Feed,
  statements: LogStatements,
  backend: LogBackend
): Effect.Effect<LogStore, StorageError> =>
  Effect.andThen(
    ensureTables(statements.dialect, feed, backend.executor),
    Effect.flatMap(makeRandom, (random) => openFeed(feed, statements, backend, random))
  )

/** Runs one statement, in the transaction of the calling fiber when it is in one. */
export const execute = (
  { backend, statements }: LogStore,
  statement: Statement
): Effect.Effect<unknown, StorageError> =>
  Effect.flatMap(backend.joined, (joined) =>
    storageError(statements.dialect, { saved: true })(
      Option.isSome(joined) ? joined.value(statement) : backend.executor.run(statement)
    )
  )

/** Runs statements while no other commit to the feed is possible, all of them or none. */
export const withHead = <A, E = never>(
  { backend, feed, statements }: LogStore,
  use: (run: Step, head: HeadRow) => Effect.Effect<A, E | StorageError>
): Effect.Effect<A, E | StorageError> => {
  const { dialect } = statements
  const begin = (run: Run, first: ReadonlyArray<Statement>) =>
    Effect.flatMap(steps(dialect, run, first), (result) =>
      Effect.flatMap(headFrom(feed, statements, result), (head) => use(step(dialect, run), head))
    )
  return Effect.flatMap(backend.joined, (joined) =>
    Option.isSome(joined)
      ? savepoint(dialect, joined.value, begin(joined.value, [statements.lock]))
      : whileBusy(
          transaction(dialect, backend.executor.reserve, identity, (run) => begin(run, statements.begin))
        )
  )
}

/** Orders logs: all transactions lock several heads in the same order, so that none wait for each other. */
export const compareHeads = (a: LockedStore, b: LockedStore): number => {
  const nameOf = ({ feed }: LockedStore) => `${feed.log.sql}\0${feed.feed}`
  return nameOf(a) < nameOf(b) ? -1 : 1
}

/** Locks the head inside of an open transaction. */
export const lockHead = (
  { feed, statements }: LockedStore,
  run: Step
): Effect.Effect<HeadRow, StorageError> =>
  Effect.flatMap(run(statements.lock), (result) => headFrom(feed, statements, result))

/** The time of the clock of the program. */
export const now: Effect.Effect<Date> = Effect.clockWith((clock) =>
  Effect.map(clock.currentTimeMillis, (millis) => new Date(millis))
)

/** The head's row as it is now. */
export const readHead = (store: LogStore): Effect.Effect<HeadRow, StorageError> =>
  Effect.flatMap(execute(store, store.statements.head()), (result) =>
    headFrom(store.feed, store.statements, result)
  )

/** Returns the revision of a number, from the floor to the head. */
export const revisionAt = (store: LogStore, seq: number): Effect.Effect<Revision | undefined, StorageError> =>
  Effect.gen(function* () {
    const { statements } = store
    const { floor, head } = yield* readHead(store)
    if (seq === floor.seq) return floor
    if (!Number.isInteger(seq) || seq < floor.seq || seq > head.seq) return undefined
    const [row] = statements.dialect.rows(yield* execute(store, statements.tagAt(seq)))
    // Removed meanwhile: a reader after it fails as with any other cursor that is gone.
    return row === undefined ? undefined : ownRevision({ epoch: head.epoch, seq, tag: Number(row.tag) })
  })

/** Whole revisions after a cursor. */
export const read = <V>(
  store: LogStore,
  after: Revision,
  limit: number
): Effect.Effect<ReadonlyArray<LoggedRevision<V>>, StorageError | Compacted | EpochChanged> =>
  Effect.gen(function* () {
    const { feed, statements } = store
    const rows = statements.dialect.rows(yield* execute(store, statements.read(seqOf(after), limit)))
    const first = rows[0]
    if (first === undefined) return yield* missingFeed(feed)
    const head = decodeHead(first)
    const problem = validateCursor(after, head, () =>
      first.cursor == null ? undefined : Number(first.cursor)
    )
    if (problem !== undefined) return yield* problem
    if (first.l_seq == null) return []
    return yield* Effect.try({
      try: () =>
        rows.map(({ l_changes: changes, l_previous: previous, l_seq: seq, l_tag: tag }) =>
          decodeRow<V>(head.head.epoch, { changes, previous, seq, tag })
        ),
      catch: () => unreadableRow(feed)
    })
  })

/** The last values that a checked selector matches. */
export const snapshot = <V>(store: LogStore, selector: Selector): Effect.Effect<Snapshot<V>, StorageError> =>
  Effect.gen(function* () {
    const { feed, statements } = store
    const rows = statements.dialect.rows(yield* execute(store, statements.snapshot(selector)))
    const first = rows[0]
    if (first === undefined) return yield* missingFeed(feed)
    const { head } = decodeHead(first)
    if (first.s_key == null) return { revision: head, entries: [] }
    const entries = yield* Effect.try({
      try: () =>
        rows.map(
          ({ s_key: key, s_seq: seq, s_tag: tag, s_value: value }): KeyValue<V> =>
            Object.freeze({
              key: key as string,
              // What a `Change<V>` held, as JSON.
              value: JSON.parse(value as string) as V,
              revision: ownRevision({ epoch: head.epoch, seq: Number(seq), tag: Number(tag) })
            })
        ),
      catch: () => unreadableRow(feed)
    })
    return { revision: head, entries }
  })

/** Begins another epoch, and gives its name. */
export const renew = (store: LogStore): Effect.Effect<string, StorageError> =>
  withHead(store, (run) => {
    const epoch = randomName(store.random)
    return Effect.as(Effect.forEach(store.statements.renew(epoch), run, { discard: true }), epoch)
  })
