import { execFileSync } from "node:child_process"
import { existsSync } from "node:fs"
import * as path from "node:path"
import { describe, expect, it } from "vitest"
import { filesBelow, importsOf, read, resolveOwn, root, withoutComments } from "../support/project.js"
import { brokenRule } from "./imports.js"

const sources = filesBelow("src", /\.ts$/)
const tests = [...filesBelow("test", /\.ts$/), ...filesBelow("examples", /\.ts$/)]

/** Registries of a module that stay: the state of `Id` of a clock, and the actor of a request. */
const named = ["src/Id.ts: states", "src/platform/internal/audit/entry.ts: actorOfRequest"]

describe("src", () => {
  it("imports by the rules of its folders", () => {
    const wrong = sources.flatMap((file) =>
      importsOf(file, "with types").flatMap((specifier) => {
        const to = resolveOwn(file, specifier)
        const rule = brokenRule(file, specifier, to)
        return rule === undefined ? [] : [`${rule}: ${file} imports ${specifier}`]
      })
    )
    expect(wrong).toEqual([])
  })

  it.each<[rule: string, from: string, to: string]>([
    ["an unknown folder", "src/internal/attic/chest.ts", "src/internal/turn.ts"],
    ["an unknown folder", "src/sql/internal/attic/chest.ts", "src/Storage.ts"],
    ["an import from an unknown folder", "src/Watch.ts", "src/internal/attic/chest.ts"],
    ["an import upwards", "src/internal/log/selector.ts", "src/Watch.ts"],
    ["an import upwards", "src/internal/recorder/saver.ts", "src/Recorder.ts"],
    ["an import upwards", "src/sql/internal/log/rows.ts", "src/sql/internal/storage/sqlStorage.ts"],
    ["an import sideways", "src/LiveTable.ts", "src/Projection.ts"],
    ["an import sideways", "src/internal/recorder/saver.ts", "src/internal/log/events.ts"],
    ["an import sideways", "src/sql/internal/pg/pool.ts", "src/sql/internal/sqlite/open.ts"],
    ["an import sideways", "src/sql/SqlStorage.ts", "src/testing/StorageLaws.ts"],
    ["an import of another adapter", "src/sql/SqlStorage.ts", "src/testing/internal/law.ts"],
    ["an import of another part's private folder", "src/Recorder.ts", "src/internal/actor/intake.ts"],
    [
      "an import of another part's private folder",
      "src/platform/WatchSse.ts",
      "src/internal/watch/reader.ts"
    ],
    ["a root file that imports a part", "src/internal/turn.ts", "src/internal/columns/query.ts"]
  ])("notices %s: %s, %s", (rule, from, to) => {
    expect(brokenRule(from, to, to)).toBe(rule)
  })

  it.each<[rule: string, from: string, specifier: string]>([
    ["a package in the core", "src/internal/log/selector.ts", "@effect/sql"],
    ["a package in the core", "src/Id.ts", "node:crypto"],
    ["a driver below its rank", "src/sql/internal/dialect.ts", "pg"],
    ["a driver below its rank", "src/sql/internal/table/table.ts", "@effect/sql-pg/PgClient"],
    ["a file that is not there", "src/Id.ts", "./Identity.js"]
  ])("notices %s: %s, %s", (rule, from, specifier) => {
    expect(brokenRule(from, specifier, undefined)).toBe(rule)
  })

  it("lets others through", () => {
    expect(brokenRule("src/internal/watch/reader.ts", "", "src/internal/log/events.ts")).toBe(undefined)
    expect(brokenRule("src/internal/liveTable/reads.ts", "", "src/internal/cache/cells.ts")).toBe(undefined)
    expect(brokenRule("src/sql/internal/pg/pool.ts", "pg", undefined)).toBe(undefined)
    expect(brokenRule("src/Actor.ts", "", "src/internal/actor/engine.ts")).toBe(undefined)
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

  it("hides no state in registries of a module", () => {
    const empty = /^(export )?(const|let) \w+(: [^=]*)? = new (Weak)?(Map|Set)(<[^(]*>)?\(\)/
    const registries = sources.flatMap((file) =>
      withoutComments(read(file))
        .split("\n")
        .filter((line) => empty.test(line))
        .map((line) => `${file}: ${/(?:const|let) (\w+)/.exec(line)?.[1]}`)
    )
    expect(registries).toEqual(named)
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
    for (const file of [
      "package-lock.json",
      "test/node24/package-lock.json",
      "test/bench/peers/package-lock.json"
    ]) {
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
