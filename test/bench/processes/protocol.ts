/** What the processes of the server cases say to each other. */
import { type ChildProcess, fork } from "node:child_process"
import { once } from "node:events"
import { fileURLToPath } from "node:url"
import type { Stats } from "../../../src/Recorder.js"

/** What a recorder of a server records. */
type Records = { readonly records: "requests" | "orders" }

/** How a server audits. */
export type Audit =
  | { readonly kind: "none" }
  /** One line of pino a request. */
  | { readonly kind: "pino"; readonly filename: string }
  /** One awaited INSERT a request. */
  | { readonly kind: "insert"; readonly url: string; readonly table: string }
  | ({ readonly kind: "sqlite"; readonly filename: string } & Records)
  | ({ readonly kind: "worker"; readonly filename: string } & Records)
  | ({ readonly kind: "postgres"; readonly url: string; readonly table: string } & Records)

export type FromServer =
  | { readonly _tag: "Listening"; readonly port: number }
  | { readonly _tag: "Stats"; readonly stats: Stats | undefined }
  | { readonly _tag: "Cpu"; readonly micros: number }

export type ToServer = "stats" | "cpu" | "stop"

/** A server in a process of its own. */
export interface Server {
  readonly port: number
  /** Undefined when it does not audit. */
  readonly stats: () => Promise<Stats | undefined>
  /** Microseconds of processor time that its process has taken, in all threads. */
  readonly cpu: () => Promise<number>
  readonly stop: () => Promise<void>
}

/** The next message of a process. Its end before that is an error. */
export const nextMessage = async <A>(child: ChildProcess): Promise<A> => {
  const stopped = new AbortController()
  const ended = once(child, "exit", { signal: stopped.signal }).then(([code]) => {
    throw new Error(`the process has ended with code ${code}`)
  })
  ended.catch(() => {})
  try {
    const [message] = await Promise.race([once(child, "message", { signal: stopped.signal }), ended])
    return message as A
  } finally {
    stopped.abort()
  }
}

export const startProcess = (
  name: "server" | "burst" | "setter",
  args: ReadonlyArray<string>
): ChildProcess =>
  fork(fileURLToPath(new URL(`./${name}.js`, import.meta.url)), args, { execArgv: ["--enable-source-maps"] })

export const startServer = async (audit: Audit): Promise<Server> => {
  const child = startProcess("server", [JSON.stringify(audit)])
  const say = (message: ToServer) => child.send(message)
  const first = await nextMessage<FromServer>(child)
  if (first._tag !== "Listening") throw new Error("the server does not listen")
  return {
    port: first.port,
    stats: async () => {
      say("stats")
      const answer = await nextMessage<FromServer>(child)
      return answer._tag === "Stats" ? answer.stats : undefined
    },
    cpu: async () => {
      say("cpu")
      const answer = await nextMessage<FromServer>(child)
      return answer._tag === "Cpu" ? answer.micros : Number.NaN
    },
    stop: async () => {
      const gone = once(child, "exit")
      say("stop")
      await gone
    }
  }
}
