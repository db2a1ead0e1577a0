/**
 * Threads of src, run from source. A thread's file is TypeScript there, which Node.js does not load, and a loader that
 * compiles while it loads takes each thread a second: so it is bundled once for each process that starts one.
 */
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs"
import { syncBuiltinESMExports } from "node:module"
import { fileURLToPath, pathToFileURL } from "node:url"
import threads from "node:worker_threads"
import { buildSync } from "esbuild"

const root = fileURLToPath(new URL("../../..", import.meta.url))
const source = pathToFileURL(`${root}src/`).href
const options = JSON.parse(readFileSync(new URL("./bundle.json", import.meta.url), "utf8"))
const bundles = new Map()

/** Below the project, so that what is not bundled finds its packages; gone with the process. */
const folderOf = () => {
  mkdirSync(`${root}test/.tmp`, { recursive: true })
  const folder = mkdtempSync(`${root}test/.tmp/threads-`)
  process.on("exit", () => rmSync(folder, { recursive: true, force: true }))
  return folder
}

const bundleOf = (entry) => {
  const outfile = `${folderOf()}/thread.mjs`
  buildSync({
    entryPoints: [fileURLToPath(entry).replace(/\.js$/, ".ts")],
    outfile,
    ...options
  })
  return pathToFileURL(outfile)
}

const isOfSource = (file) => file instanceof URL && file.href.startsWith(source) && file.href.endsWith(".js")

class Worker extends threads.Worker {
  constructor(file, options) {
    if (isOfSource(file) && !bundles.has(file.href)) bundles.set(file.href, bundleOf(file.href))
    // A bundle needs no loader.
    if (isOfSource(file)) super(bundles.get(file.href), { ...options, execArgv: [] })
    else super(file, options)
  }
}

if (threads.isMainThread) {
  threads.Worker = Worker
  syncBuiltinESMExports()
}
