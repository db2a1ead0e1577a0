/** How many commits it takes to make 64 records durable that another process asks for in the same moment. */
import { type Audit, nextMessage, startProcess, startServer } from "../processes/protocol.js"
import type { Bench, Case } from "../support/bench.js"
import { withDatabase } from "../support/database.js"
import { inTemporaryFile } from "../support/files.js"

const requests = 64
const maxCommits = 4

const bursts = async (bench: Bench, name: string, audit: Audit): Promise<void> => {
  const server = await startServer(audit)
  const client = startProcess("burst", [String(server.port), String(requests)])
  try {
    await nextMessage(client)
    const commits: Array<number> = []
    const millis: Array<number> = []
    // The first ones compile.
    for (let i = -10; i < 2 * bench.pairs; i++) {
      const before = await server.stats()
      const start = performance.now()
      client.send("go")
      await nextMessage(client)
      const took = performance.now() - start
      const after = await server.stats()
      if (before === undefined || after === undefined) throw new Error("the server does not audit")
      if (after.stored - before.stored !== requests)
        throw new Error("a record was answered that is not stored")
      if (i < 0) continue
      commits.push(after.saves - before.saves)
      millis.push(took)
    }
    bench.figure(`${name}: until all are answered`, millis, "ms")
    bench.figure(`${name}: commits`, commits, "for each burst")
    const most = [Math.max(...commits)]
    bench.limit(`${name}: the most commits for ${requests} durable saves`, most, "commits", {
      atMost: maxCommits
    })
  } finally {
    client.kill()
    await server.stop()
  }
}

export const durable: Case = {
  name: "durable",
  about: `commits for ${requests} durable saves that a separate process requests at once`,
  run: async (bench) => {
    const records = "orders"
    await inTemporaryFile((filename) => bursts(bench, "SQLite worker", { kind: "worker", filename, records }))
    await inTemporaryFile((filename) =>
      bursts(bench, "SQLite in-thread", { kind: "sqlite", filename, records })
    )
    await withDatabase(({ url }) =>
      bursts(bench, "Postgres", { kind: "postgres", url, table: "orders", records })
    )
  }
}
