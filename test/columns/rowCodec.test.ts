import { describe, expect, it } from "@effect/vitest"
import { compileNormalise } from "../../src/internal/columns/checkRow.js"
import { Column, type Columns } from "../../src/internal/columns/columns.js"
import { decodeRow, encodeRow, fingerprintOf } from "../../src/internal/columns/rowCodec.js"
import { holds } from "../support/laws/laws.js"
import { columns, plainRow, row } from "../support/laws/rows.js"

const id = "00000000-0000-7000-8000-000000000001"
const encode = encodeRow(columns)
const decode = decodeRow(columns, "id")
const normalise = compileNormalise(columns)

describe("the codec of rows", () => {
  it("brings every row back through JSON", () => {
    holds(row, 300, (record) => {
      const normal = normalise(record)
      expect(decode(JSON.parse(JSON.stringify(encode(normal))))).toStrictEqual(normal)
    })
  })

  it("writes what JSON has no form for as text, and -0 as 0", () => {
    const record = plainRow(id, {
      bigint: -(2n ** 63n),
      timestamp: new Date(-62_135_596_800_000),
      bytes: new Uint8Array([255, 0]),
      real: -0
    })
    expect(encode(record)).toMatchObject({
      bigint: "-9223372036854775808",
      timestamp: "0001-01-01T00:00:00.000Z",
      bytes: "/wA=",
      real: 0,
      maybeText: null
    })
  })

  it("shares nothing with the row", () => {
    const json = { list: [1] }
    const encoded = encode(normalise(plainRow(id, { json })))
    const again = decode(encoded) as { readonly json: typeof json }
    again.json.list.push(2)
    expect(encoded.json).toEqual({ list: [1] })
  })

  it("answers nothing for what is no row", () => {
    const good = encode(normalise(plainRow(id)))
    expect(decode(good)).toBeDefined()
    const garbage: ReadonlyArray<unknown> = [
      null,
      "row",
      [],
      {},
      { ...good, id: "x" },
      { ...good, other: 1 },
      { ...good, text: undefined },
      { ...good, bigint: 1 },
      { ...good, bigint: "1.5" },
      { ...good, bigint: "9223372036854775808" },
      { ...good, timestamp: 0 },
      { ...good, timestamp: "1970-01-01" },
      { ...good, maybeTimestamp: 5 },
      { ...good, maybeTimestamp: "never" },
      { ...good, bytes: "%" },
      { ...good, maybeBytes: [1] },
      { ...good, integer: 1.5 }
    ]
    for (const wrong of garbage) expect(decode(wrong), JSON.stringify(wrong)).toBeUndefined()
  })
})

describe("the fingerprint of columns", () => {
  it("is another one for other columns, whatever their order", () => {
    const of = (columns: Columns) => fingerprintOf(columns)
    const { integer, nullable, text } = Column
    expect(of({ a: text, b: integer })).toBe(of({ b: integer, a: text }))
    expect(of(columns).length).toBe(16)
    const others = [
      { a: text },
      { a: integer },
      { a: nullable(text) },
      { b: text },
      { a: text, b: integer },
      { a: integer, b: text },
      { "a text": text },
      { at: text, ext: text },
      { a: text, text }
    ].map(of)
    expect(new Set(others).size).toBe(others.length)
  })
})
