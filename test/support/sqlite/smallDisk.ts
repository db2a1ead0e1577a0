/** A small disk of one's own: a tmpfs, where the machine lets us mount one. */
import { execFileSync } from "node:child_process"
import * as fs from "node:fs"
import * as os from "node:os"
import * as path from "node:path"
import { Effect, type Scope } from "effect"

const mount = (folder: string, options: string): void => {
  execFileSync("mount", ["-t", "tmpfs", "-o", options, "effect-recorder", folder], { stdio: "pipe" })
}

// Lazily: a disk that is still in use goes when it is not.
const unmount = (folder: string): void => {
  execFileSync("umount", ["-l", folder], { stdio: "pipe" })
}

/** Whether it can be done here: Linux, and the right to mount. */
export const mayMount = (): boolean => {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), "effect-recorder-mount-"))
  try {
    mount(folder, "size=64k")
    unmount(folder)
    return true
  } catch {
    return false
  } finally {
    fs.rmdirSync(folder)
  }
}

/** An empty disk of so many MiB on a new folder, for the user whom `like` belongs to. It goes with the scope. */
export const smallDisk = (folder: string, mebibytes: number, like: string) =>
  Effect.acquireRelease(
    Effect.sync(() => {
      const { gid, uid } = fs.statSync(like)
      fs.mkdirSync(folder)
      mount(folder, `size=${mebibytes}m,uid=${uid},gid=${gid},mode=700`)
      return folder
    }),
    () =>
      Effect.sync(() => {
        unmount(folder)
        fs.rmdirSync(folder)
      })
  ) satisfies Effect.Effect<string, never, Scope.Scope>
