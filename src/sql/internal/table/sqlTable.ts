/** The table that every SQL adapter is: reads that say the log's revision, and writes that are logged by their commit. */
import { Effect, Option } from "effect"
import { checkDefinition } from "../../../internal/columns/checkDefinition.js"
import type { CheckedWrite } from "../../../internal/columns/checkWrite.js"
import type { Columns } from "../../../internal/columns/columns.js"
import { refusals } from "../../../internal/columns/planWrites.js"
import type { AnyDefinition } from "../../../internal/columns/writes.js"
import type { Revision } from "../../../internal/log/events.js"
import { type InvalidOptions, nested, optional, type Rules, resolve } from "../../../internal/options.js"
import { StorageError } from "../../../Storage.js"
import {
  type Table as MasterTable,
  make,
  type Read,
  type Row,
  type Source,
  WriteRefused,
  type WriteResult
} from "../../../Table.js"
import type { Dialect, Executor, Table } from "../dialect.js"
import { storageError } from "../errors.js"
import { type OpenLog, storedLogRules } from "../log/sqlChangeLog.js"
import { headRevision } from "../log/statements.js"
import { readHead } from "../log/store.js"
import { type Feed, makeFeed } from "../log/tables.js"
import { CurrentSizeLimits } from "../statementSize.js"
import { openTable } from "../storage/openTable.js"
import type { StorageBackend } from "../storage/outbox.js"
import { type Found, makeReadIds, makeReadQuery } from "../storage/reading.js"
import { countRows, headOf } from "../storage/renderQuery.js"
import type { State } from "../storage/saving.js"
import { type LayoutOptions, layoutRules, makeTable, type TableLog } from "../storage/tableOptions.js"
import { type Applied, makeWriteSteps } from "./applyWrites.js"
import { makeCommitWrites } from "./commitWrites.js"
import { isDuplicate } from "./isolateWrites.js"
import { makeEncodeChanges } from "./logChanges.js"

/** Where a table is, and the log of its changes. */
export interface SqlTableOptions<C extends Columns> extends LayoutOptions<C> {
  /**
   * A log of the same database, to follow by `SqlChangeLog`. What a write changes is in it by the same commit: one
   * revision for all changes of a call. Every commit of a feed waits for the one before.
   */
  readonly log?: TableLog | undefined
}

/** The rules of a table's options. */
const rules = {
  ...layoutRules,
  log: optional(nested<TableLog>()(storedLogRules))
} satisfies Rules<SqlTableOptions<Columns>>

/** What a table stands on. */
interface Parts {
  readonly dialect: Dialect
  readonly executor: Executor
  readonly table: Table
  readonly open: OpenLog | undefined
  readonly state: State
}

const written = <A>(value: A, revision: Revision | undefined): Read<A> =>
  revision === undefined ? { value } : { value, revision }

/** Makes the reads of a table. Each takes the revision of the log in its own statement. */
const makeReads = <D extends AnyDefinition>(
  { columns }: D,
  { dialect, executor, open, state, table }: Parts
): Pick<Source<D>, "list" | "getMany" | "count"> => {
  const head = open?.store.statements.headText
  const failures = storageError(dialect, state)
  const find = makeReadQuery<D["columns"]>(dialect, table, columns, state, head)
  const findIds = makeReadIds<D["columns"]>(dialect, table, state, head)
  const count = countRows(dialect, table, head)

  /** A list without rows has no head beside them: it is read anew, behind the head that it then holds. */
  const withHead = <E>(
    reading: Effect.Effect<Found<D["columns"]>, E>
  ): Effect.Effect<Read<ReadonlyArray<Row<D>>>, E | StorageError> =>
    Effect.flatMap(reading, ({ head: text, rows }) =>
      text !== undefined || open === undefined
        ? Effect.succeed(written(rows, headRevision(text)))
        : Effect.flatMap(readHead(open.store), ({ head }) =>
            Effect.map(reading, (found) => written(found.rows, head))
          )
    )

  return {
    list: (query) => withHead(find(executor.run, { typed: query, extra: undefined })),
    getMany: (ids) =>
      Effect.map(
        findIds(
          executor.run,
          ids.map((id) => ({ [table.id.name]: id }))
        ),
        ({ head: text, rows }) => written(rows, headRevision(text))
      ),
    count: (where) =>
      Effect.flatMap(count(where), (statement) =>
        Effect.map(failures(executor.run(statement)), (result) => {
          const row = dialect.rows(result)[0]
          return written(Number(row?.n), headRevision(headOf(row)))
        })
      )
  }
}

/** The outcome of a write that the database does not do. */
const refusalOf = (error: StorageError): WriteRefused | StorageError => {
  const { blame, kind, message } = error
  if (kind !== "Poison" || blame !== "record") return error
  return new WriteRefused({ reason: isDuplicate(error) ? "Unique" : "Invalid", message, cause: error })
}

const resultOf = <D extends AnyDefinition>(
  applied: Applied,
  revision: Revision | undefined
): WriteResult<D> => {
  if (applied instanceof StorageError) return refusalOf(applied)
  if (applied._tag === "Refused") {
    return new WriteRefused({ reason: applied.reason, message: refusals[applied.reason] })
  }
  const changed = applied.change !== undefined
  return {
    _tag: "Written",
    // It was read as the definition's columns have it.
    row: Option.fromNullable(applied.row as Row<D> | undefined),
    change: changed ? "Changed" : "Unchanged",
    revision: changed ? Option.fromNullable(revision) : Option.none()
  }
}

const makeWrite = <D extends AnyDefinition>(
  definition: D,
  { dialect, executor, open, state, table }: Parts
): Source<D>["write"] => {
  const steps = makeWriteSteps(dialect, table, definition.columns, state)
  const log = open && {
    open,
    encode: makeEncodeChanges(definition, open.store.random, table.limits.batch, open.store.feed)
  }
  const commit = makeCommitWrites(dialect, executor, state, steps, log)
  return (writes, batch) =>
    // `Table.make` passes the checked form of writes.
    Effect.map(commit(writes as ReadonlyArray<CheckedWrite>, batch), ({ applied, revision }) =>
      applied.map((one) => resultOf<D>(one, revision))
    )
}

/** Checks the definition and the options, lets the adapter connect, makes sure of the tables, and builds the table. */
export const makeSqlTable = <const D extends AnyDefinition, E, R>(
  definition: D,
  options: SqlTableOptions<D["columns"]>,
  connect: (table: Table, feed: Feed | undefined) => Effect.Effect<StorageBackend, E, R>
): Effect.Effect<MasterTable<D>, E | StorageError | InvalidOptions, R> =>
  Effect.gen(function* () {
    yield* checkDefinition(definition)
    const resolved = yield* resolve<SqlTableOptions<D["columns"]>>()(rules, options)
    const { columns, id, name } = definition
    const asked = yield* makeTable({ ...resolved, table: name, columns, id }, yield* CurrentSizeLimits)
    const feed = resolved.log && makeFeed(resolved.log)
    const backend = yield* connect(asked, feed)
    const { open, table } = yield* openTable(backend, asked, feed, resolved.log)
    const { dialect, executor } = backend
    const parts: Parts = { dialect, executor, table, open, state: { saved: false } }
    return yield* make(definition, {
      ...makeReads(definition, parts),
      write: makeWrite(definition, parts),
      maxBatch: Math.min(dialect.maxBatch(table), dialect.maxUpdates(table))
    })
  })
