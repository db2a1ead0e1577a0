/** What a server loses by auditing every request, under the load of an independent client. */
import { spawn } from "node:child_process"
import { createRequire } from "node:module"
import { type Audit, type Server, startServer } from "../processes/protocol.js"
import { type Bench, type Case, interleave } from "../support/bench.js"
import { withDatabase } from "../support/database.js"
import { inTemporaryFile } from "../support/files.js"

const connections = 50

interface Load {
  readonly perSecond: number
  readonly p50: number
  readonly p99: number
}

interface Autocannon {
  readonly requests: { readonly average: number; readonly total: number }
  readonly latency: { readonly p50: number; readonly p99: number }
  readonly errors: number
  readonly non2xx: number
}

const autocannon = createRequire(import.meta.url).resolve("autocannon/autocannon.js")

const load = async (server: Server, seconds: number): Promise<Load> => {
  const url = `http://127.0.0.1:${server.port}/orders/17`
  const child = spawn(process.execPath, [autocannon, "-j", "-c", `${connections}`, "-d", `${seconds}`, url], {
    stdio: ["ignore", "pipe", "ignore"]
  })
  let text = ""
  for await (const chunk of child.stdout) text += String(chunk)
  const { errors, latency, non2xx, requests } = JSON.parse(text) as Autocannon
  if (errors + non2xx > 0) throw new Error(`${errors} requests failed, ${non2xx} were refused`)
  return { perSecond: requests.average, p50: latency.p50, p99: latency.p99 }
}

const kinds = ["plain", "postgres", "worker", "sqlite"] as const
type Kind = (typeof kinds)[number]

const names: { readonly [K in Kind]: string } = {
  plain: "not audited",
  postgres: "audited to Postgres",
  worker: "audited to SQLite in a worker",
  sqlite: "audited to SQLite on the server's thread"
}

const compare = async (bench: Bench, servers: { readonly [K in Kind]: Server }): Promise<void> => {
  const seconds = bench.quick ? 2 : 3
  const loads = Object.fromEntries(kinds.map((kind) => [kind, []])) as unknown as {
    readonly [K in Kind]: Array<Load>
  }
  const sample = (kind: Kind) => async () => {
    const found = await load(servers[kind], seconds)
    loads[kind].push(found)
    return found.perSecond
  }
  const perSecond = await interleave(
    { rounds: bench.pairs },
    {
      plain: sample("plain"),
      postgres: sample("postgres"),
      worker: sample("worker"),
      sqlite: sample("sqlite")
    }
  )
  // The first one is the warm-up.
  const latencies = (kind: Kind, of: "p50" | "p99") => loads[kind].slice(1).map((found) => found[of])
  for (const kind of kinds) {
    bench.figure(names[kind], perSecond[kind], "requests/s")
    bench.figure("  p50", latencies(kind, "p50"), "ms")
    bench.figure("  p99", latencies(kind, "p99"), "ms")
    const stats = await servers[kind].stats()
    if (stats === undefined) continue
    const lost = stats.accepted - stats.stored - stats.pending
    bench.note(
      `  ${stats.stored} records stored by ${stats.saves} saves, ${(stats.stored / stats.saves).toFixed(1)} each`
    )
    if (lost !== 0 || stats.refused > 0)
      throw new Error(`${lost} records are missing, ${stats.refused} were refused`)
  }
  const targets = [
    ["postgres", 0.9],
    ["worker", 0.75]
  ] as const
  for (const [kind, atLeast] of targets) {
    bench.ratio(`requests/s, ${names[kind]} to not audited`, perSecond[kind], perSecond.plain, { atLeast })
    const plain = latencies("plain", "p99")
    const beyond = latencies(kind, "p99").map((millis, i) => millis - 1.2 * (plain[i] ?? Number.NaN))
    bench.limit(`p99, ${names[kind]}, beyond 1.2x of not audited`, beyond, "ms", { atMost: 2 })
  }
  bench.ratio(`requests/s, ${names.sqlite} to not audited`, perSecond.sqlite, perSecond.plain)
}

const withServers = async (
  audits: { readonly [K in Kind]: Audit },
  use: (servers: { readonly [K in Kind]: Server }) => Promise<void>
): Promise<void> => {
  const started: Array<Server> = []
  const start = async (kind: Kind): Promise<Server> => {
    const server = await startServer(audits[kind])
    started.push(server)
    return server
  }
  try {
    await use({
      plain: await start("plain"),
      postgres: await start("postgres"),
      worker: await start("worker"),
      sqlite: await start("sqlite")
    })
  } finally {
    for (const server of started) await server.stop()
  }
}

export const server: Case = {
  name: "server",
  about: `requests/s and latency of a server that audits, to the same server without, at ${connections} connections`,
  run: (bench) =>
    withDatabase(({ url }) =>
      inTemporaryFile((filename) => {
        const records = "requests"
        const audits = {
          plain: { kind: "none" },
          postgres: { kind: "postgres", url, table: "requests", records },
          worker: { kind: "worker", filename: `${filename}-1`, records },
          sqlite: { kind: "sqlite", filename: `${filename}-2`, records }
        } as const
        return withServers(audits, (servers) => compare(bench, servers))
      })
    )
}
