/** Postgres for tests: a schema of one's own on a server of the run, a client beside the storage's, and storages. */
import * as PgClient from "@effect/sql-pg/PgClient"
import { Effect, Layer, Redacted, type Scope } from "effect"
import pg from "pg"
import { resolve } from "../../../src/internal/options.js"
import { type PgConnectOptions, poolRules } from "../../../src/sql/internal/pg/connectOptions.js"
import * as Pool from "../../../src/sql/internal/pg/pool.js"
import * as PgStorage from "../../../src/sql/PgStorage.js"
import * as SqlStorage from "../../../src/sql/SqlStorage.js"
import type { MakeEmpty } from "../../sql/storage/sqlStorage.suite.js"
import type { Database } from "../../sql/storage/sqlTable.suite.js"
import { columns } from "../laws/rows.js"
import type { Shared } from "../laws/sharedPlace.js"
import { table } from "../laws/subjects.js"
import { createSchema } from "./server.js"

type Rows = ReadonlyArray<Readonly<Record<string, unknown>>>

/** Runs a statement on a connection of its own. */
export type Sql = (text: string, params?: ReadonlyArray<unknown>) => Effect.Effect<Rows>

/** A connection by `pg` alone. It ends with the scope. */
export const openClient = (url: string): Effect.Effect<Sql, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.promise(async () => {
      const client = new pg.Client({ connectionString: url })
      client.on("error", () => {})
      await client.connect()
      return client
    }),
    (client) => Effect.promise(() => client.end())
  ).pipe(
    Effect.map(
      (client) =>
        (text, params = []) =>
          Effect.map(
            Effect.promise(() => client.query(text, [...params])),
            ({ rows }) => rows
          )
    )
  )

/** A pool of the options, which are checked as those of a storage are. */
export const openPool = (options: PgConnectOptions) =>
  Effect.flatMap(resolve<PgConnectOptions>()(poolRules, options), Pool.openPool)

/** An empty schema on the server, and its URL. It goes with the scope. */
export const ownSchema = (server: string): Effect.Effect<string, never, Scope.Scope> =>
  Effect.map(
    Effect.acquireRelease(
      Effect.promise(() => createSchema(server)),
      ({ drop }) => Effect.promise(drop)
    ),
    ({ url }) => url
  )

/** The ways to a storage on Postgres: with connections of its own, or over a client of the caller's. */
export const ways = {
  PgStorage: (url: string): Pick<Database, "make"> => ({
    make: (options) => PgStorage.make({ ...options, url: Redacted.make(url) })
  }),
  "SqlStorage over a PgClient": (url: string): Pick<Database, "make"> => ({
    make: (options) =>
      Effect.flatMap(
        Effect.orDie(Layer.build(PgClient.layer({ url: Redacted.make(url), maxConnections: 4 }))),
        (context) => Effect.provide(SqlStorage.make(options), context)
      )
  })
} as const

export type Way = (url: string) => Pick<Database, "make">

/** For the suite of storages: one storage, emptied by another client. */
export const emptyPg = (server: string, way: Way): Effect.Effect<MakeEmpty, unknown, Scope.Scope> =>
  Effect.gen(function* () {
    const url = yield* ownSchema(server)
    const storage = yield* way(url).make({ table: "everything", columns, id: "id" })
    const sql = yield* openClient(url)
    return Effect.as(sql("TRUNCATE everything"), storage)
  })

/** For the suite of tables. */
export const pgDatabase = (server: string, way: Way): Effect.Effect<Database, unknown, Scope.Scope> =>
  Effect.gen(function* () {
    const url = yield* ownSchema(server)
    const sql = yield* openClient(url)
    return { dialect: "pg", ...way(url), sql: (text) => sql(text) }
  })

/** For the storage laws: a table, and what another connection sees in it. */
export const pgPlace = (server: string, way: Way): Effect.Effect<Shared, unknown, Scope.Scope> =>
  Effect.gen(function* () {
    const url = yield* ownSchema(server)
    const sql = yield* openClient(url)
    const open = way(url).make(table)
    yield* Effect.scoped(open)
    // The place of a row in the file is no order: what a failed insert has left may be used again.
    yield* sql("ALTER TABLE laws ADD COLUMN nth bigserial")
    const peek = Effect.map(sql("SELECT id FROM laws ORDER BY nth"), (rows) => rows.map(({ id }) => `${id}`))
    // A connection of `pg` runs one statement at a time.
    const alone = (yield* Effect.makeSemaphore(1)).withPermits(1)
    return { open, peek: alone(peek), empty: sql("TRUNCATE laws") }
  })
