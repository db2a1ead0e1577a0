/** The database of the audit trail: a SQLite file of this run, or a table of this run in a Postgres database. */
import { FileSystem, Path } from "@effect/platform"
import SqliteDriver from "better-sqlite3"
import { Config, Console, Effect, Option, Redacted, type Scope } from "effect"
import { Id, type Storage } from "effect-recorder"
import * as HttpAudit from "effect-recorder/platform/HttpAudit"
import * as PgStorage from "effect-recorder/sql/PgStorage"
import * as SqliteWorker from "effect-recorder/sql/SqliteWorker"
import pg from "pg"

/** What a driver reads back from the database, without this library. */
export interface ReadBack {
  readonly rows: number
  readonly first: unknown
  readonly last: unknown
}

export interface Database {
  readonly description: string
  /** Opens the database and makes its table. */
  readonly open: Effect.Effect<Storage.TableStorage<typeof HttpAudit.columns>, unknown, Scope.Scope>
  readonly readBack: Effect.Effect<ReadBack>
  /** Removes the file or the table of this run. */
  readonly remove: Effect.Effect<void>
}

const sqlite = Effect.gen(function* () {
  const files = yield* FileSystem.FileSystem
  const folder = yield* files.makeTempDirectory({ prefix: "audit-server-" })
  const filename = (yield* Path.Path).join(folder, "audit.db")
  const database: Database = {
    description: `SQLite in a worker thread, file ${filename}`,
    open: SqliteWorker.make({ ...HttpAudit.table, filename }),
    readBack: Effect.sync(() => {
      const file = new SqliteDriver(filename, { readonly: true })
      try {
        const all = file.prepare("SELECT count(*) FROM http_audit").pluck().get()
        const one = (order: string) =>
          file.prepare(`SELECT * FROM http_audit ORDER BY id ${order} LIMIT 1`).get()
        return { rows: Number(all), first: one("ASC"), last: one("DESC") }
      } finally {
        file.close()
      }
    }),
    remove: Effect.orDie(files.remove(folder, { recursive: true }))
  }
  return database
})

const postgres = (url: Redacted.Redacted) =>
  Effect.gen(function* () {
    const table = `http_audit_${(yield* Id.uuid7).replaceAll("-", "")}`
    const withClient = <A>(use: (client: pg.Client) => Promise<A>) =>
      Effect.tryPromise(async () => {
        const client = new pg.Client({ connectionString: Redacted.value(url) })
        await client.connect()
        try {
          return await use(client)
        } finally {
          await client.end()
        }
      })
    const database: Database = {
      description: `Postgres, table ${table}`,
      open: PgStorage.make({ ...HttpAudit.table, table, url }),
      readBack: withClient(async (client) => {
        const all = await client.query(`SELECT count(*) FROM ${table}`)
        const one = async (order: string) =>
          (await client.query(`SELECT * FROM ${table} ORDER BY id ${order} LIMIT 1`)).rows[0]
        return { rows: Number(all.rows[0].count), first: await one("ASC"), last: await one("DESC") }
      }).pipe(Effect.orDie),
      remove: withClient((client) => client.query(`DROP TABLE IF EXISTS ${table}`)).pipe(
        Effect.catchAll(() => Console.error(`could not drop the table ${table}`))
      )
    }
    return database
  })

/** Chooses the Postgres of DATABASE_URL if it is set, otherwise SQLite. Opens nothing yet. */
export const choose = Effect.flatMap(
  Config.option(Config.nonEmptyString("DATABASE_URL")),
  Option.match({ onNone: () => sqlite, onSome: (url) => postgres(Redacted.make(url)) })
)
