import { describe, expect, it } from "@effect/vitest"
import { Either } from "effect"
import { compileCheckAnswer } from "../../src/internal/columns/checkAnswer.js"
import { checkQuery } from "../../src/internal/columns/checkQuery.js"
import { Column, Query } from "../../src/Storage.js"

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
