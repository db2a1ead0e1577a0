/**
 * Checks what npm would publish: its files, its types as publint and attw see them, and that it loads and
 * compiles where it is installed: the core with effect alone, every entry with all peers.
 */
import { type ExecFileSyncOptions, execFileSync } from "node:child_process"
import * as fs from "node:fs"
import * as os from "node:os"
import * as path from "node:path"
import { root } from "../support/project.js"

const manifest = JSON.parse(fs.readFileSync(path.join(root, "package.json"), "utf8"))
const bin = (name: string) => path.join(root, "node_modules/.bin", name)
const work = fs.mkdtempSync(path.join(os.tmpdir(), "effect-recorder-package-"))

const run = (command: string, args: ReadonlyArray<string>, options: ExecFileSyncOptions = {}): string => {
  try {
    return String(execFileSync(command, args, { cwd: root, encoding: "utf8", stdio: "pipe", ...options }))
  } catch (error) {
    const { stdout, stderr } = error as { stdout?: string; stderr?: string }
    throw new Error(`${path.basename(command)} ${args.join(" ")}\n${stdout ?? ""}${stderr ?? ""}`)
  }
}

const step = (name: string, check: () => string) => {
  const began = Date.now()
  const note = check()
  console.log(`ok  ${name}${note === "" ? "" : `: ${note}`} (${((Date.now() - began) / 1000).toFixed(1)} s)`)
}

const ensure = (condition: boolean, message: string) => {
  if (!condition) throw new Error(message)
}

const entries = Object.keys(manifest.exports)
  .filter((name) => name !== "./package.json")
  .map((name) => path.posix.join(manifest.name, name))
// The laws and the faults are for everybody's tests, and bring no test runner with them.
const withoutPeers = [
  "testing/FaultStorage",
  "testing/FaultTable",
  "testing/StorageLaws",
  "testing/TableLaws",
  "testing/TierLaws",
  "testing/DatastoreLaws",
  "testing/MergeLaws",
  "testing/ProjectionLaws"
].map((name) => `${manifest.name}/${name}`)
const coreEntries = entries.filter((name) => name.split("/").length <= 2 || withoutPeers.includes(name))
// vitest refuses to be loaded anywhere but in its own runs.
const vitestEntry = `${manifest.name}/testing/vitest`

// The versions that are installed here, so that an install elsewhere finds them in npm's cache.
const installed = (name: string): string =>
  JSON.parse(fs.readFileSync(path.join(root, "node_modules", name, "package.json"), "utf8")).version

const install = (name: string, tarball: string, packages: ReadonlyArray<string>): string => {
  const folder = path.join(work, name)
  fs.mkdirSync(folder)
  const dependencies = Object.fromEntries(packages.map((each) => [each, installed(each)]))
  fs.writeFileSync(
    path.join(folder, "package.json"),
    JSON.stringify({
      name: "consumer",
      private: true,
      type: "module",
      dependencies: { ...dependencies, [manifest.name]: `file:${tarball}` }
    })
  )
  const flags = ["--prefer-offline", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
  run("npm", ["install", ...flags], { cwd: folder })
  return folder
}

const load = (folder: string, names: ReadonlyArray<string>): string => {
  const script = names.map(
    (name) =>
      `if (Object.keys(await import(${JSON.stringify(name)})).length === 0) throw new Error("${name} is empty")`
  )
  run(process.execPath, ["--input-type=module", "-e", script.join("\n")], { cwd: folder })
  return `${names.length} entries`
}

const runLaws = (folder: string): string => {
  const test = `
    import { storageLaws } from "${vitestEntry}"
    import { Storage } from "${manifest.name}"
    import { Effect } from "effect"
    storageLaws({
      name: "memory",
      place: Effect.sync(() => {
        const memory = Storage.memory()
        return { open: Effect.succeed(memory), peek: Effect.sync(() => memory.records) }
      }),
      capabilities: { duplicates: "kept", peeks: "in order", loads: "in order", handles: "one", prepares: "no" },
      record: (i) => "record " + i,
      idOf: (record) => record,
      all: undefined
    })`
  fs.writeFileSync(path.join(folder, "laws.test.js"), test)
  const file = path.join(folder, "laws.json")
  const reporters = ["--reporter=dot", "--reporter=json", `--outputFile.json=${file}`]
  run(process.execPath, ["node_modules/vitest/vitest.mjs", "run", "--root", folder, ...reporters], {
    cwd: folder
  })
  const report = JSON.parse(fs.readFileSync(file, "utf8"))
  ensure(report.success && report.numPassedTests > 20, "the storage laws do not hold where it is installed")
  return `${report.numPassedTests} laws hold, ${report.numPendingTests} are left out`
}

const runWorker = (folder: string): string => {
  const storing = (filename: string) => `
    import { Recorder, Storage } from "${manifest.name}"
    import * as SqliteWorker from "${manifest.name}/sql/SqliteWorker"
    import { Effect } from "effect"
    const columns = { id: Storage.Column.text }
    const program = Effect.gen(function* () {
      const storage = yield* SqliteWorker.make({ filename: "${filename}", table: "records", columns, id: "id" })
      const recorder = yield* Recorder.make(storage)
      recorder.unsafeSave({ id: "1" })
      const { stats } = yield* recorder.close
      console.log(stats.stored)
    })
    await Effect.runPromise(Effect.scoped(program))`
  fs.writeFileSync(path.join(folder, "worker.mjs"), storing("file.db"))
  const ways = [["worker.mjs"], ["--input-type=module", "-e", storing("text.db")]]
  for (const args of ways) {
    const stored = run(process.execPath, args, { cwd: folder }).trim()
    ensure(stored === "1", `stored ${stored} records instead of 1 (${args[0]})`)
  }
  return "1 record, from a file and from a text"
}

/** Jest runs tests in a realm of its own: a Date of Node's file system, and a clone, are not of its classes. */
const runJest = (folder: string): string => {
  const test = `
    import * as fs from "node:fs"
    import { Effect } from "effect"
    import { Recorder, Storage } from "${manifest.name}"
    import * as SqliteStorage from "${manifest.name}/sql/SqliteStorage"

    const columns = {
      id: Storage.Column.text,
      at: Storage.Column.timestamp,
      content: Storage.Column.bytes,
      detail: Storage.Column.json
    }
    const { mtime } = fs.statSync("package.json")
    const record = { id: "1", at: new Date(5), content: new Uint8Array([1, 2]), detail: { tags: ["a"] } }
    const records = [{ ...record, at: mtime }, { ...structuredClone(record), id: "2" }]
    const table = { table: "records", columns, id: "id" }

    test.each([
      ["memory", Storage.memory(table)],
      ["SQLite", SqliteStorage.make({ ...table, filename: ":memory:" })]
    ])("a Date and bytes of another realm are stored in %s", async (_, made) => {
      for (const { at } of records) expect(at instanceof Date).toBe(false)
      const program = Effect.gen(function* () {
        const recorder = yield* Recorder.make(yield* made)
        for (const record of records) yield* recorder.saveDurable(record)
        return yield* recorder.load({})
      })
      const rows = await Effect.runPromise(Effect.scoped(program))
      expect(rows.map(({ at }) => at.getTime())).toEqual([mtime.getTime(), 5])
      expect(rows.map(({ content }) => Array.from(content))).toEqual([[1, 2], [1, 2]])
      expect(rows.map(({ detail }) => detail.tags.join())).toEqual(["a", "a"])
    })`
  fs.writeFileSync(path.join(folder, "realms.jest.js"), test)
  const config = {
    rootDir: folder,
    testMatch: ["**/*.jest.js"],
    transform: {},
    cacheDirectory: `${folder}/.jest`
  }
  const file = path.join(folder, "jest.json")
  const args = [
    "--experimental-vm-modules",
    path.join(root, "node_modules/jest/bin/jest.js"),
    "--config",
    JSON.stringify(config),
    "--ci",
    "--runInBand"
  ]
  run(process.execPath, [...args, "--json", `--outputFile=${file}`], { cwd: folder })
  const report = JSON.parse(fs.readFileSync(file, "utf8"))
  ensure(
    report.success && report.numPassedTests === 2,
    "Dates and bytes of another realm are not stored under Jest"
  )
  return `${report.numPassedTests} tests, Jest ${installed("jest")}`
}

const compile = (folder: string, names: ReadonlyArray<string>, types: ReadonlyArray<string>): string => {
  const lines = names.map((name, index) => `export * as m${index} from "${name}"`)
  fs.writeFileSync(path.join(folder, "consumer.ts"), `${lines.join("\n")}\n`)
  const compilerOptions = {
    target: "ES2022",
    lib: ["ES2022"],
    module: "NodeNext",
    moduleResolution: "NodeNext",
    strict: true,
    exactOptionalPropertyTypes: true,
    skipLibCheck: true,
    noEmit: true,
    types,
    typeRoots: [path.join(root, "node_modules/@types")]
  }
  fs.writeFileSync(
    path.join(folder, "tsconfig.json"),
    JSON.stringify({ compilerOptions, files: ["consumer.ts"] })
  )
  run(bin("tsc"), ["-p", folder])
  return `${names.length} entries`
}

const packages = (folder: string): ReadonlyArray<string> => {
  const lock = JSON.parse(fs.readFileSync(path.join(folder, "package-lock.json"), "utf8"))
  return Object.keys(lock.packages)
    .filter((key) => key !== "")
    .map((key) => key.replace(/^.*node_modules\//, ""))
}

try {
  const packed: { files: ReadonlyArray<{ path: string }>; filename: string; unpackedSize: number } =
    JSON.parse(
      run("npm", ["pack", "--json", "--ignore-scripts", "--pack-destination", work, "--loglevel=error"])
    )[0]
  const tarball = path.join(work, packed.filename)
  const files = packed.files.map((file) => file.path)

  step("the tarball's files", () => {
    const expected = /^(dist\/|src\/|examples\/|package\.json$|README\.md$|CHANGELOG\.md$|LICENSE$)/
    const strange = files.filter(
      (file) => !expected.test(file) || /\.test\.|(^|\/)tests?\/|tsconfig|tsbuildinfo/.test(file)
    )
    ensure(strange.length === 0, `should not be packed: ${strange.join(", ")}`)
    for (const file of files.filter((each) => /^src\/.*\.ts$/.test(each))) {
      const name = file.slice("src/".length, -".ts".length)
      for (const ending of [".js", ".js.map", ".d.ts", ".d.ts.map"]) {
        ensure(files.includes(`dist/${name}${ending}`), `dist/${name}${ending} is missing`)
      }
    }
    const orphans = files.filter(
      (file) =>
        /^dist\/.*\.d\.ts$/.test(file) && !files.includes(file.replace(/^dist(.*)\.d\.ts$/, "src$1.ts"))
    )
    ensure(orphans.length === 0, `built from no source: ${orphans.join(", ")}`)
    return `${files.length} files, ${Math.round(packed.unpackedSize / 1024)} KiB`
  })

  step("publint", () => {
    run(bin("publint"), ["run", tarball, "--strict"])
    return ""
  })

  step("attw", () => {
    run(bin("attw"), [tarball, "--profile", "esm-only", "--no-color", "--format", "ascii"])
    return "profile esm-only"
  })

  const alone = install("alone", tarball, ["effect"])
  step("with effect alone, npm brings nothing else", () => {
    const own = Object.keys(
      JSON.parse(fs.readFileSync(path.join(root, "node_modules/effect/package.json"), "utf8")).dependencies ??
        {}
    )
    const allowed = [manifest.name, "effect", ...own, "pure-rand"]
    const others = packages(alone).filter((name) => !allowed.includes(name))
    ensure(others.length === 0, `installed besides effect: ${others.join(", ")}`)
    return packages(alone).join(", ")
  })
  step("with effect alone, the core loads", () => load(alone, coreEntries))
  step("with effect alone, the core compiles", () => compile(alone, coreEntries, []))

  const peers = install("peers", tarball, Object.keys(manifest.peerDependencies))
  // The native build of this machine's own install; compiling it again would take a minute.
  const build = "node_modules/better-sqlite3/build"
  if (fs.existsSync(path.join(root, build))) {
    fs.cpSync(path.join(root, build), path.join(peers, build), { recursive: true })
  }
  step("with all peers, every entry loads", () =>
    load(
      peers,
      entries.filter((name) => name !== vitestEntry)
    )
  )
  step("with all peers, the storage laws run in vitest", () => runLaws(peers))
  step("with all peers, SQLite in its thread stores a record", () => runWorker(peers))
  step("with all peers, records of another realm are stored under Jest", () => runJest(peers))
  step("with all peers, every entry compiles", () => compile(peers, entries, ["node"]))
} finally {
  fs.rmSync(work, { recursive: true, force: true })
}
