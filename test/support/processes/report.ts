/** What a child process says. */
import { writeSync } from "node:fs"

/** Nobody wakes it. */
const nobody = new Int32Array(new SharedArrayBuffer(4))

/**
 * Writes a line to standard output before it returns, so that no way to end the process loses it. While the reader is
 * behind there is no room in a socket that does not block, and the process waits for it.
 */
export const say = (line: string): void => {
  let left = Buffer.from(`${line}\n`)
  while (left.length > 0) {
    try {
      left = left.subarray(writeSync(1, left))
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EAGAIN") throw error
      Atomics.wait(nobody, 0, 0, 1)
    }
  }
}
