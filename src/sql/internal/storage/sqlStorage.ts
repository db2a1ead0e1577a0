/** The storage that every SQL adapter is: checks, saves, reads and prunes by a dialect and an executor. */
import { Effect } from "effect"
import { checkPrune } from "../../../internal/columns/checkQuery.js"
import type { Columns, NewRowOf } from "../../../internal/columns/columns.js"
import type { Entry } from "../../../internal/log/events.js"
import { type InvalidOptions, type Resolved, type Rules, resolve } from "../../../internal/options.js"
import { rowCheck, type Saved, type StorageError, type TableStorage } from "../../../Storage.js"
import { inBatches } from "../batches.js"
import type { Dialect, ExistingTable, Row, Table } from "../dialect.js"
import { warnOfLosses } from "../durability.js"
import { ensureTable } from "../ensureTable.js"
import { storageError } from "../errors.js"
import { LocalDoorbell } from "../log/localDoorbell.js"
import { limitsOf, noTransaction } from "../log/sqlChangeLog.js"
import { openStore } from "../log/store.js"
import { type Feed, makeFeed, tablesOf } from "../log/tables.js"
import { CurrentSizeLimits } from "../statementSize.js"
import { makeStore, type StorageBackend } from "./outbox.js"
import { makeReads, type SqlQuery } from "./reading.js"
import { deleteBatch } from "./renderQuery.js"
import { type Insert, loggedInsert, makeSave, plainInsert, type State } from "./saving.js"
import { makeTable, type ResolvedTable, type TableOptions, tableRules } from "./tableOptions.js"

/** A table of a SQL database as a storage. */
export interface SqlStorage<C extends Columns> extends TableStorage<C, SqlQuery<C>> {
  readonly maxBatch: number
  readonly prepare: (batch: ReadonlyArray<NewRowOf<C>>) => Effect.Effect<Saved, StorageError>
}

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

const nothingSaved: Saved = { duplicates: 0 }

/** Builds the storage over a table that exists. */
const build = <C extends Columns>(
  backend: StorageBackend,
  table: Table,
  columns: C,
  check: (batch: ReadonlyArray<unknown>) => StorageError | undefined,
  state: State,
  insertOf: Insert
): SqlStorage<C> => {
  const { dialect } = backend
  const saveRows = makeSave(backend, table, state, insertOf)
  const prepare = (batch: ReadonlyArray<NewRowOf<C>>): Effect.Effect<Saved, StorageError> => {
    if (batch.length === 0) return Effect.succeed(nothingSaved)
    const error = check(batch)
    if (error !== undefined) return Effect.fail(error)
    return saveRows(batch as ReadonlyArray<Row>)
  }
  return {
    maxBatch: dialect.maxBatch(table),
    save: (batch) => Effect.suspend(() => prepare(batch)),
    prepare,
    ...makeReads(backend, table, columns, state),
    prune: (options) =>
      Effect.flatMap(checkPrune(columns, table.id.name, options), ({ batchSize, query }) => {
        const statement = deleteBatch(dialect, table, query, batchSize)
        const deleted = storageError(dialect, state)(backend.read(statement))
        return inBatches(Effect.map(deleted, dialect.affected), batchSize)
      })
  }
}

/** Makes sure of the log, and gives what writes to it. */
const openLog = (
  backend: StorageBackend,
  table: Table,
  feed: Feed,
  { doorbell, lockTimeout, toEntry }: Exclude<ResolvedTable["log"], undefined>,
  state: State
): Effect.Effect<Insert, StorageError> =>
  Effect.gen(function* () {
    const { executor, logStatements } = backend
    const statements = logStatements(feed, limitsOf(lockTimeout))
    const store = yield* openStore(feed, statements, { executor, joined: noTransaction })
    return loggedInsert(
      backend.dialect,
      table,
      state,
      { store, client: undefined, local: yield* LocalDoorbell, doorbell },
      // The records of a batch have passed the check of their columns, so they are rows of them.
      toEntry as (row: Row) => Entry<unknown>,
      backend.store ?? makeStore(table, store, state)
    )
  })

/**
 * Checks the options, lets the adapter connect, makes sure of the tables, and builds the storage. `rules` are those of
 * the options `X` that the adapter has besides.
 */
export const makeSqlStorage =
  <X extends object>() =>
  <C extends Columns, const R extends Rules<X>, Env>(
    options: TableOptions<C> & X,
    rules: R,
    connect: (
      table: Table,
      feed: Feed | undefined,
      own: Resolved<X, R>
    ) => Effect.Effect<StorageBackend, StorageError | InvalidOptions, Env>
  ): Effect.Effect<SqlStorage<C>, StorageError | InvalidOptions, Env> =>
    Effect.gen(function* () {
      // Each option was resolved by the rule of its name.
      const resolved = (yield* resolve<object>()({ ...tableRules, ...rules }, options)) as ResolvedTable &
        Resolved<X, R>
      const asked = yield* makeTable(resolved, yield* CurrentSizeLimits)
      const check = yield* rowCheck(options.columns, options.id)
      const { log } = resolved
      const feed = log && makeFeed(log)
      const backend = yield* connect(asked, feed, resolved)
      const existing = yield* ensureTable(backend.dialect, asked, backend.executor)
      const table = asFound(backend.dialect, asked, existing)
      const state: State = { saved: false }
      const insertOf =
        log === undefined || feed === undefined
          ? plainInsert(backend, table, state)
          : yield* openLog(backend, table, feed, log, state)
      const logTables = feed === undefined ? [] : tablesOf(feed)
      yield* warnOfLosses(backend.dialect, [table, ...logTables], backend.executor)
      return build(backend, table, options.columns, check, state, insertOf)
    })
