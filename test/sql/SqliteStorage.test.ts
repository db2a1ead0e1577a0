import * as fs from "node:fs/promises"
import * as path from "node:path"
import { inspect } from "node:util"
import * as Reactivity from "@effect/experimental/Reactivity"
import * as SqlClient from "@effect/sql/SqlClient"
import * as Statement from "@effect/sql/Statement"
import * as SqliteClient from "@effect/sql-sqlite-node/SqliteClient"
import { describe, expect, it } from "@effect/vitest"
import { Effect } from "effect"
import { Column, InvalidOptions, StorageError } from "../../src/Storage.js"
import * as SqliteStorage from "../../src/sql/SqliteStorage.js"
import * as SqlStorage from "../../src/sql/SqlStorage.js"
import { SqlFailure } from "../../src/sql/SqlStorage.js"
import { emptySqlite, openPlain, sqliteDatabase, tempFile } from "../support/sqlite/sqlite.js"
import { tempDir } from "../support/tempDir.js"
import { storageSuite } from "./storage/sqlStorage.suite.js"
import { tableSuite } from "./storage/sqlTable.suite.js"

storageSuite("SqliteStorage", emptySqlite(SqliteStorage.make))
tableSuite("SqliteStorage", "t", sqliteDatabase(SqliteStorage.make))

const columns = { id: Column.text, n: Column.integer }
const table = { table: "t", columns, id: "id" } as const

describe("SqliteStorage", () => {
  it.scopedLive("opens the file for safety and without waiting", () =>
    Effect.gen(function* () {
      const filename = yield* tempFile
      const storage = yield* SqliteStorage.make({ filename, ...table })
      const db = yield* openPlain(filename)
      expect(db.pragma("journal_mode", { simple: true })).toBe("wal")
      expect(db.prepare("SELECT strict FROM pragma_table_list('t')").get()).toEqual({ strict: 1 })
      // A writer elsewhere is told at once, as something that passes.
      db.exec("BEGIN IMMEDIATE")
      const error = yield* Effect.timeout(Effect.flip(storage.save([{ id: "a", n: 1 }])), "2 seconds")
      expect(error).toMatchObject({ kind: "Transient", outcome: "NotStored" })
      expect(error).toMatchObject({ cause: { code: "SQLITE_BUSY" } })
      expect(yield* storage.load({})).toEqual([])
      db.exec("COMMIT")
      expect(yield* storage.save([{ id: "a", n: 1 }])).toEqual({ duplicates: 0 })
    })
  )

  it.scopedLive("waits with opening while another connection writes", () =>
    Effect.gen(function* () {
      const filename = yield* tempFile
      const db = yield* openPlain(filename)
      db.pragma("journal_mode = WAL")
      db.exec("BEGIN IMMEDIATE")
      const made = yield* Effect.fork(SqliteStorage.make({ filename, ...table }))
      yield* Effect.yieldNow()
      db.exec("COMMIT")
      const storage = yield* made
      expect(yield* storage.save([{ id: "a", n: 1 }])).toEqual({ duplicates: 0 })
    })
  )

  it.scopedLive("fails typed on what is no database, and names the file", () =>
    Effect.gen(function* () {
      const folder = yield* tempDir
      const noDatabase = path.join(folder, "text.db")
      yield* Effect.promise(() =>
        fs.writeFile(noDatabase, "just some text, long enough to be no header".repeat(50))
      )
      for (const filename of [path.join(folder, "missing", "x.db"), folder, noDatabase]) {
        const error = yield* Effect.flip(SqliteStorage.make({ filename, ...table }))
        expect(error).toBeInstanceOf(StorageError)
        expect(error).toMatchObject({ kind: "Fatal", outcome: "NotStored" })
        expect(error.message).toContain(JSON.stringify(filename))
        expect((error as StorageError).cause).toBeInstanceOf(SqlFailure)
      }
      for (const filename of ["", 5 as unknown as string]) {
        expect(yield* Effect.flip(SqliteStorage.make({ filename, ...table }))).toBeInstanceOf(InvalidOptions)
      }
    })
  )

  it.scopedLive("fails a load typed on a row that another program wrote", () =>
    Effect.gen(function* () {
      const filename = yield* tempFile
      const db = yield* openPlain(filename)
      db.exec("CREATE TABLE t (id TEXT PRIMARY KEY NOT NULL, n INTEGER NOT NULL, j TEXT)")
      db.exec("INSERT INTO t VALUES ('a', 1, 's3cr3t, no json')")
      const storage = yield* SqliteStorage.make({
        filename,
        ...table,
        columns: { ...columns, j: Column.nullable(Column.json) }
      })
      const error = yield* Effect.flip(storage.load({}))
      expect(error).toMatchObject({ _tag: "StorageError", kind: "Fatal" })
      expect(inspect(error, { depth: 20 })).not.toContain("s3cr3t")
    })
  )

  it.scopedLive("keeps few statement texts for batches of any size", () =>
    Effect.gen(function* () {
      const filename = yield* tempFile
      const storage = yield* SqliteStorage.make({ filename, ...table })
      expect(storage.maxBatch).toBe(1000)
      const wide = Object.fromEntries(
        Array.from({ length: 59 }, (_, i) => [`c${i}`, Column.nullable(Column.integer)])
      )
      const many = yield* SqliteStorage.make({
        filename,
        table: "wide",
        columns: { id: Column.text, ...wide },
        id: "id"
      })
      expect(many.maxBatch).toBe(546)
      const rows = Array.from({ length: 546 }, (_, i) => ({ id: `${i}`, c58: i }))
      expect(yield* many.save(rows as never)).toEqual({ duplicates: 0 })
    })
  )
})

describe("SqlStorage over a SQLite client", () => {
  it.scopedLive(
    "saves outside of the caller's transaction, which on one connection ends by the caller's time-out",
    () =>
      Effect.gen(function* () {
        const filename = yield* tempFile
        const sql = yield* SqliteClient.SqliteClient
        const storage = yield* SqlStorage.make(table)
        const inside = yield* storage
          .save([{ id: "a", n: 1 }])
          .pipe(Effect.timeout("200 millis"), sql.withTransaction, Effect.flip)
        expect(inside).toMatchObject({ _tag: "TimeoutException" })
        expect(yield* storage.load({})).toEqual([])
        expect(yield* storage.save([{ id: "a", n: 1 }])).toEqual({ duplicates: 0 })
        // Reads and deletes beside the queue take part in it.
        yield* Effect.flip(
          sql.withTransaction(
            Effect.zipRight(storage.prune({ column: "n", before: 5 }), Effect.fail("rolled back" as const))
          )
        )
        expect(yield* storage.load({})).toEqual([{ id: "a", n: 1 }])
        expect(filename).toBeDefined()
      }).pipe(Effect.provide(SqliteClient.layer({ filename: ":memory:" })))
  )

  it.scopedLive("refuses a client of another dialect", () =>
    Effect.gen(function* () {
      const none = Effect.dieMessage("it must not connect")
      const compiler = Statement.makeCompiler({
        dialect: "mysql",
        placeholder: () => "?",
        onIdentifier: (name) => name,
        onRecordUpdate: () => ["", []],
        onCustom: () => ["", []]
      })
      const client = yield* SqlClient.make({ acquirer: none, compiler, spanAttributes: [] })
      const error = yield* Effect.flip(
        Effect.provideService(SqlStorage.make(table), SqlClient.SqlClient, client)
      )
      expect(error).toBeInstanceOf(InvalidOptions)
      expect(error).toMatchObject({ option: "client" })
    }).pipe(Effect.provide(Reactivity.layer))
  )
})
