/** Another process of Node, and what it says line by line. */
import { spawn } from "node:child_process"
import { once } from "node:events"
import { createInterface } from "node:readline"
import type { Readable } from "node:stream"
import { Deferred, Effect, type Scope } from "effect"
import { root } from "../project.js"

export interface Child {
  /** What it has said until now. */
  readonly lines: ReadonlyArray<string>
  /** Completes when so many of its lines begin with this. */
  readonly said: (beginning: string, times?: number) => Effect.Effect<void, Error>
  /** Writes a line to its input, if that is a pipe. */
  readonly write: (line: string) => void
  readonly kill: (signal: NodeJS.Signals) => void
  /** Completes when it has ended and all of its lines are there. */
  readonly ended: Effect.Effect<{ readonly code: number | null; readonly signal: NodeJS.Signals | null }>
}

/** Starts a JavaScript file in a process that is gone with the scope. */
export const startChild = (
  file: string,
  argument: string,
  input: "ignore" | "pipe" = "ignore"
): Effect.Effect<Child, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.sync(() => {
      const lines: Array<string> = []
      const waiting = new Set<() => void>()
      const tell = () => {
        for (const look of [...waiting]) look()
      }
      const child = spawn(process.execPath, [file, argument], {
        cwd: root,
        stdio: [input, "pipe", "ignore"]
      })
      // It may be gone while it is written to: its end is what shows that.
      child.stdin?.on("error", () => undefined)
      const stdout = child.stdout as Readable
      const output = createInterface({ input: stdout })
      output.on("line", (line) => {
        lines.push(line)
        tell()
      })
      let over = false
      const ended = Promise.all([once(child, "close"), once(output, "close")]).then(() => {
        over = true
        tell()
        return { code: child.exitCode, signal: child.signalCode }
      })
      const said = (beginning: string, times = 1) =>
        Effect.gen(function* () {
          const found = yield* Deferred.make<void, Error>()
          const look = () => {
            if (lines.filter((line) => line.startsWith(beginning)).length >= times) {
              Deferred.unsafeDone(found, Effect.void)
            } else if (over) {
              const error = new Error(`it ended without "${beginning}": ${lines.slice(-5).join("; ")}`)
              Deferred.unsafeDone(found, Effect.fail(error))
            }
          }
          waiting.add(look)
          look()
          yield* Effect.ensuring(
            Deferred.await(found),
            Effect.sync(() => waiting.delete(look))
          )
        })
      const handle: Child = {
        lines,
        said,
        write: (line) => {
          child.stdin?.write(`${line}\n`)
        },
        kill: (signal) => {
          child.kill(signal)
        },
        ended: Effect.promise(() => ended)
      }
      return handle
    }),
    ({ ended, kill }) =>
      Effect.zipRight(
        Effect.sync(() => kill("SIGKILL")),
        ended
      )
  )
