/** The demo, as a process of its own. */
import { type ChildProcess, spawn } from "node:child_process"
import { once } from "node:events"
import { root } from "../project.js"
import { bundled } from "./bundled.js"

/** Its script: with the loaders of TypeScript each process would take seconds to load it. */
export const demoScript = bundled("examples/audit-server/main.ts", ["live.html"])

export interface Demo {
  readonly child: ChildProcess
  readonly output: () => string
  /** Waits for the first match of what it prints. */
  readonly saw: (pattern: RegExp) => Promise<RegExpExecArray>
  readonly exit: Promise<number | null>
}

/** Starts it; an empty `databaseUrl` means SQLite. */
export const startDemo = (script: string, databaseUrl: string, args: ReadonlyArray<string>): Demo => {
  const child = spawn(process.execPath, [script, ...args], {
    cwd: root,
    env: { ...process.env, DATABASE_URL: databaseUrl },
    stdio: ["ignore", "pipe", "pipe"]
  })
  let output = ""
  child.stdout.on("data", (part) => {
    output += part
  })
  child.stderr.on("data", (part) => {
    output += part
  })
  const exit = once(child, "close").then(([code]) => code as number | null)
  const saw = async (pattern: RegExp): Promise<RegExpExecArray> => {
    for (;;) {
      const match = pattern.exec(output)
      if (match !== null) return match
      const ended = await Promise.race([once(child.stdout, "data").then(() => false), exit.then(() => true)])
      if (ended && !pattern.test(output)) throw new Error(`it ended without ${pattern}:\n${output}`)
    }
  }
  return { child, exit, output: () => output, saw }
}
