/** Traps that need a database, by name. */
import * as SqlClient from "@effect/sql/SqlClient"
import * as PgClient from "@effect/sql-pg/PgClient"
import * as SqliteClient from "@effect/sql-sqlite-node/SqliteClient"
import { describe, expect, it } from "@effect/vitest"
import { Effect, Exit, Layer, Logger, Redacted, Schedule, type Scope } from "effect"
import * as Recorder from "../../src/Recorder.js"
import { Column, type NewRowOf, Query } from "../../src/Storage.js"
import type { SqlFailure } from "../../src/sql/internal/errors.js"
import * as PgStorage from "../../src/sql/PgStorage.js"
import * as SqliteStorage from "../../src/sql/SqliteStorage.js"
import * as SqliteWorker from "../../src/sql/SqliteWorker.js"
import * as SqlStorage from "../../src/sql/SqlStorage.js"
import type { Database } from "../sql/storage/sqlTable.suite.js"
import { databaseUrls } from "../support/postgres/databases.js"
import { openClient, ownSchema, pgDatabase, ways } from "../support/postgres/tables.js"
import { expectBalance, numbers } from "../support/recorder/account.js"
import { sqliteDatabase, tempFile } from "../support/sqlite/sqlite.js"

const quiet = Effect.provide(Logger.remove(Logger.defaultLogger))

const columns = { id: Column.integer, door: Column.nullable(Column.text) }
const table = { table: "t", columns, id: "id" } as const

const databases: ReadonlyArray<readonly [string, Effect.Effect<Database, unknown, Scope.Scope>]> = [
  ["SQLite", sqliteDatabase(SqliteStorage.make)],
  ["a SQLite worker", sqliteDatabase(SqliteWorker.make)],
  ...databaseUrls().map(({ name, url }) => [name, pgDatabase(url, ways.PgStorage)] as const)
]

describe("trap: another unique constraint under ON CONFLICT", () => {
  for (const [name, database] of databases) {
    it.scopedLive(`${name}: what violates it is set aside, not swallowed, and the others are stored`, () =>
      Effect.gen(function* () {
        // ON CONFLICT names the id: what violates another constraint counts neither as a duplicate nor as stored.
        const { make, sql } = yield* database
        const indexes = [{ name: "t_door", columns: ["door"], kind: "unique" }] as const
        const recorder = yield* Recorder.make(yield* make({ ...table, indexes }))
        yield* recorder.saveDurable({ id: 1, door: "front" })
        const rest = numbers(99, 2).map((id) => ({ id, door: `door ${id}` }))
        // One takes a door that is taken, one that of its neighbour; one is there already, the door too.
        const bad = [
          { id: 200, door: "front" },
          { id: 201, door: "door 50" }
        ]
        const batch = [...rest.slice(0, 50), ...bad, { id: 1, door: "front" }, ...rest.slice(50)]
        expect(yield* recorder.saveAll(batch)).toBe(true)
        const { setAside, stats, unsaved } = yield* recorder.close
        expect(setAside.map(({ outcome, record }) => [record, outcome])).toEqual(
          bad.map((record) => [record, "NotStored"])
        )
        for (const { cause } of setAside) {
          expect(cause.kind).toBe("Poison")
          expect((cause.cause as SqlFailure).constraint).toContain("door")
        }
        expect(unsaved).toEqual([])
        expectBalance(stats)
        expect(stats).toMatchObject({ stored: 101, setAside: 2, duplicates: 1 })
        const held = yield* sql("SELECT id FROM t ORDER BY id")
        expect(held.map(({ id }) => Number(id))).toEqual(numbers(100))
      }).pipe(quiet)
    )
  }

  for (const [name, database] of databases) {
    it.scopedLive(
      `${name}: a violator with the id of a row that is there is a duplicate, and nothing else`,
      () =>
        Effect.gen(function* () {
          const { make, sql } = yield* database
          const indexes = [{ name: "t_door", columns: ["door"], kind: "unique" }] as const
          const recorder = yield* Recorder.make(yield* make({ ...table, indexes }))
          yield* recorder.saveDurable({ id: 1, door: "front" })
          yield* recorder.saveAll([
            { id: 1, door: "front" },
            { id: 2, door: null },
            { id: 3, door: null }
          ])
          const { setAside, stats } = yield* recorder.close
          expect(setAside).toEqual([])
          expect(stats).toMatchObject({ stored: 4, duplicates: 1 })
          expect((yield* sql("SELECT id FROM t")).length).toBe(3)
        }).pipe(quiet)
    )
  }
})

type Rows = Recorder.Recorder<NewRowOf<typeof columns>, SqlStorage.SqlQuery<typeof columns>, unknown>

/** Makes a recorder, saves by it, and then rolls back whatever the transaction holds. */
const rolledBack = (make: Effect.Effect<Rows, unknown, Scope.Scope | SqlClient.SqlClient>, awaits: boolean) =>
  Effect.gen(function* () {
    const sql = yield* SqlClient.SqlClient
    yield* sql`CREATE TABLE business (id INTEGER)`
    let recorder: Rows | undefined
    const exit = yield* Effect.exit(
      sql.withTransaction(
        Effect.gen(function* () {
          recorder = yield* make
          yield* sql`INSERT INTO business VALUES (1)`
          recorder.unsafeSave({ id: 1 })
          yield* recorder.save({ id: 2 })
          if (awaits) yield* recorder.saveDurable({ id: 3 })
          else recorder.unsafeSave({ id: 3 })
          return yield* Effect.fail("rolled back")
        })
      )
    )
    expect(Exit.isFailure(exit)).toBe(true)
    if (recorder === undefined) throw new Error("there is no recorder")
    yield* recorder.saveDurable({ id: 4 })
    const { stats } = yield* recorder.close
    expect(stats).toMatchObject({ accepted: 4, stored: 4, pending: 0 })
    const ids = yield* sql<{ readonly id: number | string }>`SELECT id FROM t ORDER BY id`
    expect(ids.map(({ id }) => Number(id))).toEqual([1, 2, 3, 4])
    expect(yield* sql`SELECT id FROM business`).toEqual([])
  }).pipe(quiet)

describe("trap: a recorder made inside a transaction that rolls back", () => {
  // The actor runs without its maker's transaction, and the storage reserves connections of its own.
  it.scopedLive("SqlStorage over a SQLite client: its records stay", () =>
    Effect.gen(function* () {
      const filename = yield* tempFile
      const client = yield* Layer.build(SqliteClient.layer({ filename }))
      // The client has one connection, and the transaction has it: the table must be there before.
      yield* Effect.gen(function* () {
        const storage = yield* SqlStorage.make(table)
        yield* rolledBack(Recorder.make(storage), false)
      }).pipe(Effect.provide(client))
    })
  )

  for (const { name, url: server } of databaseUrls()) {
    it.scopedLive(`SqlStorage over a Postgres client, ${name}: its records and its table stay`, () =>
      Effect.gen(function* () {
        const url = yield* ownSchema(server)
        const client = yield* Layer.build(PgClient.layer({ url: Redacted.make(url), maxConnections: 4 }))
        const make = Effect.flatMap(SqlStorage.make(table), (storage) => Recorder.make(storage))
        yield* Effect.provide(rolledBack(make, true), client)
      })
    )
  }
})

describe("trap: a record with an error code that is not listed", () => {
  for (const { name, url: server } of databaseUrls()) {
    it.scopedLive(`${name}: it is set aside, and does not block the trail`, () =>
      Effect.gen(function* () {
        const { make, sql } = yield* pgDatabase(server, ways.PgStorage)
        const recorder = yield* Recorder.make(yield* make(table), { retry: Schedule.spaced("10 millis") })
        yield* sql(
          `CREATE FUNCTION curse() RETURNS trigger LANGUAGE plpgsql AS
           $$ BEGIN RAISE EXCEPTION 'cursed' USING ERRCODE = 'ZZ001'; END $$`
        )
        yield* sql(
          `CREATE TRIGGER curse BEFORE INSERT ON t FOR EACH ROW WHEN (NEW.door = 'cursed') EXECUTE FUNCTION curse()`
        )
        const bad = 40
        const records = numbers(100).map((id) => ({ id, door: id === bad ? "cursed" : null }))
        yield* recorder.saveAll(records)
        yield* recorder.saveDurable({ id: 101, door: null })
        const { setAside, stats } = yield* recorder.close
        expect(setAside.map(({ record }) => record.id)).toEqual([bad])
        expect((setAside[0]!.cause.cause as SqlFailure).code).toBe("ZZ001")
        expectBalance(stats)
        const held = yield* sql("SELECT id FROM t ORDER BY id")
        expect(held.map(({ id }) => Number(id))).toEqual(numbers(101).filter((id) => id !== bad))
      }).pipe(quiet)
    )
  }
})

describe("trap: the pool's dead connection picked again", () => {
  for (const { name, url: server } of databaseUrls()) {
    it.scopedLive(`${name}: all idle backends are ended, and the next saves succeed`, () =>
      Effect.gen(function* () {
        const url = yield* ownSchema(server)
        const sql = yield* openClient(url)
        const applicationName = `trap ${new URL(url).searchParams.get("options")}`.slice(0, 60)
        const storage = yield* PgStorage.make({ ...table, url, applicationName, maxConnections: 4 })
        const recorder = yield* Recorder.make(storage, { retry: Schedule.spaced("10 millis") })
        const load = storage.load({ limit: 1 })
        const kill = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = $1"
        let id = 0
        for (const _ of numbers(10)) {
          // As many connections as the pool has, each idle.
          yield* Effect.all([load, load, load, load], { concurrency: "unbounded" }).pipe(
            Effect.retry({ times: 4 })
          )
          const ended = yield* sql(kill, [applicationName])
          expect(ended.length).toBe(4)
          // Before the ends of the sockets are seen: any of the four may be picked, one after the other.
          recorder.unsafeSave({ id: ++id, door: null })
          yield* recorder.saveDurable({ id: ++id, door: null })
          const { setAside, stored } = recorder.unsafeStats()
          expect([setAside, stored]).toEqual([0, id])
        }
        const stats = recorder.unsafeStats()
        expect(stats.retries, "each dead connection costs one attempt at most").toBeLessThanOrEqual(40)
        const found = yield* recorder.load({ orderBy: [Query.asc("id")] })
        expect(found.map((row) => row.id)).toEqual(numbers(20))
        const report = yield* recorder.close
        expect(report.setAside).toEqual([])
        expectBalance(report.stats)
      }).pipe(quiet)
    )
  }
})
