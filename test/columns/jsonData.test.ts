/** Copies of JSON data: equal to JSON, frozen, by the rules of the check that copies nothing. */
import { runInNewContext } from "node:vm"
import fc from "fast-check"
import { describe, expect, it } from "vitest"
import { maxJsonDepth, type OwnJson, ownJson, validateJson } from "../../src/internal/columns/jsonData.js"
import { utf8Length } from "../../src/internal/text.js"
import { holds } from "../support/laws/laws.js"

const own = (value: unknown): OwnJson => {
  const copied = ownJson(value)
  if (typeof copied === "string") throw new Error(copied)
  return copied
}

const isFrozen = (value: unknown): boolean =>
  typeof value !== "object" ||
  value === null ||
  (Object.isFrozen(value) && Object.values(value).every(isFrozen))

const nested = (depth: number): unknown => (depth === 0 ? 1 : [nested(depth - 1)])

describe("a copy of data", () => {
  it("is what JSON makes of it, frozen, and shares nothing with it", () => {
    holds(fc.jsonValue({ noUnicodeString: false, maxDepth: 4 } as never), 300, (value) => {
      const rule = validateJson(value, 0)
      if (rule !== undefined) {
        expect(ownJson(value)).toBe(rule)
        return
      }
      const text = JSON.stringify(value)
      const copied = own(value)
      expect(JSON.stringify(copied.value)).toBe(text)
      expect(copied.value).toStrictEqual(JSON.parse(text))
      expect(isFrozen(copied.value)).toBe(true)
      expect(JSON.stringify(value)).toBe(text)
      // Numbers and names of values count for a fixed size.
      const bytes = utf8Length(text)
      expect(copied.bytes).toBeGreaterThan(bytes / 4)
      expect(copied.bytes).toBeLessThan(8 * bytes + 16)
    })
  })

  it("is refused by the rule that the check without a copy names, whatever untyped code passes", () => {
    const anything = fc.anything({
      withBigInt: true,
      withBoxedValues: true,
      withDate: true,
      withMap: true,
      withNullPrototype: true,
      withSparseArray: true,
      withTypedArray: true
    })
    holds(anything, 500, (value) => {
      const copied = ownJson(value)
      expect(typeof copied === "string" ? copied : undefined).toBe(validateJson(value, 0))
    })
  })

  it("has a plain field __proto__, and the prototype of every object", () => {
    const copied = own(JSON.parse('{"__proto__":{"admin":true},"a":1}')).value as Record<string, unknown>
    expect(Object.keys(copied)).toEqual(["__proto__", "a"])
    expect(Object.getPrototypeOf(copied)).toBe(Object.prototype)
    expect(copied.admin).toBeUndefined()
    expect(JSON.stringify(copied)).toBe('{"__proto__":{"admin":true},"a":1}')
  })

  it("has no -0 and no property that is undefined, and takes objects of other realms and of none", () => {
    const of = Object.assign(Object.create(null) as object, { a: -0, b: undefined, c: [-0] })
    const copied = own(of).value as { readonly a: number; readonly c: ReadonlyArray<number> }
    expect(Object.keys(copied)).toEqual(["a", "c"])
    expect([Object.is(copied.a, 0), Object.is(copied.c[0], 0)]).toEqual([true, true])
    expect(own(runInNewContext("({ a: [1, { b: null }] })")).value).toStrictEqual({ a: [1, { b: null }] })
  })

  it("ends at the deepest nesting, and at data that contains itself", () => {
    expect(own(nested(maxJsonDepth)).bytes).toBeGreaterThan(maxJsonDepth)
    const cycle: Array<unknown> = []
    cycle.push(cycle, cycle)
    for (const value of [nested(maxJsonDepth + 1), cycle]) {
      expect([ownJson(value), validateJson(value, 0)]).toEqual(["TooDeep", "TooDeep"])
    }
    expect(ownJson([[1]], 1)).toBe("TooDeep")
    expect(ownJson([1], 1)).toMatchObject({ value: [1] })
  })

  it("reads a getter once, and throws what it throws", () => {
    let reads = 0
    const data = {
      get a() {
        return ++reads === 1 ? 1 : Number.NaN
      },
      get b(): number {
        throw new Error("unreadable")
      }
    }
    expect(() => ownJson(data)).toThrow("unreadable")
    expect(reads).toBe(1)
  })
})
