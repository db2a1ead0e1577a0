import * as fs from "node:fs/promises"
import * as os from "node:os"
import * as path from "node:path"
import { Effect } from "effect"

/** A folder of one's own, gone with the scope. */
export const tempDir = Effect.acquireRelease(
  Effect.promise(() => fs.mkdtemp(path.join(os.tmpdir(), "effect-recorder-"))),
  (folder) => Effect.promise(() => fs.rm(folder, { recursive: true, force: true }))
)
