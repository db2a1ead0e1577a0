/** Tables over a client of SQLite or Postgres: outcomes, constraints, triggers, the log, and what reads say of it. */
import type { SqlClient } from "@effect/sql/SqlClient"
import { describe, expect, it } from "@effect/vitest"
import { type Context, Effect, Option, type Scope } from "effect"
import fc from "fast-check"
import * as ChangeLog from "../../../src/ChangeLog.js"
import * as SqlChangeLog from "../../../src/sql/SqlChangeLog.js"
import * as SqlTable from "../../../src/sql/SqlTable.js"
import * as Table from "../../../src/Table.js"
import { holdsEffect } from "../../support/laws/laws.js"
import type { TableDatabase } from "../../support/table/databases.js"
import { following } from "../../support/watch/following.js"

const { Column, Query, Write } = Table

export const keys = Table.define({
  name: "keys",
  columns: {
    id: Column.uuid,
    tag: Column.nullable(Column.text),
    n: Column.integer,
    big: Column.nullable(Column.bigint),
    real: Column.nullable(Column.real),
    at: Column.nullable(Column.timestamp),
    detail: Column.nullable(Column.json),
    bytes: Column.nullable(Column.bytes)
  },
  id: "id"
})
type Keys = typeof keys
type Row = Table.NewRow<Keys>

export const id = (n: number) => `00000000-0000-7000-8000-00000000000${n.toString(16)}`
export const key = (n: number, over: Partial<Row> = {}): Row => ({ id: id(n), n, ...over })

const unique = [{ name: "keys_tag", columns: ["tag"], kind: "unique" }] as const

/** Outcomes in short: the change and `n` of the row, or the reason. */
export const seen = (results: ReadonlyArray<Table.WriteResult<Keys>>) =>
  results.map((result) => {
    if (result._tag === "Written") {
      return `${result.change} ${Option.match(result.row, { onNone: () => "none", onSome: ({ n }) => n })}`
    }
    return result._tag === "WriteRefused" ? result.reason : `${result.kind} ${result.outcome}`
  })

const revisions = (results: ReadonlyArray<Table.WriteResult<Keys>>) =>
  results.map((result) =>
    result._tag === "Written" ? Option.getOrUndefined(Option.map(result.revision, ({ seq }) => seq)) : "none"
  )

/** What a log holds: of each revision the keys, the values, and the previous values of none. */
const logged = (log: ChangeLog.ChangeLog<Table.TableChange>) =>
  Effect.flatMap(log.head, ({ floor }) =>
    Effect.map(log.read({ after: floor, limit: 1000 }), (all) =>
      all.map(({ events }) =>
        events.map((event) => [event.key, event._tag === "Put" ? event.value : undefined] as const)
      )
    )
  )

const open = (context: Context.Context<SqlClient>, options: SqlTable.SqlTableOptions<Keys["columns"]> = {}) =>
  Effect.provide(SqlTable.make(keys, options), context)

const setUp = (database: Effect.Effect<TableDatabase, unknown, Scope.Scope>) =>
  Effect.gen(function* () {
    const db = yield* database
    const context = yield* db.client
    const table = yield* open(context, { indexes: unique, log: { table: "log" } })
    // No poll finds what the table does not ring for.
    const changes = SqlChangeLog.make<Table.TableChange>({ table: "log", poll: "1 hour" })
    const log = yield* Effect.provide(changes, context)
    return { db, context, table, log }
  })

/** Values that survive the way to every database and back, and JSON whose keys have one order there. */
const fields = fc.record(
  {
    tag: fc.constantFrom(null, "a", "é 😀", ""),
    n: fc.constantFrom(0, -1, Number.MAX_SAFE_INTEGER),
    big: fc.constantFrom(null, 2n ** 63n - 1n, -1n),
    real: fc.constantFrom(null, 0.1, -1e300),
    at: fc.constantFrom(null, new Date(0), new Date("2026-01-01T00:00:00.001Z")),
    detail: fc.constantFrom(null, { a: [1, "x"] }, [], "text"),
    bytes: fc.constantFrom(null, new Uint8Array([0, 255]), new Uint8Array())
  },
  { requiredKeys: [] }
)
const ids = fc.integer({ min: 0, max: 4 }).map(id)
const rows = fc.tuple(ids, fields).map(([id, over]): Row => ({ n: 7, ...over, id }))
const when = fc.option(
  fc.constantFrom(
    Query.eq("n", 0),
    Query.isNull("tag"),
    Query.not(Query.eq("tag", "a")),
    Query.gte("at", new Date(1)),
    Query.or(Query.eq("big", -1n), Query.startsWith("tag", "é"))
  ),
  { nil: undefined }
)
const write: fc.Arbitrary<Table.Write<Keys>> = fc.oneof(
  { weight: 4, arbitrary: rows.map((row) => Write.insert<Keys>(row)) },
  { weight: 4, arbitrary: rows.map((row) => Write.replace<Keys>(row)) },
  {
    weight: 8,
    arbitrary: fc.tuple(ids, fields, when).map(([id, of, when]) => Write.patch<Keys>(id, of, when))
  },
  { weight: 4, arbitrary: fc.tuple(ids, when).map(([id, when]) => Write.delete<Keys>(id, when)) },
  { weight: 1, arbitrary: fc.constant(Write.deleteAll) }
)

/** Of every database. */
export const tableSuite = (
  name: string,
  database: Effect.Effect<TableDatabase, unknown, Scope.Scope>
): void => {
  describe(name, () => {
    it.scopedLive("does the same writes as a table in memory, and logs the same changes", () =>
      Effect.gen(function* () {
        const context = yield* (yield* database).client
        const table = yield* open(context, { log: { table: "log" } })
        const log = yield* Effect.provide(SqlChangeLog.make<Table.TableChange>({ table: "log" }), context)
        const calls = fc.array(fc.array(write, { minLength: 1, maxLength: 8 }), {
          minLength: 1,
          maxLength: 5
        })
        yield* holdsEffect(calls, 12, (calls) =>
          Effect.gen(function* () {
            const memoryLog = yield* ChangeLog.make<Table.TableChange>()
            const memory = yield* Table.memory(keys, { log: memoryLog })
            yield* table.deleteAll
            const { head } = yield* log.head
            yield* log.compact(head.seq)
            for (const [n, writes] of calls.entries()) {
              const expected = yield* memory.write(writes, `call ${n}`)
              const found = yield* table.write(writes, `call ${n}`)
              const plain = (result: Table.WriteResult<Keys>) =>
                result._tag === "Written"
                  ? { ...result, revision: Option.isSome(result.revision) }
                  : { ...result, cause: undefined }
              expect(found.map(plain)).toEqual(expected.map(plain))
              expect((yield* table.list()).value).toEqual((yield* memory.list({})).value)
            }
            expect(yield* logged(log)).toEqual(yield* logged(memoryLog))
          })
        )
      })
    )

    it.scopedLive("has one outcome for each write of a call, and logs the changes as one revision", () =>
      Effect.gen(function* () {
        const { log, table } = yield* setUp(database)
        const reader = yield* following(log)
        yield* table.write([1, 2, 3, 4].map((n) => Write.insert(key(n))))
        const results = yield* table.write(
          [
            Write.insert(key(1, { n: 10 })),
            Write.replace(key(2, { n: 20 })),
            Write.patch(id(3), { tag: "three" }, Query.eq("n", 3)),
            Write.patch(id(4), { tag: "four" }, Query.eq("n", 3)),
            Write.patch(id(5), { n: 1 }),
            Write.replace(key(6)),
            Write.delete(id(7)),
            Write.insert(key(8))
          ],
          "mixed"
        )
        expect(seen(results)).toEqual([
          "Unchanged 1",
          "Changed 20",
          "Changed 3",
          "Conflict",
          "Missing",
          "Changed 6",
          "Unchanged none",
          "Changed 8"
        ])
        expect(revisions(results)).toEqual([undefined, 2, 2, "none", "none", 2, undefined, 2])
        const [, second] = yield* logged(log)
        expect(second?.map(([key, value]) => [key, value?.op, value?.columns, value?.batch])).toEqual([
          [`keys/${id(2)}`, "Updated", ["n"], "mixed"],
          [`keys/${id(3)}`, "Updated", ["tag"], "mixed"],
          [`keys/${id(6)}`, "Inserted", undefined, "mixed"],
          [`keys/${id(8)}`, "Inserted", undefined, "mixed"]
        ])
        // The doorbell has rung for it, in this process.
        yield* Effect.timeout(reader.until(2), "10 seconds")
        // What changes nothing is no revision.
        const same = yield* table.write([Write.insert(key(1)), Write.patch(id(3), { tag: "three" })])
        expect(seen(same)).toEqual(["Unchanged 1", "Unchanged 3"])
        expect((yield* log.head).head.seq).toBe(2)
      })
    )

    it.scopedLive("says with every read which revision it holds, also without a row", () =>
      Effect.gen(function* () {
        const { context, log, table } = yield* setUp(database)
        const reads = Effect.all([
          table.get(id(1)),
          table.getMany([id(1), id(2)]),
          table.list({ where: Query.eq("n", 1) }),
          table.list({ where: Query.eq("n", 99) }),
          table.count(),
          table.count(Query.eq("n", 99))
        ])
        const heads = Effect.map(reads, (all) => all.map(({ revision }) => revision))
        for (const write of [Write.insert<Keys>(key(1)), Write.delete<Keys>(id(1))]) {
          yield* table.write([write])
          const { head } = yield* log.head
          expect(yield* heads).toEqual(Array.from({ length: 6 }, () => head))
        }
        const silent = yield* Effect.provide(SqlTable.make({ ...keys, name: "silent" }), context)
        expect(yield* silent.list()).toEqual({ value: [] })
        expect(yield* silent.count()).toEqual({ value: 0 })
      })
    )

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
        const inserts = [1, 13, 3, 14, 5].map((n, at) => Write.insert<typeof small>({ id: id(at), n }))
        expect(kinds(yield* table.write(inserts))).toEqual([
          "Changed",
          "Invalid",
          "Changed",
          "NotStored",
          "Changed"
        ])
        const patches = [13, 14, 2].map((n, at) => Write.patch<typeof small>(id(2 * at), { n }))
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

    it.scopedLive("knows a uuid in two spellings", () =>
      Effect.gen(function* () {
        const { log, table } = yield* setUp(database)
        const [upper, lower] = [
          "ABCDEF00-0000-7000-8000-00000000000A",
          "abcdef00-0000-7000-8000-00000000000a"
        ]
        yield* table.insert(key(1, { id: upper }))
        expect(seen([yield* table.insert(key(2, { id: lower }))])).toEqual(["Unchanged 1"])
        const patched = yield* table.patch(upper, { n: 3 }, Query.eq("id", upper))
        expect(Option.getOrThrow(patched.row)).toMatchObject({ id: lower, n: 3 })
        expect(Option.getOrThrow((yield* table.get(upper)).value).n).toBe(3)
        yield* table.delete(upper)
        const found = (yield* logged(log)).flat().map(([key]) => key)
        expect(found).toEqual([1, 2, 3].map(() => `keys/${lower}`))
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

    it.scopedLive("lets one of several conditional patches win, each time", () =>
      Effect.gen(function* () {
        const { db, table } = yield* setUp(database)
        const others = yield* Effect.forEach([1, 2], () =>
          Effect.flatMap(db.client, (context) => open(context, { log: { table: "log" } }))
        )
        const tables = [table, ...others]
        yield* table.insert(key(1, { n: 0 }))
        for (let n = 0; n < 15; n++) {
          const results = yield* Effect.forEach(
            tables,
            (one) => one.write([Write.patch(id(1), { n: n + 1 }, Query.eq("n", n))]),
            { concurrency: "unbounded" }
          )
          expect(seen(results.flat()).sort()).toEqual([`Changed ${n + 1}`, "Conflict", "Conflict"])
        }
      })
    )

    it.scopedLive("deletes all rows in one change", () =>
      Effect.gen(function* () {
        const { log, table } = yield* setUp(database)
        yield* table.write([Write.insert(key(1)), Write.insert(key(2))])
        const results = yield* table.write([Write.deleteAll, Write.insert(key(3)), Write.deleteAll])
        expect(seen(results)).toEqual(["Changed none", "Changed 3", "Changed none"])
        expect((yield* table.deleteAll).change).toBe("Unchanged")
        expect((yield* logged(log)).map((events) => events.map(([key]) => key))).toEqual([
          [`keys/${id(1)}`, `keys/${id(2)}`],
          ["keys/"],
          [`keys/${id(3)}`],
          ["keys/"]
        ])
      })
    )
  })
}
