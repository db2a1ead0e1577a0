/**
 * Permanent stores and pools over the SQLite and Postgres clients of `@effect/sql`: the same behaviour on both. Give the driver
 * to `Datastore.make`, to `MergePool.make` or to both, in one process or in several that share the database.
 */
import { SqlClient } from "@effect/sql/SqlClient"
import { Effect, type Scope } from "effect"
import type { Backend } from "../internal/catalog/backend.js"
import type { InvalidOptions } from "../internal/options.js"
import type { StorageError } from "../Storage.js"
import { byDialect, clientExecutor } from "./internal/client/client.js"
import { makeSqlDatastore, type SqlDatastoreOptions } from "./internal/datastore/sqlDatastore.js"
import { pgDialect } from "./internal/pg/dialect.js"
import { pgLog } from "./internal/pg/log.js"
import { sqliteDialect } from "./internal/sqlite/dialect.js"
import { sqliteLog } from "./internal/sqlite/log.js"

export type { Backend } from "../internal/catalog/backend.js"
export { InvalidOptions } from "../internal/options.js"
export type { SqlDatastoreOptions } from "./internal/datastore/sqlDatastore.js"
export { SqlFailure } from "./internal/errors.js"
export type { LogBehavior, Retention } from "./internal/log/sqlChangeLog.js"

/**
 * Makes a driver of permanent stores and pools over the client of the context. It creates its tables if they do not exist, also
 * when several processes start at once. If a table exists and does not fit, it fails with a `StorageError` of kind
 * `Fatal`, which advises what to do.
 *
 * - Any number of stores and pools share the tables, and one set of ids: each is a feed of one change log with its last values.
 * - The saves of a batch are one commit: values, log, remembered operations, windows of clients, keys of sessions.
 * - A save is decided while the head of its store is locked, so several processes may save to one store.
 * - An owner is exclusive among all processes. Each of its saves proves in its transaction that it still is.
 * - Leases of sessions and the ends of values are by the database's clock.
 * - It takes connections of its own and never joins a transaction of the calling fiber. On SQLite a client is one
 *   connection: a call inside of its own transaction waits for itself.
 *
 * What was saved is as durable as the client's database makes a commit: see `SqlStorage.make`. One warning at the start
 * names what weakens it.
 */
export const make = (
  options: SqlDatastoreOptions
): Effect.Effect<Backend, StorageError | InvalidOptions, SqlClient | Scope.Scope> =>
  Effect.flatMap(SqlClient, (client) =>
    makeSqlDatastore(
      options,
      byDialect(
        client,
        { dialect: sqliteDialect, executor: clientExecutor(client), logStatements: sqliteLog },
        { dialect: pgDialect, executor: clientExecutor(client), logStatements: pgLog }
      )
    )
  )
