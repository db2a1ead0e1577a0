/** Permanent stores over clients of SQLite and Postgres keep the laws of permanent stores. */
import { Effect } from "effect"
import type { Subject } from "effect-recorder/testing/DatastoreLaws"
import { datastoreLaws } from "effect-recorder/testing/vitest"
import { backendOf, databases, type Shared, tables } from "../sql/datastore/fixture.js"
import { runs } from "../support/laws/laws.js"

/** Backends in turn, as of several processes, over one database. */
const subject = (name: string, database: Effect.Effect<Shared>): Subject => ({
  name,
  place: Effect.map(database, ({ db, one, other }) => {
    let opened = 0
    return {
      open: Effect.suspend(() => {
        opened++
        return opened > 2 ? backendOf(db) : Effect.succeed(opened === 1 ? one : other)
      }),
      fail: Effect.forEach(tables, (table) => db.sql(`ALTER TABLE ${table} RENAME TO gone_${table}`))
    }
  }),
  capabilities: { faults: "on demand" }
})

// Of the servers one: the other has the suite of test/sql/datastore.
for (const [name, database] of databases().slice(0, 2)) {
  datastoreLaws(subject(`SqlDatastore, ${name}`, database), { samples: runs(4) })
}
