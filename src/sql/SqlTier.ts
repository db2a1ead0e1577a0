/**
 * Tiers over the SQLite and Postgres clients of `@effect/sql`: one table for all namespaces, the same behaviour on both.
 */
import { SqlClient } from "@effect/sql/SqlClient"
import { Effect } from "effect"
import { type InvalidOptions, resolve } from "../internal/options.js"
import { make as makeTier, type Tier } from "../Tier.js"
import { byDialect, clientExecutor } from "./internal/client/client.js"
import { pgDialect } from "./internal/pg/dialect.js"
import { sqliteDialect } from "./internal/sqlite/dialect.js"
import { sqlSource } from "./internal/tier/source.js"
import { makeTierTable, type TierOptions, tierRules } from "./internal/tier/table.js"

export { InvalidOptions } from "../internal/options.js"
export { SqlFailure } from "./internal/errors.js"
export type { TierOptions } from "./internal/tier/table.js"

/**
 * Makes a tier over the client of the context. It reads nothing yet: opening a namespace creates the table if it does not
 * exist, also when several processes start at once. It fails with a `TierError` if a table is there that does not fit.
 *
 * - Any number of keys is one statement. It compares the `order` of entries, also among processes.
 * - A `ttl` counts from a put by the clock of its process. Reads compare it with the clock of theirs. Expired entries
 *   are deleted by later puts, at most once a second, in batches of at least 1,000.
 * - It takes a connection of its own and never joins a transaction of the calling fiber. On SQLite a client is one
 *   connection: a call inside of its own transaction waits for itself.
 * - A key of more than 1,024 bytes of UTF-8 is in the table as its SHA-256.
 *
 * What it holds can be read again from the master: create the table as UNLOGGED on Postgres to make puts cheaper.
 */
export const make = (options: TierOptions): Effect.Effect<Tier, InvalidOptions, SqlClient> =>
  Effect.gen(function* () {
    const table = makeTierTable(yield* resolve<TierOptions>()(tierRules, options))
    const client = yield* SqlClient
    const dialect = yield* byDialect(client, sqliteDialect, pgDialect)
    return makeTier(sqlSource(dialect, table, clientExecutor(client)))
  })
