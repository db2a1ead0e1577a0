/** Temporary folders. */
import * as fs from "node:fs"
import * as os from "node:os"
import * as path from "node:path"

/** Uses a file name in a folder that is removed afterwards. */
export const inTemporaryFile = async <A>(use: (filename: string) => Promise<A>): Promise<A> => {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), "effect-recorder-bench-"))
  try {
    return await use(path.join(folder, "bench.sqlite"))
  } finally {
    fs.rmSync(folder, { recursive: true, force: true })
  }
}
