/** The storage that every SQL adapter is: checks, saves, reads and prunes by a dialect and an executor. */
import { Effect } from "effect"
import { checkPrune } from "../../../internal/columns/checkQuery.js"
import type { Columns, NewRowOf } from "../../../internal/columns/columns.js"
import type { Entry } from "../../../internal/log/events.js"
import { type InvalidOptions, type Resolved, type Rules, resolve } from "../../../internal/options.js"
import { rowCheck, type Saved, type StorageError, type TableStorage } from "../../../Storage.js"
import { inBatches } from "../batches.js"
import type { Row, Table } from "../dialect.js"
import { storageError } from "../errors.js"
import { type Feed, makeFeed } from "../log/tables.js"
import { CurrentSizeLimits } from "../statementSize.js"
import { openTable } from "./openTable.js"
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
      const { open, table } = yield* openTable(backend, asked, feed, log)
      const state: State = { saved: false }
      const insertOf =
        log === undefined || open === undefined
          ? plainInsert(backend, table, state)
          : loggedInsert(
              backend.dialect,
              table,
              state,
              open,
              // The records of a batch have passed the check of their columns, so they are rows of them.
              log.toEntry as (row: Row) => Entry<unknown>,
              backend.store ?? makeStore(table, open.store, state)
            )
      return build(backend, table, options.columns, check, state, insertOf)
    })
