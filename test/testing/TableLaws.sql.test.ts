/** Tables over clients of SQLite and Postgres keep the laws of tables. */
import { Effect, type Scope } from "effect"
import type { Subject } from "effect-recorder/testing/TableLaws"
import { tableLaws } from "effect-recorder/testing/vitest"
import * as SqlChangeLog from "../../src/sql/SqlChangeLog.js"
import * as SqlTable from "../../src/sql/SqlTable.js"
import type * as Table from "../../src/Table.js"
import { runs } from "../support/laws/laws.js"
import { databaseUrls } from "../support/postgres/databases.js"
import { pgSchema, sqliteFile, type TableDatabase } from "../support/table/databases.js"

/** With a log, or without one; the column `tag` is unique where there is one. */
const subject = (
  name: string,
  log: "yes" | "no",
  database: Effect.Effect<TableDatabase, unknown, Scope.Scope>
): Subject => ({
  name,
  place: <D extends Table.AnyDefinition>(definition: D) =>
    Effect.gen(function* () {
      const { client } = yield* database
      const indexes =
        "tag" in definition.columns ? [{ name: "unique_tag", columns: ["tag"], kind: "unique" }] : []
      const options = { indexes, ...(log === "yes" ? { log: { table: "log" } } : {}) }
      // The index names a column of the definition, which its type does not know.
      const own = options as unknown as SqlTable.SqlTableOptions<D["columns"]>
      const open = Effect.flatMap(client, (context) =>
        Effect.provide(SqlTable.make(definition, own), context)
      )
      if (log === "no") return { open }
      const changes = SqlChangeLog.make<Table.TableChange>({ table: "log" })
      return { open, log: yield* Effect.provide(changes, yield* client) }
    }),
  capabilities: { log, handles: "together", tag: "unique" }
})

const options = { samples: runs(6) }

for (const log of ["yes", "no"] as const) {
  const logged = log === "yes" ? " with a log" : ""
  tableLaws(subject(`SqlTable over a SqliteClient${logged}`, log, sqliteFile), options)
}
// The other server has the suite of test/sql/table; each law needs a schema of its own.
for (const { name, url } of databaseUrls().slice(0, 1)) {
  tableLaws(subject(`SqlTable over a PgClient with a log, ${name}`, "yes", pgSchema(url)), options)
}
