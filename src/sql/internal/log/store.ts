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
import type { CommitResult } from "../../../internal/log/memoryLog.js"
import type { Selector } from "../../../internal/log/selector.js"
import { makeRandom, randomName } from "../../../internal/random.js"
import { StorageError } from "../../../Storage.js"
import type { Executor, Row, Run, Statement } from "../dialect.js"
import { ensureTable } from "../ensureTable.js"
import { SqlFailure, storageError, whileBusy } from "../errors.js"
import { type Step, savepoint, step, steps, transaction } from "../transaction.js"
import { decodeRow, type Encoded, placeEntries } from "./rows.js"
import type { LogStatements } from "./statements.js"
import { type Feed, idIndex, tablesOf } from "./tables.js"

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

const missingFeed = (feed: Feed) =>
  fatal(`the table ${feed.heads.sql} has lost the feed ${JSON.stringify(feed.feed)}: make the log again`)

/** The error of a row that this module has not written. */
export const unreadableRow = (feed: Feed) =>
  fatal(`a row of the table ${feed.log.sql} cannot be read: another program has written it`)

const decodeHead = (row: Row): HeadRow => {
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

/** Creates the tables and the feed where there are none. */
export const openStore = (
  feed: Feed,
  statements: LogStatements,
  backend: LogBackend
): Effect.Effect<LogStore, StorageError> =>
  Effect.gen(function* () {
    const { dialect } = statements
    const { executor } = backend
    const random = yield* makeRandom
    for (const table of tablesOf(feed)) {
      yield* ensureTable(dialect, table, executor)
    }
    const run = step(dialect, executor.run)
    yield* whileBusy(run(statements.createFeed(randomName(random), randomName(random))))
    const { logId, state } = yield* Effect.flatMap(run(statements.head()), (result) =>
      headFrom(feed, statements, result)
    )
    if (state !== feed.state) {
      const found = state === "latest" ? "keeps the state" : "keeps no state"
      return yield* fatal(
        `the feed ${JSON.stringify(feed.feed)} ${found}: make it with state: "${state}", or use another feed`
      )
    }
    return { feed, statements, backend, random, logId }
  })

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
export const withHead = <A>(
  { backend, feed, statements }: LogStore,
  use: (run: Step, head: HeadRow) => Effect.Effect<A, StorageError>
): Effect.Effect<A, StorageError> => {
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

/** Locks the head inside of an open transaction. */
export const lockHead = (
  { feed, statements }: Pick<LogStore, "feed" | "statements">,
  run: Step
): Effect.Effect<HeadRow, StorageError> =>
  Effect.flatMap(run(statements.lock), (result) => headFrom(feed, statements, result))

/** Appends what the log does not hold. The head is locked. */
export const appendLocked = (
  { feed, statements }: Pick<LogStore, "feed" | "statements">,
  run: Step,
  { bytes, head }: HeadRow,
  entries: ReadonlyArray<Encoded>,
  at: Date
): Effect.Effect<ReadonlyArray<Revision>, StorageError> =>
  Effect.gen(function* () {
    const ids = entries.flatMap(({ id }) => (id === undefined ? [] : [id]))
    const keepsState = feed.state === "latest"
    const keys = keepsState
      ? [...new Set(entries.flatMap(({ changes }) => changes.map(({ key }) => key)))]
      : []
    const held = new Set<string>()
    const values = new Map<string, string>()
    if (ids.length + keys.length > 0) {
      for (const { kind, name, value } of statements.dialect.rows(yield* run(statements.known(ids, keys)))) {
        if (kind === "id") held.add(name as string)
        else values.set(name as string, value as string)
      }
    }
    const fresh = entries.filter(({ id }) => id === undefined || !held.has(id))
    if (fresh.length === 0) return []
    const { rows, state } = placeEntries(fresh, { seq: head.seq, bytes }, keepsState ? values : undefined)
    for (const statement of statements.write(rows, state, at)) yield* run(statement)
    return rows.map(({ seq, tag }) => ({ epoch: head.epoch, seq, tag }))
  })

/**
 * Another commit has appended an entry of the same id, after this statement took its view of the log and before it had
 * the head. The next try sees it.
 */
const metConcurrentAppend = ({ feed }: LogStore, error: StorageError): boolean =>
  error.cause instanceof SqlFailure &&
  error.cause.code === "23505" &&
  error.cause.constraint === idIndex(feed.log.name)

/** What a statement has appended that appends by itself, and how many entries were new to it. */
export const revisionsOf = (
  { feed, statements }: Pick<LogStore, "feed" | "statements">,
  result: unknown
): Either.Either<{ readonly written: number; readonly revisions: ReadonlyArray<Revision> }, StorageError> => {
  const rows = statements.dialect.rows(result)
  const written = Number(rows[0]?.fresh)
  if (rows[0]?.epoch == null) {
    return written === 0 ? Either.right({ written, revisions: [] }) : Either.left(missingFeed(feed))
  }
  const revisions = rows.map(({ epoch, seq, tag }) => ({
    epoch: epoch as string,
    seq: Number(seq),
    tag: Number(tag)
  }))
  return Either.right({ written, revisions })
}

const appendAtOnce = (
  store: LogStore,
  statement: Statement
): Effect.Effect<ReadonlyArray<Revision>, StorageError> =>
  Effect.flatMap(execute(store, statement), (result) =>
    Either.map(revisionsOf(store, result), ({ revisions }) => revisions)
  ).pipe(Effect.retry({ times: 20, while: (error) => metConcurrentAppend(store, error) }))

/** Appends the entries whose id the log does not hold, all in one commit. */
export const commit = (
  store: LogStore,
  entries: ReadonlyArray<Encoded>,
  given: number
): Effect.Effect<CommitResult, StorageError> =>
  Effect.gen(function* () {
    if (entries.length === 0) return { revisions: [], duplicates: given }
    const at = yield* now
    const { append } = store.statements
    const joined = yield* store.backend.joined
    const revisions =
      append === undefined || Option.isSome(joined)
        ? yield* withHead(store, (run, head) => appendLocked(store, run, head, entries, at))
        : yield* appendAtOnce(store, append(entries, at))
    return { revisions, duplicates: given - revisions.length }
  })

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
    // A cursor that is none at all fits no row.
    const seq = Number.isSafeInteger(after.seq) ? after.seq : -1
    const rows = statements.dialect.rows(yield* execute(store, statements.read(seq, limit)))
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
