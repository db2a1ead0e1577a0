/** Makes sure of a table and of the log that its changes go to, before anything is stored. */
import { Effect } from "effect"
import type { StorageError } from "../../../Storage.js"
import type { Dialect, ExistingTable, Table } from "../dialect.js"
import { warnOfLosses } from "../durability.js"
import { ensureTable } from "../ensureTable.js"
import { LocalDoorbell } from "../log/localDoorbell.js"
import { limitsOf, noTransaction, type OpenLog } from "../log/sqlChangeLog.js"
import { openStore } from "../log/store.js"
import { type Feed, tablesOf } from "../log/tables.js"
import type { StorageBackend } from "./outbox.js"
import type { ResolvedTable } from "./tableOptions.js"

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

/** The options of a log that say how to open it. */
type Opening = Pick<Exclude<ResolvedTable["log"], undefined>, "doorbell" | "lockTimeout">

/** A table that exists, and its log. */
export interface OpenTable {
  readonly table: Table
  readonly open: OpenLog | undefined
}

const openLog = (
  { executor, logStatements }: StorageBackend,
  feed: Feed,
  { doorbell, lockTimeout }: Opening
): Effect.Effect<OpenLog, StorageError> =>
  Effect.gen(function* () {
    const statements = logStatements(feed, limitsOf(lockTimeout))
    const store = yield* openStore(feed, statements, { executor, joined: noTransaction })
    return { store, client: undefined, local: yield* LocalDoorbell, doorbell }
  })

/** Makes sure of the tables, and warns of what weakens the promise of a commit. */
export const openTable = (
  backend: StorageBackend,
  asked: Table,
  feed: Feed | undefined,
  log: Opening | undefined
): Effect.Effect<OpenTable, StorageError> =>
  Effect.gen(function* () {
    const { dialect, executor } = backend
    const table = asFound(dialect, asked, yield* ensureTable(dialect, asked, executor))
    const open = feed === undefined || log === undefined ? undefined : yield* openLog(backend, feed, log)
    yield* warnOfLosses(dialect, [table, ...(feed === undefined ? [] : tablesOf(feed))], executor)
    return { table, open }
  })
