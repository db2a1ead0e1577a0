import { runInNewContext } from "node:vm"
import { describe, expect, it } from "vitest"
import { isBytes, isDate, isError, isPlainObject } from "../../src/internal/realms.js"

/** A value that a program of another realm makes. */
const foreign = (code: string): object => runInNewContext(`(${code})`)

const kinds = (value: unknown): ReadonlyArray<string> => [
  ...(isDate(value) ? ["date"] : []),
  ...(isBytes(value) ? ["bytes"] : []),
  ...(isError(value) ? ["error"] : []),
  ...(typeof value === "object" && value !== null && isPlainObject(value) ? ["plain"] : [])
]

describe("what a value is, of this realm and of another one", () => {
  it.each([
    ["new Date(0)", "date"],
    ["new (class extends Date {})(0)", "date"],
    ["new Uint8Array(3)", "bytes"],
    ["new Uint8Array(3).subarray(1)", "bytes"],
    ["new TypeError('x')", "error"],
    ["{ a: 1 }", "plain"],
    ["Object.create(null)", "plain"]
  ])("%s is of one kind in both", (code, kind) => {
    // biome-ignore lint/security/noGlobalEval: the same text in both realms
    expect([kinds(eval(`(${code})`)), kinds(foreign(code))]).toEqual([[kind], [kind]])
  })

  it.each([
    "[]",
    "new Map()",
    "new (class A {})()",
    "new Uint8ClampedArray(1)",
    "new DataView(new ArrayBuffer(1))",
    "new ArrayBuffer(1)"
  ])("%s is none of these", (code) => {
    expect(kinds(foreign(code))).toEqual([])
  })

  it("a record that calls itself a date or bytes is a record", () => {
    for (const tag of ["Date", "Uint8Array"]) {
      expect(kinds({ [Symbol.toStringTag]: tag, getTime: () => 0 })).toEqual(["plain"])
    }
  })
})
