/**
 * Benchmarks: `npm run bench`, or `npm run bench -- enqueue sqlite` for some of them; `--quick` makes fewer pairs,
 * `--list` names them all.
 *
 * What is measured is what is published: the sources are compiled first. A loader that compiles while it loads names
 * every inner function by a call, which costs the hot paths more than they cost themselves.
 */
import { spawn, spawnSync } from "node:child_process"
import { once } from "node:events"
import * as fs from "node:fs"
import { createRequire } from "node:module"
import * as path from "node:path"
import { fileURLToPath } from "node:url"

const root = fileURLToPath(new URL("../..", import.meta.url))
const temporary = path.join(root, "test", ".tmp")
fs.mkdirSync(temporary, { recursive: true })
const folder = fs.mkdtempSync(path.join(temporary, "bench-"))

const compile = (): number => {
  const manifest = createRequire(import.meta.url).resolve("typescript/package.json")
  const tsc = path.join(path.dirname(manifest), "bin", "tsc")
  const { status } = spawnSync(
    process.execPath,
    [tsc, "-p", fileURLToPath(new URL(".", import.meta.url)), "--outDir", folder],
    { cwd: root, stdio: "inherit" }
  )
  fs.cpSync(path.join(root, "test/support"), path.join(folder, "test/support"), {
    recursive: true,
    filter: (file) => !file.endsWith(".ts")
  })
  return status ?? 1
}

const run = async (): Promise<number> => {
  // A larger young generation keeps the collector out of most samples, on both sides of every pair.
  const flags = ["--expose-gc", "--enable-source-maps", "--max-semi-space-size=64"]
  const main = path.join(folder, "test/bench/main.js")
  const child = spawn(process.execPath, [...flags, main, ...process.argv.slice(2)], {
    cwd: root,
    stdio: "inherit"
  })
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, () => child.kill(signal))
  const [code] = (await once(child, "exit")) as [number | null]
  return code ?? 1
}

try {
  process.exitCode = compile() || (await run())
} finally {
  fs.rmSync(folder, { recursive: true, force: true })
}
