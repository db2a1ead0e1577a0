/** Code for other processes: bundled, because loading each module of Effect takes a second for each of them. */
import * as fs from "node:fs"
import * as path from "node:path"
import { Effect, type Scope } from "effect"
import { type BuildOptions, buildSync } from "esbuild"
import { read, root } from "../project.js"

/** How all of them are bundled. */
export const bundleOptions = JSON.parse(read("test/support/processes/bundle.json")) as BuildOptions

/** Where the source finds the file of its thread: beside what starts it. */
const thread = "src/sql/internal/sqlite/thread.ts"

/**
 * Bundles a program, by the path of its file; the script is gone with the scope. It finds those of `beside` where the
 * program does: in its own folder.
 */
export const bundled = (
  program: string,
  beside: ReadonlyArray<string> = []
): Effect.Effect<string, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.sync(() => {
      // Below the project, so that the bundle finds the packages that are not in it.
      fs.mkdirSync(path.join(root, "test/.tmp"), { recursive: true })
      const outdir = fs.mkdtempSync(path.join(root, "test/.tmp/bundle-"))
      const entryPoints = [program, thread].map((file) => path.join(root, file))
      buildSync({ ...bundleOptions, entryPoints, outdir, entryNames: "[name]" })
      fs.writeFileSync(path.join(outdir, "package.json"), '{"type":"module"}')
      const folder = path.join(root, path.dirname(program))
      for (const file of beside) fs.copyFileSync(path.join(folder, file), path.join(outdir, file))
      return outdir
    }),
    (folder) => Effect.sync(() => fs.rmSync(folder, { recursive: true, force: true }))
  ).pipe(Effect.map((folder) => path.join(folder, path.basename(program).replace(/\.ts$/, ".js"))))
