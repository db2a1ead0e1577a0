/** Databases for tests of tables: clients of one's own, and statements of another program beside them. */
import type { SqlClient } from "@effect/sql/SqlClient"
import * as PgClient from "@effect/sql-pg/PgClient"
import * as SqliteClient from "@effect/sql-sqlite-node/SqliteClient"
import { type Context, Effect, Layer, Redacted, type Scope } from "effect"
import { openClient, ownSchema, type Sql } from "../postgres/tables.js"
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

/** A schema on a Postgres server. */
export interface PgTables extends TableDatabase {
  /** A connection of another program, which may begin transactions. */
  readonly program: Effect.Effect<Sql, never, Scope.Scope>
}

/**
 * A schema on a Postgres server. Its clients' backends have its name as their `application_name`. `settings` are those of its clients'
 * sessions, such as `-c deadlock_timeout=1min`.
 */
export const pgSchema = (server: string, settings = ""): Effect.Effect<PgTables, unknown, Scope.Scope> =>
  Effect.gen(function* () {
    const url = new URL(yield* ownSchema(server))
    const program = openClient(url.href)
    const own = new URL(url)
    own.searchParams.set("options", `${url.searchParams.get("options") ?? ""} ${settings}`)
    const sql = yield* program
    const [found] = yield* sql("SELECT current_schema() AS name")
    const applicationName = String(found?.name)
    return {
      dialect: "pg",
      client: Layer.build(
        PgClient.layer({ url: Redacted.make(own.href), applicationName, maxConnections: 4 })
      ),
      sql,
      program
    }
  })
