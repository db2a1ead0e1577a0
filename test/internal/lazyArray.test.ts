/** An array whose elements are made when they are read is an array to everybody who reads it. */
import { inspect } from "node:util"
import { describe, expect, it } from "@effect/vitest"
import { lazyArray } from "../../src/internal/lazyArray.js"

interface Element {
  readonly id: number
}

const made = (length: number) => {
  const counts = { made: 0 }
  function* elements(): Generator<Element> {
    for (let id = 0; id < length; id++) {
      counts.made++
      yield { id }
    }
  }
  return { array: lazyArray(length, elements()), counts }
}

const collected = (read: (take: (element: Element) => number) => void): Array<Element> => {
  const seen: Array<Element> = []
  read((element) => seen.push(element))
  return seen
}

const many = 12_000
const all = Array.from({ length: many }, (_, id) => ({ id }))

describe("an array of very many", () => {
  it("makes nothing until it is read, and then no more than must be", () => {
    const { array, counts } = made(many)
    expect(array.length).toBe(many)
    expect(Array.isArray(array)).toBe(true)
    expect(counts.made).toBe(0)
    expect(array[2]).toEqual({ id: 2 })
    expect(counts.made).toBe(3)
    for (const { id } of array) if (id === 9) break
    expect(counts.made).toBe(10)
    expect(array[many]).toBe(undefined)
    expect(counts.made).toBe(10)
  })

  it("gives the same element whenever it is read", () => {
    const { array, counts } = made(many)
    expect(array[5]).toBe(array[5])
    expect([...array][5]).toBe(array[5])
    expect(array.at(-1)).toBe(array[many - 1])
    expect(array[many - 1]).toEqual({ id: many - 1 })
    expect(counts.made).toBe(many)
  })

  for (const [name, read] of [
    ["for-of and spread", (array) => [...array]],
    ["map", (array) => array.map((element) => element)],
    ["filter", (array) => array.filter(() => true)],
    ["slice", (array) => array.slice()],
    ["concat", (array) => array.slice(0, 0).concat(array)],
    ["Array.from", (array) => Array.from(array)],
    ["values", (array) => [...array.values()]],
    ["entries", (array) => [...array.entries()].map(([, element]) => element)],
    ["keys", (array) => [...array.keys()].map((id) => ({ id }))],
    ["Object.entries", (array) => Object.entries(array).map(([, element]) => element)],
    ["JSON", (array) => JSON.parse(JSON.stringify(array))],
    ["forEach", (array) => collected((take) => array.forEach(take))],
    ["reduceRight", (array) => collected((take) => array.reduceRight((_, one) => take(one), 0)).reverse()],
    ["itself", (array) => array]
  ] as ReadonlyArray<readonly [string, (array: ReadonlyArray<Element>) => ReadonlyArray<Element>]>) {
    it(`is read whole by ${name}`, () => {
      expect(read(made(many).array)).toEqual(all)
    })
  }

  it("answers what is asked of an array", () => {
    const { array } = made(many)
    expect(array.findIndex(({ id }) => id === 77)).toBe(77)
    expect(array.some(({ id }) => id === many - 1)).toBe(true)
    expect(Object.hasOwn(array, 3)).toBe(true)
    expect([`${many - 1}`, `${many}`, "-1", "", "01", "1.5"].map((key) => key in array)).toEqual([
      true,
      false,
      false,
      false,
      false,
      false
    ])
    expect(Object.keys(array)).toHaveLength(many)
    expect([...array].sort((a, b) => b.id - a.id)[0]).toEqual({ id: many - 1 })
  })

  it("is changed like one by code that does not know that it is read-only", () => {
    const array = made(many).array as Array<Element>
    array.reverse()
    expect(array[0]).toEqual({ id: many - 1 })
    expect(array.pop()).toEqual({ id: 0 })
    expect(array.length).toBe(many - 1)
    array.push({ id: -1 })
    expect([array.length, array[many - 1]]).toEqual([many, { id: -1 }])
    delete array[0]
    expect(0 in array).toBe(false)
  })

  it("is printed with its first elements, and how many more there are", () => {
    const { array, counts } = made(many)
    const printed = inspect(array, { maxArrayLength: 200 })
    expect(printed).toContain("{ id: 99 }")
    expect(printed).toContain("... 11900 more")
    expect(counts.made).toBe(100)
  })
})

describe("an array of few", () => {
  it("is a plain one", () => {
    const { array } = made(10_000)
    expect(structuredClone(array)).toHaveLength(10_000)
    expect(lazyArray(0, [])).toEqual([])
  })
})
