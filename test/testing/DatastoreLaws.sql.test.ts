/** Permanent stores over clients of SQLite and Postgres keep the laws of permanent stores. */
import { Duration, Effect, Scope } from "effect"
import type { Subject } from "effect-recorder/testing/DatastoreLaws"
import { datastoreLaws } from "effect-recorder/testing/vitest"
import { backendOf, databases, passing, type Shared, tables } from "../sql/datastore/fixture.js"
import { runs } from "../support/laws/laws.js"

/** Backends in turn, as of several processes, over one database. */
const subject = (name: string, database: Effect.Effect<Shared>): Subject => ({
  name,
  place: Effect.map(Effect.all([database, Effect.scope]), ([{ db, one, other }, scope]) => {
    let opened = 0
    const rename = (from: string, to: string) =>
      Effect.forEach(tables, (table) => db.sql(`ALTER TABLE ${from}${table} RENAME TO ${to}${table}`))
    return {
      open: Effect.suspend(() => {
        opened++
        return opened > 2 ? backendOf(db) : Effect.succeed(opened === 1 ? one : other)
      }),
      pass: (duration) =>
        Effect.forEach(passing(Math.ceil(Duration.toMillis(duration))), (text) => db.sql(text)),
      fail: Effect.andThen(
        rename("", "gone_"),
        Effect.addFinalizer(() => Effect.orDie(rename("gone_", "")))
      ).pipe(Scope.extend(scope))
    }
  }),
  capabilities: { faults: "on demand", time: "on demand" }
})

// Of the servers one: the other has the suite of test/sql/datastore.
for (const [name, database] of databases().slice(0, 2)) {
  datastoreLaws(subject(`SqlDatastore, ${name}`, database), { samples: runs(4) })
}
