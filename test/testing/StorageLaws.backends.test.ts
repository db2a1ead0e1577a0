/** This library's own storages keep the storage laws. LAWS_RUNS multiplies the random records. */
import { Effect } from "effect"
import { storageLaws } from "effect-recorder/testing/vitest"
import { memory } from "../../src/Storage.js"
import * as SqliteStorage from "../../src/sql/SqliteStorage.js"
import * as SqliteWorker from "../../src/sql/SqliteWorker.js"
import { runs } from "../support/laws.js"
import { pgPlace, ways } from "../support/pgTables.js"
import { databaseUrls } from "../support/postgresDatabases.js"
import { sharedPlace } from "../support/sharedPlace.js"
import { sqlitePlace } from "../support/sqlite.js"
import { arraySubject, columns, tableSubject } from "../support/subjects.js"

// Several threads at once take long to start on a busy machine.
const options = { samples: runs(100), limit: "30 seconds" } as const

storageLaws(arraySubject)

storageLaws(
  tableSubject(
    "Storage.memory({ columns, id })",
    Effect.map(memory({ columns, id: "id" }), (storage) => ({
      open: Effect.succeed(storage),
      peek: Effect.sync(() => storage.records.map(({ id }) => id))
    })),
    {
      capabilities: {
        duplicates: "ignored",
        peeks: "in order",
        loads: "in any order",
        handles: "one",
        prepares: "no"
      },
      // A table in memory has no constraint but its id.
      clash: undefined
    }
  ),
  options
)

storageLaws(tableSubject("SqliteStorage", sqlitePlace(SqliteStorage.make)), options)
// Several threads at once take long to start on a busy machine.
storageLaws(tableSubject("SqliteWorker", sharedPlace(sqlitePlace(SqliteWorker.make))), {
  limit: "30 seconds"
})

for (const { name, url } of databaseUrls()) {
  for (const [kind, way] of Object.entries(ways)) {
    storageLaws(tableSubject(`${kind}, ${name}`, sharedPlace(pgPlace(url, way))), options)
  }
}
