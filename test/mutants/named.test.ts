import { describe, expect, it } from "vitest"
import { read } from "../support/project.js"
import { namedMutants } from "./named.js"

const countOf = (text: string, part: string): number => text.split(part).length - 1

describe("the named mutants", () => {
  it("are at least 30, each with a name of its own", () => {
    expect(namedMutants.length).toBeGreaterThanOrEqual(30)
    expect(new Set(namedMutants.map(({ name }) => name)).size).toBe(namedMutants.length)
  })

  it("change what stands exactly once in its file", () => {
    const stale = namedMutants.filter(
      ({ file, find, replace }) => countOf(read(file), find) !== 1 || find === replace
    )
    expect(stale.map(({ name }) => name)).toEqual([])
  })

  it("name a test that is there", () => {
    const gone = namedMutants.filter(({ test }) => !read(test.file).includes(JSON.stringify(test.name)))
    expect(gone.map(({ name, test }) => `${name}: ${test.name}`)).toEqual([])
  })
})
