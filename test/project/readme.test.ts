import { execFile } from "node:child_process"
import * as fs from "node:fs"
import * as path from "node:path"
import { promisify } from "node:util"
import { beforeAll, describe, expect, it } from "vitest"
import { databaseUrls } from "../support/postgres/databases.js"
import { read, root, typescript } from "../support/project.js"

const run = promisify(execFile)
const readme = read("README.md")
const folder = path.join(root, "test/.tmp/readme")

const blocks = [...readme.matchAll(/^```ts\b[^\n]*\n([\s\S]*?)^```$/gm)].map((match, index) => ({
  name: `${String(index + 1).padStart(2, "0")}.ts`,
  line: readme.slice(0, match.index).split("\n").length,
  code: match[1] ?? ""
}))

describe("the README", () => {
  it("has at most 250 lines", () => {
    expect(readme.trimEnd().split("\n").length).toBeLessThanOrEqual(250)
  })

  it("names exactly the two commands that set it up", () => {
    const commands = readme.split("\n").filter((line) => line.startsWith("npm ci"))
    expect(commands).toEqual(["npm ci && npm run demo", "npm ci && npm test"])
  })
})

describe.runIf(blocks.length > 0)("the README's code", () => {
  beforeAll(() => {
    fs.rmSync(folder, { recursive: true, force: true })
    fs.mkdirSync(folder, { recursive: true })
    for (const { name, code } of blocks) fs.writeFileSync(path.join(folder, name), code)
    const config = {
      extends: "../../../tsconfig.json",
      compilerOptions: { noUnusedLocals: false, noUnusedParameters: false },
      include: ["."],
      exclude: []
    }
    fs.writeFileSync(path.join(folder, "tsconfig.json"), JSON.stringify(config))
  })

  it("compiles", async () => {
    const tsc = path.join(root, "node_modules/typescript/bin/tsc")
    const output = await run(process.execPath, [tsc, "-p", folder], { cwd: root }).then(
      () => "",
      (error: { stdout: string; stderr: string }) => error.stdout + error.stderr
    )
    expect(output).toBe("")
  })

  it.each(blocks)("runs: $name, from line $line", async ({ name }) => {
    const url = databaseUrls()[0]?.url
    await run(process.execPath, [...typescript, path.join(folder, name)], {
      cwd: root,
      timeout: 15_000,
      env: { ...process.env, ...(url === undefined ? {} : { DATABASE_URL: url }) }
    })
  })
})
