/**
 * Storages over the SQLite and Postgres clients of `@effect/sql`: one definition of a table, the same behaviour on
 * both. To let a storage own its client, see `SqliteStorage`, `SqliteWorker` and `PgStorage`.
 */
import { SqlClient } from "@effect/sql/SqlClient"
import { Effect } from "effect"
import type { Columns } from "../internal/columns/columns.js"
import type { InvalidOptions } from "../internal/options.js"
import type { StorageError } from "../Storage.js"
import { byDialect, clientBackend } from "./internal/client/client.js"
import { pgDialect } from "./internal/pg/dialect.js"
import { sqliteDialect } from "./internal/sqlite/dialect.js"
import { makeSqlStorage, type SqlStorage } from "./internal/storage/sqlStorage.js"
import type { TableOptions } from "./internal/storage/tableOptions.js"

export { SqlFailure } from "./internal/errors.js"
export type { SqlQuery } from "./internal/storage/reading.js"
export type { SqlStorage } from "./internal/storage/sqlStorage.js"
export type { IndexOptions, StorageLog, TableOptions } from "./internal/storage/tableOptions.js"

/**
 * A storage over the client of the context. It creates its table and indexes when they do not exist, also when
 * several processes start at once, and fails with a {@link StorageError} of kind `Fatal` that names the `ALTER TABLE`
 * to run when the table exists and does not fit. It never alters a table.
 *
 * - A save is one `INSERT ... ON CONFLICT (id) DO NOTHING` in a transaction of its own: all of a batch or nothing of
 *   it. A record that violates another constraint is poison.
 * - Saves and loads take a connection of their own and never join a transaction of the calling fiber. On SQLite a
 *   client is one connection: saving inside of its own transaction waits for itself.
 * - `query` and `prune` are called by you: inside of `sql.withTransaction` they take part in it.
 *
 * - Ids that differ in any byte are different, by case or by a space at the end too. A table whose id is compared in
 *   another way (`COLLATE NOCASE`, a nondeterministic collation) is refused.
 *
 * Other programs may write to the table. Instants have milliseconds here: finer ones are read, compared and sorted as
 * their millisecond, cut off. A row that holds what its column cannot hold by its definition (NaN, an infinite date, NULL
 * in a column that is not nullable) fails the read that meets it, as `Fatal`, with the names of the table and the column.
 *
 * What the client was made with stays yours: on SQLite its `busy_timeout` blocks the event loop (5 seconds by default)
 * and its `synchronous` decides what a power failure can take: with less than `FULL` it takes the last saves, those of
 * `saveDurable` too. On Postgres `synchronous_commit = off` does the same when the server crashes, and an UNLOGGED table
 * is empty then. One warning at the start names what of it is so. A SQLite file must stay at its path: a client of any
 * driver cannot be watched or opened anew here, and goes on to write to a file that was deleted or replaced.
 * `SqliteStorage` opens it anew.
 */
export const make = <const C extends Columns>(
  options: TableOptions<C>
): Effect.Effect<SqlStorage<C>, StorageError | InvalidOptions, SqlClient> =>
  Effect.flatMap(SqlClient, (client) =>
    makeSqlStorage<object>()(options, {}, (table) =>
      Effect.map(byDialect(client, sqliteDialect, pgDialect), (dialect) =>
        clientBackend(client, dialect, table)
      )
    )
  )
