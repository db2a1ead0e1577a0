/** A storage that owns its connections to a Postgres server. */
import { Effect, type Scope } from "effect"
import type { Columns } from "../internal/columns/columns.js"
import type { InvalidOptions } from "../internal/options.js"
import type { StorageError } from "../Storage.js"
import { clientBackend } from "./internal/client/client.js"
import { type PgConnectOptions, poolRules } from "./internal/pg/connectOptions.js"
import { pgDialect } from "./internal/pg/dialect.js"
import { openPool } from "./internal/pg/pool.js"
import type { StorageBackend } from "./internal/storage/outbox.js"
import { makeSqlStorage, type SqlStorage } from "./internal/storage/sqlStorage.js"
import type { TableOptions } from "./internal/storage/tableOptions.js"

export { InvalidOptions } from "../internal/options.js"
export type { PgConnectOptions } from "./internal/pg/connectOptions.js"

/** A table, and the server that has it. */
export interface PgOptions<C extends Columns> extends TableOptions<C>, PgConnectOptions {}

/**
 * Connects and makes the storage. Ends its connections with the scope. Use it with `Recorder.makeDeferred` if the server
 * may be down at the start.
 *
 * A save is one statement of its own, `INSERT ... SELECT unnest(...) ON CONFLICT (id) DO NOTHING`, with each column as
 * one array in binary format: all of a batch or nothing of it. After a save was interrupted, by the recorder's
 * `saveTimeout` for one, its connection is never used again and the server is asked to cancel the statement.
 *
 * Prepared statements are used where they survive; behind a pooler that gives each statement another backend the
 * storage notices it, without a failed save, and continues without them.
 *
 * A save that succeeded, one of `saveDurable` too, is as durable as the server makes a commit. With `synchronous_commit =
 * off` a crash of the server takes the last ones, with `fsync = off` a power failure takes any of them, and a crash
 * empties an UNLOGGED table. One warning at the start names which of these apply.
 *
 * Fails with a `StorageError` of kind `Fatal` if the login, the database, the schema or the table does not fit, and of
 * kind `Transient` if the server cannot be reached. The message advises what to do.
 */
export const make = <const C extends Columns>(
  options: PgOptions<C>
): Effect.Effect<SqlStorage<C>, StorageError | InvalidOptions, Scope.Scope> =>
  makeSqlStorage<PgConnectOptions>()(options, poolRules, (table, _, pool) =>
    Effect.map(
      openPool(pool),
      ({ client, executor }) =>
        ({
          ...clientBackend(client, pgDialect, table, executor),
          // By the client it would join the transaction of the caller, even one in another database.
          read: executor.run
        }) satisfies StorageBackend
    )
  )
