import { describe, expect, it } from "@effect/vitest"
import { Either } from "effect"
import fc from "fast-check"
import { compileCheckAnswer } from "../../src/internal/columns/checkAnswer.js"
import { checkQuery } from "../../src/internal/columns/checkQuery.js"
import { compileCheckWrite, idOfWrite } from "../../src/internal/columns/checkWrite.js"
import { InvalidQuery } from "../../src/internal/columns/query.js"
import { runsOf } from "../../src/internal/columns/writeRuns.js"
import { Column, Query } from "../../src/Storage.js"
import { holds } from "../support/laws/laws.js"

const definition = {
  name: "keys",
  columns: {
    id: Column.uuid,
    at: Column.timestamp,
    note: Column.nullable(Column.text),
    data: Column.nullable(Column.json)
  },
  id: "id"
}
const check = compileCheckWrite(definition)

const id = "AAAAAAAA-0000-7000-8000-00000000000B"
const normal = id.toLowerCase()

describe("a checked write", () => {
  it("is a copy in normal form", () => {
    const at = new Date(5)
    const data = { list: [1] }
    const insert = check({ _tag: "Insert", row: { id, at, data } })
    const patch = check({
      _tag: "Patch",
      id,
      fields: { at, data, note: undefined },
      when: Query.eq("at", at)
    })
    at.setTime(6)
    data.list.push(2)
    const [was, whole] = [new Date(5), { list: [1] }]
    expect(insert).toStrictEqual({ _tag: "Insert", row: { id: normal, at: was, data: whole, note: null } })
    expect(patch).toStrictEqual({
      _tag: "Patch",
      id: normal,
      fields: { at: was, data: whole },
      when: { op: "eq", column: "at", value: was }
    })
    expect(check({ _tag: "Patch", id, fields: { note: null } })).toMatchObject({ fields: { note: null } })
    expect(check({ _tag: "Delete", id })).toStrictEqual({ _tag: "Delete", id: normal })
    expect(check({ _tag: "DeleteAll" })).toStrictEqual({ _tag: "DeleteAll" })
  })

  it.each<[what: string, write: unknown, message: RegExp]>([
    ["nothing", undefined, /no such write/],
    ["an unknown write", { _tag: "Upsert" }, /no such write/],
    ["a row without a column", { _tag: "Insert", row: { id } }, /"at": a value is required/],
    ["a row with another one", { _tag: "Replace", row: { id, at: new Date(0), other: 1 } }, /no such column/],
    ["no row", { _tag: "Insert" }, /not an object/],
    ["no id", { _tag: "Delete" }, /"id": a value is required/],
    ["an id of another type", { _tag: "Delete", id: 5 }, /not of the column's type uuid/],
    ["a patch of nothing", { _tag: "Patch", id, fields: {} }, /at least one column/],
    ["a patch of undefined", { _tag: "Patch", id, fields: { note: undefined } }, /at least one column/],
    ["a patch without fields", { _tag: "Patch", id }, /not an object/],
    ["a patch of the id", { _tag: "Patch", id, fields: { id } }, /"id": a patch cannot change the id/],
    ["a patch of another column", { _tag: "Patch", id, fields: { other: 1 } }, /"other": .*no such column/],
    ["a patch of a required column with NULL", { _tag: "Patch", id, fields: { at: null } }, /is required/],
    ["a patch with another type", { _tag: "Patch", id, fields: { note: 5 } }, /type text/],
    ["a patch with U+0000", { _tag: "Patch", id, fields: { note: "\0" } }, /U\+0000/],
    ["a wrong condition", { _tag: "Delete", id, when: Query.eq("other", 1) }, /there is no column "other"/],
    [
      "what cannot be read",
      Object.defineProperty({}, "_tag", {
        get: () => {
          throw new Error("no")
        }
      }),
      /cannot be read/
    ]
  ])("is refused: %s", (_, write, message) => {
    expect(check(write)).toMatchObject({ _tag: "InvalidWrite", message: expect.stringMatching(message) })
  })

  it("has the reason as its cause", () => {
    expect(check({ _tag: "Delete", id: 5 })).toMatchObject({ cause: { column: "id", rule: "WrongType" } })
    const { cause } = check({ _tag: "Delete", id, when: "x" }) as { readonly cause: unknown }
    expect(cause).toBeInstanceOf(InvalidQuery)
  })
})

describe("the runs of writes", () => {
  // 0 stands for a write of all rows.
  const write = fc.nat({ max: 6 })
  const idOf = (n: number) => (n === 0 ? undefined : n)

  it("keep the order, and have no id twice", () => {
    holds(fc.tuple(fc.array(write), fc.integer({ min: 1, max: 5 })), 300, ([writes, max]) => {
      const runs = runsOf(writes, max, idOf)
      expect(runs.flat()).toEqual(writes)
      for (const run of runs) {
        expect(run.length).toBeLessThanOrEqual(run.includes(0) ? 1 : max)
        expect(new Set(run).size).toBe(run.length)
      }
      // No run could take the first write of the next one.
      runs.slice(1).forEach(([next = 0], at) => {
        const before = runs[at]!
        expect(before.length === max || before.includes(0) || next === 0 || before.includes(next)).toBe(true)
      })
    })
  })

  it("know the id of each write", () => {
    const row = { id: normal, at: new Date(0) }
    expect(idOfWrite("id", { _tag: "Insert", row })).toBe(normal)
    expect(idOfWrite("id", { _tag: "Delete", id: normal })).toBe(normal)
    expect(idOfWrite("id", { _tag: "DeleteAll" })).toBeUndefined()
  })
})

const columns = { id: Column.text, n: Column.integer, data: Column.nullable(Column.json) }
const checks = compileCheckAnswer(columns, "id")
const list = (query: Query<typeof columns>, rows: unknown) =>
  checks.list(Either.getOrThrow(checkQuery(columns, "id", query)), rows)

const [a, b, c] = [
  { id: "a", n: 3 },
  { id: "b", n: 1 },
  { id: "c", n: 2 }
]

describe("the answer of a source", () => {
  it("is copied, with null for what it leaves out", () => {
    const data = { list: [1] }
    const answer = list({}, [a, { ...b, data }])
    data.list.push(2)
    const rows = [
      { ...a, data: null },
      { ...b, data: { list: [1] } }
    ]
    expect(answer).toEqual({ _tag: "Answer", value: rows })
    expect(checks.byId(new Set(["a", "b"]), [a])).toEqual({
      _tag: "Answer",
      value: new Map([["a", { ...a, data: null }]])
    })
  })

  it.each<[what: string, query: Query<typeof columns>, rows: unknown]>([
    ["an array", {}, { 0: a }],
    ["of this table", {}, [{ id: "a" }]],
    ["of this table", {}, [null]],
    ["twice", {}, [a, a]],
    ["condition", { where: Query.gt("n", 1) }, [a, b]],
    ["order", { orderBy: [Query.asc("n")] }, [a, b]],
    ["place", { after: { id: "b" } }, [b, c]],
    ["limit", { limit: 1 }, [a, b]]
  ])("is refused if it is not %s", (what, query, rows) => {
    const answer = list(query, rows)
    expect(answer._tag).toBe("Wrong")
    expect(answer).toMatchObject({ problem: expect.stringContaining(what.replace("an array", "array")) })
  })

  it("is refused if it has rows that were not requested", () => {
    expect(checks.byId(new Set(["a"]), [a, b])._tag).toBe("Wrong")
    expect(checks.byId(new Set(["a"]), [a, a])._tag).toBe("Wrong")
  })
})
