/** What a database may lose of that which it has acknowledged is said at the start, by one warning. */
import * as PgClient from "@effect/sql-pg/PgClient"
import * as SqliteClient from "@effect/sql-sqlite-node/SqliteClient"
import { describe, expect, it } from "@effect/vitest"
import { Effect, Layer, Logger, Redacted } from "effect"
import { put } from "../../src/ChangeLog.js"
import { Column } from "../../src/Storage.js"
import * as PgChangeLog from "../../src/sql/PgChangeLog.js"
import * as PgStorage from "../../src/sql/PgStorage.js"
import * as SqlChangeLog from "../../src/sql/SqlChangeLog.js"
import * as SqliteChangeLog from "../../src/sql/SqliteChangeLog.js"
import * as SqliteStorage from "../../src/sql/SqliteStorage.js"
import * as SqlStorage from "../../src/sql/SqlStorage.js"
import { databaseUrls } from "../support/postgres/databases.js"
import { openClient, ownSchema } from "../support/postgres/tables.js"
import { openPlain, tempFile } from "../support/sqlite/sqlite.js"

const table = { table: "t", columns: { id: Column.text }, id: "id" } as const
const toEntry = ({ id }: { readonly id: string }) => ({ changes: [put(id, id)] })
const logged = { ...table, log: { table: "l", state: "latest", toEntry } } as const

/** What is logged meanwhile. */
const warnings = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.suspend(() => {
    const said: Array<string> = []
    const logger = Logger.make(({ logLevel, message }) => said.push(`${logLevel.label}: ${message}`))
    return Effect.as(Effect.provide(effect, Logger.replace(Logger.defaultLogger, logger)), said)
  })

for (const { name, url: server } of databaseUrls()) {
  describe(`what ${name} may lose`, () => {
    const opened = Effect.gen(function* () {
      const url = yield* ownSchema(server)
      // The servers of the tests do not wait for the disk, which is told as well.
      const [{ fsync }] = (yield* (yield* openClient(url))("SHOW fsync")) as [{ readonly fsync: string }]
      return { url, sql: yield* openClient(url), fsync }
    })
    const without = (fsync: string, said: ReadonlyArray<string>) => {
      expect(said.length).toBe(fsync === "off" ? 1 : said.length)
      return fsync === "off" && /successfully: fsync is off[^;]*$/.test(said[0] ?? "") ? [] : said
    }

    it.scopedLive("is nothing by its settings and tables alone", () =>
      Effect.gen(function* () {
        const { fsync, url } = yield* opened
        expect(without(fsync, yield* warnings(PgStorage.make({ url, ...logged })))).toEqual([])
        expect(without(fsync, yield* warnings(PgChangeLog.make({ url, table: "l", feed: "b" })))).toEqual([])
      })
    )

    it.scopedLive("is logged of synchronous_commit off, once for each storage and log", () =>
      Effect.gen(function* () {
        const { url } = yield* opened
        const weak = new URL(url)
        weak.searchParams.set("options", `${weak.searchParams.get("options")} -c synchronous_commit=off`)
        const clients = PgClient.layer({ url: Redacted.make(weak.href), maxConnections: 2 })
        for (const make of [
          Effect.asVoid(PgStorage.make({ url: weak.href, ...logged })),
          Effect.asVoid(PgChangeLog.make({ url: weak.href, table: "l", feed: "b" })),
          Effect.asVoid(Effect.provide(SqlStorage.make(table), clients)),
          Effect.asVoid(Effect.provide(SqlChangeLog.make({ table: "l", feed: "b" }), clients))
        ]) {
          const said = yield* warnings(make)
          expect(said.length).toBe(1)
          expect(said[0]).toMatch(/^WARN: the table "[tl]" may lose .* synchronous_commit is off/)
        }
        const remote = new URL(url)
        remote.searchParams.set(
          "options",
          `${remote.searchParams.get("options")} -c synchronous_commit=local`
        )
        const said = yield* warnings(PgStorage.make({ url: remote.href, ...table }))
        expect(said.join()).not.toContain("synchronous_commit")
      })
    )

    it.scopedLive("is logged of tables that are UNLOGGED or TEMPORARY, those of the log too", () =>
      Effect.gen(function* () {
        const { sql, url } = yield* opened
        yield* sql("CREATE UNLOGGED TABLE t (id text PRIMARY KEY)")
        yield* Effect.scoped(PgChangeLog.make({ url, table: "l", state: "latest" }))
        for (const one of ["l", "l_state"]) yield* sql(`ALTER TABLE ${one} SET UNLOGGED`)
        const said = yield* warnings(PgStorage.make({ url, ...logged }))
        expect(said.length).toBe(1)
        for (const one of ["t", "l", "l_state"]) {
          expect(said[0]).toContain(`"${one}" is UNLOGGED`)
          expect(said[0]).toContain(`ALTER TABLE "${one}" SET LOGGED`)
        }
        expect(said[0]).not.toContain('"l_heads" is')
        for (const one of ["t", "l", "l_state"]) yield* sql(`ALTER TABLE ${one} SET LOGGED`)
        expect((yield* warnings(PgStorage.make({ url, ...logged }))).join()).not.toContain("UNLOGGED")
        const client = yield* Layer.build(PgClient.layer({ url: Redacted.make(url), maxConnections: 1 }))
        const own = yield* Effect.provide(PgClient.PgClient, client)
        yield* own`CREATE TEMPORARY TABLE u (id text PRIMARY KEY)`
        const temporary = yield* warnings(Effect.provide(SqlStorage.make({ ...table, table: "u" }), client))
        expect(temporary[0]).toContain('"u" is TEMPORARY')
      })
    )
  })
}

describe("what SQLite may lose", () => {
  it.scopedLive("is nothing in a file of the library's own, or in memory", () =>
    Effect.gen(function* () {
      const filename = yield* tempFile
      for (const where of [filename, ":memory:"]) {
        expect(yield* warnings(SqliteStorage.make({ filename: where, ...logged }))).toEqual([])
        expect(yield* warnings(SqliteChangeLog.make({ filename: where, table: "l", feed: "b" }))).toEqual([])
      }
    })
  )

  it.scopedLive("is logged of a client's synchronous and journal_mode", () =>
    Effect.gen(function* () {
      const filename = yield* tempFile
      yield* openPlain(filename)
      const context = yield* Layer.build(SqliteClient.layer({ filename }))
      const client = yield* Effect.provide(SqliteClient.SqliteClient, context)
      const start = warnings(Effect.provide(SqlStorage.make(logged), context))
      for (const [pragma, says] of [
        ["synchronous = NORMAL", "synchronous is NORMAL"],
        ["synchronous = OFF", "synchronous is OFF"],
        ["synchronous = FULL", undefined],
        ["synchronous = EXTRA", undefined],
        ["journal_mode = MEMORY", "journal_mode is MEMORY"],
        // The driver's build refuses OFF.
        ["journal_mode = DELETE", undefined]
      ] as const) {
        yield* client.unsafe(`PRAGMA ${pragma}`)
        const said = yield* start
        expect(said.length, pragma).toBe(says === undefined ? 0 : 1)
        if (says !== undefined)
          expect(said[0]).toContain(`WARN: the table "t" may lose what was saved successfully: ${says}`)
      }
      yield* client.unsafe("PRAGMA synchronous = NORMAL")
      const said = yield* warnings(Effect.provide(SqlChangeLog.make({ table: "l", feed: "b" }), context))
      expect(said.length).toBe(1)
      expect(said[0]).toContain("synchronous is NORMAL")
    })
  )
})
