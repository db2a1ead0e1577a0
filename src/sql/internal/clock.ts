/** The clock of a database. */
import type { Dialect } from "./dialect.js"

/** An expression for each database: the milliseconds since 1970 by its clock, as a whole number, when it is evaluated. */
export const millisNow: { readonly [Name in Dialect["name"]]: string } = {
  // A function for them came with SQLite 3.42.
  sqlite: "CAST(ROUND((julianday('now') - 2440587.5) * 86400000) AS INTEGER)",
  // Not the time when the transaction began.
  pg: "CAST(floor(extract(epoch FROM clock_timestamp()) * 1000) AS bigint)"
}
