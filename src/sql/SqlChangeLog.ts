/**
 * Change logs over the SQLite and Postgres clients of `@effect/sql`: the same behaviour on both. To let a log own its
 * connections, see `SqliteChangeLog` and `PgChangeLog`.
 *
 * The order of revisions is the order of commits: every commit moves the head of its feed, and holds it until it is
 * committed. There are no gaps, also after a rollback, and no reader waits for a transaction.
 */
import { SqlClient, TransactionConnection } from "@effect/sql/SqlClient"
import { Effect, Option, type Scope } from "effect"
import type { ChangeLogError, Conflict } from "../ChangeLog.js"
import type { InvalidOptions } from "../internal/options.js"
import type { StorageError } from "../Storage.js"
import { byDialect, clientExecutor, runOn } from "./internal/client/client.js"
import * as Transact from "./internal/client/transact.js"
import { type LogOptions, makeSqlChangeLog, type SqlChangeLog } from "./internal/log/sqlChangeLog.js"
import { pgLog } from "./internal/pg/log.js"
import { sqliteLog } from "./internal/sqlite/log.js"

export { InvalidOptions } from "../internal/options.js"
export type { Transacted, Transaction } from "./internal/client/transact.js"
export type { LogOptions, Retention, SqlChangeLog } from "./internal/log/sqlChangeLog.js"

/**
 * A log over the client of the context. It creates its tables when they do not exist, also when several processes
 * start at once. It fails with a `StorageError` of kind `Fatal`, which advises what to do, if they do not fit.
 *
 * Values are plain JSON data, with the rules of a json column. They come back as they were written; that they are of
 * type `V` is what their writers promise.
 *
 * - A commit is one statement of its own on Postgres, and a transaction on SQLite and for logs with state: all of it
 *   or nothing.
 * - In `sql.withTransaction` of the same client everything takes part in that transaction, and sees what it has
 *   written. Append as the last thing in it: others wait for the head until it ends, and on Postgres the server ends it
 *   after `lockTimeout` without a statement. Doorbells do not ring for it, but the poll finds it. Better is
 *   {@link transact}.
 * - What was appended is as durable as the client's database makes a commit: see `SqlStorage.make`; one warning at the
 *   start names what weakens it, for the log's tables too.
 * - Entries without an id that are sent again after an unknown outcome may be appended twice.
 */
export const make = <V>(
  options: LogOptions
): Effect.Effect<SqlChangeLog<V>, StorageError | InvalidOptions, SqlClient | Scope.Scope> =>
  makeSqlChangeLog<object>()(options, {}, () =>
    Effect.flatMap(SqlClient, (client) =>
      Effect.map(byDialect(client, sqliteLog, pgLog), (statements) => ({
        statements,
        client,
        backend: {
          executor: clientExecutor(client),
          joined: Effect.map(
            Effect.serviceOption(TransactionConnection),
            Option.map(([connection]) => runOn(connection))
          )
        }
      }))
    )
  )

/**
 * Runs an effect in a transaction of the client of the context, with what it appends to one or several logs. All is
 * committed, or nothing. The appends are done last before COMMIT, so that other writers wait as shortly as possible.
 * They have a fixed order of the logs, so that writers never wait for each other. After COMMIT the doorbells ring.
 *
 * ```ts
 * const { revisions } = yield* SqlChangeLog.transact((transaction) =>
 *   Effect.gen(function* () {
 *     yield* sql`UPDATE accounts SET balance = ${balance} WHERE id = ${id}`
 *     yield* transaction.append(log, [ChangeLog.put(`/accounts/${id}`, { balance })])
 *   })
 * )
 * ```
 *
 * It fails with what the effect fails with, and with `Conflict` if a log is not as an entry expects. If the database fails, it fails with `ChangeLogError`, whose `outcome`
 * reports whether it was committed. Inside of another transaction it fails as `Invalid`.
 *
 * On Postgres it is `READ COMMITTED`, whatever the default of the database is: in a stricter one the append fails if
 * another commit came since the first statement. `SET TRANSACTION ISOLATION LEVEL` as the first statement changes it.
 */
export const transact: <A, E, R>(
  body: (transaction: Transact.Transaction) => Effect.Effect<A, E, R>
) => Effect.Effect<Transact.Transacted<A>, E | ChangeLogError | Conflict | InvalidOptions, R | SqlClient> =
  Transact.transact
