/** What one writes by hand: NOTIFY in the transaction that it tells of, here as a part of its INSERT. */
import { SqlClient } from "@effect/sql/SqlClient"
import { Effect } from "effect"

export const insertAndNotify = (table: string, n: number, channel: string, feed: string) =>
  Effect.flatMap(
    SqlClient,
    (sql) => sql`INSERT INTO ${sql(table)} (n, text) VALUES (${n}, 'shipped')
      RETURNING pg_notify(${channel}, ${`${feed}:${n}`})`
  )
