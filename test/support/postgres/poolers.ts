/** What stands between a client and a Postgres server: filters of the protocol that do what poolers do, and a real one. */
import { spawn } from "node:child_process"
import { existsSync, writeFileSync } from "node:fs"
import { createServer } from "node:net"
import * as path from "node:path"
import { Effect, type Scope } from "effect"
import type { Rewrite } from "../http/tcpProxy.js"
import { tempDir } from "../tempDir.js"

interface Message {
  readonly type: string
  readonly bytes: Buffer
}

/** Calls `next` for each message of a server, whole; what it gives is passed on. */
const messages = (next: (message: Message) => Buffer): Rewrite => {
  let rest: Buffer = Buffer.alloc(0)
  return (bytes) => {
    rest = Buffer.concat([rest, bytes])
    const passed: Array<Buffer> = []
    while (rest.length >= 5 && rest.length > rest.readInt32BE(1)) {
      const end = 1 + rest.readInt32BE(1)
      passed.push(next({ type: String.fromCharCode(rest[0]!), bytes: rest.subarray(0, end) }))
      rest = rest.subarray(end)
    }
    return Buffer.concat(passed)
  }
}

const nothing = Buffer.alloc(0)

/** Passes everything but notifications, each of which it reports. */
export const swallowing = (onSwallowed: () => void = () => {}): Rewrite =>
  messages(({ bytes, type }) => {
    if (type !== "A") return bytes
    onSwallowed()
    return nothing
  })

/**
 * Does as a pooler in transaction mode whose only client has the same backend each time: a notification comes with the
 * answer to a statement, or never. The client is given another process than that of the backend.
 */
export const pooling = (): Rewrite => {
  let answering = false
  return messages(({ bytes, type }) => {
    if (type === "A" && !answering) return nothing
    answering = type !== "Z"
    if (type === "K") bytes.writeInt32BE(bytes.readInt32BE(5) ^ 0x40000000, 5)
    return bytes
  })
}

/** Where a PgBouncer is; none: there is none here. */
export const pgbouncer = (process.env.PATH ?? "")
  .split(path.delimiter)
  .concat("/usr/sbin")
  .map((folder) => path.join(folder, "pgbouncer"))
  .find((file) => existsSync(file))

const freePort = Effect.async<number>((resume) => {
  const server = createServer()
  server.listen(0, "127.0.0.1", () => {
    const address = server.address()
    const port = address === null || typeof address === "string" ? 0 : address.port
    server.close(() => resume(Effect.succeed(port)))
  })
})

/** Starts a PgBouncer in front of the server of a url; gives the url through it. It ends with the scope. */
export const pooled = (
  url: string,
  mode: "transaction" | "session"
): Effect.Effect<string, never, Scope.Scope> =>
  Effect.gen(function* () {
    const { hostname, password, port, username } = new URL(url)
    const own = yield* freePort
    const config = path.join(yield* tempDir, "pgbouncer.ini")
    writeFileSync(
      config,
      [
        "[databases]",
        `* = host=${hostname} port=${port} user=${username} password=${password}`,
        "[pgbouncer]",
        "listen_addr = 127.0.0.1",
        `listen_port = ${own}`,
        "unix_socket_dir =",
        "auth_type = any",
        `pool_mode = ${mode}`,
        "ignore_startup_parameters = options,extra_float_digits",
        ...(process.getuid?.() === 0 ? ["user = nobody"] : [])
      ].join("\n")
    )
    yield* Effect.acquireRelease(
      Effect.async<() => void>((resume) => {
        const child = spawn(pgbouncer!, [config], { stdio: ["ignore", "ignore", "pipe"] })
        child.stderr.on("data", (bytes: Buffer) => {
          if (bytes.toString().includes("process up")) resume(Effect.succeed(() => void child.kill()))
        })
        child.on("exit", (code) => resume(Effect.dieMessage(`pgbouncer has ended with ${code}`)))
      }),
      (stop) => Effect.sync(stop)
    )
    return Object.assign(new URL(url), { port: String(own) }).href
  })
