/** How long other work on the event loop had to wait. */
import { turn } from "./recorders.js"

/** Milliseconds of the longest wait for a turn while `work` runs. */
export const longestStall = async (work: () => Promise<void>): Promise<number> => {
  let longest = 0
  let over = false
  const watch = async () => {
    for (let last = performance.now(); !over; ) {
      await turn()
      const now = performance.now()
      longest = Math.max(longest, now - last)
      last = now
    }
  }
  const watching = watch()
  await turn()
  await work()
  over = true
  await watching
  return longest
}
