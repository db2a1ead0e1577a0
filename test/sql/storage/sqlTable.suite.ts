/** What every storage in a SQL database must do with the table that it finds there. */
import { inspect } from "node:util"
import * as Statement from "@effect/sql/Statement"
import { describe, expect, it } from "@effect/vitest"
import { Effect, Either, type Scope } from "effect"
import { Column, type Columns, type InvalidOptions, Query, StorageError } from "../../../src/Storage.js"
import type { SqlStorage, TableOptions } from "../../../src/sql/SqlStorage.js"
import { SqlFailure } from "../../../src/sql/SqlStorage.js"
import { oncePerFile } from "../../support/laws/oncePerFile.js"

/** A database for tests: storages over it, and a client of its own to look behind them. */
export interface Database {
  readonly dialect: "sqlite" | "pg"
  readonly make: <const C extends Columns>(
    options: TableOptions<C>
  ) => Effect.Effect<SqlStorage<C>, StorageError | InvalidOptions, Scope.Scope>
  readonly sql: (text: string) => Effect.Effect<ReadonlyArray<Readonly<Record<string, unknown>>>>
}

const columns = { id: Column.text, n: Column.integer, note: Column.nullable(Column.text) }

const text = { sqlite: "TEXT", pg: 'text COLLATE "C"' }
const integer = { sqlite: "INTEGER", pg: "bigint" }

const secret = "s3cr3t-value"

const swallow = (dialect: Database["dialect"], table: string): ReadonlyArray<string> =>
  dialect === "sqlite"
    ? [
        `CREATE TRIGGER "${table}_drop" BEFORE INSERT ON "${table}" WHEN NEW.n < 0
         BEGIN SELECT RAISE(IGNORE); END`
      ]
    : [
        `CREATE FUNCTION "${table}_drop"() RETURNS trigger LANGUAGE plpgsql AS
         $$ BEGIN IF NEW.n < 0 THEN RETURN NULL; END IF; RETURN NEW; END $$`,
        `CREATE TRIGGER "${table}_drop" BEFORE INSERT ON "${table}" FOR EACH ROW EXECUTE FUNCTION "${table}_drop"()`
      ]

const fatal = <A>(made: Effect.Effect<A, StorageError | InvalidOptions, Scope.Scope>) =>
  Effect.map(Effect.flip(made), (error) => {
    expect(error).toBeInstanceOf(StorageError)
    expect(error).toMatchObject({ kind: "Fatal", outcome: "NotStored" })
    return error.message
  })

/** The suite over one kind of database. Table names begin with `prefix`. */
export const tableSuite = (
  name: string,
  prefix: string,
  open: Effect.Effect<Database, unknown, Scope.Scope>
): void => {
  describe(name, () => {
    let tables = 0
    const fresh = Effect.map(oncePerFile(open), (db) => ({ ...db, table: `${prefix}_${tables++}` }))

    it.scopedLive("creates its table and indexes once, and finds them again", () =>
      Effect.gen(function* () {
        const { make, sql, table } = yield* fresh
        const indexes = [
          { name: `${table}_n`, columns: ["n", "note"] },
          { name: `${table}_note`, columns: ["note"], kind: "unique" }
        ] as const
        const one = yield* make({ table, columns, id: "id" })
        expect(yield* one.save([{ id: "a", n: 1, note: "x" }])).toEqual({ duplicates: 0 })
        const two = yield* make({ table, columns, id: "id", indexes })
        const three = yield* make({ table, columns, id: "id", indexes })
        expect(yield* two.load({})).toEqual([{ id: "a", n: 1, note: "x" }])
        expect(yield* three.save([{ id: "a", n: 2 }])).toEqual({ duplicates: 1 })
        expect(yield* Effect.flip(one.save([{ id: "b", n: 2, note: "x" }]))).toMatchObject({
          kind: "Poison"
        })
        expect(yield* sql(`SELECT id, note FROM "${table}"`)).toEqual([{ id: "a", note: "x" }])
      })
    )

    it.scopedLive("is made by several starters at once", () =>
      Effect.gen(function* () {
        const { make, table } = yield* fresh
        const indexes = [{ name: `${table}_n`, columns: ["n"] }] as const
        const starter = (n: number) =>
          Effect.flatMap(make({ table, columns, id: "id", indexes }), (storage) =>
            Effect.retry(storage.save([{ id: `${n}`, n }]), { while: ({ kind }) => kind === "Transient" })
          )
        yield* Effect.all([1, 2, 3, 4].map(starter), { concurrency: "unbounded" })
        const storage = yield* make({ table, columns, id: "id" })
        expect((yield* storage.load({ orderBy: [Query.asc("n")] })).map(({ n }) => n)).toEqual([1, 2, 3, 4])
      })
    )

    it.scopedLive("takes names that need quotes", () =>
      Effect.gen(function* () {
        const { make, table } = yield* fresh
        const odd = { select: Column.text, "a b'; --": Column.nullable(Column.integer), Ünï: Column.json }
        const storage = yield* make({ table: `${table} Order'`, columns: odd, id: "select" })
        const row = { select: "1", "a b'; --": 2, Ünï: [1] }
        yield* storage.save([row])
        const where = Query.and(Query.eq("a b'; --", 2), Query.eq("select", "1"))
        expect(yield* storage.load({ where, orderBy: [Query.desc("a b'; --")] })).toEqual([row])
      })
    )

    it.scopedLive("names the ALTER for a column that is missing, which then heals it", () =>
      Effect.gen(function* () {
        const { dialect, make, sql, table } = yield* fresh
        yield* Effect.scoped(make({ table, columns: { id: Column.text }, id: "id" }))
        yield* sql(`INSERT INTO "${table}" (id) VALUES ('old')`)
        const message = yield* fatal(make({ table, columns, id: "id" }))
        const alter = `ALTER TABLE "${table}" ADD COLUMN`
        expect(message).toContain(`${alter} "n" ${integer[dialect]} NOT NULL DEFAULT 0`)
        expect(message).toContain(`${alter} "note" ${text[dialect]}`)
        expect((yield* sql(`SELECT * FROM "${table}"`)).map((row) => Object.keys(row))).toEqual([["id"]])
        yield* sql(`${alter} "n" ${integer[dialect]} NOT NULL DEFAULT 0`)
        yield* sql(`${alter} "note" ${text[dialect]}`)
        const storage = yield* make({ table, columns, id: "id" })
        expect(yield* storage.load({})).toEqual([{ id: "old", n: 0, note: null }])
      })
    )

    it.scopedLive("refuses a table whose columns do not fit", () =>
      Effect.gen(function* () {
        const { make, sql, table } = yield* fresh
        yield* sql(
          `CREATE TABLE "${table}" (id text NOT NULL, n text NOT NULL, note text NOT NULL, more text NOT NULL)`
        )
        const message = yield* fatal(make({ table, columns, id: "id" }))
        expect(message).toMatch(/the column "n" as text/i)
        expect(message).toContain('refuses NULL in the column "note"')
        expect(message).toContain('the column "more", which is not in columns')
        expect(message).toContain(`CREATE UNIQUE INDEX "${table}_unique_id" ON "${table}" ("id")`)
      })
    )

    it.scopedLive("serves a table that it did not make, with more columns and another unique id", () =>
      Effect.gen(function* () {
        const { dialect, make, sql, table } = yield* fresh
        yield* sql(
          `CREATE TABLE "${table}" (key ${integer[dialect]} PRIMARY KEY, id text NOT NULL,
             n ${integer[dialect]} NOT NULL, note text, more text DEFAULT 'x')`.replace(
            "PRIMARY KEY",
            dialect === "pg" ? "GENERATED ALWAYS AS IDENTITY PRIMARY KEY" : "PRIMARY KEY"
          )
        )
        yield* sql(`CREATE UNIQUE INDEX "${table}_unique_id" ON "${table}" ("id")`)
        const storage = yield* make({ table, columns, id: "id" })
        expect(
          yield* storage.save([
            { id: "é", n: 1 },
            { id: "a", n: 2 },
            { id: "é", n: 3 }
          ])
        ).toEqual({ duplicates: 1 })
        const rows = yield* storage.load({ orderBy: [Query.asc("id")] })
        expect(rows.map(({ id, n }) => [id, n])).toEqual([
          ["a", 2],
          ["é", 1]
        ])
      })
    )

    it.scopedLive("reports that a name of an index belongs to another table", () =>
      Effect.gen(function* () {
        const { make, table } = yield* fresh
        const indexes = [{ name: `${table}_n`, columns: ["n"] }] as const
        yield* make({ table, columns, id: "id", indexes })
        expect(yield* fatal(make({ table: `${table}_2`, columns, id: "id", indexes }))).toContain(
          `"${table}_n"`
        )
      })
    )

    it.scopedLive(
      "fails as poison on another constraint, stores nothing of the batch, and shows no value",
      () =>
        Effect.gen(function* () {
          const { dialect, make, sql, table } = yield* fresh
          const indexes = [{ name: `${table}_note`, columns: ["note"], kind: "unique" }] as const
          const storage = yield* make({ table, columns, id: "id", indexes })
          yield* storage.save([{ id: "a", n: 1, note: secret }])
          const error = yield* Effect.flip(
            storage.save([
              { id: "b", n: 2 },
              { id: "c", n: 3, note: secret },
              { id: "d", n: 4 }
            ])
          )
          expect(error).toMatchObject({ kind: "Poison", outcome: "NotStored" })
          expect(error.cause).toBeInstanceOf(SqlFailure)
          const { code, constraint } = error.cause as SqlFailure
          expect(code).toBe(dialect === "pg" ? "23505" : "SQLITE_CONSTRAINT_UNIQUE")
          expect(constraint).toContain(`${table}`)
          expect(inspect(error, { depth: 20, showHidden: true })).not.toContain(secret)
          expect(yield* sql(`SELECT id FROM "${table}"`)).toEqual([{ id: "a" }])
        })
    )

    it.scopedLive("fails when a trigger swallows a record without an error", () =>
      Effect.gen(function* () {
        const { dialect, make, sql, table } = yield* fresh
        const storage = yield* make({ table, columns, id: "id" })
        for (const statement of swallow(dialect, table)) yield* sql(statement)
        const error = yield* Effect.flip(
          storage.save([
            { id: "a", n: 1 },
            { id: "b", n: -1 },
            { id: "a", n: 1 }
          ])
        )
        expect(error).toMatchObject({ kind: "Unknown", outcome: "Unknown" })
        expect(error.message).toContain("1 of 3 records")
        expect(yield* Effect.flip(storage.save([{ id: "b", n: -1 }]))).toMatchObject({ kind: "Unknown" })
        expect(yield* storage.save([{ id: "a", n: 1 }])).toEqual({ duplicates: 1 })
      })
    )

    it.scopedLive("takes a condition in SQL beside the typed ones, by pages too", () =>
      Effect.gen(function* () {
        const { make, table } = yield* fresh
        const storage = yield* make({ table, columns, id: "id" })
        yield* storage.save(Array.from({ length: 20 }, (_, n) => ({ id: `${n + 10}`, n, note: `${n % 3}` })))
        const sql = Statement.unsafeFragment("n % 2 = 0 AND note <> '1'")
        const asked = { where: Query.gt("n", 5), orderBy: [Query.desc("n")], limit: 3, sql } as const
        const first = yield* storage.load(asked)
        expect(first.map(({ n }) => n)).toEqual([18, 14, 12])
        expect((yield* storage.load({ ...asked, after: first.at(-1)! })).map(({ n }) => n)).toEqual([8, 6])
      })
    )

    it.scopedLive("fails a load on a condition that is no SQL, and goes on", () =>
      Effect.gen(function* () {
        const { make, table } = yield* fresh
        const storage = yield* make({ table, columns, id: "id" })
        const error = yield* Effect.flip(
          storage.load({ sql: Statement.unsafeFragment("no_such_column = 1") })
        )
        expect(error).toMatchObject({ _tag: "StorageError", outcome: "NotStored" })
        expect(yield* storage.save([{ id: "a", n: 1 }])).toEqual({ duplicates: 0 })
      })
    )

    it.scopedLive("fails saves, typed, when its table is gone", () =>
      Effect.gen(function* () {
        const { make, sql, table } = yield* fresh
        const storage = yield* make({ table, columns, id: "id" })
        yield* sql(`DROP TABLE "${table}"`)
        const error = yield* Effect.flip(storage.save([{ id: secret, n: 1 }]))
        expect(error).toMatchObject({ kind: "Fatal", outcome: "NotStored" })
        expect(error.message).toContain(table)
        expect(inspect(error, { depth: 20 })).not.toContain(secret)
      })
    )

    it.scopedLive("refuses wrong options before it touches the database", () =>
      Effect.gen(function* () {
        const { make, table } = yield* fresh
        const wrong: ReadonlyArray<readonly [option: string, options: object]> = [
          ["table", { table: "", columns, id: "id" }],
          ["table", { table: 'a"b', columns, id: "id" }],
          ["table", { table: "x".repeat(64), columns, id: "id" }],
          ["schema", { table, schema: "", columns, id: "id" }],
          ["columns", { table, columns: {}, id: "id" }],
          ["columns", { table, columns: { id: Column.text, ID: Column.text }, id: "id" }],
          ["columns", { table, columns: { id: Column.text, "a\0": Column.text }, id: "id" }],
          ["columns", { table, columns: { id: "text" }, id: "id" }],
          ["id", { table, columns, id: "nope" }],
          ["id", { table, columns, id: "note" }],
          ["id", { table, columns: { id: Column.json }, id: "id" }],
          ["indexes", { table, columns, id: "id", indexes: [{ name: table, columns: ["n"] }] }],
          ["indexes", { table, columns, id: "id", indexes: [{ name: "i", columns: ["nope"] }] }],
          ["indexes", { table, columns, id: "id", indexes: [{ name: "i", columns: [] }] }],
          [
            "indexes[0].kind",
            { table, columns, id: "id", indexes: [{ name: "i", columns: ["n"], kind: "x" }] }
          ],
          ["indexes[0].colums", { table, columns, id: "id", indexes: [{ name: "i", colums: ["n"] }] }],
          ["log.tabel", { table, columns, id: "id", log: { tabel: "log" } }],
          ["tabel", { tabel: table, columns, id: "id" }],
          [
            "indexes",
            {
              table,
              columns: { ...columns, j: Column.json },
              id: "id",
              indexes: [{ name: "i", columns: ["j"] }]
            }
          ]
        ]
        for (const [option, options] of wrong) {
          // As untyped callers may pass them.
          const made = yield* Effect.either(make(options as TableOptions<typeof columns>))
          expect(Either.isLeft(made) && made.left, JSON.stringify(options)).toMatchObject({
            _tag: "InvalidOptions",
            option
          })
        }
      })
    )
  })
}
