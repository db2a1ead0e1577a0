/**
 * Tables over the SQLite and Postgres clients of `@effect/sql`: one definition, the same behaviour on both. A table is
 * the truth for its rows; a `LiveTable` is a cache in front of it.
 */
import { SqlClient } from "@effect/sql/SqlClient"
import { Effect } from "effect"
import type { AnyDefinition } from "../internal/columns/writes.js"
import type { InvalidOptions } from "../internal/options.js"
import type { StorageError } from "../Storage.js"
import type { Table } from "../Table.js"
import { byDialect, clientBackend } from "./internal/client/client.js"
import { pgDialect } from "./internal/pg/dialect.js"
import { sqliteDialect } from "./internal/sqlite/dialect.js"
import { makeSqlTable, type SqlTableOptions } from "./internal/table/sqlTable.js"

export { InvalidOptions } from "../internal/options.js"
export { SqlFailure } from "./internal/errors.js"
export type { IndexOptions, LayoutOptions, TableLog } from "./internal/storage/tableOptions.js"
export type { SqlTableOptions } from "./internal/table/sqlTable.js"

/**
 * Makes a table over the client of the context. It creates the table of the definition's name and its indexes if they do
 * not exist, also when several processes start at once. It never alters a table. If the table exists and does not fit,
 * it fails with a `StorageError` of kind `Fatal`, which names the `ALTER TABLE` to run.
 *
 * - The writes of one call are one commit, with bulk statements for inserts, updates and deletions. A write that the
 *   database refuses spares the others.
 * - A condition of a write is judged while its row is locked, by the same rules as in memory.
 * - With a `log`, the changes of a call are one revision of it, by the same commit. Reads return the log's revision as of
 *   the instant of their statement.
 * - A violated unique constraint is `WriteRefused` with the reason `Unique`, and another constraint of the columns is
 *   `Invalid`. What a trigger raises is a `StorageError` of that write.
 * - Of the writes of one call, deletions are done first, then updates, then inserts. It matters only to constraints and
 *   triggers that look at several rows.
 * - The row of an outcome is the one after the write, with what triggers have made of it. An update that a trigger drops
 *   is `Unchanged`. An insert or a deletion that a trigger drops fails.
 * - Two calls that wait for each other, and a row that another transaction adds meanwhile, are tried again.
 * - A table never joins a transaction of the calling fiber. On SQLite a client is one connection: using the table inside
 *   of its own transaction waits for itself.
 *
 * What `SqlStorage.make` states of ids, of other programs that write to the table, and of the settings of the client
 * holds here too.
 */
export const make = <const D extends AnyDefinition>(
  definition: D,
  options: SqlTableOptions<D["columns"]> = {}
): Effect.Effect<Table<D>, StorageError | InvalidOptions, SqlClient> =>
  Effect.flatMap(SqlClient, (client) =>
    makeSqlTable(definition, options, (table) =>
      Effect.map(byDialect(client, sqliteDialect, pgDialect), (dialect) =>
        clientBackend(client, dialect, table)
      )
    )
  )
