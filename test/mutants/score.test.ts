import { describe, expect, it } from "vitest"
import { read } from "../support/project.js"
import { type FileReport, failuresOf, judge, resultsOf, scoreOf, staleOf, totalOf } from "./score.js"
import { harmless } from "./survivors.js"

const mutant = (status: string, line: number, from: number, to: number, replacement: string) => ({
  mutatorName: "Any",
  status,
  replacement,
  location: { start: { line, column: from }, end: { line, column: to } }
})

const report: FileReport = {
  source: "const a =\n  first  + second\n",
  mutants: [
    mutant("Killed", 2, 3, 18, "first - second"),
    mutant("Timeout", 2, 3, 8, "0"),
    mutant("Ignored", 1, 7, 8, "b"),
    mutant("Survived", 2, 3, 18, "first   - second"),
    mutant("NoCoverage", 2, 12, 18, "third")
  ]
}

describe("the score", () => {
  const list = [
    { file: "a.ts", reason: "it is 0", mutants: [["a: first + second", "first +", "first -"]] as const },
    { file: "b.ts", reason: "of another file", mutants: [["a: first + second", "second", "third"]] as const }
  ]
  const judged = judge("a.ts", report, list)

  it("counts what was noticed, of what could be", () => {
    expect(judged).toMatchObject({ detected: 2, undetected: 2 })
    expect(scoreOf(totalOf([judged, judged]))).toBe(50)
    expect(scoreOf(totalOf([]))).toBe(100)
  })

  it("separates the survivors that have a reason from those that have none", () => {
    expect(judged.listed.map(({ reason }) => reason)).toEqual(["it is 0"])
    expect(failuresOf([judged])).toEqual(["survived: a.ts:2  second  =>  third"])
  })

  it("writes them down by their reason", () => {
    const text = resultsOf([judged], 85)
    expect(text).toContain("| a.ts | 2 | 2 | 50.0 % |")
    expect(text).toContain("- it is 0\n  - line 2: `first + second` → `first - second`\n")
    expect(text).toContain("- no reason yet\n  - line 2: `second` → `third`\n")
  })
})

describe("the reasons of survivors", () => {
  it("are of lines that are in the code", () => {
    const stale = harmless.flatMap((entry) =>
      staleOf(read(entry.file), entry).map((place) => `${entry.file}: ${place}`)
    )
    expect(stale).toEqual([])
  })

  it("are stale when their declaration, their line or what is changed in it is gone", () => {
    const stale = (at: string, from: string) =>
      staleOf(report.source, { file: "a.ts", reason: "any", mutants: [[at, from, ""]] })
    expect(stale("a: first + second", "second")).toEqual([])
    expect(stale("b: first + second", "second")).toHaveLength(1)
    expect(stale("a: second", "second")).toHaveLength(1)
    expect(stale("a: first + second", "third")).toHaveLength(1)
  })
})
