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

export { InvalidOptions } from "../internal/options.js"
export { SqlFailure } from "./internal/errors.js"
export type { SqlQuery } from "./internal/storage/reading.js"
export type { SqlStorage } from "./internal/storage/sqlStorage.js"
export type { IndexOptions, StorageLog, TableOptions } from "./internal/storage/tableOptions.js"

/**
 * Makes a storage over the client of the context. It creates its table and indexes if they do not exist, also when
 * several processes start at once. It never alters a table. If the table exists and does not fit, it fails with a
 * {@link StorageError} of kind `Fatal`, which names the `ALTER TABLE` to run.
 *
 * - A save is one `INSERT ... ON CONFLICT (id) DO NOTHING` in a transaction of its own: all of a batch or nothing of
 *   it. A record that violates another constraint is poison.
 * - Saves and loads take a connection of their own and never join a transaction of the calling fiber. On SQLite a
 *   client is one connection: saving inside of its own transaction waits for itself.
 * - A transaction of the client holds one of its connections. If as many transactions as its pool has connections await
 *   `saveDurable`, the save gets none, and all of them wait for ever. Await it before the transaction or after it, or
 *   give the storage a client of its own.
 * - `query` and `prune` are called by you: inside of `sql.withTransaction` they take part in it.
 *
 * - Ids that differ in any byte are different, by case or by a space at the end too. A table whose id is compared in
 *   another way (`COLLATE NOCASE`, a nondeterministic collation) is refused.
 *
 * Other programs may write to the table. Instants have milliseconds here: finer ones are read, compared and sorted as
 * their millisecond, cut off. A row may hold what its column's definition excludes: NaN, an infinite date,
 * or NULL in a column that is not nullable. A read that meets it fails as `Fatal`, and names the table and the column.
 *
 * The settings of the client stay yours, and one warning at the start names those that can lose saves:
 *
 * - On SQLite, `busy_timeout` blocks the event loop, by default for up to 5 seconds.
 * - On SQLite, `synchronous` decides what a power failure can take. With less than `FULL` it takes the last saves,
 *   those of `saveDurable` too.
 * - On Postgres, `synchronous_commit = off` loses the last saves when the server crashes. An UNLOGGED table is empty
 *   then.
 *
 * A SQLite file must stay at its path. The client cannot be opened anew here: it goes on to write to a file that was
 * deleted or replaced. `SqliteStorage` opens the path anew.
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
