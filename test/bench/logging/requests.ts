/**
 * What auditing costs a server's process at a fixed rate. The client is paced: a request is sent when it is due, by the
 * millisecond. One that sends each second's share at once would measure bursts.
 */
import { Agent, get } from "node:http"
import { type Audit, type Server, startServer } from "../processes/protocol.js"
import { withDatabase } from "../support/database.js"
import { inTemporaryFile } from "../support/files.js"
import { quantile } from "../support/statistics.js"
import { type Comparison, compare, type Found, note } from "./compare.js"

const perSecond = 1500
const connections = 50

const request = (agent: Agent, port: number): Promise<void> =>
  new Promise((resolve, reject) => {
    const sent = get({ agent, port, host: "127.0.0.1", path: "/orders/17" }, (response) => {
      response.resume()
      response.once("end", resolve)
    })
    sent.once("error", (error: NodeJS.ErrnoException) => {
      // The server has closed a connection that was idle between two measurements.
      if (sent.reusedSocket && error.code === "ECONNRESET") resolve(request(agent, port))
      else reject(error)
    })
  })

/** Sends requests at the rate. Resolves when all are answered; gives how many milliseconds each took since it was due. */
const paced = async (agent: Agent, port: number, count: number): Promise<ReadonlyArray<number>> => {
  const answers: Array<Promise<number>> = []
  const began = performance.now()
  while (answers.length < count) {
    const due = Math.min(count, Math.floor(((performance.now() - began) * perSecond) / 1000))
    while (answers.length < due) {
      const dueAt = began + (answers.length * 1000) / perSecond
      answers.push(request(agent, port).then(() => performance.now() - dueAt))
    }
    await new Promise((resolve) => setTimeout(resolve, 1))
  }
  return await Promise.all(answers)
}

/** Microseconds of processor time that the server's process takes for a request, and until its records are stored. */
const costOf = async (
  agent: Agent,
  server: Server,
  count: number
): Promise<{ readonly cost: number; readonly millis: ReadonlyArray<number> }> => {
  const before = await server.cpu()
  const millis = await paced(agent, server.port, count)
  while (((await server.stats())?.pending ?? 0) > 0) await new Promise((resolve) => setTimeout(resolve, 5))
  return { cost: ((await server.cpu()) - before) / count, millis }
}

const names = {
  none: "not audited",
  pino: "one line of pino to a file",
  insert: "an awaited INSERT, on a pool of 10",
  postgres: "HttpAudit to Postgres",
  worker: "HttpAudit to SQLite, by SqliteWorker",
  sqlite: "HttpAudit to SQLite, on the server's thread"
}

const lineOnly = "its line is no record in a table, and is lost when the process is"
const reasons = {
  [names.none]: "it records nothing: the difference is what the others add",
  [names.pino]: lineOnly,
  [names.insert]: "it checks nothing and keeps fewer columns; each request waits for its commit",
  [names.worker]: "its driver takes no socket",
  [names.sqlite]: "its driver takes no socket and no thread; the requests wait for its commits"
}

/** Notes what each server adds to one that does not audit, round by round. */
const noteAdded = (comparison: Comparison, found: Found): void => {
  const none = found[names.none] ?? []
  const added = Object.fromEntries(
    Object.entries(found)
      .filter(([name]) => name !== names.none)
      .map(([name, costs]) => [name, costs.map((cost, round) => cost - (none[round] ?? Number.NaN))])
  )
  note(comparison, "what that adds to a request that is not audited, µs", added, reasons, names.postgres)
}

/** Measures servers that differ in their audit alone. */
export const requests = (comparison: Comparison): Promise<void> =>
  withDatabase(({ url }) =>
    inTemporaryFile(async (file) => {
      const records = "requests"
      const audits: { readonly [K in keyof typeof names]: Audit } = {
        none: { kind: "none" },
        pino: { kind: "pino", filename: `${file}.log` },
        insert: { kind: "insert", url, table: "inserted" },
        postgres: { kind: "postgres", url, table: "requests", records },
        worker: { kind: "worker", filename: `${file}-1`, records },
        sqlite: { kind: "sqlite", filename: `${file}-2`, records }
      }
      const agent = new Agent({ keepAlive: true, maxSockets: connections })
      const servers: Array<Server> = []
      const samples: Record<string, () => Promise<number>> = {}
      const latencies = new Map<string, Array<ReadonlyArray<number>>>()
      try {
        for (const kind of Object.keys(names) as Array<keyof typeof names>) {
          const server = await startServer(audits[kind])
          servers.push(server)
          const count = comparison.bench.quick ? perSecond / 2 : 2 * perSecond
          const rounds: Array<ReadonlyArray<number>> = []
          latencies.set(names[kind], rounds)
          samples[names[kind]] = async () => {
            const { cost, millis } = await costOf(agent, server, count)
            rounds.push(millis)
            return cost
          }
        }
        const found = await compare(
          comparison,
          `a request at ${perSecond} a second over ${connections} connections: processor time of the server's process, µs`,
          samples,
          reasons,
          names.postgres
        )
        noteAdded(comparison, found)
        for (const [name, rounds] of latencies) {
          // The first round warms up.
          const millis = rounds.slice(1).flat()
          const [p50, p99] = [quantile(millis, 0.5), quantile(millis, 0.99)]
          comparison.bench.note(
            `${name}: p50 ${p50.toFixed(1)} ms, p99 ${p99.toFixed(1)} ms since it was due`
          )
        }
      } finally {
        agent.destroy()
        for (const server of servers) await server.stop()
      }
    })
  )
