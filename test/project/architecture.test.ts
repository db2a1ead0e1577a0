import { execFileSync } from "node:child_process"
import { existsSync } from "node:fs"
import * as path from "node:path"
import { describe, expect, it } from "vitest"
import { filesBelow, importsOf, read, resolveOwn, root, withoutComments } from "../support/project.js"

const sources = filesBelow("src", /\.ts$/)
const tests = [...filesBelow("test", /\.ts$/), ...filesBelow("examples", /\.ts$/)]

const ranks: ReadonlyArray<readonly [RegExp, number]> = [
  [/^src\/internal\//, 0],
  [/^src\/Metrics\.ts$/, 0],
  [/^src\/(Actor|Storage|Id)\.ts$/, 1],
  [/^src\/(Recorder|ChangeLog|Table)\.ts$/, 2],
  [/^src\/Watch\.ts$/, 3],
  [/^src\/(LiveTable|Projection|Datastore|MergePool)\.ts$/, 4],
  [/^src\/(sql|platform|testing)\/internal\//, 4.5],
  [/^src\/(index|(sql|platform|testing)\/.+)\.ts$/, 5]
]

const rankOf = (file: string) => ranks.find(([pattern]) => pattern.test(file))?.[1]

const mayImport = (from: string, to: string): boolean => {
  const a = rankOf(from)
  const b = rankOf(to)
  if (a === undefined || b === undefined) return false
  const folder = (file: string) => file.split("/").slice(0, 2).join("/")
  if (b === 4.5) return a >= 4.5 && folder(from) === folder(to)
  return b < a || (a === 0 && b === 0)
}

describe("src", () => {
  it("has a rank for every file", () => {
    expect(sources.filter((file) => rankOf(file) === undefined)).toEqual([])
  })

  it("imports downwards only, from files that exist", () => {
    const wrong: Array<string> = []
    for (const file of sources) {
      for (const specifier of importsOf(file, "with types")) {
        if (!specifier.startsWith(".")) continue
        const to = resolveOwn(file, specifier)
        if (to === undefined || !mayImport(file, to)) wrong.push(`${file} imports ${specifier}`)
      }
    }
    expect(wrong).toEqual([])
  })

  it("needs no package but effect below rank 4.5", () => {
    const wrong: Array<string> = []
    for (const file of sources) {
      if ((rankOf(file) ?? 5) > 4 && file !== "src/index.ts") continue
      for (const specifier of importsOf(file, "with types")) {
        if (!/^(\.|effect$|effect\/)/.test(specifier)) wrong.push(`${file} imports ${specifier}`)
      }
    }
    expect(wrong).toEqual([])
  })

  it("leaves time, chance, the process and the running of effects to its users", () => {
    const banned = [
      /\bDate\.now\b/,
      /\bnew Date\(\s*\)/,
      /\bMath\.random\b/,
      /\bEffect\.run[A-Z]\w*/,
      /\bRuntime\.run[A-Z]\w*/,
      /\bprocess\s*\./,
      /\bconsole\s*\./,
      /\bset(Timeout|Interval)\s*\(/
    ]
    expect(hits(sources, banned)).toEqual([])
  })

  it("casts nothing to any, and silences no type error", () => {
    expect(hits(sources, [/\bas any\b/, /:\s*any\b/, /<any\b/, /\bany\[\]/])).toEqual([])
    const silenced = sources.filter((file) => /@ts-(ignore|nocheck|expect-error)/.test(read(file)))
    expect(silenced).toEqual([])
  })
})

describe("the tests", () => {
  it("leave none out and single none out", () => {
    const banned = [/\b(it|test|describe)(\.\w+)*\.(skip|only|todo)\b/, /\bx(it|describe)\(/, /\bfit\(/]
    expect(hits(tests, banned)).toEqual([])
  })
})

describe("the project", () => {
  it("keeps its top level short", () => {
    const listed = execFileSync("git", ["ls-files", "--cached", "--others", "--exclude-standard"], {
      cwd: root,
      encoding: "utf8"
    })
    const entries = new Set(
      listed
        .split("\n")
        .filter((file) => file !== "" && existsSync(path.join(root, file)))
        .map((file) => file.split("/")[0] ?? "")
    )
    const allowed = ["src", "test", "examples", "package.json", "package-lock.json", "tsconfig.json"]
    allowed.push("biome.json", "README.md", "LICENSE", "CHANGELOG.md")
    expect([...entries].filter((name) => !name.startsWith(".") && !allowed.includes(name))).toEqual([])
  })

  it("pins no registry's address in its lock files", () => {
    for (const file of ["package-lock.json", "test/node24/package-lock.json"]) {
      expect(read(file)).not.toMatch(/"resolved"/)
    }
  })
})

function hits(files: ReadonlyArray<string>, patterns: ReadonlyArray<RegExp>): ReadonlyArray<string> {
  return files.flatMap((file) =>
    withoutComments(read(file))
      .split("\n")
      .filter((line) => patterns.some((pattern) => pattern.test(line)))
      .map((line) => `${file}: ${line.trim()}`)
  )
}
