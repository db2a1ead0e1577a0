/** Databases for tests of tables: clients of one's own, and statements of another program beside them. */
import type { SqlClient } from "@effect/sql/SqlClient"
import * as PgClient from "@effect/sql-pg/PgClient"
import * as SqliteClient from "@effect/sql-sqlite-node/SqliteClient"
import { type Context, Effect, Layer, Redacted, type Scope } from "effect"
import { openClient, ownSchema } from "../postgres/tables.js"
import { openPlain, tempFile } from "../sqlite/sqlite.js"

/** An empty database. */
export interface TableDatabase {
  readonly dialect: "sqlite" | "pg"
  /** Another client of it, until the scope ends. */
  readonly client: Effect.Effect<Context.Context<SqlClient>, unknown, Scope.Scope>
  /** Runs a statement of another program. */
  readonly sql: (text: string) => Effect.Effect<ReadonlyArray<Readonly<Record<string, unknown>>>>
}

/** A SQLite file. */
export const sqliteFile: Effect.Effect<TableDatabase, unknown, Scope.Scope> = Effect.gen(function* () {
  const filename = yield* tempFile
  const db = yield* openPlain(filename)
  return {
    dialect: "sqlite",
    client: Layer.build(SqliteClient.layer({ filename })),
    sql: (text) =>
      Effect.sync(() => {
        const statement = db.prepare(text)
        if (statement.reader) return statement.all() as ReadonlyArray<Readonly<Record<string, unknown>>>
        statement.run()
        return []
      })
  }
})

/** A schema on a Postgres server; `settings` are those of its clients' sessions, such as `-c deadlock_timeout=1min`. */
export const pgSchema = (server: string, settings = ""): Effect.Effect<TableDatabase, unknown, Scope.Scope> =>
  Effect.gen(function* () {
    const url = new URL(yield* ownSchema(server))
    const sql = yield* openClient(url.href)
    url.searchParams.set("options", `${url.searchParams.get("options") ?? ""} ${settings}`)
    return {
      dialect: "pg",
      client: Layer.build(PgClient.layer({ url: Redacted.make(url.href), maxConnections: 4 })),
      sql
    }
  })
