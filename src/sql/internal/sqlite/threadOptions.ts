/** What a thread takes over of the flags that Node.js was started with. */
import type { WorkerOptions } from "node:worker_threads"

const isInputType = (flag: string): boolean => /^--input-type(?:=|$)/.test(flag)

/** Flags that say how modules are found and loaded, which is the same for the thread; each has a value. */
const ofModules = /^(?:-r|--require|--import|--loader|--experimental-loader|-C|--conditions)(?:=|$)/
const ofLinks = /^--preserve-symlinks$/

/** The flags among these that a thread needs, with their values. */
const needed = (flags: ReadonlyArray<string>): Array<string> => {
  const kept: Array<string> = []
  for (let i = 0; i < flags.length; i++) {
    const flag = flags[i]!
    if (ofLinks.test(flag)) kept.push(flag)
    if (!ofModules.test(flag)) continue
    kept.push(flag)
    const value = flags[i + 1]
    if (!flag.includes("=") && value !== undefined) {
      kept.push(value)
      i++
    }
  }
  return kept
}

/**
 * Returns what a thread is started with in the place of all flags of the process. A thread inherits `--input-type`,
 * which is refused there: its code is in a file. Other flags it inherits as they are, since some that a process has are
 * refused when they are given to a thread by name.
 */
export const threadOptions = (
  flags: ReadonlyArray<string>,
  env: Readonly<Record<string, string | undefined>>
): Pick<WorkerOptions, "execArgv" | "env"> => {
  const words = (env.NODE_OPTIONS ?? "").split(/\s+/)
  if (!flags.some(isInputType) && !words.some(isInputType)) return {}
  const NODE_OPTIONS = words.filter((word) => !isInputType(word)).join(" ")
  return { execArgv: needed(flags), env: { ...env, NODE_OPTIONS } }
}
