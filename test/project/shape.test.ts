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

  it("keeps no hidden registry: at module level there is no map or set that fills", () => {
    // The state of `Id` of a clock, and the actor of a request.
    const allowed = ["src/Id.ts", "src/platform/internal/audit/entry.ts"]
    const registries = sources.filter((file) =>
      /^(export )?(const|let) \w+[^=\n]*= new (Weak)?(Map|Set)(<[^\n]*>)?\(\s*\)/m.test(
        withoutComments(read(file))
      )
    )
    expect(registries).toEqual(allowed)
  })
})

describe("the words of src and of the README", () => {
  const banned = /\b(told|says|whoever|somebody|nobody|one who)\b/i

  it.each([...sources, "README.md", "src/ARCHITECTURE.md"])("%s names what acts", (file) => {
    const lines = read(file).split("\n")
    expect(lines.filter((line) => banned.test(line))).toEqual([])
  })
})
