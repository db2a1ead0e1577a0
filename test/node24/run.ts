/**
 * Runs the core's tests on Node.js 24. What needs a native build for the machine's own Node.js (another ABI), or a
 * PostgreSQL server, is left out, by name.
 */
import { execFileSync, spawnSync } from "node:child_process"
import * as fs from "node:fs"
import * as path from "node:path"
import { filesBelow, importsOf, resolveOwn, root } from "../support/project.js"

const native = ["better-sqlite3", "@effect/sql-sqlite-node"]
const server = ["test/support/postgres/server.ts", "test/support/postgres/databases.ts"]

const otherReasons: Readonly<Record<string, string>> = {
  "test/project/auditServer.test.ts": "starts the demo, which opens SQLite",
  "test/project/live.test.ts": "starts the demo, which opens SQLite",
  "test/project/readme.test.ts": "runs the README's code, which may open SQLite"
}

/** What a file needs that is not there, by what it imports. */
const needs = (file: string, seen = new Set<string>()): string | undefined => {
  if (seen.has(file)) return undefined
  seen.add(file)
  if (server.includes(file)) return "a PostgreSQL server"
  for (const specifier of importsOf(file, "without types")) {
    const hit = native.find((name) => specifier === name || specifier.startsWith(`${name}/`))
    if (hit !== undefined) return hit
    const own = resolveOwn(file, specifier)
    if (own === undefined || !/\.[cm]?[jt]s$/.test(own)) continue
    const below = needs(own, seen)
    if (below !== undefined) return below
  }
  return undefined
}

const home = path.join(root, "test/node24")
const manifest = JSON.parse(fs.readFileSync(path.join(home, "package.json"), "utf8"))
const binary = (): string | undefined => {
  for (const [name, version] of Object.entries<string>(manifest.optionalDependencies)) {
    const folder = path.join(home, "node_modules", name)
    const file = path.join(folder, "bin", process.platform === "win32" ? "node.exe" : "node")
    if (!fs.existsSync(file)) continue
    if (JSON.parse(fs.readFileSync(path.join(folder, "package.json"), "utf8")).version === version)
      return file
  }
  return undefined
}

if (binary() === undefined) {
  console.log("installing Node.js 24 (npm ci in test/node24)")
  execFileSync("npm", ["ci", "--no-audit", "--no-fund"], { cwd: home, stdio: "inherit" })
}
const node = binary()
if (node === undefined) throw new Error("npm has no Node.js 24 for this platform")

const tests = filesBelow("test", /\.test\.ts$/)
const leftOut = tests.flatMap((file) => {
  const hit = needs(file)
  const reason = hit === undefined ? otherReasons[file] : `needs ${hit}`
  return reason === undefined ? [] : [{ file, reason }]
})
const chosen = tests.filter((file) => !leftOut.some((entry) => entry.file === file))

console.log(`Node.js ${execFileSync(node, ["--version"], { encoding: "utf8" }).trim()}`)
console.log(`\nruns ${chosen.length} of ${tests.length} test files:`)
for (const file of chosen) console.log(`  ${file}`)
console.log(`\nleaves out ${leftOut.length}:`)
for (const { file, reason } of leftOut) console.log(`  ${file}: ${reason}`)

const vitest = path.join(root, "node_modules/vitest/vitest.mjs")
const args = [vitest, "run", "--config", "test/vitest.config.ts", ...chosen]
const env = { ...process.env, TEST_POSTGRES: "off" }
const result = spawnSync(node, args, { cwd: root, stdio: "inherit", env })
process.exitCode = result.status ?? 1
