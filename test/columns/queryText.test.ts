import { describe, expect, it } from "@effect/vitest"
import { Either } from "effect"
import fc from "fast-check"
import { checkQuery } from "../../src/internal/columns/checkQuery.js"
import { conditionText, queryText } from "../../src/internal/columns/queryText.js"
import { Query } from "../../src/Storage.js"
import { sameData } from "../../src/testing/internal/sameData.js"
import { holds } from "../support/laws/laws.js"
import { columns, query } from "../support/laws/rows.js"

const checked = (given: unknown) => Either.getOrThrow(checkQuery(columns, "id", given))
const textOf = (given: unknown) => queryText(checked(given))

const id = "AAAAAAAA-0000-7000-8000-00000000000B"

describe("the text of a query", () => {
  it("is the same exactly for the same checked queries", () => {
    holds(fc.tuple(query, query), 300, ([a, b]) => {
      expect(textOf(a) === textOf(b)).toBe(sameData(checked(a), checked(b)))
      expect(textOf(a)).toBe(textOf({ ...a }))
    })
  })

  it("is that of the normal form", () => {
    expect(textOf({ where: Query.eq("id", id) })).toBe(textOf({ where: Query.eq("id", id.toLowerCase()) }))
    expect(textOf({})).toBe(textOf({ orderBy: [Query.asc("id")] }))
    expect(textOf({ limit: 5, page: 1 })).toBe(textOf({ limit: 5 }))
    expect(conditionText(undefined)).not.toBe(conditionText(checked({ where: Query.and() }).where))
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
