import { describe, expect, it } from "@effect/vitest"
import fc from "fast-check"
import { Column } from "../../src/internal/columns/columns.js"
import { compileIdOf, compileNormalId, type IdValue, idText } from "../../src/internal/columns/ids.js"
import { holds } from "../support/laws/laws.js"
import { text } from "../support/laws/rows.js"

const of = (column: (typeof Column)["text" | "uuid" | "integer" | "bigint"]) => ({
  normal: compileNormalId({ id: column }, "id"),
  parse: compileIdOf({ id: column }, "id")
})

const upper = "AAAAAAAA-0000-7000-8000-00000000000B"

describe("an id", () => {
  it("has one normal form", () => {
    expect(of(Column.uuid).normal(upper)).toBe(upper.toLowerCase())
    expect(Object.is(of(Column.integer).normal(-0), 0)).toBe(true)
    expect(of(Column.text).normal("Aé")).toBe("Aé")
    expect(of(Column.bigint).normal(5n)).toBe(5n)
  })

  it.each<[rule: string, column: Parameters<typeof of>[0], id: unknown]>([
    ["Missing", Column.text, undefined],
    ["Missing", Column.text, null],
    ["Missing", Column.text, ""],
    ["WrongType", Column.text, 5],
    ["NullCharacter", Column.text, "a\0"],
    ["LoneSurrogate", Column.text, "\ud800"],
    ["TooLong", Column.text, "é".repeat(257)],
    ["InvalidUuid", Column.uuid, "x"],
    ["NotInteger", Column.integer, 1.5],
    ["OutOfRange", Column.bigint, 2n ** 63n]
  ])("is refused as %s", (rule, column, id) => {
    expect(of(column).normal(id)).toMatchObject({
      column: "id",
      rule,
      message: expect.stringContaining("id")
    })
  })

  it("becomes text, and an id again", () => {
    const back = (column: Parameters<typeof of>[0], id: IdValue) =>
      expect(of(column).parse(idText(id))).toBe(id)
    holds(
      text.filter((id) => id !== ""),
      100,
      (id) => back(Column.text, id)
    )
    holds(fc.maxSafeInteger(), 100, (id) => back(Column.integer, id + 0))
    holds(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }), 100, (id) => back(Column.bigint, id))
    back(Column.uuid, upper.toLowerCase())
  })

  it("is not made of a text that stands for none, or for one in another form", () => {
    for (const text of ["", "x", "1.0", "01", "-0", "1e3", " 1", "9007199254740993"]) {
      expect(of(Column.integer).parse(text), text).toBeUndefined()
    }
    for (const text of ["", "x", "01", "-0", "1n", "9223372036854775808"]) {
      expect(of(Column.bigint).parse(text), text).toBeUndefined()
    }
    expect(of(Column.uuid).parse(upper)).toBeUndefined()
    expect(of(Column.text).parse("")).toBeUndefined()
  })
})
