/** The documents: their code compiles, runs and prints what they promise, their links lead somewhere, and their words. */
import { execFile } from "node:child_process"
import * as fs from "node:fs"
import * as path from "node:path"
import { promisify } from "node:util"
import { type BuildOptions, buildSync } from "esbuild"
import { beforeAll, describe, expect, it } from "vitest"
import { databaseUrls } from "../support/postgres/databases.js"
import { read, root } from "../support/project.js"

const run = promisify(execFile)
const bundling = JSON.parse(read("test/support/processes/bundle.json")) as BuildOptions
const readme = read("README.md")
const folder = path.join(root, "test/.tmp/readme")
/** Where a storage finds the file of its thread: beside what starts it. */
const thread = path.join(root, "src/sql/internal/sqlite/thread.ts")

const documents = [
  "README.md",
  "CHANGELOG.md",
  "examples/README.md",
  "src/ARCHITECTURE.md",
  "src/testing/LAWS.md",
  "test/README.md",
  "test/bench/RESULTS.md"
].filter((document) => fs.existsSync(path.join(root, document)))

interface Block {
  readonly name: string
  readonly place: string
  readonly code: string
  /** Its last line may promise what it prints: `// prints: …`. */
  readonly prints: string
}

const lineAt = (text: string, index: number): number => text.slice(0, index).split("\n").length

const blocks: ReadonlyArray<Block> = documents.flatMap((document) => {
  const text = read(document)
  return [...text.matchAll(/^```ts\b[^\n]*\n([\s\S]*?)^```$/gm)].map((match, index) => {
    const code = match[1] ?? ""
    return {
      name: `${document.replaceAll(/\W/g, "-")}-${String(index + 1).padStart(2, "0")}`,
      place: `${document}:${lineAt(text, match.index)}`,
      code,
      prints: /^\/\/ prints: (.*)\n$/m.exec(code)?.[1] ?? ""
    }
  })
})

/** The text without what is code: fenced blocks, and spans of code. Its lines stay where they are. */
const prose = (text: string): string =>
  text
    .replace(/^```[\s\S]*?^```$/gm, (block) => block.replaceAll(/[^\n]/g, ""))
    .replaceAll(/`[^`\n]*`/g, "``")

/** How GitHub names the headings of a document in links to them. */
const anchorsOf = (document: string): ReadonlyArray<string> =>
  [...read(document).matchAll(/^#+ (.*)$/gm)].map((match) =>
    (match[1] ?? "")
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N}\s_-]/gu, "")
      .replaceAll(" ", "-")
  )

const isBroken = (document: string, link: string): boolean => {
  const [file = "", anchor] = link.split("#")
  const target = file === "" ? document : path.posix.join(path.posix.dirname(document), file)
  if (!fs.existsSync(path.join(root, target))) return true
  return anchor !== undefined && !(target.endsWith(".md") && anchorsOf(target).includes(anchor))
}

const linesWith = (pattern: RegExp): ReadonlyArray<string> =>
  documents
    .filter((document) => document !== "src/testing/LAWS.md")
    .flatMap((document) =>
      prose(read(document))
        .split("\n")
        .flatMap((line, index) => (pattern.test(line) ? [`${document}:${index + 1}: ${line}`] : []))
    )

describe("the README", () => {
  it("has at most 250 lines", () => {
    expect(readme.trimEnd().split("\n").length).toBeLessThanOrEqual(250)
  })

  it("names exactly the two commands that set it up", () => {
    const commands = readme.split("\n").filter((line) => line.startsWith("npm ci"))
    expect(commands).toEqual(["npm ci && npm run demo", "npm ci && npm test"])
  })
})

describe("the documents", () => {
  it("name versions of the peers that package.json allows", () => {
    const { peerDependencies } = JSON.parse(read("package.json"))
    const named = documents.flatMap((document) => [
      ...read(document).matchAll(/(?<![\w/])(@effect\/[\w-]+|effect|pg)@(\d[\d.]*)/g)
    ])
    const isOther = ([, name = "", version = ""]: RegExpExecArray) =>
      !`${peerDependencies[name]}.`.startsWith(`^${version}.`)
    expect(named.filter(isOther).map(([text]) => text)).toEqual([])
  })

  it("link to files and headings that are there", () => {
    const broken = documents.flatMap((document) =>
      [...prose(read(document)).matchAll(/\]\(([^)\s]+)\)/g)]
        .map((match) => match[1] ?? "")
        .filter((link) => !/^[a-z]+:/.test(link) && isBroken(document, link))
        .map((link) => `${document}: ${link}`)
    )
    expect(broken).toEqual([])
  })

  it("name files that are there", () => {
    const isMissing = (document: string, file: string): boolean =>
      ["", "src", path.posix.dirname(document)].every((from) => !fs.existsSync(path.join(root, from, file)))
    const missing = documents.flatMap((document) =>
      [...read(document).matchAll(/`([\w.-]+(?:\/[\w.-]+)+\.(?:ts|md))`/g)]
        .map((match) => match[1] ?? "")
        .filter((file) => isMissing(document, file))
        .map((file) => `${document}: ${file}`)
    )
    expect(missing).toEqual([])
  })

  // What the laws say is held where they are written: LAWS.md is made of them.
  it("name what acts, in plain words", () => {
    const dialect = /\b(told|tells?|says?|said|whoever|somebody|nobody|one who|him|hears?)\b/i
    expect(linesWith(dialect)).toEqual([])
  })

  it("speak of no place on a machine", () => {
    expect(linesWith(/(^|[\s(])\/(work|home|tmp|root|Users)\//)).toEqual([])
  })
})

describe.runIf(blocks.length > 0)("the documents' code", () => {
  beforeAll(() => {
    fs.rmSync(folder, { recursive: true, force: true })
    fs.mkdirSync(folder, { recursive: true })
    for (const { name, code } of blocks) fs.writeFileSync(path.join(folder, `${name}.ts`), code)
    const config = {
      extends: "../../../tsconfig.json",
      compilerOptions: { noUnusedLocals: false, noUnusedParameters: false },
      include: ["."],
      exclude: []
    }
    fs.writeFileSync(path.join(folder, "tsconfig.json"), JSON.stringify(config))
    fs.writeFileSync(path.join(folder, "package.json"), '{"type":"module"}')
    // Bundled, because loading each module of Effect takes a second for each of them.
    const files = [...blocks.map(({ name }) => path.join(folder, `${name}.ts`)), thread]
    buildSync({ ...bundling, entryPoints: files, outdir: folder, entryNames: "[name]" })
  })

  it("compiles", async () => {
    const tsc = path.join(root, "node_modules/typescript/bin/tsc")
    const output = await run(process.execPath, [tsc, "-p", folder], { cwd: root }).then(
      () => "",
      (error: { stdout: string; stderr: string }) => error.stdout + error.stderr
    )
    expect(output).toBe("")
  }, 60_000)

  it.each(blocks)("runs: $place", async ({ name, prints }) => {
    const url = databaseUrls()[0]?.url
    // What a block writes to a file goes to this folder, which every run makes anew.
    const { stdout } = await run(process.execPath, [`${name}.js`], {
      cwd: folder,
      timeout: 15_000,
      env: { ...process.env, ...(url === undefined ? {} : { DATABASE_URL: url }) }
    })
    expect(stdout).toContain(prints)
  })
})
