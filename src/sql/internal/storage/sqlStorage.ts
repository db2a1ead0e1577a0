/** The storage that every SQL adapter is: checks, encodes, saves, reads and prunes by a dialect and an executor. */
import type { Fragment } from "@effect/sql/Statement"
import { Chunk, Effect, Either, identity, Option, Stream } from "effect"
import { checkPrune, checkQuery } from "../../../internal/columns/checkQuery.js"
import type { Columns, RowOf } from "../../../internal/columns/columns.js"
import { comparePlace } from "../../../internal/columns/evaluateQuery.js"
import type { AnyCondition, CheckedQuery, InvalidQuery, Query } from "../../../internal/columns/query.js"
import type { Entry } from "../../../internal/log/events.js"
import { InvalidOptions } from "../../../internal/options.js"
import { rowCheck, type Saved, StorageError, type TableStorage } from "../../../Storage.js"
import type { Dialect, Executor, ExistingTable, FailedSave, Row, Run, Table } from "../dialect.js"
import { warnOfLosses } from "../durability.js"
import { ensureTable } from "../ensureTable.js"
import { classified, SqlFailure, storageError, withOutcome } from "../errors.js"
import { LocalDoorbell } from "../log/localDoorbell.js"
import { checkLog, noTransaction, type OpenLog, ringEverywhere } from "../log/sqlChangeLog.js"
import type { Limits, LogStatements } from "../log/statements.js"
import { now, openStore } from "../log/store.js"
import { type Feed, tablesOf } from "../log/tables.js"
import { CurrentSizeLimits } from "../statementSize.js"
import { encodeBatch, makeStore, type StoreBatch } from "./outbox.js"
import { type Condition, deleteBatch, rowDecoder, select, Unreadable } from "./renderQuery.js"
import { makeTable, type StorageLog, type TableOptions } from "./tableOptions.js"

/** A typed query, and a condition in SQL as the way out of it. */
export interface SqlQuery<C extends Columns> extends Query<C> {
  /** A further condition, ANDed to `where`: `` sql`"detail" ->> 'door' = ${door}` ``. */
  readonly sql?: Fragment
}

/** A table of a SQL database as a storage. */
export interface SqlStorage<C extends Columns> extends TableStorage<C, SqlQuery<C>> {
  readonly maxBatch: number
  readonly prepare: (batch: ReadonlyArray<RowOf<C>>) => Effect.Effect<Saved, StorageError>
}

/** What an adapter brings. */
export interface Backend {
  readonly dialect: Dialect
  readonly executor: Executor
  /** Runs the reads and deletes that a user calls beside the queue. */
  readonly read: Run
  /** Encodes a batch at once, and gives what inserts it and yields the driver's raw result. */
  readonly insert: (rows: ReadonlyArray<Row>) => Effect.Effect<unknown, unknown>
  /** The statements of a log in the same database. */
  readonly logStatements: (feed: Feed, limits: Limits) => LogStatements
  /** Stores and logs, where it is not done by the executor. */
  readonly store?: StoreBatch
  /** The text and parameters of a fragment. */
  readonly compile: (fragment: Fragment) => readonly [text: string, params: ReadonlyArray<unknown>]
}

/** Rows of one page of a stream. */
const pageRows = 500

const missingRows = (missing: number, of: number) =>
  new StorageError({
    kind: "Unknown",
    outcome: "Unknown",
    message:
      `${missing} of ${of} records are not in the table, although the database reported no error: ` +
      "a trigger or a rule on the table drops rows"
  })

const unreadableRow = (table: Table, error: unknown) => {
  const why = error instanceof Unreadable ? ` (${error.message})` : ""
  return new StorageError({
    kind: "Fatal",
    outcome: "NotStored",
    message: `a row of the table ${table.sql} cannot be read as its columns say: another program has written it${why}`
  })
}

const disordered = (table: Table) =>
  new StorageError({
    kind: "Fatal",
    outcome: "NotStored",
    message:
      `a page of the table ${table.sql} does not go on behind the row before it: it holds values that do not compare ` +
      "as they are read, such as text that is no Unicode; another program has written them"
  })

/** The table with what is known of its columns. */
const asFound = (dialect: Dialect, table: Table, existing: ExistingTable): Table => {
  const found = new Map(existing.columns.map((column) => [column.name, column]))
  const columns = table.columns.map((column) => {
    const { nullable = false, type = "" } = found.get(column.name) ?? {}
    return {
      ...column,
      finer: dialect.finer?.holds(column, type) === true,
      mayHoldNull: nullable && !column.nullable
    }
  })
  return { ...table, columns }
}

const distinctIds = (table: Table, rows: ReadonlyArray<Row>): number => {
  const { name, type } = table.id
  return new Set(rows.map((row) => (type === "uuid" ? (row[name] as string).toLowerCase() : row[name]))).size
}

/** Whether a save has ever succeeded here: some failures are fatal before that only. */
interface State {
  saved: boolean
}

/**
 * A record that two connections insert at the same moment (two recorders, or a retry while the first attempt is still
 * under way) may meet itself in another unique index of Postgres before it does in that of the id. The other insert is
 * committed by then, so that a second try finds the id; a record that breaks the constraint fails again.
 */
const mayHaveMetItself = ({ cause }: StorageError): boolean =>
  cause instanceof SqlFailure && cause.code === "23505"

const makeSave = (backend: Backend, table: Table, state: State, insertOf: Insert) => {
  const { dialect, executor } = backend
  const count = dialect.countIds(table)
  const failures = storageError(dialect, state)

  // Fewer rows were written than sent: the others must be there already, or a trigger has swallowed them.
  const lookUp = (rows: ReadonlyArray<Row>, written: number): Effect.Effect<Saved, StorageError> =>
    Effect.suspend(() => executor.run(count(rows))).pipe(
      failures,
      // What the insert wrote is committed.
      Effect.mapError((error) => withOutcome(error, "Unknown")),
      Effect.flatMap((result) => {
        const distinct = distinctIds(table, rows)
        const present = Number(dialect.rows(result)[0]?.n)
        if (present !== distinct) return Effect.fail(missingRows(distinct - present, rows.length))
        return Effect.succeed({ duplicates: written < 0 ? 0 : rows.length - written })
      })
    )

  return (rows: ReadonlyArray<Row>): Effect.Effect<Saved, StorageError> => {
    const insert = insertOf(rows)
    if (Either.isLeft(insert)) return Effect.fail(insert.left)
    const inserted = Effect.catchAll(insert.right, (error) =>
      mayHaveMetItself(error) ? insert.right : Effect.fail(error)
    )
    return Effect.flatMap(inserted, (written) => {
      state.saved = true
      return written === rows.length ? Effect.succeed({ duplicates: 0 }) : lookUp(rows, written)
    })
  }
}

/** Stores a batch, and gives how many rows were new, below 0 when nobody knows. Encodes it at once. */
type Insert = (rows: ReadonlyArray<Row>) => Either.Either<Effect.Effect<number, StorageError>, StorageError>

/** Does the work that needs no database; what it throws is the save's failure. */
const attempt = <A>(dialect: Dialect, state: State, save: FailedSave, encode: () => A) =>
  Either.try({ try: encode, catch: (error) => classified(dialect, error, state.saved, save) })

const plainInsert =
  ({ dialect, insert }: Backend, table: Table, state: State): Insert =>
  (rows) => {
    const save = { table, rows }
    return attempt(dialect, state, save, () =>
      Effect.map(storageError(dialect, state, save)(insert(rows)), dialect.affected)
    )
  }

const loggedInsert =
  (
    dialect: Dialect,
    table: Table,
    state: State,
    open: OpenLog,
    toEntry: (row: Row) => Entry<unknown>,
    store: StoreBatch
  ): Insert =>
  (rows) =>
    Either.flatMap(
      attempt(dialect, state, { table, rows }, () =>
        Either.map(encodeBatch(table, rows, toEntry, open.store.random), (batch) => {
          const run = store(batch)
          return Effect.flatMap(now, run).pipe(
            Effect.tap(({ revisions }) => {
              const last = revisions.at(-1)
              return last === undefined ? Effect.void : ringEverywhere(open, last.seq)
            }),
            Effect.map(({ written }) => written)
          )
        })
      ),
      identity
    )

/** Whether each row stands behind the one before in the order that it is read in, and the first one behind a place. */
const continues = (
  columns: Columns,
  orderBy: CheckedQuery["orderBy"],
  after: ReadonlyArray<unknown>,
  rows: ReadonlyArray<Row>
): boolean => {
  const compare = comparePlace(columns, orderBy)
  return rows.every((row, at) => {
    const before = rows[at - 1]
    return compare((n) => (before === undefined ? after[n] : before[orderBy[n]!.column]), row) < 0
  })
}

const nothingSaved: Saved = { duplicates: 0 }

/** Builds the storage over a table that exists. */
const build = <C extends Columns>(
  backend: Backend,
  table: Table,
  columns: C,
  check: (batch: ReadonlyArray<unknown>) => StorageError | undefined,
  state: State,
  insertOf: Insert
): SqlStorage<C> => {
  const { dialect } = backend
  const failures = storageError(dialect, state)
  const reading = dialect.reading(table)
  const saveRows = makeSave(backend, table, state, insertOf)
  // The decoded row has the columns of the definition with their types, which is what RowOf says.
  const decode = rowDecoder(dialect, table) as (row: Row) => RowOf<C>
  const decodeAll = (result: unknown): Effect.Effect<Array<RowOf<C>>, StorageError> =>
    Effect.try({ try: () => dialect.rows(result).map(decode), catch: (error) => unreadableRow(table, error) })

  const checked = (query: SqlQuery<C>) =>
    Either.map(
      checkQuery(columns, table.id.name, query, "sql"),
      (typed): { readonly typed: CheckedQuery; readonly extra: Condition | undefined } => {
        if (query.sql === undefined) return { typed, extra: undefined }
        const [text, params] = backend.compile(query.sql)
        return { typed, extra: { text, params } }
      }
    )

  const withNulls = table.columns.filter(({ mayHoldNull }) => mayHoldNull).map(({ name }) => name)

  // Where NULL is not foreseen no page begins before or behind it: the pages would pass by such rows.
  const endsAtNull = ({ limit, orderBy }: CheckedQuery, rows: ReadonlyArray<unknown>) =>
    (limit === undefined || rows.length < limit) && orderBy.some(({ column }) => withNulls.includes(column))

  const withNull = ({ orderBy, where }: CheckedQuery): CheckedQuery => {
    const columns = orderBy.map(({ column }) => column).filter((column) => withNulls.includes(column))
    const isNull: AnyCondition = {
      op: "or",
      conditions: columns.map((column) => ({ op: "isNull", column }))
    }
    const conditions = where === undefined ? [isNull] : [where, isNull]
    const byId = [{ column: table.id.name, direction: "asc" }] as const
    return { where: { op: "and", conditions }, orderBy: byId, limit: 1, after: undefined }
  }

  const read = (
    run: Run,
    typed: CheckedQuery,
    extra: Condition | undefined
  ): Effect.Effect<Array<RowOf<C>>, StorageError | InvalidQuery> =>
    Effect.tap(page(run, typed, extra), (rows) =>
      endsAtNull(typed, rows) ? page(run, withNull(typed), extra) : Effect.void
    )

  const page = (run: Run, typed: CheckedQuery, extra: Condition | undefined) =>
    Effect.flatMap(select(dialect, table, typed, extra), (statement) =>
      Effect.flatMap(failures(reading(run(statement))), decodeAll)
    ).pipe(
      // Pages that do not go on would have no end.
      Effect.filterOrFail(
        (rows) => typed.after === undefined || continues(columns, typed.orderBy, typed.after, rows),
        () => disordered(table)
      )
    )

  const prepare = (batch: ReadonlyArray<RowOf<C>>): Effect.Effect<Saved, StorageError> => {
    if (batch.length === 0) return Effect.succeed(nothingSaved)
    const error = check(batch)
    if (error !== undefined) return Effect.fail(error)
    return saveRows(batch as ReadonlyArray<Row>)
  }

  const pages = (typed: CheckedQuery, extra: Condition | undefined) =>
    Stream.paginateChunkEffect({ after: typed.after, left: typed.limit }, ({ after, left }) => {
      const limit = left === undefined ? pageRows : Math.min(pageRows, left)
      return Effect.map(read(backend.read, { ...typed, after, limit }, extra), (rows) => {
        const last = rows.at(-1) as Row | undefined
        const rest = left === undefined ? undefined : left - rows.length
        const next =
          last === undefined || rows.length < limit || rest === 0
            ? Option.none()
            : Option.some({ after: typed.orderBy.map(({ column }) => last[column]), left: rest })
        return [Chunk.unsafeFromArray(rows), next] as const
      })
    })

  return {
    maxBatch: dialect.maxBatch(table),
    save: (batch) => Effect.suspend(() => prepare(batch)),
    prepare,
    load: (query) =>
      Effect.flatMap(checked(query), ({ extra, typed }) => read(backend.executor.run, typed, extra)),
    query: (query) => Stream.unwrap(Effect.map(checked(query), ({ extra, typed }) => pages(typed, extra))),
    prune: (options) =>
      Effect.flatMap(checkPrune(columns, table.id.name, options), ({ batchSize, query }) => {
        const statement = deleteBatch(dialect, table, query, batchSize)
        const batch = Effect.map(failures(backend.read(statement)), dialect.affected)
        const from = (total: number): Effect.Effect<number, StorageError> =>
          Effect.flatMap(batch, (deleted) =>
            deleted < batchSize
              ? Effect.succeed(total + deleted)
              : Effect.zipRight(
                  Effect.yieldNow(),
                  Effect.suspend(() => from(total + deleted))
                )
          )
        return from(0)
      })
  }
}

const checkStorageLog = <C extends Columns>(log: StorageLog<C>) =>
  typeof log.toEntry === "function"
    ? checkLog(log)
    : Either.left(new InvalidOptions({ option: "log", message: "toEntry must be a function" }))

/** Makes sure of the log, and gives what writes to it. */
const openLog = <C extends Columns>(
  backend: Backend,
  table: Table,
  { feed, limits }: { readonly feed: Feed; readonly limits: Limits },
  { doorbell, toEntry }: StorageLog<C>,
  state: State
): Effect.Effect<Insert, StorageError> =>
  Effect.gen(function* () {
    const { executor, logStatements } = backend
    const store = yield* openStore(feed, logStatements(feed, limits), { executor, joined: noTransaction })
    return loggedInsert(
      backend.dialect,
      table,
      state,
      { store, client: undefined, local: yield* LocalDoorbell, doorbell },
      // The records of a batch have passed the check of their columns, which is what RowOf says.
      toEntry as (row: Row) => Entry<unknown>,
      backend.store ?? makeStore(table, store, state)
    )
  })

/** Checks the options, lets the adapter connect, makes sure of the tables, and builds the storage. */
export const makeSqlStorage = <C extends Columns, R>(
  options: TableOptions<C>,
  connect: (table: Table, feed: Feed | undefined) => Effect.Effect<Backend, StorageError | InvalidOptions, R>
): Effect.Effect<SqlStorage<C>, StorageError | InvalidOptions, R> =>
  Effect.gen(function* () {
    const { log } = options
    const asked = yield* makeTable(options, yield* CurrentSizeLimits)
    const check = yield* rowCheck(options.columns, options.id)
    const checked = log === undefined ? undefined : yield* checkStorageLog(log)
    const backend = yield* connect(asked, checked?.feed)
    const existing = yield* ensureTable(backend.dialect, asked, backend.executor)
    const table = asFound(backend.dialect, asked, existing)
    const state: State = { saved: false }
    const insertOf =
      log === undefined || checked === undefined
        ? plainInsert(backend, table, state)
        : yield* openLog(backend, table, checked, log, state)
    const logTables = checked === undefined ? [] : tablesOf(checked.feed)
    yield* warnOfLosses(backend.dialect, [table, ...logTables], backend.executor)
    return build(backend, table, options.columns, check, state, insertOf)
  })
