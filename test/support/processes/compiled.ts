/** Code for other processes: compiled, because a loader that compiles while it loads takes a second for each of them. */
import { execFile } from "node:child_process"
import * as fs from "node:fs"
import * as path from "node:path"
import { promisify } from "node:util"
import { Effect, type Scope } from "effect"
import { root } from "../project.js"

const run = promisify(execFile)

/** Compiles a TypeScript project, by the path of its configuration, into a folder that goes with the scope. */
export const compiled = (config: string): Effect.Effect<string, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.promise(async () => {
      // Below the project, so that the compiled code finds its packages.
      fs.mkdirSync(path.join(root, "test/.tmp"), { recursive: true })
      const folder = fs.mkdtempSync(path.join(root, "test/.tmp/dist-"))
      const tsc = path.join(root, "node_modules/typescript/bin/tsc")
      await run(process.execPath, [tsc, "-p", path.join(root, config), "--outDir", folder])
      return folder
    }),
    (folder) => Effect.sync(() => fs.rmSync(folder, { recursive: true, force: true }))
  )
