import * as path from "node:path"
import { describe, expect, it } from "vitest"
import { read } from "../support/project.js"
import { namedMutants } from "./named.js"

const countOf = (text: string, part: string): number => text.split(part).length - 1

const escaped = (text: string): string => text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&")

/** The titles with values in them, of which ten letters at least are given. */
const templatesOf = (source: string): ReadonlyArray<RegExp> =>
  [
    ...[...source.matchAll(/`([^`\n]*\$\{[^`\n]*)`/g)].map(([, text = ""]) => text.split(/\$\{[^}]*\}/)),
    ...[...source.matchAll(/"([^"\n]*%s[^"\n]*)"/g)].map(([, text = ""]) => text.split("%s"))
  ]
    .filter((parts) => parts.join("").length >= 10)
    .map((parts) => new RegExp(`^${parts.map(escaped).join(".+")}$`))

/** A test file with the suites that it runs. */
const withSuites = (file: string): string => {
  const source = read(file)
  const suites = [...source.matchAll(/from "(\.[^"]*suite)\.js"/g)].map(([, name = ""]) => `${name}.ts`)
  return [source, ...suites.map((suite) => withSuites(path.join(path.dirname(file), suite)))].join("\n")
}

const isThere = (source: string, title: string): boolean =>
  source.includes(JSON.stringify(title)) || templatesOf(source).some((template) => template.test(title))

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
    const gone = namedMutants.filter(({ test }) => !isThere(withSuites(test.file), test.name))
    expect(gone.map(({ name, test }) => `${name}: ${test.name}`)).toEqual([])
  })
})
