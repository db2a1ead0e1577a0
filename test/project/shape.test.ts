/** What the code of src may look like: sizes, declarations, words. */
import { describe, expect, it } from "vitest"
import { filesBelow, read, withoutComments } from "../support/project.js"

const sources = filesBelow("src", /\.ts$/)

const linesOf = (file: string): number => read(file).trimEnd().split("\n").length

describe("a file of src", () => {
  it("has at most 400 lines", () => {
    expect(sources.filter((file) => linesOf(file) > 400)).toEqual([])
  })

  it.each(["src/Actor.ts", "src/Recorder.ts", "src/Watch.ts"])("%s has at most 320 lines", (file) => {
    expect(linesOf(file)).toBeLessThanOrEqual(320)
  })

  it("declares nothing that is filled later behind the compiler's back", () => {
    expect(sources.filter((file) => /\blet\s+\w+!/.test(withoutComments(read(file))))).toEqual([])
  })
})

describe("the words of src, the examples and the documents", () => {
  const banned = /\b(told|says|whoever|somebody|nobody|one who)\b/i

  const documents = [
    "README.md",
    "CHANGELOG.md",
    "src/ARCHITECTURE.md",
    "src/testing/LAWS.md",
    "test/README.md",
    "test/bench/RESULTS.md"
  ]

  it.each([...sources, ...filesBelow("examples", /\.(ts|md)$/), ...documents])(
    "%s names what acts",
    (file) => {
      const lines = read(file).split("\n")
      expect(lines.filter((line) => banned.test(line))).toEqual([])
    }
  )
})
