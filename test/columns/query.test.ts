import { describe, expect, it } from "@effect/vitest"
import { Either } from "effect"
import fc from "fast-check"
import { checkQuery } from "../../src/internal/columns/checkQuery.js"
import { columnsOf, evaluateQuery } from "../../src/internal/columns/evaluateQuery.js"
import { conditionText, queryText } from "../../src/internal/columns/queryText.js"
import { compareText } from "../../src/internal/text.js"
import { Column, type Condition, Query } from "../../src/Storage.js"
import { sameData } from "../../src/testing/internal/sameData.js"
import { holds } from "../support/laws/laws.js"
import { columns as everyType, query, text } from "../support/laws/rows.js"

const columns = {
  id: Column.text,
  n: Column.nullable(Column.integer),
  name: Column.nullable(Column.text),
  ok: Column.boolean,
  at: Column.timestamp,
  detail: Column.nullable(Column.json)
}

type Cs = typeof columns

const at = (n: number) => new Date(n)

const rows = [
  { id: "a", n: 1, name: "x", ok: true, at: at(3), detail: null },
  { id: "b", n: null, name: "xy", ok: false, at: at(2), detail: {} },
  { id: "c", n: 3, name: null, ok: true, at: at(1), detail: null },
  { id: "d", n: 2, name: "y", ok: false, at: at(2), detail: null }
]

const ask = (query: Query<Cs>) =>
  evaluateQuery(columns, Either.getOrThrow(checkQuery(columns, "id", query)), rows)
    .map(({ id }) => id)
    .join("")

const where = (condition: Condition<Cs>) => ask({ where: condition })

describe("queries over an array", () => {
  it("compare", () => {
    expect(where(Query.eq("n", 2))).toBe("d")
    expect(where(Query.ne("n", 2))).toBe("ac")
    expect(where(Query.lt("n", 2))).toBe("a")
    expect(where(Query.lte("n", 2))).toBe("ad")
    expect(where(Query.gt("at", at(2)))).toBe("a")
    expect(where(Query.gte("at", at(2)))).toBe("abd")
    expect(where(Query.in("id", ["c", "a", "?"]))).toBe("ac")
    expect(where(Query.in("id", []))).toBe("")
    expect(where(Query.between("n", 2, 3))).toBe("cd")
    expect(where(Query.startsWith("name", "x"))).toBe("ab")
    expect(where(Query.startsWith("name", ""))).toBe("abd")
    expect(where(Query.isNull("detail"))).toBe("acd")
    expect(where(Query.lt("ok", true))).toBe("bd")
  })

  it("combine, and leave open what a NULL leaves open", () => {
    expect(where(Query.and())).toBe("abcd")
    expect(where(Query.or())).toBe("")
    expect(where(Query.and(Query.eq("ok", true), Query.gt("n", 1)))).toBe("c")
    expect(where(Query.or(Query.eq("ok", false), Query.gt("n", 2)))).toBe("bcd")
    expect(where(Query.not(Query.eq("n", 1)))).toBe("cd")
    expect(where(Query.not(Query.and(Query.eq("n", 1), Query.eq("ok", true))))).toBe("bcd")
    expect(where(Query.not(Query.or(Query.eq("n", 1), Query.eq("ok", true))))).toBe("d")
    expect(where(Query.not(Query.in("n", [])))).toBe("abcd")
    expect(where(Query.not(Query.isNull("n")))).toBe("acd")
  })

  it("order, with NULL first ascending and last descending, and the id at the end", () => {
    expect(ask({})).toBe("abcd")
    expect(ask({ orderBy: [Query.desc("id")] })).toBe("dcba")
    expect(ask({ orderBy: [Query.asc("n")] })).toBe("badc")
    expect(ask({ orderBy: [Query.desc("n")] })).toBe("cdab")
    expect(ask({ orderBy: [Query.asc("at")] })).toBe("cbda")
    expect(ask({ orderBy: [Query.desc("at")] })).toBe("adbc")
    expect(ask({ orderBy: [Query.asc("ok"), Query.desc("name")] })).toBe("dbac")
  })

  it("page from right behind a row, present or not", () => {
    expect(ask({ after: { id: "b" } })).toBe("cd")
    expect(ask({ after: { id: "bb" }, limit: 1 })).toBe("c")
    expect(ask({ orderBy: [Query.desc("at")], after: { id: "d", at: at(2) } })).toBe("bc")
    expect(ask({ orderBy: [Query.asc("n")], after: { id: "b", n: null } })).toBe("adc")
    expect(ask({ orderBy: [Query.desc("n")], after: { id: "b", n: null } })).toBe("")
    expect(ask({ orderBy: [Query.desc("n")], after: { id: "z", n: 1 } })).toBe("ab")
    expect(ask({ orderBy: [Query.desc("n")], after: rows[0]! })).toBe("b")
    expect(ask({ limit: 0 })).toBe("")
  })

  it("page by number, from 1", () => {
    expect(ask({ limit: 3, page: 1 })).toBe("abc")
    expect(ask({ limit: 3, page: 2 })).toBe("d")
    expect(ask({ limit: 3, page: 3 })).toBe("")
    expect(ask({ limit: 0, page: 2 })).toBe("")
    expect(ask({ orderBy: [Query.desc("n")], limit: 1, page: 4 })).toBe("b")
  })

  it("are checked into a copy with normalised values", () => {
    const date = at(1)
    const ids = ["a"]
    const condition = Query.and(Query.gt("at", date), Query.in("id", ids), Query.eq("n", -0))
    const { where } = Either.getOrThrow(checkQuery(columns, "id", { where: condition }))
    date.setTime(9)
    ids.push("b")
    expect(where).toStrictEqual({
      op: "and",
      conditions: [
        { op: "gt", column: "at", value: at(1) },
        { op: "in", column: "id", values: ["a"] },
        { op: "eq", column: "n", value: 0 }
      ]
    })
  })

  it("name the columns that their conditions and their order read", () => {
    const query: Query<Cs> = {
      where: Query.not(Query.or(Query.isNull("detail"), Query.and(Query.eq("n", 1)))),
      orderBy: [Query.asc("at")]
    }
    expect([...columnsOf(Either.getOrThrow(checkQuery(columns, "id", query)))].sort()).toEqual([
      "at",
      "detail",
      "id",
      "n"
    ])
    expect([...columnsOf(Either.getOrThrow(checkQuery(columns, "id", {})))]).toEqual(["id"])
  })

  it("compare text by code point, as bytes of UTF-8 do", () => {
    holds(fc.tuple(text, text), 2000, ([a, b]) => {
      expect(Math.sign(compareText(a, b))).toBe(Buffer.compare(Buffer.from(a), Buffer.from(b)))
    })
  })
})

describe("the types of queries", () => {
  it("follow the columns", () => {
    const takes = (_: Condition<Cs>) => {}
    takes(
      Query.and(Query.eq("n", 1), Query.or(Query.startsWith("name", "a"), Query.not(Query.isNull("detail"))))
    )
    takes(Query.in("at", [at(1)]))
    // @ts-expect-error a text column is not compared with a number
    takes(Query.eq("name", 1))
    // @ts-expect-error there is no such column
    takes(Query.eq("nope", 1))
    // @ts-expect-error a json column is not compared
    takes(Query.eq("detail", {}))
    // @ts-expect-error NULL is asked for by isNull
    takes(Query.eq("n", null))
    // @ts-expect-error a timestamp does not begin with anything
    takes(Query.startsWith("at", "2024"))
    // @ts-expect-error wrong inside of a combination too
    takes(Query.and(Query.eq("n", 1), Query.eq("ok", "yes")))
    // @ts-expect-error a json column has no order
    const query: Query<Cs> = { orderBy: [Query.asc("detail")] }
    expect(Either.isLeft(checkQuery(columns, "id", query))).toBe(true)
  })
})

const checkedForm = (given: unknown) => Either.getOrThrow(checkQuery(everyType, "id", given))
const textOf = (given: unknown) => queryText(checkedForm(given))

const id = "AAAAAAAA-0000-7000-8000-00000000000B"

describe("the text of a query", () => {
  it("is the same exactly for the same checked queries", () => {
    holds(fc.tuple(query, query), 300, ([a, b]) => {
      expect(textOf(a) === textOf(b)).toBe(sameData(checkedForm(a), checkedForm(b)))
      expect(textOf(a)).toBe(textOf({ ...a }))
    })
  })

  it("is that of the normal form", () => {
    expect(textOf({ where: Query.eq("id", id) })).toBe(textOf({ where: Query.eq("id", id.toLowerCase()) }))
    expect(textOf({})).toBe(textOf({ orderBy: [Query.asc("id")] }))
    expect(textOf({ limit: 5, page: 1 })).toBe(textOf({ limit: 5 }))
    expect(conditionText(undefined)).not.toBe(conditionText(checkedForm({ where: Query.and() }).where))
  })

  it("never runs parts together", () => {
    const different = [
      { where: Query.in("text", ["a", "b"]) },
      { where: Query.in("text", ['a","b']) },
      { where: Query.eq("text", "1") },
      { where: Query.eq("integer", 1) },
      { where: Query.eq("bigint", 1n) },
      { where: Query.eq("timestamp", new Date(1)) },
      { where: Query.eq("bytes", new Uint8Array([1])) },
      { where: Query.and(Query.isNull("json")) },
      { where: Query.or(Query.isNull("json")) },
      { where: Query.not(Query.isNull("json")) },
      { limit: 1 },
      { limit: 10 },
      { limit: 1, page: 2 },
      { limit: 1, after: { id } },
      { orderBy: [Query.desc("id")] }
    ].map(textOf)
    expect(new Set(different).size).toBe(different.length)
  })
})
