/** Ids are the same when every byte is: a table that compares them in another way is refused, and says what to do. */
import { describe, expect, it } from "@effect/vitest"
import { Effect, type Scope } from "effect"
import { put } from "../../src/ChangeLog.js"
import { Column, type InvalidOptions, Query, StorageError } from "../../src/Storage.js"
import * as PgChangeLog from "../../src/sql/PgChangeLog.js"
import type { LogOptions, SqlChangeLog } from "../../src/sql/SqlChangeLog.js"
import * as SqliteChangeLog from "../../src/sql/SqliteChangeLog.js"
import * as SqliteStorage from "../../src/sql/SqliteStorage.js"
import { databaseUrls } from "../support/postgres/databases.js"
import { openClient, ownSchema, ways } from "../support/postgres/tables.js"
import { openPlain, tempFile } from "../support/sqlite/sqlite.js"
import { keysOf } from "../support/watch/histories.js"
import type { Database } from "./storage/sqlTable.suite.js"

const columns = { id: Column.text, n: Column.integer }
const options = { table: "t", columns, id: "id" } as const

/** Texts that some collation takes for the same, in their order by code point. */
const alike = ["AB3", "Ab3", "aB3", "aB3 ", "aB3  ", "a\u0301B3", "áB3"]

interface Place extends Pick<Database, "make"> {
  readonly log: (
    options: LogOptions
  ) => Effect.Effect<SqlChangeLog<unknown>, StorageError | InvalidOptions, Scope.Scope>
  readonly sql: (text: string) => Effect.Effect<unknown>
}

/** Tables that do not do, by what is said of them. */
interface Tables {
  readonly refused: ReadonlyArray<readonly [says: string | RegExp, ...statements: ReadonlyArray<string>]>
  /** Tables of a log that do not do: statements that spoil what a log has made. */
  readonly spoiled: ReadonlyArray<ReadonlyArray<string>>
  readonly taken: ReadonlyArray<ReadonlyArray<string>>
}

const refusal = <A>(made: Effect.Effect<A, StorageError | InvalidOptions, Scope.Scope>) =>
  Effect.map(Effect.flip(Effect.scoped(made)), (error) => {
    expect(error).toBeInstanceOf(StorageError)
    expect(error).toMatchObject({ kind: "Fatal", outcome: "NotStored" })
    return error.message
  })

const suite = (name: string, place: Effect.Effect<Place, unknown, Scope.Scope>, tables: Tables) =>
  describe(name, () => {
    it.scopedLive("keeps ids apart that differ by case, accents or spaces, in a table of its own", () =>
      Effect.gen(function* () {
        const { make } = yield* place
        const storage = yield* make(options)
        const rows = alike.map((id, n) => ({ id, n }))
        expect(yield* storage.save(rows)).toEqual({ duplicates: 0 })
        expect(yield* storage.save(rows)).toEqual({ duplicates: rows.length })
        expect(yield* storage.load({ orderBy: [Query.asc("id")] })).toEqual(rows)
        for (const row of rows) expect(yield* storage.load({ where: Query.eq("id", row.id) })).toEqual([row])
      })
    )

    it.scopedLive("refuses a table whose id takes different texts for the same", () =>
      Effect.gen(function* () {
        const { make, sql } = yield* place
        for (const [says, ...statements] of tables.refused) {
          for (const statement of statements) yield* sql(statement)
          expect(yield* refusal(make(options)), statements.join()).toMatch(says)
          yield* sql("DROP TABLE t")
        }
      })
    )

    it.scopedLive("takes a table whose other columns and indexes do so", () =>
      Effect.gen(function* () {
        const { make, sql } = yield* place
        for (const statements of tables.taken) {
          for (const statement of statements) yield* sql(statement)
          const storage = yield* make(options)
          const rows = [
            { id: "aB3", n: 1 },
            { id: "Ab3", n: 2 }
          ]
          expect(yield* storage.save(rows), statements.join()).toEqual({ duplicates: 0 })
          expect(yield* storage.save(rows)).toEqual({ duplicates: 2 })
          yield* sql("DROP TABLE t")
        }
      })
    )

    it.scopedLive("keeps feeds, keys and ids of a log apart, and refuses tables that do not", () =>
      Effect.gen(function* () {
        const { log, sql } = yield* place
        for (const feed of alike.slice(1, 4)) {
          const one = yield* log({ table: "l", feed, state: "latest" })
          yield* one.commit(alike.map((text) => ({ id: text, changes: [put(text, text)] })))
          expect(keysOf(yield* one.read({ after: (yield* one.head).floor, limit: 100 }))).toEqual(alike)
        }
        for (const statements of tables.spoiled) {
          yield* Effect.scoped(log({ table: "u", state: "latest" }))
          for (const statement of statements) yield* sql(statement)
          expect(yield* refusal(log({ table: "u", state: "latest" })), statements.join()).toContain(
            "differ by case"
          )
          for (const table of ["u", "u_heads", "u_state"]) yield* sql(`DROP TABLE ${table}`)
        }
      })
    )
  })

const again = "create the table anew without a collation and copy its rows"

const spoiledSqlite = (table: string, columns: string) => [
  `DROP TABLE ${table}`,
  `CREATE TABLE ${table} (${columns})`
]

suite(
  "ids in SQLite",
  Effect.gen(function* () {
    const filename = yield* tempFile
    const db = yield* openPlain(filename)
    return {
      make: (options) => SqliteStorage.make({ ...options, filename }),
      log: (options) => SqliteChangeLog.make({ ...options, filename }),
      sql: (text) => Effect.sync(() => db.exec(text))
    } satisfies Place
  }),
  {
    refused: [
      [again, "CREATE TABLE t (id TEXT COLLATE NOCASE PRIMARY KEY, n INTEGER NOT NULL)"],
      [again, "CREATE TABLE t (id TEXT COLLATE RTRIM PRIMARY KEY, n INTEGER NOT NULL) STRICT"],
      [again, "CREATE TABLE t (id TEXT COLLATE NOCASE PRIMARY KEY, n INTEGER NOT NULL) WITHOUT ROWID"],
      [again, "CREATE TABLE t (id TEXT NOT NULL COLLATE NOCASE UNIQUE, n INTEGER)"],
      [
        again,
        "CREATE TABLE t (id TEXT NOT NULL COLLATE NOCASE, n INTEGER)",
        "CREATE UNIQUE INDEX t_id ON t (id COLLATE BINARY)"
      ],
      [
        /unique index "t_id" .* COLLATE BINARY/,
        "CREATE TABLE t (id TEXT NOT NULL, n INTEGER)",
        "CREATE UNIQUE INDEX t_id ON t (id COLLATE NOCASE)"
      ],
      [
        /unique index "t_id" .* COLLATE BINARY/,
        "CREATE TABLE t (id TEXT PRIMARY KEY, n INTEGER)",
        "CREATE UNIQUE INDEX t_id ON t (id COLLATE RTRIM) WHERE n > 1"
      ],
      ['the column "id" as VARCHAR(10)', "CREATE TABLE t (id VARCHAR(10) PRIMARY KEY, n INTEGER)"]
    ],
    taken: [
      ["CREATE TABLE t (id TEXT PRIMARY KEY COLLATE BINARY, n INTEGER, more TEXT COLLATE NOCASE UNIQUE)"],
      ["CREATE TABLE t (id TEXT PRIMARY KEY, n INTEGER)", "CREATE INDEX t_id ON t (id COLLATE NOCASE)"],
      [
        "CREATE TABLE t (id TEXT PRIMARY KEY, n INTEGER)",
        "CREATE UNIQUE INDEX t_id ON t (id COLLATE NOCASE, n)"
      ]
    ],
    spoiled: [
      spoiledSqlite(
        "u_heads",
        "feed TEXT COLLATE NOCASE PRIMARY KEY, bell TEXT, state TEXT, epoch TEXT, seq INTEGER, tag INTEGER," +
          " floor INTEGER, floor_tag INTEGER, bytes INTEGER"
      ),
      spoiledSqlite(
        "u_state",
        "feed TEXT, key TEXT COLLATE RTRIM, value TEXT, seq INTEGER, tag INTEGER, PRIMARY KEY (feed, key)"
      ),
      ["DROP INDEX u_ids", "CREATE UNIQUE INDEX u_ids ON u (feed, id COLLATE NOCASE)"]
    ]
  }
)

const byteless = `CREATE COLLATION ci (provider = icu, locale = 'und-u-ks-level2', deterministic = false)`
const toText = 'ALTER TABLE "t" ALTER COLUMN "id" TYPE text COLLATE "C" USING "id"::text'

for (const { name, url: server } of databaseUrls()) {
  suite(
    `ids in ${name}`,
    Effect.gen(function* () {
      const url = yield* ownSchema(server)
      const sql = yield* openClient(url)
      yield* sql(byteless)
      return {
        make: ways.PgStorage(url).make,
        log: (options) => PgChangeLog.make({ ...options, url }),
        sql
      } satisfies Place
    }),
    {
      refused: [
        [toText, "CREATE TABLE t (id text COLLATE ci PRIMARY KEY, n bigint)"],
        [toText, "CREATE TABLE t (id varchar COLLATE ci PRIMARY KEY, n bigint)"],
        [
          toText,
          "CREATE TABLE t (id text COLLATE ci NOT NULL, n bigint)",
          'CREATE UNIQUE INDEX t_id ON t (id COLLATE "C")'
        ],
        [
          /unique index "t_id" .* COLLATE "C"/,
          "CREATE TABLE t (id text NOT NULL, n bigint)",
          "CREATE UNIQUE INDEX t_id ON t (id COLLATE ci) INCLUDE (n)"
        ],
        [
          /unique index "t_id" .* COLLATE "C"/,
          "CREATE TABLE t (id text PRIMARY KEY, n bigint)",
          "CREATE UNIQUE INDEX t_id ON t (id COLLATE ci)"
        ],
        [toText, "CREATE TABLE t (id char(10) PRIMARY KEY, n bigint)"],
        [toText, "CREATE TABLE t (id varchar(10) PRIMARY KEY, n bigint)"],
        [
          toText,
          "CREATE DOMAIN folded AS text COLLATE ci",
          "CREATE TABLE t (id folded PRIMARY KEY, n bigint)"
        ]
      ],
      taken: [
        ["CREATE TABLE t (id text PRIMARY KEY, n bigint, more text COLLATE ci UNIQUE)"],
        ["CREATE TABLE t (id varchar PRIMARY KEY, n bigint)", "CREATE INDEX t_id ON t (id COLLATE ci)"],
        ["CREATE TABLE t (id text PRIMARY KEY, n bigint)", "CREATE UNIQUE INDEX t_id ON t (id COLLATE ci, n)"]
      ],
      spoiled: [
        ["ALTER TABLE u_heads ALTER COLUMN feed TYPE text COLLATE ci"],
        ["ALTER TABLE u_state ALTER COLUMN key TYPE text COLLATE ci"],
        ["ALTER TABLE u ALTER COLUMN id TYPE text COLLATE ci"],
        ["DROP INDEX u_ids", "CREATE UNIQUE INDEX u_ids ON u (feed, id COLLATE ci)"]
      ]
    }
  )
}
