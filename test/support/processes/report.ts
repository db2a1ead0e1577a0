/** Reports from a child process to its parent. */
import { writeSync } from "node:fs"

/** Never notified: a wait on it ends by its time limit. */
const neverNotified = new Int32Array(new SharedArrayBuffer(4))

/**
 * Writes a line to standard output before it returns, so that no way to end the process loses it. While the reader is
 * behind there is no room in a socket that does not block, and the process waits for it.
 */
export const report = (line: string): void => {
  let left = Buffer.from(`${line}\n`)
  while (left.length > 0) {
    try {
      left = left.subarray(writeSync(1, left))
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EAGAIN") throw error
      Atomics.wait(neverNotified, 0, 0, 1)
    }
  }
}
