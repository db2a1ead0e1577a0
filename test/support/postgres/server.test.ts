import { type ChildProcess, spawn } from "node:child_process"
import { once } from "node:events"
import * as fs from "node:fs"
import * as os from "node:os"
import * as path from "node:path"
import { createInterface } from "node:readline"
import { fileURLToPath } from "node:url"
import pg from "pg"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { databaseUrls } from "./databases.js"
import {
  createDatabase,
  createSchema,
  embeddedFolder,
  type PostgresServer,
  startPostgres,
  systemFolder
} from "./server.js"

const query = async <Row extends pg.QueryResultRow>(url: string, text: string): Promise<Array<Row>> => {
  const client = new pg.Client({ connectionString: url })
  client.on("error", () => {})
  await client.connect()
  try {
    return (await client.query<Row>(text)).rows
  } finally {
    await client.end()
  }
}

const version = async (url: string) => (await query<{ version: string }>(url, "select version()"))[0]?.version

const refused = async (url: string) => {
  for (let i = 0; i < 200; i++) {
    const answer = await query(url, "select 1").then(
      () => "open",
      (error: NodeJS.ErrnoException) => error.code
    )
    if (answer === "ECONNREFUSED") return true
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
  return false
}

const root = fileURLToPath(new URL("../../..", import.meta.url))
const isRoot = process.getuid?.() === 0

describe("the servers of this run", () => {
  for (const { name, url } of databaseUrls()) {
    it(`answer: ${name}`, async () => {
      expect(await version(url)).toMatch(/^PostgreSQL \d+/)
    })

    it(`keep two test files apart: ${name}`, async () => {
      for (const create of [createDatabase, createSchema]) {
        const [one, two] = await Promise.all([create(url), create(url)])
        await query(one.url, "create table audit (id int primary key)")
        await query(two.url, "create table audit (id int primary key)")
        await query(one.url, "insert into audit values (1)")
        expect(await query(two.url, "select * from audit")).toEqual([])
        await Promise.all([one.drop(), two.drop()])
      }
    })
  }
})

describe.each([
  ["embedded", true],
  ["system", systemFolder() !== undefined]
] as const)("a server from the %s binaries", (binaries, present) => {
  if (!present) {
    it("has no binaries here", () => expect(systemFolder()).toBe(undefined))
    return
  }
  let server: PostgresServer
  beforeAll(async () => {
    server = await startPostgres({ binaries })
  })
  afterAll(() => server?.stop())

  it("keeps what was committed over a restart, in each mode", async () => {
    await query(server.url, "create table kept (n int)")
    for (const mode of ["fast", "immediate", "crash"] as const) {
      const before = server.pid()
      await query(server.url, "insert into kept values (1)")
      await server.restart(mode)
      expect(server.pid()).not.toBe(before)
    }
    expect(await query(server.url, "select * from kept")).toHaveLength(3)
  })

  it("has the settings that the tests count on", async () => {
    const names = ["fsync", "max_connections", "listen_addresses"]
    const rows = await Promise.all(
      names.map((name) => query<Record<string, string>>(server.url, `show ${name}`))
    )
    expect(rows.map((row, index) => row[0]?.[names[index] ?? ""])).toEqual(["on", "100", "127.0.0.1"])
  })

  it("refuses a wrong password", async () => {
    const url = new URL(server.url)
    url.password = "wrong"
    await expect(version(url.href)).rejects.toMatchObject({ code: "28P01" })
  })

  it("leaves nothing behind", async () => {
    await server.stop()
    expect(fs.existsSync(server.dataDir)).toBe(false)
    expect(await refused(server.url)).toBe(true)
  })
})

describe("a server of another process", () => {
  const start = async (
    folder?: string,
    identity: { readonly uid?: number; readonly gid?: number } = {}
  ): Promise<{ child: ChildProcess; url: string; dataDir: string }> => {
    const script = fileURLToPath(new URL("./start.ts", import.meta.url))
    const args = ["--import", "tsx", script, ...(folder === undefined ? [] : [folder])]
    const child = spawn(process.execPath, args, {
      ...identity,
      cwd: root,
      stdio: ["pipe", "pipe", "inherit"]
    })
    for await (const line of createInterface({ input: child.stdout })) {
      return { child, ...JSON.parse(line) }
    }
    throw new Error(`ended before it said anything: ${child.exitCode}`)
  }

  it("goes when that process is killed", async () => {
    const { child, url, dataDir } = await start()
    expect(await version(url)).toMatch(/^PostgreSQL/)
    child.kill("SIGKILL")
    await once(child, "exit")
    expect(await refused(url)).toBe(true)
    const folder = path.dirname(dataDir)
    for (let i = 0; i < 200 && fs.existsSync(folder); i++) {
      await new Promise((resolve) => setTimeout(resolve, 50))
    }
    expect(fs.existsSync(folder)).toBe(false)
  })

  it("runs from binaries that only we may read", async () => {
    const folder = fs.mkdtempSync(path.join(os.tmpdir(), "effect-recorder-private-"))
    try {
      fs.chmodSync(folder, 0o700)
      fs.cpSync(embeddedFolder(), path.join(folder, "native"), { recursive: true, verbatimSymlinks: true })
      const server = await startPostgres({ binaries: { folder: path.join(folder, "native") } })
      expect(await version(server.url)).toMatch(/^PostgreSQL/)
      await server.stop()
    } finally {
      fs.rmSync(folder, { recursive: true, force: true })
    }
  })

  it.runIf(isRoot && everyoneMayRead(root))("runs as another user than root", async () => {
    const { child, url } = await start(undefined, { uid: 65534, gid: 65534 })
    expect(await version(url)).toMatch(/^PostgreSQL/)
    child.stdin?.end()
    await once(child, "exit")
    expect(child.exitCode).toBe(0)
    expect(await refused(url)).toBe(true)
  })
})

function everyoneMayRead(folder: string): boolean {
  for (let at = folder; ; at = path.dirname(at)) {
    if ((fs.statSync(at).mode & 0o005) !== 0o005) return false
    if (at === path.dirname(at)) return true
  }
}
