import { describe, expect, it } from "@effect/vitest"
import fc from "fast-check"
import { compileCheckRow, compileNormalise } from "../../src/internal/columns/checkRow.js"
import {
  Column,
  type Columns,
  maxIdBytes,
  validateColumns,
  validateName
} from "../../src/internal/columns/columns.js"
import { compileIdOf, compileNormalId, type IdValue, idText } from "../../src/internal/columns/ids.js"
import { maxJsonDepth } from "../../src/internal/columns/jsonData.js"
import { InvalidOptions } from "../../src/internal/options.js"
import { utf8Length } from "../../src/internal/text.js"
import { holds } from "../support/laws/laws.js"
import { columns, plainRow, readBack, row, text } from "../support/laws/rows.js"

const id = "00000000-0000-7000-8000-000000000001"

const rule = (record: unknown, of: Columns = columns) => compileCheckRow(of, "id")(record)?.rule

const nested = (depth: number, wrap: (inner: unknown) => unknown) => {
  let value: unknown = []
  for (let i = 1; i < depth; i++) value = wrap(value)
  return value
}

describe("the check of columns", () => {
  it("takes every record that has its types", () => {
    const check = compileCheckRow(columns, "id")
    holds(row, 300, (record) => expect(check(record)).toBeUndefined())
  })

  it("takes null, undefined and absence for a nullable column, and keys in any order", () => {
    expect(rule(plainRow(id, { maybeText: null, maybeJson: undefined }))).toBeUndefined()
    expect(rule(Object.fromEntries(Object.entries(plainRow(id)).reverse()))).toBeUndefined()
    expect(rule({ ...plainRow(id), extra: undefined })).toBeUndefined()
  })

  it("names the rule that a record breaks", () => {
    const broken: ReadonlyArray<readonly [string, object]> = [
      ["Missing", { text: undefined }],
      ["Missing", { text: null }],
      ["WrongType", { text: 1 }],
      ["WrongType", { text: new String("a") }],
      ["NullCharacter", { text: "\0" }],
      ["NullCharacter", { maybeText: "a\0" }],
      ["LoneSurrogate", { text: "\ud83d" }],
      ["LoneSurrogate", { text: "\ude00\ud83d" }],
      ["InvalidUuid", { maybeUuid: "" }],
      ["InvalidUuid", { maybeUuid: `{${id}}` }],
      ["WrongType", { integer: 1n }],
      ["WrongType", { integer: "1" }],
      ["NotFinite", { integer: Number.NaN }],
      ["NotInteger", { integer: 0.5 }],
      ["OutOfRange", { integer: 2 ** 53 }],
      ["OutOfRange", { integer: -(2 ** 53) }],
      ["WrongType", { bigint: 1 }],
      ["OutOfRange", { bigint: 2n ** 63n }],
      ["OutOfRange", { bigint: -(2n ** 63n) - 1n }],
      ["NotFinite", { real: Number.NaN }],
      ["NotFinite", { real: Number.NEGATIVE_INFINITY }],
      ["WrongType", { boolean: 0 }],
      ["WrongType", { timestamp: 0 }],
      ["InvalidDate", { timestamp: new Date(Number.NaN) }],
      ["OutOfRange", { timestamp: new Date(253_402_300_800_000) }],
      ["OutOfRange", { timestamp: new Date("0000-12-31T23:59:59.999Z") }],
      ["WrongType", { bytes: [1] }],
      ["WrongType", { bytes: new ArrayBuffer(1) }],
      ["UnknownColumn", { extra: 1 }],
      ["UnknownColumn", { Text: "a" }]
    ]
    for (const [expected, over] of broken) expect(rule({ ...plainRow(id), ...over }), expected).toBe(expected)
    for (const record of [undefined, null, "x", 5, () => 1]) expect(rule(record)).toBe("NotARecord")
    const throwing = new Proxy(plainRow(id), { get: () => JSON.parse("{") })
    expect(rule(throwing)).toBe("NotARecord")
  })

  it("takes plain data only as json", () => {
    class Point {
      readonly x = 1
    }
    const cycle: Record<string, unknown> = {}
    cycle.self = cycle
    const broken: ReadonlyArray<readonly [string, unknown]> = [
      ["NotPlainData", () => 1],
      ["NotPlainData", { f: () => 1 }],
      ["NotPlainData", [undefined]],
      ["NotPlainData", new Array(3)],
      ["NotPlainData", [1n]],
      ["NotPlainData", { s: Symbol("s") }],
      ["NotPlainData", new Date()],
      ["NotPlainData", { at: new Date() }],
      ["NotPlainData", new Map()],
      ["NotPlainData", new Point()],
      ["NotPlainData", new Error("e")],
      ["NotPlainData", new Uint8Array()],
      ["NotFinite", Number.NaN],
      ["NotFinite", [Number.POSITIVE_INFINITY]],
      ["NullCharacter", "\0"],
      ["NullCharacter", { "\0": 1 }],
      ["LoneSurrogate", ["\ud800"]],
      ["LoneSurrogate", { "\udfff": 1 }],
      ["TooDeep", cycle],
      ["TooDeep", nested(maxJsonDepth + 1, (inner) => [inner])],
      ["TooDeep", nested(maxJsonDepth + 1, (inner) => ({ inner }))]
    ]
    for (const [expected, json] of broken) expect(rule(plainRow(id, { json })), expected).toBe(expected)
    const fine = [
      "",
      0,
      false,
      { a: undefined },
      Object.create(null),
      nested(maxJsonDepth, (inner) => ({ inner }))
    ]
    for (const json of fine) expect(rule(plainRow(id, { json }))).toBeUndefined()
  })

  it("takes a text id of at most 512 bytes, and none that is empty", () => {
    const of = { id: Column.text }
    expect(rule({ id: "" }, of)).toBe("Missing")
    expect(rule({}, of)).toBe("Missing")
    for (const [unit, bytes] of [
      ["x", 1],
      ["é", 2],
      ["€", 3],
      ["😀", 4]
    ] as const) {
      const most = Math.floor(maxIdBytes / bytes)
      expect(rule({ id: unit.repeat(most) }, of)).toBeUndefined()
      expect(rule({ id: unit.repeat(most + 1) }, of)).toBe("TooLong")
    }
    holds(fc.string({ unit: "binary" }), 200, (text) =>
      expect(utf8Length(text)).toBe(Buffer.byteLength(text))
    )
  })

  it("never shows a value, nor a key that could be one", () => {
    const secret = "s3cr3t value"
    const check = compileCheckRow(columns, "id")
    const records = [
      ...["text", "integer", "bigint", "real", "boolean", "timestamp", "bytes", "maybeUuid"].map((name) => ({
        ...plainRow(id),
        [name]: name === "text" ? `${secret}\0` : secret
      })),
      { ...plainRow(id), json: { [`${secret}\0`]: secret } },
      { ...plainRow(id), [secret]: secret }
    ]
    for (const record of records) expect(JSON.stringify(check(record))).not.toContain("s3cr3t")
    expect(check({ ...plainRow(id), typo: 1 })).toMatchObject({ column: "typo", rule: "UnknownColumn" })
    expect(check({ ...plainRow(id), text: 1 })?.message).toContain('"text"')
  })

  it("normalises to what every backend reads back, in a copy", () => {
    const normalise = compileNormalise(columns)
    holds(row, 200, (record) => {
      const copy = normalise(record)
      expect(copy).toEqual(readBack(record))
      expect(normalise(copy)).toEqual(copy)
      expect(compileCheckRow(columns, "id")(copy)).toBeUndefined()
      expect(copy.bytes).not.toBe(record.bytes)
      expect(copy.timestamp).not.toBe(record.timestamp)
    })
    expect(normalise(plainRow(id, { json: { a: undefined, b: -0 } })).json).toEqual({ b: 0 })
  })
})

describe("the definition of columns", () => {
  it("is checked", () => {
    const problem = (of: unknown, name = "id") => validateColumns(of as Columns, name)
    const fine = { id: Column.text, other: Column.nullable(Column.json) }
    expect(problem(fine)).toBeUndefined()
    const wrong: ReadonlyArray<readonly [string, unknown, string?]> = [
      ["columns", null],
      ["columns", {}],
      ["columns", { id: undefined }],
      ["columns", { id: { type: "varchar", nullable: false } }],
      ["columns", { ...fine, "": Column.text }],
      ["columns", { ...fine, 'a"': Column.text }],
      ["columns", { ...fine, "a\0": Column.text }],
      ["columns", { ...fine, "\ud800": Column.text }],
      ["columns", { ...fine, ["é".repeat(32)]: Column.text }],
      ["columns", { ...fine, constructor: Column.text }],
      ["columns", { ...fine, OTHER: Column.text }],
      ["id", fine, "nope"],
      ["id", fine, "toString"],
      ["id", fine, "other"],
      ["id", { id: Column.nullable(Column.text) }],
      ["id", { id: Column.real }],
      ["id", { id: Column.timestamp }],
      ["id", { id: Column.bytes }]
    ]
    for (const [option, of, name] of wrong) {
      const found = problem(of, name)
      expect(found, JSON.stringify(of)).toBeInstanceOf(InvalidOptions)
      expect(found).toMatchObject({ option })
    }
    expect(validateName("x".repeat(63))).toBeUndefined()
    expect(validateName("x".repeat(64))).toBeDefined()
  })
})

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
