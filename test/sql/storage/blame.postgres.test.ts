/** Whose matter a failure is, on Postgres. */
import { describe, expect, it } from "@effect/vitest"
import { Effect, Logger, Option } from "effect"
import * as Recorder from "../../../src/Recorder.js"
import { Column } from "../../../src/Storage.js"
import * as PgStorage from "../../../src/sql/PgStorage.js"
import { databaseUrls } from "../../support/postgres/databases.js"
import { openClient, ownSchema, pgDatabase, ways } from "../../support/postgres/tables.js"
import { numbers } from "../../support/recorder/account.js"
import { withSettings } from "../../support/recorder/underLoad.js"
import { status } from "../../support/recorder/watching.js"
import { blameSuite, idsOf, retry, rows, setsAsideOne, trigger } from "./blame.suite.js"

const columns = { id: Column.integer, note: Column.text }
const table = { table: "trail", columns, id: "id" } as const
const quiet = Effect.provide(Logger.remove(Logger.defaultLogger))

describe.each(databaseUrls())("on $name", ({ url: server }) => {
  for (const [way, made] of Object.entries(ways)) blameSuite(way, pgDatabase(server, made))

  const role = "effect_recorder_writer"

  const asRole = Effect.gen(function* () {
    const url = yield* ownSchema(server)
    const sql = yield* openClient(url)
    yield* sql(
      `DO $$ BEGIN CREATE ROLE ${role}; EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$`
    )
    const [found] = yield* sql("SELECT current_schema() AS schema")
    yield* sql(`GRANT USAGE, CREATE ON SCHEMA ${String(found?.schema)} TO ${role}`)
    const storage = yield* PgStorage.make({ ...table, url: withSettings(url, [`role=${role}`]) })
    return { dialect: "pg" as const, make: ways.PgStorage(url).make, sql, storage }
  })

  it.scopedLive("row-level security that refuses one of the first 100 sets one aside", () =>
    quiet(
      Effect.gen(function* () {
        const { storage, ...database } = yield* asRole
        yield* database.sql("ALTER TABLE trail ENABLE ROW LEVEL SECURITY")
        yield* database.sql("ALTER TABLE trail FORCE ROW LEVEL SECURITY")
        yield* database.sql("CREATE POLICY mine ON trail USING (true) WITH CHECK (note <> 'theirs')")
        const recorder = yield* Recorder.make(storage, { retry })
        const bad = { id: 40, note: "theirs" }
        const all = rows(1, 100).map((row) => (row.id === 40 ? bad : row))
        const { cause } = yield* setsAsideOne(database, recorder, all, bad)
        expect(cause).toMatchObject({ kind: "Poison", cause: { code: "42501" } })
      })
    )
  )

  it.scopedLive("a privilege that no record has stops the recorder before the first save, in few saves", () =>
    quiet(
      Effect.gen(function* () {
        const { sql, storage } = yield* asRole
        yield* sql(`REVOKE INSERT ON trail FROM ${role}`)
        yield* sql("ALTER TABLE trail OWNER TO CURRENT_USER")
        let saves = 0
        const recorder = yield* Recorder.make(
          {
            save: (batch: Parameters<typeof storage.save>[0]) => {
              saves++
              return storage.save(batch)
            },
            load: storage.load
          },
          { retry }
        )
        yield* recorder.saveAll(rows(1, 1000))
        const failed = yield* status(recorder, "Failed")
        expect(Option.getOrThrow(failed.cause)).toMatchObject({ kind: "Fatal", cause: { code: "42501" } })
        expect(saves).toBeLessThanOrEqual(24 + 48 + 72)
        const { setAside, unsaved } = yield* recorder.close
        expect([setAside.length, unsaved.length]).toEqual([0, 1000])
      })
    )
  )

  it.scopedLive("a trigger that routes by month sets the record aside whose month has no table", () =>
    quiet(
      Effect.gen(function* () {
        const database = yield* pgDatabase(server, ways.PgStorage)
        const storage = yield* database.make(table)
        yield* database.sql("CREATE TABLE month_1 (id bigint)")
        const route = "EXECUTE format('INSERT INTO month_%s VALUES ($1)', NEW.note) USING NEW.id"
        for (const text of trigger("pg", "NEW.note ~ '^[0-9]+$'", route)) yield* database.sql(text)
        const recorder = yield* Recorder.make(storage, { retry })
        const bad = { id: 50, note: "13" }
        const all = rows(1, 100, "1").map((row) => (row.id === 50 ? bad : row))
        yield* recorder.saveAll(all)
        yield* recorder.saveDurable({ id: 200, note: "1" })
        yield* recorder.flush
        const { setAside, stats } = yield* recorder.close
        expect(setAside.map(({ record }) => record)).toEqual([bad])
        expect(stats.stored).toBe(100)
        expect((yield* idsOf(database)).length).toBe(100)
      })
    )
  )

  it.scopedLive("batches that are too slow for statement_timeout are halved once, and stay so", () =>
    quiet(
      Effect.gen(function* () {
        const { make, sql } = yield* pgDatabase(server, ways.PgStorage)
        const storage = yield* make(table)
        // What the server says of a statement that took too long, whatever the machine's speed.
        yield* sql(`CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
          IF (SELECT count(*) FROM fresh) > 60 THEN RAISE EXCEPTION 'slow' USING ERRCODE = '57014'; END IF;
          RETURN NULL; END $$`)
        yield* sql(
          "CREATE TRIGGER slow AFTER INSERT ON trail REFERENCING NEW TABLE AS fresh EXECUTE FUNCTION slow()"
        )
        let failed = 0
        const recorder = yield* Recorder.make(
          {
            save: (batch: Parameters<typeof storage.save>[0]) =>
              Effect.tapError(storage.save(batch), () => Effect.sync(() => failed++)),
            load: storage.load
          },
          { retry, maxBatchSize: 200 }
        )
        yield* recorder.saveAll(rows(1, 600))
        yield* recorder.flush
        const { setAside, stats } = yield* recorder.close
        expect(setAside).toEqual([])
        expect(stats).toMatchObject({ stored: 600, retries: 0 })
        // 200 and 100 are too many, 50 are not: the first batch finds out, and tries 100 once more.
        expect(failed).toBe(3)
        const held = yield* sql("SELECT id FROM trail ORDER BY id")
        expect(held.map(({ id }) => Number(id))).toEqual(numbers(600))
      })
    )
  )
})
