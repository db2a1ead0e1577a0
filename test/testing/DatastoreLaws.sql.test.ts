/** Permanent stores over clients of SQLite and Postgres keep the laws of permanent stores. */
import { Effect, type Scope } from "effect"
import type { Subject } from "effect-recorder/testing/DatastoreLaws"
import { datastoreLaws } from "effect-recorder/testing/vitest"
import * as SqlDatastore from "../../src/sql/SqlDatastore.js"
import { runs } from "../support/laws/laws.js"
import { databaseUrls } from "../support/postgres/databases.js"
import { pgSchema, sqliteFile, type TableDatabase } from "../support/table/databases.js"

const tables = [
  "_state",
  "_stores",
  "_operations",
  "_clients",
  "_sessions",
  "_session_keys",
  "_owners",
  "_heads",
  ""
]

const subject = (name: string, database: Effect.Effect<TableDatabase, unknown, Scope.Scope>): Subject => ({
  name,
  place: Effect.map(database, ({ client, sql }) => ({
    open: Effect.flatMap(client, (context) =>
      Effect.provide(SqlDatastore.make({ table: "shared" }), context)
    ),
    fail: Effect.forEach(tables, (suffix) => sql(`DROP TABLE shared${suffix}`))
  })),
  capabilities: { faults: "on demand" }
})

const options = { samples: runs(6) }

datastoreLaws(subject("SqlDatastore over a SqliteClient", sqliteFile), options)
// The other server has the suite of test/sql/datastore; each law needs a schema of its own.
for (const { name, url } of databaseUrls().slice(0, 1)) {
  datastoreLaws(subject(`SqlDatastore over a PgClient, ${name}`, pgSchema(url)), options)
}
