/**
 * What auditing costs a server's process at a fixed rate. The client is paced: a request is sent when it is due, by the
 * millisecond. One that sends each second's share at once would measure bursts.
 */
import { Agent, get } from "node:http"
import { type Audit, type Server, startServer } from "../processes/protocol.js"
import { withDatabase } from "../support/database.js"
import { inTemporaryFile } from "../support/files.js"
import { type Comparison, compare } from "./compare.js"

const perSecond = 1500
const connections = 50

const request = (agent: Agent, port: number): Promise<void> =>
  new Promise((resolve, reject) => {
    const sent = get({ agent, port, host: "127.0.0.1", path: "/orders/17" }, (response) => {
      response.resume()
      response.once("end", resolve)
    })
    sent.once("error", reject)
  })

/** Sends requests at the rate. Resolves when all are answered. */
const paced = async (agent: Agent, port: number, count: number): Promise<void> => {
  const answers: Array<Promise<void>> = []
  const began = performance.now()
  while (answers.length < count) {
    const due = Math.min(count, Math.floor(((performance.now() - began) * perSecond) / 1000))
    while (answers.length < due) answers.push(request(agent, port))
    await new Promise((resolve) => setTimeout(resolve, 1))
  }
  await Promise.all(answers)
}

/** Microseconds of processor time that the server's process takes for a request, and until its records are stored. */
const costOf = async (agent: Agent, server: Server, count: number): Promise<number> => {
  const before = await server.cpu()
  await paced(agent, server.port, count)
  while (((await server.stats())?.pending ?? 0) > 0) await new Promise((resolve) => setTimeout(resolve, 5))
  return ((await server.cpu()) - before) / count
}

const names = {
  none: "not audited",
  pino: "one line of pino to a file",
  postgres: "HttpAudit to Postgres",
  worker: "HttpAudit to SQLite, by SqliteWorker",
  sqlite: "HttpAudit to SQLite, on the server's thread"
}

/** Measures servers that differ in their audit alone. */
export const requests = (comparison: Comparison): Promise<void> =>
  withDatabase(({ url }) =>
    inTemporaryFile(async (file) => {
      const records = "requests"
      const audits: { readonly [K in keyof typeof names]: Audit } = {
        none: { kind: "none" },
        pino: { kind: "pino", filename: `${file}.log` },
        postgres: { kind: "postgres", url, table: "requests", records },
        worker: { kind: "worker", filename: `${file}-1`, records },
        sqlite: { kind: "sqlite", filename: `${file}-2`, records }
      }
      const agent = new Agent({ keepAlive: true, maxSockets: connections })
      const servers: Array<Server> = []
      const samples: Record<string, () => Promise<number>> = {}
      try {
        for (const kind of Object.keys(names) as Array<keyof typeof names>) {
          const server = await startServer(audits[kind])
          servers.push(server)
          samples[names[kind]] = () =>
            costOf(agent, server, comparison.bench.quick ? perSecond / 2 : 2 * perSecond)
        }
        await compare(
          comparison,
          `a request at ${perSecond} a second over ${connections} connections: processor time of the server's process, µs`,
          samples,
          { [names.none]: "it records nothing: the difference is what the others add" },
          names.postgres
        )
      } finally {
        agent.destroy()
        for (const server of servers) await server.stop()
      }
    })
  )
