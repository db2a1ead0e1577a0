import { describe, expect, it } from "vitest"
import { fingerprint, fnv1a } from "../../src/internal/hash.js"

describe("a fingerprint", () => {
  it.each([
    ["", "cbf29ce484222325"],
    ["a", "af63dc4c8601ec8c"],
    ["foobar", "85944171f73967e8"]
  ])("is the published FNV-1a of %j", (text, hex) => {
    expect(fnv1a(text)).toBe(BigInt(`0x${hex}`))
    expect(fingerprint(text)).toBe(hex)
  })

  it("has 16 digits always, and differs when any unit does", () => {
    const texts = Array.from({ length: 2_000 }, (_, n) => `key ${n}`).concat("é", "e\u0301", "\u{10000}")
    const prints = new Set(texts.map(fingerprint))
    expect(prints.size).toBe(texts.length)
    expect([...prints].filter((print) => !/^[0-9a-f]{16}$/.test(print))).toEqual([])
  })
})
