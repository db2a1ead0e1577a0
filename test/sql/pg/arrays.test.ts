import { describe, expect, it } from "@effect/vitest"
import { Effect } from "effect"
import fc from "fast-check"
import type { ColumnType } from "../../../src/Storage.js"
import type { Row, TableColumn } from "../../../src/sql/internal/dialect.js"
import { arrayEncoders } from "../../../src/sql/internal/pg/arrays.js"
import { pgDialect } from "../../../src/sql/internal/pg/dialect.js"
import { sizeLimits } from "../../../src/sql/internal/statementSize.js"
import { holdsEffect } from "../../support/laws/laws.js"
import { oncePerFile } from "../../support/laws/oncePerFile.js"
import { type Everything, plainRow, readBack, row } from "../../support/laws/rows.js"
import { databaseUrls } from "../../support/postgres/databases.js"
import { openClient, ownSchema, type Sql } from "../../support/postgres/tables.js"

const types = Object.keys(arrayEncoders) as ReadonlyArray<ColumnType>

/** The nullable column of this type in the rows of the tests. */
const nullable = (type: ColumnType) => `maybe${type[0]!.toUpperCase()}${type.slice(1)}` as keyof Everything

const bare = (type: ColumnType): TableColumn => ({ name: "v", sql: "v", type, nullable: true, position: 0 })

const encode = (type: ColumnType, values: ReadonlyArray<unknown>): Buffer =>
  arrayEncoders[type](
    values.map((v) => ({ v })),
    "v"
  )

/** What the server makes of an array, in its order. */
const sent = (sql: Sql, type: ColumnType, values: ReadonlyArray<unknown>, expression: string) =>
  Effect.map(
    sql(
      `SELECT ${expression} AS v FROM unnest($1::${type === "text" ? "text" : pgDialect.columnType(bare(type))}[])
       WITH ORDINALITY AS given(v, n) ORDER BY n`,
      [encode(type, values)]
    ),
    (rows) => rows.map(({ v }) => v)
  )

/** The same, decoded as a storage reads it. */
const returned = (sql: Sql, type: ColumnType, values: ReadonlyArray<unknown>) =>
  Effect.map(sent(sql, type, values, pgDialect.selected(bare(type))), (found) =>
    found.map((value) => (value === null ? null : pgDialect.decode(bare(type))(value)))
  )

const header = (nulls: number, oid: number, length: number) =>
  [1, nulls, oid, length, 1].map((n) => n.toString(16).padStart(8, "0")).join("")

describe("the binary array of a column", () => {
  it("has the layout of array_recv", () => {
    const cases: ReadonlyArray<readonly [ColumnType, ReadonlyArray<unknown>, string]> = [
      ["text", ["ab", ""], `${header(0, 25, 2)}00000002616200000000`],
      ["text", ["é", null, "a"], `${header(1, 25, 3)}00000002c3a9ffffffff0000000161`],
      ["text", [undefined], `${header(1, 25, 1)}ffffffff`],
      ["integer", [-1, 2 ** 32], `${header(0, 20, 2)}00000008ffffffffffffffff000000080000000100000000`],
      ["bigint", [-(2n ** 63n)], `${header(0, 20, 1)}000000088000000000000000`],
      ["real", [-0, 1], `${header(0, 701, 2)}000000080000000000000000000000083ff0000000000000`],
      ["boolean", [true, null, false], `${header(1, 16, 3)}0000000101ffffffff0000000100`],
      ["timestamp", [new Date("2000-01-01T00:00:00.001Z")], `${header(0, 1184, 1)}0000000800000000000003e8`],
      [
        "json",
        [{ a: [null] }],
        `${header(0, 3802, 1)}0000000d01${Buffer.from('{"a":[null]}').toString("hex")}`
      ],
      ["bytes", [new Uint8Array([0, 255]), null], `${header(1, 17, 2)}0000000200ffffffffff`],
      [
        "uuid",
        ["01234567-89AB-cdef-0123-456789ABCDEF"],
        `${header(0, 2950, 1)}000000100123456789abcdef0123456789abcdef`
      ]
    ]
    for (const [type, values, hex] of cases) expect(encode(type, values).toString("hex"), type).toBe(hex)
    for (const type of types) expect(encode(type, []).length).toBe(20)
  })
})

for (const { name, url } of databaseUrls()) {
  describe(`binary arrays, ${name}`, () => {
    const connected = oncePerFile(Effect.flatMap(ownSchema(url), openClient))

    it.live("come back from the server equal and in order, NULLs and all", () =>
      Effect.gen(function* () {
        const sql = yield* connected
        for (const type of types) {
          const column = nullable(type)
          yield* holdsEffect(fc.array(row, { maxLength: 30 }), 25, (rows) =>
            Effect.gen(function* () {
              const found = yield* returned(
                sql,
                type,
                rows.map((one) => one[column])
              )
              expect(found).toEqual(rows.map((one) => readBack(one)[column]))
            })
          )
        }
      })
    )

    it.live("mean to the server what they mean to us", () =>
      Effect.gen(function* () {
        const sql = yield* connected
        const text = (type: ColumnType, values: ReadonlyArray<unknown>) => sent(sql, type, values, "v::text")
        yield* sql("SET TimeZone = 'UTC'")
        const dates = [
          ["0001-01-01T00:00:00.000Z", "0001-01-01 00:00:00+00"],
          ["1969-12-31T23:59:59.999Z", "1969-12-31 23:59:59.999+00"],
          ["1999-12-31T23:59:59.999Z", "1999-12-31 23:59:59.999+00"],
          ["2000-01-01T00:00:00.000Z", "2000-01-01 00:00:00+00"],
          ["2024-02-29T12:34:56.789Z", "2024-02-29 12:34:56.789+00"],
          ["9999-12-31T23:59:59.999Z", "9999-12-31 23:59:59.999+00"]
        ] as const
        expect(
          yield* text(
            "timestamp",
            dates.map(([iso]) => new Date(iso))
          )
        ).toEqual(dates.map(([, shown]) => shown))
        const whole = [0, 1, -1, 2 ** 31, -(2 ** 31), 2 ** 32, -(2 ** 32) - 1, Number.MAX_SAFE_INTEGER]
        whole.push(Number.MIN_SAFE_INTEGER)
        expect(yield* text("integer", whole)).toEqual(whole.map(String))
        const big = [2n ** 63n - 1n, -(2n ** 63n), -1n, 2n ** 53n + 1n]
        expect(yield* text("bigint", big)).toEqual(big.map(String))
        const reals = [0.1, 5e-324, -Number.MAX_VALUE, 1 / 3]
        expect((yield* text("real", [-0, ...reals])).map(Number)).toEqual([0, ...reals])
        expect((yield* text("real", [-0]))[0]).toBe("0")
        const { id } = plainRow("ABCDEF01-2345-6789-abcd-ef0123456789")
        expect(yield* text("uuid", [id])).toEqual([id.toLowerCase()])
        expect(yield* text("json", [{ "ü\n": [1, "😀", null] }, "null"])).toEqual([
          '{"ü\\n": [1, "😀", null]}',
          '"null"'
        ])
      })
    )

    it.live("hold long columns of short strings, and strings of 1 MiB, in ASCII and beyond", () =>
      Effect.gen(function* () {
        const sql = yield* connected
        const mebi = 2 ** 20
        for (const values of [
          Array.from({ length: 10_000 }, (_, n) => (n % 3 === 0 ? null : `${n}`)),
          Array.from({ length: 10_000 }, (_, n) => (n % 3 === 0 ? null : `${n}😀`)),
          ["x".repeat(mebi), null, "ü".repeat(mebi), "😀".repeat(mebi / 2), "x"],
          // Too long to be joined.
          Array.from({ length: 17 }, (_, n) => "abcdefgh"[n % 8]!.repeat(mebi))
        ]) {
          expect((yield* returned(sql, "text", values)).every((value, n) => value === values[n])).toBe(true)
        }
      })
    )

    it.live("insert in the order of the batch, with duplicates inside of it", () =>
      Effect.gen(function* () {
        const sql = yield* connected
        const id: TableColumn = { name: "id", sql: '"id"', type: "integer", nullable: false, position: 0 }
        const note: TableColumn = { ...bare("text"), name: "note", sql: '"note"', position: 1 }
        const table = {
          schema: undefined,
          name: "t",
          sql: '"t"',
          columns: [id, note],
          key: [id],
          exact: [id],
          id,
          indexes: [],
          limits: sizeLimits
        }
        yield* sql(pgDialect.createTable(table))
        const insert = pgDialect.insert(table)
        const order = [5, 3, 900, 1, 3, 2, 5]
        const rows: ReadonlyArray<Row> = order.map((n, at) => ({ id: n, note: `${at}` }))
        const { params, text } = insert(rows)
        yield* sql(text, params)
        // ctid is a row's place in the table's file.
        expect(yield* sql(`SELECT id::int, note FROM t ORDER BY ctid`)).toEqual([
          { id: 5, note: "0" },
          { id: 3, note: "1" },
          { id: 900, note: "2" },
          { id: 1, note: "3" },
          { id: 2, note: "5" }
        ])
      })
    )
  })
}
