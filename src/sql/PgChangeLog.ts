/** A change log that owns its connections to a Postgres server. */
import { Effect, type Scope } from "effect"
import type { InvalidOptions } from "../internal/options.js"
import type { StorageError } from "../Storage.js"
import {
  type LogOptions,
  makeSqlChangeLog,
  noTransaction,
  type SqlChangeLog
} from "./internal/log/sqlChangeLog.js"
import { type PgConnectOptions, poolRules } from "./internal/pg/connectOptions.js"
import { pgLog } from "./internal/pg/log.js"
import { openPool } from "./internal/pg/pool.js"

export { InvalidOptions } from "../internal/options.js"
export type { LogOptions, Retention, SqlChangeLog } from "./internal/log/sqlChangeLog.js"
export type { PgConnectOptions } from "./internal/pg/connectOptions.js"

/** A log, and the server that has it. */
export interface PgLogOptions extends LogOptions, PgConnectOptions {}

/**
 * Connects and makes the log, as `SqlChangeLog.make` does. Ends its connections with the scope. A connection that may
 * be dead or busy is never used again, and an interrupted statement is cancelled on the server.
 *
 * The log takes part in no transaction of its caller's. An append is as durable as the server makes a commit: see
 * `PgStorage.make`. One warning at the start names what weakens it, for the log's tables too.
 */
export const make = <V>(
  options: PgLogOptions
): Effect.Effect<SqlChangeLog<V>, StorageError | InvalidOptions, Scope.Scope> =>
  makeSqlChangeLog<PgConnectOptions>()(options, poolRules, (_, pool) =>
    Effect.map(openPool(pool), ({ executor }) => ({
      statements: pgLog,
      client: undefined,
      backend: { executor, joined: noTransaction }
    }))
  )
