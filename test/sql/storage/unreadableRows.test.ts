/**
 * Rows that another program has written, with values that this library would not write: each is read once and the pages
 * end, or the read fails, typed, and names the table and the column.
 */
import { describe, expect, it } from "@effect/vitest"
import { Chunk, Effect, Either, Stream } from "effect"
import { checkQuery } from "../../../src/internal/columns/checkQuery.js"
import { Column, type Columns, memory, Query, StorageError, type TableStorage } from "../../../src/Storage.js"
import { pgDialect } from "../../../src/sql/internal/pg/dialect.js"
import { sizeLimits } from "../../../src/sql/internal/statementSize.js"
import { select } from "../../../src/sql/internal/storage/renderQuery.js"
import { makeTable } from "../../../src/sql/internal/storage/tableOptions.js"
import * as PgStorage from "../../../src/sql/PgStorage.js"
import * as SqliteStorage from "../../../src/sql/SqliteStorage.js"
import { databaseUrls } from "../../support/postgres/databases.js"
import { openClient, ownSchema } from "../../support/postgres/tables.js"
import { openPlain, tempFile } from "../../support/sqlite/sqlite.js"

const columns = { id: Column.integer, at: Column.timestamp, maybe: Column.nullable(Column.timestamp) }
type C = typeof columns
const options = { table: "t", columns, id: "id" } as const

/** The rows of a query by pages of so many, as a caller pages; never more pages than there can be. */
const byPages = <D extends Columns>(storage: TableStorage<D>, asked: Query<D>, limit: number, most: number) =>
  Effect.gen(function* () {
    const found: Array<Readonly<Record<string, unknown>>> = []
    for (let pages = 0; pages <= most; pages++) {
      const after = found.at(-1)
      const page = yield* storage.load({
        ...asked,
        limit,
        ...(after === undefined ? {} : { after })
      } as Query<D>)
      found.push(...page)
      if (page.length < limit) return found
    }
    return yield* Effect.die("the pages have no end")
  })

const streamed = <D extends Columns>(storage: TableStorage<D>, asked: Query<D>, most: number) =>
  Effect.map(Stream.runCollect(Stream.take(storage.query(asked), most + 1)), Chunk.toReadonlyArray)

const orders: ReadonlyArray<Query<C>["orderBy"] & {}> = [
  [Query.asc("at")],
  [Query.desc("at")],
  [Query.asc("maybe")],
  [Query.desc("maybe")],
  [Query.asc("maybe"), Query.desc("at")],
  [Query.desc("at"), Query.desc("id")]
]

const idsOf = (rows: ReadonlyArray<object>): ReadonlyArray<unknown> =>
  rows.map((row) => (row as { id: unknown }).id)

const unreadable = (error: unknown, column: string) => {
  expect(error).toBeInstanceOf(StorageError)
  expect(error).toMatchObject({ kind: "Fatal", outcome: "NotStored" })
  expect((error as StorageError).message).toContain('the table "t"')
  expect((error as StorageError).message).toContain(`"${column}"`)
}

for (const { name, url: server } of databaseUrls()) {
  describe(`rows of others in ${name}`, () => {
    const opened = (...statements: ReadonlyArray<string>) =>
      Effect.gen(function* () {
        const url = yield* ownSchema(server)
        const sql = yield* openClient(url)
        for (const statement of statements) yield* sql(statement)
        return { sql, storage: yield* PgStorage.make({ url, ...options }) }
      })
    const wide = (type: string) =>
      `CREATE TABLE t (id bigint PRIMARY KEY, at ${type} NOT NULL, maybe ${type})`

    it.scopedLive("with one instant of microseconds come once each, by pages and streamed", () =>
      Effect.gen(function* () {
        const { storage } = yield* opened(
          wide("timestamptz"),
          "CREATE INDEX t_at ON t (at)",
          "INSERT INTO t SELECT i, '2026-01-02T03:04:05.000300Z', NULL FROM generate_series(1, 1200) i"
        )
        const all = Array.from({ length: 1200 }, (_, n) => n + 1)
        for (const [orderBy, expected] of [
          [[Query.asc("at")], all],
          [[Query.desc("at")], all.slice().reverse()]
        ] as const) {
          expect(idsOf(yield* byPages(storage, { orderBy }, 97, 13))).toEqual(expected)
          expect(idsOf(yield* streamed(storage, { orderBy }, 1200))).toEqual(expected)
          const third = yield* storage.load({ orderBy, limit: 7, page: 3 })
          expect(idsOf(third)).toEqual(expected.slice(14, 21))
        }
        expect(
          yield* storage.load({ where: Query.eq("at", new Date("2026-01-02T03:04:05.000Z")), limit: 2 })
        ).toEqual([1, 2].map((id) => ({ id, at: new Date("2026-01-02T03:04:05.000Z"), maybe: null })))
      })
    )

    for (const type of [
      "timestamptz",

      "timestamptz(4)",
      "timestamptz(3)"
    ]) {
      it.scopedLive(`of ${type} answer every order and comparison as they are read`, () =>
        Effect.gen(function* () {
          const { sql, storage } = yield* opened(
            wide(type),
            "CREATE INDEX t_at ON t (at)",
            // Before and after 1970, several to a millisecond, on both sides of each one.
            `INSERT INTO t SELECT i, base + i * 73 % 90 * interval '130 microseconds',
               CASE WHEN i % 4 > 0 THEN base + i * 31 % 70 * interval '170 microseconds' END
             FROM generate_series(1, 100) i,
               LATERAL (SELECT CASE WHEN i % 2 = 0 THEN timestamptz '1969-12-31T23:59:59.995Z'
                 ELSE timestamptz '1960-02-03T04:05:06.999Z' END AS base) b`
          )
          const all = yield* storage.load({})
          expect(all.length).toBe(100)
          // The memory table, with the rows as they are read.
          const same = yield* memory({ columns, id: "id" })
          yield* same.save(all)
          for (const orderBy of orders) {
            const expected = yield* same.load({ orderBy })
            const fourth = { orderBy, limit: 9, page: 4 }
            expect(yield* storage.load(fourth)).toEqual(expected.slice(27, 36))
            const whole = yield* storage.load({ orderBy })
            expect(idsOf(whole)).toEqual(idsOf(expected))
            for (const size of [13, 97]) {
              expect(idsOf(yield* byPages(storage, { orderBy }, size, 101))).toEqual(idsOf(expected))
            }
            expect(idsOf(yield* streamed(storage, { orderBy }, 100))).toEqual(idsOf(expected))
          }
          for (const { at } of all.slice(0, 4)) {
            const to = new Date(at.getTime() + 2)
            for (const where of [
              Query.eq("at", at),
              Query.ne("at", at),
              Query.lt("at", at),
              Query.lte("at", at),
              Query.gt("at", at),
              Query.gte("at", at),
              Query.between("at", at, to),
              Query.in("at", [at, to]),
              Query.not(Query.in("maybe", [at, to])),
              Query.and(Query.ne("maybe", to), Query.gt("at", at))
            ]) {
              expect(yield* storage.load({ where })).toEqual(yield* same.load({ where }))
            }
          }
          const cut = all[5]!.at
          const before = all.filter(({ at }) => at < cut)
          expect(yield* storage.prune({ column: "at", before: cut, batchSize: 7 })).toBe(before.length)
          expect(yield* sql("SELECT count(*)::int AS n FROM t")).toEqual([{ n: 100 - before.length }])
        })
      )
    }

    it.scopedLive("are read through the index of their column, in a table of either kind", () =>
      Effect.gen(function* () {
        const { sql } = yield* opened(
          wide("timestamptz"),
          "CREATE INDEX t_at ON t (at)",
          "INSERT INTO t SELECT i, timestamptz '2026-01-01' + i * interval '1 ms', NULL FROM generate_series(1, 20000) i",
          "ANALYZE t"
        )
        const table = Effect.runSync(makeTable({ schema: undefined, indexes: [], ...options }, sizeLimits))
        for (const finer of [true, false]) {
          const found = {
            ...table,
            columns: table.columns.map((column) => ({
              ...column,
              finer: finer && column.type === "timestamp"
            }))
          }
          for (const order of [Query.asc("at"), Query.desc("at")]) {
            for (const after of [undefined, { at: new Date("2026-01-01T00:00:07Z"), id: 7000 }]) {
              const asked = { orderBy: [order], limit: 50, ...(after === undefined ? {} : { after }) }
              const query = Either.getOrThrow(checkQuery(columns, "id", asked))
              const { params, text } = Either.getOrThrow(select(pgDialect, found, query, undefined))
              const plan = yield* sql(`EXPLAIN ${text}`, params)
              expect(JSON.stringify(plan)).not.toContain("Seq Scan")
            }
          }
        }
      })
    )

    const spoiled: ReadonlyArray<readonly [column: string, type: string, sql: string]> = [
      ["at", "timestamptz", "'infinity'"],
      ["at", "timestamptz", "'-infinity'"],
      ["at", "timestamptz(3)", "'infinity'"],
      ["at", "timestamptz", "'0044-03-15 12:00:00+00 BC'"],
      ["at", "timestamptz", "'10000-01-01 00:00:00+00'"],
      ["at", "timestamptz", "'294276-01-01 00:00:00+00'"],
      ["value", "double precision", "'NaN'"],
      ["value", "double precision", "'Infinity'"],
      ["value", "double precision", "'-Infinity'"],
      ["value", "double precision", "NULL"],
      ["at", "timestamptz", "NULL"],
      ["at", "timestamptz(3)", "NULL"],
      ["whole", "bigint", "9007199254740993"],
      ["whole", "bigint", "NULL"]
    ]
    it.scopedLive("that no column can hold fail each read that meets them, and only those", () =>
      Effect.gen(function* () {
        const url = yield* ownSchema(server)
        const sql = yield* openClient(url)
        for (const [column, type, value] of spoiled) {
          yield* sql(`CREATE TABLE t (id bigint PRIMARY KEY, "${column}" ${type})`)
          yield* sql(
            `INSERT INTO t SELECT i, ${type.startsWith("t") ? "now()" : "1"} FROM generate_series(1, 40) i`
          )
          yield* sql(`INSERT INTO t VALUES (41, ${value})`)
          const of = { at: Column.timestamp, value: Column.real, whole: Column.integer }[column]!
          const storage = yield* PgStorage.make({
            url,
            table: "t",
            columns: { id: Column.integer, [column]: of } as { id: typeof Column.integer },
            id: "id"
          })
          for (const direction of ["asc", "desc"] as const) {
            const asked = { orderBy: [{ column: column as "id", direction }] } as const
            unreadable(yield* Effect.flip(byPages(storage, asked, 7, 50)), column)
            unreadable(yield* Effect.flip(streamed(storage, asked, 50)), column)
          }
          expect((yield* storage.load({ where: Query.lt("id", 41) })).length).toBe(40)
          yield* sql("DROP TABLE t")
        }
      })
    )

    it.scopedLive("with the bits of -0 and of the least and longest doubles come once each", () =>
      Effect.gen(function* () {
        const url = yield* ownSchema(server)
        const sql = yield* openClient(url)
        yield* sql("CREATE TABLE t (id bigint PRIMARY KEY, value double precision NOT NULL)")
        yield* sql(
          `INSERT INTO t SELECT i, (ARRAY['-0', '0', '5e-324', '0.1', '0.30000000000000004', '1.7976931348623157e308',
             '-1e-320']::float8[])[i % 7 + 1] FROM generate_series(1, 70) i`
        )
        const table = { table: "t", columns: { id: Column.integer, value: Column.real }, id: "id" } as const
        const storage = yield* PgStorage.make({ url, ...table })
        const all = yield* storage.load({ orderBy: [Query.asc("value")] })
        expect(all.filter(({ value }) => Object.is(value, -0))).toEqual([])
        expect(yield* byPages(storage, { orderBy: [Query.asc("value")] }, 3, 70)).toEqual(all)
        for (const { value } of all) {
          expect((yield* storage.load({ where: Query.eq("value", value) })).length).toBe(
            value === 0 ? 20 : 10
          )
        }
      })
    )
  })
}

describe("rows of others in SQLite", () => {
  const kinds = {
    text: Column.text,
    uuid: Column.uuid,
    integer: Column.integer,
    bigint: Column.bigint,
    real: Column.real,
    boolean: Column.boolean,
    timestamp: Column.timestamp,
    bytes: Column.bytes
  } as const
  const types = {
    text: "TEXT",
    uuid: "TEXT",
    integer: "INTEGER",
    bigint: "INTEGER",
    real: "REAL",
    boolean: "INTEGER",
    timestamp: "INTEGER",
    bytes: "BLOB"
  } as const
  const uuid = "'aaaaaaaa-0000-7000-8000-000000000001'"
  const spoiled: ReadonlyArray<
    readonly [kind: keyof typeof kinds, good: string, ...bad: ReadonlyArray<string>]
  > = [
    ["text", "'a'", "x'ff'", "'a' || char(0) || 'b'", "NULL"],
    ["uuid", uuid, `upper(${uuid})`, "'no uuid'", "NULL"],
    ["integer", "1", "1.5", "'abc'", "9007199254740993", "1e300", "x'01'", "NULL"],
    ["bigint", "1", "1.5", "'abc'", "1e30", "x'01'"],
    ["real", "1.5", "'abc'", "9e999", "-9e999", "x'01'"],
    ["boolean", "1", "2", "-1", "0.5", "'true'"],
    ["timestamp", "1000", "1000.3", "'2026-01-01T00:00:00Z'", "253402300800000", "-62135596800001", "1e30"],
    ["bytes", "x'01'", "'text'", "1", "1.5"]
  ]

  it.scopedLive("that no column can hold fail each read that meets them, and only those", () =>
    Effect.gen(function* () {
      const filename = yield* tempFile
      const db = yield* openPlain(filename)
      for (const [kind, good, ...bad] of spoiled) {
        for (const value of bad) {
          db.exec(`CREATE TABLE t (id INTEGER PRIMARY KEY, value ${types[kind]})`)
          for (let id = 1; id <= 20; id++) db.exec(`INSERT INTO t VALUES (${id}, ${good})`)
          for (let id = 21; id <= 40; id++) db.exec(`INSERT INTO t VALUES (${id}, ${value})`)
          const columns = { id: Column.integer, value: kinds[kind] as typeof Column.text }
          const storage = yield* SqliteStorage.make({ filename, table: "t", columns, id: "id" })
          for (const direction of ["asc", "desc"] as const) {
            const asked = { orderBy: [{ column: "value", direction }] } as const
            unreadable(yield* Effect.flip(byPages(storage, asked, 7, 50)), "value")
            unreadable(yield* Effect.flip(streamed(storage, asked, 50)), "value")
          }
          expect((yield* storage.load({ where: Query.lt("id", 21) })).length, value).toBe(20)
          db.exec("DROP TABLE t")
        }
      }
    })
  )

  it.scopedLive("with text that is no Unicode never make pages without an end", () =>
    Effect.gen(function* () {
      const filename = yield* tempFile
      const db = yield* openPlain(filename)
      db.exec("CREATE TABLE t (id INTEGER PRIMARY KEY, value TEXT)")
      for (let id = 1; id <= 40; id++) {
        db.exec(`INSERT INTO t VALUES (${id}, ${id % 2 === 0 ? "CAST(x'61ff' AS TEXT)" : "'a\u{1f600}'"})`)
      }
      const columns = { id: Column.integer, value: Column.text }
      const storage = yield* SqliteStorage.make({ filename, table: "t", columns, id: "id" })
      for (const size of [1, 7, 19, 20, 21]) {
        const error = yield* Effect.flip(byPages(storage, { orderBy: [Query.asc("value")] }, size, 50))
        expect(error).toMatchObject({ _tag: "StorageError", kind: "Fatal", outcome: "NotStored" })
        expect((error as StorageError).message).toContain('the table "t"')
      }
    })
  )
})
