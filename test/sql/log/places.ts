/** Databases for change logs, each with a client of it, and with logs that have connections of their own. */
import type { SqlClient } from "@effect/sql/SqlClient"
import * as PgClient from "@effect/sql-pg/PgClient"
import * as SqliteClient from "@effect/sql-sqlite-node/SqliteClient"
import { type Context, Effect, Layer, Redacted, type Scope } from "effect"
import type * as ChangeLog from "../../../src/ChangeLog.js"
import type { StorageError } from "../../../src/Storage.js"
import * as PgChangeLog from "../../../src/sql/PgChangeLog.js"
import * as SqlChangeLog from "../../../src/sql/SqlChangeLog.js"
import * as SqliteChangeLog from "../../../src/sql/SqliteChangeLog.js"
import { databaseUrls } from "../../support/postgres/databases.js"
import { ownSchema } from "../../support/postgres/tables.js"
import { tempFile } from "../../support/sqlite/sqlite.js"
import { keysOf } from "../../support/watch/histories.js"

/** A database, a client of it, and logs with connections of their own. */
export interface Place {
  readonly context: Context.Context<SqlClient>
  readonly own: (
    options: SqlChangeLog.LogOptions
  ) => Effect.Effect<SqlChangeLog.SqlChangeLog<unknown>, StorageError | ChangeLog.InvalidOptions, Scope.Scope>
}

export const all = (log: ChangeLog.ChangeLog<unknown>) =>
  Effect.flatMap(log.head, ({ floor }) => log.read({ after: floor, limit: 10_000 }))

export const keys = (log: ChangeLog.ChangeLog<unknown>) => Effect.map(all(log), keysOf)

/** A log over the client. */
export const make = (context: Place["context"], options: SqlChangeLog.LogOptions) =>
  Effect.provide(SqlChangeLog.make<unknown>(options), context)

export const places: ReadonlyArray<
  readonly [name: string, place: Effect.Effect<Place, unknown, Scope.Scope>]
> = [
  [
    "SQLite",
    Effect.gen(function* () {
      const filename = yield* tempFile
      return {
        context: yield* Layer.build(SqliteClient.layer({ filename })),
        own: (options: SqlChangeLog.LogOptions) => SqliteChangeLog.make<unknown>({ ...options, filename })
      }
    })
  ],
  ...databaseUrls().map(
    ({ name, url: server }) =>
      [
        `Postgres, ${name}`,
        Effect.gen(function* () {
          const url = yield* ownSchema(server)
          return {
            context: yield* Layer.build(PgClient.layer({ url: Redacted.make(url), maxConnections: 8 })),
            own: (options: SqlChangeLog.LogOptions) => PgChangeLog.make<unknown>({ ...options, url })
          }
        })
      ] as const
  )
]
