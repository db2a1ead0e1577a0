/** What a database does to writes: constraints, triggers, sizes, and columns of other programs. */
import { describe, expect, it } from "@effect/vitest"
import { Effect, Option, type Scope } from "effect"
import { CurrentSizeLimits } from "../../../src/sql/internal/statementSize.js"
import * as SqlTable from "../../../src/sql/SqlTable.js"
import * as Table from "../../../src/Table.js"
import type { TableDatabase } from "../../support/table/databases.js"
import { id, key, keys, logged, revisions, seen, setUp } from "./fixture.js"

const { Write } = Table

/** Of every database. */
export const refusalSuite = (
  name: string,
  database: Effect.Effect<TableDatabase, unknown, Scope.Scope>
): void => {
  describe(name, () => {
    it.scopedLive("refuses a value that must be unique, and stores the neighbours in the same revision", () =>
      Effect.gen(function* () {
        const { log, table } = yield* setUp(database)
        yield* table.insert(key(1, { tag: "taken" }))
        const results = yield* table.write([
          Write.insert(key(2, { tag: "a" })),
          Write.insert(key(3, { tag: "taken" })),
          Write.insert(key(4, { tag: "b" })),
          Write.replace(key(5, { tag: "taken" })),
          Write.patch(id(1), { n: 100 }),
          Write.insert(key(6, { tag: "c" }))
        ])
        expect(seen(results)).toEqual([
          "Changed 2",
          "Unique",
          "Changed 4",
          "Unique",
          "Changed 100",
          "Changed 6"
        ])
        expect(revisions(results)).toEqual([2, "none", 2, "none", 2, 2])
        expect((yield* table.list()).value.map(({ n }) => n)).toEqual([100, 2, 4, 6])
        expect((yield* logged(log))[1]?.map(([key]) => key)).toEqual([2, 4, 1, 6].map((n) => `keys/${id(n)}`))
        expect(seen(yield* table.write([Write.patch(id(2), { tag: "taken" })]))).toEqual(["Unique"])
      })
    )

    it.scopedLive("refuses alone what a constraint of the table or a trigger refuses", () =>
      Effect.gen(function* () {
        const db = yield* database
        const sqlite = db.dialect === "sqlite"
        const check = 'CHECK ("n" <> 13)'
        yield* db.sql(
          sqlite
            ? `CREATE TABLE small ("id" TEXT NOT NULL PRIMARY KEY, "n" INTEGER NOT NULL ${check}) STRICT`
            : `CREATE TABLE small ("id" uuid NOT NULL PRIMARY KEY, "n" bigint NOT NULL ${check})`
        )
        const { name: _, ...rest } = keys
        const small = Table.define({
          ...rest,
          name: "small",
          columns: { id: keys.columns.id, n: keys.columns.n }
        })
        const table = yield* Effect.provide(SqlTable.make(small, { log: { table: "log" } }), yield* db.client)
        for (const event of ["INSERT", "UPDATE", "DELETE"]) {
          const row = event === "DELETE" ? "OLD" : "NEW"
          const what = event.toLowerCase()
          if (sqlite) {
            yield* db.sql(
              `CREATE TRIGGER on_${what} BEFORE ${event} ON small WHEN ${row}."n" = 14 BEGIN SELECT RAISE(ABORT, 'not 14'); END`
            )
          } else {
            yield* db.sql(
              `CREATE FUNCTION on_${what}() RETURNS trigger LANGUAGE plpgsql AS
               $$ BEGIN IF ${row}."n" = 14 THEN RAISE 'not 14'; END IF; RETURN ${row}; END $$`
            )
            yield* db.sql(
              `CREATE TRIGGER on_${what} BEFORE ${event} ON small FOR EACH ROW EXECUTE FUNCTION on_${what}()`
            )
          }
        }
        const kinds = (results: ReadonlyArray<Table.WriteResult<typeof small>>) =>
          results.map((one) =>
            one._tag === "Written" ? one.change : one._tag === "WriteRefused" ? one.reason : one.outcome
          )
        const inserts = [1, 13, 3, 14, 5].map((n, at) => Write.insert({ id: id(at), n }))
        expect(kinds(yield* table.write(inserts))).toEqual([
          "Changed",
          "Invalid",
          "Changed",
          "NotStored",
          "Changed"
        ])
        const patches = [13, 14, 2].map((n, at) => Write.patch(id(2 * at), { n }))
        expect(kinds(yield* table.write(patches))).toEqual(["Invalid", "NotStored", "Changed"])
        expect((yield* table.list()).value.map(({ n }) => n)).toEqual([1, 3, 2])
        expect((yield* table.count()).revision?.seq).toBe(2)
      })
    )

    it.scopedLive("answers with the row that a trigger has made, and does not claim what one drops", () =>
      Effect.gen(function* () {
        const { db, log, table } = yield* setUp(database)
        if (db.dialect === "sqlite") {
          yield* db.sql(
            `CREATE TRIGGER stamp AFTER UPDATE OF "n" ON keys BEGIN UPDATE keys SET "real" = 0.5 WHERE "id" = NEW."id"; END`
          )
          yield* db.sql(
            `CREATE TRIGGER refuse BEFORE INSERT ON keys WHEN NEW."n" = 9 BEGIN SELECT RAISE(IGNORE); END`
          )
          yield* db.sql(
            `CREATE TRIGGER keep BEFORE DELETE ON keys WHEN OLD."n" = 2 BEGIN SELECT RAISE(IGNORE); END`
          )
        } else {
          yield* db.sql(
            `CREATE FUNCTION stamp() RETURNS trigger LANGUAGE plpgsql AS
             $$ BEGIN UPDATE keys SET "real" = 0.5 WHERE "id" = NEW."id"; RETURN NULL; END $$`
          )
          yield* db.sql(
            `CREATE TRIGGER stamp AFTER UPDATE OF "n" ON keys FOR EACH ROW EXECUTE FUNCTION stamp()`
          )
          yield* db.sql(
            `CREATE FUNCTION drop() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$`
          )
          yield* db.sql(
            `CREATE TRIGGER refuse BEFORE INSERT ON keys FOR EACH ROW WHEN (NEW."n" = 9) EXECUTE FUNCTION drop()`
          )
          yield* db.sql(
            `CREATE TRIGGER keep BEFORE DELETE ON keys FOR EACH ROW WHEN (OLD."n" = 2) EXECUTE FUNCTION drop()`
          )
        }
        yield* table.write([Write.insert(key(1)), Write.insert(key(2)), Write.insert(key(3))])
        const patched = yield* table.patch(id(1), { n: 11 })
        expect(Option.getOrThrow(patched.row).real).toBe(0.5)
        const [, update] = yield* logged(log)
        expect(update?.[0]?.[1]).toMatchObject({ columns: ["n", "real"], row: { n: 11, real: 0.5 } })
        const dropped = yield* table.write([
          Write.insert(key(9)),
          Write.delete(id(2)),
          Write.delete(id(3)),
          Write.insert(key(4))
        ])
        expect(seen(dropped)).toEqual(["Poison NotStored", "Poison NotStored", "Changed none", "Changed 4"])
        expect((yield* table.list()).value.map(({ n }) => n)).toEqual([11, 2, 4])
      })
    )

    it.scopedLive("leaves the columns alone that a patch does not set, whatever its neighbours set", () =>
      Effect.gen(function* () {
        const { db, table } = yield* setUp(database)
        yield* table.write([Write.insert(key(1)), Write.insert(key(2))])
        // A number that no double holds.
        const digits = "123456789012345678901234567890"
        const text = db.dialect === "sqlite" ? `'{"x":${digits}}'` : `'{"x": ${digits}}'::jsonb`
        yield* db.sql(`UPDATE keys SET "detail" = ${text} WHERE "id" = '${id(1)}'`)
        const results = yield* table.write([
          Write.patch(id(1), { n: 10 }),
          Write.patch(id(2), { detail: { y: 1 }, real: 1.5 })
        ])
        expect(seen(results)).toEqual(["Changed 10", "Changed 2"])
        const [found] = yield* db.sql(
          `SELECT CAST("detail" AS text) AS "detail" FROM keys WHERE "id" = '${id(1)}'`
        )
        expect(found?.detail).toContain(digits)
      })
    )

    it.scopedLive("splits what is too large for one statement, and fails alone what no statement holds", () =>
      Effect.gen(function* () {
        const { log, table } = yield* setUp(database).pipe(
          Effect.provideService(CurrentSizeLimits, { batch: 2000, record: 5000 })
        )
        const sized = (n: number, length: number) => key(n, { tag: String(n).repeat(length) })
        const results = yield* table.write([
          Write.insert(sized(1, 900)),
          Write.insert(sized(2, 900)),
          Write.insert(sized(3, 6000)),
          Write.insert(sized(4, 900)),
          Write.insert(sized(5, 900))
        ])
        expect(seen(results)).toEqual([
          "Changed 1",
          "Changed 2",
          "Poison NotStored",
          "Changed 4",
          "Changed 5"
        ])
        expect((yield* table.list()).value.map(({ n }) => n)).toEqual([1, 2, 4, 5])
        // Together they are too large for an entry: it names the rows alone.
        expect((yield* logged(log)).map((events) => events.map(([, value]) => value?.row))).toEqual([
          [undefined, undefined, undefined, undefined]
        ])
      })
    )
  })
}
