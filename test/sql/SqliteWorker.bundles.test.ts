/** Programs with a file in a thread that are started in other ways than from a file of this package. */
import { execFile } from "node:child_process"
import * as fs from "node:fs"
import * as path from "node:path"
import { fileURLToPath } from "node:url"
import { afterAll, beforeAll, describe, expect, it } from "@effect/vitest"
import { Effect } from "effect"
import { build, transform } from "esbuild"
import { threadOptions } from "../../src/sql/internal/sqlite/threadOptions.js"
import * as SqliteWorker from "../../src/sql/SqliteWorker.js"
import { bundleOptions } from "../support/processes/bundled.js"
import { root } from "../support/project.js"

/** Stores one record in the file that is named to it, and prints how many there are, or the error. */
const program = `
import { Effect } from "effect"
import { Column } from "../../../src/Storage.ts"
import * as SqliteWorker from "../../../src/sql/SqliteWorker.ts"
const columns = { id: Column.text }
export const run = (filename) => SqliteWorker.make({ filename, table: "t", columns, id: "id" }).pipe(
  Effect.flatMap((storage) => storage.save([{ id: "a" }])),
  Effect.scoped,
  Effect.match({ onSuccess: () => "stored", onFailure: ({ kind, message }) => kind + ": " + message }),
  Effect.tap((line) => Effect.sync(() => console.log(line))),
  Effect.runPromise
)`

/** The program and its thread, bundled as by a build of a user: the file of the thread is what the package names. */
let bundle = ""

beforeAll(async () => {
  fs.mkdirSync(path.join(root, "test/.tmp"), { recursive: true })
  bundle = fs.mkdtempSync(path.join(root, "test/.tmp/bundle-"))
  // The file is TypeScript here.
  const thread = fileURLToPath(SqliteWorker.threadFile()).replace(/\.js$/, ".ts")
  fs.writeFileSync(path.join(bundle, "program.ts"), program)
  await build({
    ...bundleOptions,
    sourcemap: false,
    entryPoints: { main: path.join(bundle, "program.ts"), thread },
    outdir: bundle
  })
  fs.writeFileSync(path.join(bundle, "package.json"), '{"type":"module"}')
}, 60_000)

afterAll(() => fs.rmSync(bundle, { recursive: true, force: true }))

/** The bundle in another folder, without the file of the thread. */
const alone = (form: "esm" | "cjs") =>
  Effect.acquireRelease(
    Effect.promise(async () => {
      const folder = fs.mkdtempSync(path.join(root, "test/.tmp/bundle-"))
      const code = fs.readFileSync(path.join(bundle, "main.js"), "utf8")
      const written =
        form === "esm" ? code : (await transform(code, { format: "cjs", logLevel: "silent" })).code
      fs.writeFileSync(path.join(folder, "main.js"), written)
      const type = form === "esm" ? "module" : "commonjs"
      fs.writeFileSync(path.join(folder, "package.json"), JSON.stringify({ type }))
      return folder
    }),
    (folder) => Effect.sync(() => fs.rmSync(folder, { recursive: true, force: true }))
  )

/** What Node.js prints, started with these arguments and this input. */
const node = (cwd: string, args: ReadonlyArray<string>, input = "", env: Record<string, string> = {}) =>
  Effect.async<string>((resume) => {
    const child = execFile(
      process.execPath,
      [...args],
      { cwd, env: { ...process.env, ...env } },
      (_, out, err) => resume(Effect.succeed(out + err))
    )
    child.stdin?.end(input)
  })

const calling = (file: string) => `import { run } from "./main.js"; await run("${file}.db")`

describe("SqliteWorker", () => {
  it.live("runs in a bundle beside its file, also where the program comes from no file", () =>
    Effect.gen(function* () {
      const started = Effect.all(
        [
          node(bundle, ["--input-type=module", "-e", calling("a")]),
          node(bundle, ["--input-type=module"], calling("b"))
        ],
        { concurrency: 2 }
      )
      expect(yield* started).toEqual(["stored\n", "stored\n"])
    })
  )

  it.scopedLive("in a bundle of one file, names the file that is missing and what gives it", () =>
    Effect.gen(function* () {
      const folder = yield* alone("esm")
      fs.writeFileSync(path.join(folder, "call.mjs"), calling("a"))
      const printed = yield* node(folder, ["call.mjs"])
      expect(printed).toContain(
        `Fatal: the file of the thread of SQLite is missing: ${path.join(folder, "thread.js")}`
      )
      expect(printed).toContain("SqliteWorker.threadFile()")
    })
  )

  it.scopedLive("in a bundle of CommonJS, fails with what to do", () =>
    Effect.gen(function* () {
      const folder = yield* alone("cjs")
      const printed = yield* node(folder, ["-e", 'require("./main.js").run("file.db")'])
      expect(printed).toMatch(/^Fatal: .*CommonJS.*ES modules\n$/)
    })
  )
})

describe("a thread inherits", () => {
  it("all flags as they are, if none is of the program's own text", () => {
    expect(threadOptions(["--expose-gc", "--import", "x"], { A: "b" })).toEqual({})
  })

  it("no flag of the program's own text, and those that find and load modules", () => {
    const flags = [
      "--input-type=module",
      "--expose-gc",
      "--import",
      "tsx",
      "--require=./a.cjs",
      "-r",
      "./b.cjs",
      "-C",
      "development",
      "--conditions=x",
      "--preserve-symlinks",
      "-e",
      "--import"
    ]
    expect(threadOptions(flags.slice(0, -1), { A: "b" })).toEqual({
      execArgv: [
        "--import",
        "tsx",
        "--require=./a.cjs",
        "-r",
        "./b.cjs",
        "-C",
        "development",
        "--conditions=x",
        "--preserve-symlinks"
      ],
      env: { A: "b", NODE_OPTIONS: "" }
    })
  })

  it("no such flag of NODE_OPTIONS either", () => {
    const env = { NODE_OPTIONS: "--max-old-space-size=100 --input-type=module" }
    expect(threadOptions([], env)).toEqual({
      execArgv: [],
      env: { NODE_OPTIONS: "--max-old-space-size=100" }
    })
  })
})
