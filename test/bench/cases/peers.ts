/** Every peer in one run: what a call costs, what a committed record costs, and how it grows. */
import * as fs from "node:fs"
import * as os from "node:os"
import * as path from "node:path"
import { callers } from "../logging/callers.js"
import type { Comparison } from "../logging/compare.js"
import { postgres, sqlite } from "../logging/databases.js"
import { growth } from "../logging/growth.js"
import { parts } from "../logging/parts.js"
import { requests } from "../logging/requests.js"
import { smallPostgres, smallSqlite } from "../logging/small.js"
import type { Case } from "../support/bench.js"
import { chartOf, headlines } from "../support/chart.js"
import { withDatabase } from "../support/database.js"
import { inTemporaryFile } from "../support/files.js"
import { loadPeers, loadWriters } from "../support/peers.js"
import { only, placed, type Report, type ReportRow, tableOf } from "../support/report.js"

// The cases run compiled, in another folder; the process runs in the repository's.
const home = path.join(process.cwd(), "test/bench/peers")

const loadOfMachine = (): number => Number((os.loadavg()[0] ?? 0).toFixed(1))

export const peers: Case = {
  name: "peers",
  about:
    "loggers, queues and hand-written SQL beside the recorder, and peers of other parts; writes JSON, a table and a chart",
  run: async (bench) => {
    const writers = await loadWriters(bench.note)
    const others = await loadPeers(bench.note)
    if (writers === undefined || others === undefined) return
    const rows: Array<ReportRow> = []
    const comparison: Comparison = { bench, rounds: bench.quick ? 7 : 11, rows }
    const before = loadOfMachine()
    await inTemporaryFile(async (file) => {
      await callers(comparison, writers, path.dirname(file))
      await withDatabase(async ({ url }) => {
        await postgres(comparison, writers, url)
        await smallPostgres(comparison, url)
      })
      await sqlite(comparison, file)
      await smallSqlite(comparison, file)
    })
    await requests(comparison)
    await growth(comparison, bench.quick ? 1_000_000 : 10_000_000)
    await parts(comparison, others)
    bench.note(`load of the machine: ${before} before, ${loadOfMachine()} after`)
    const report: Report = {
      command: `npm run bench -- peers${bench.quick ? " --quick" : ""}`,
      date: new Date().toISOString().slice(0, 10),
      machine: `${os.cpus().length} cores, Node.js ${process.version}`,
      load: [before, loadOfMachine()],
      rounds: comparison.rounds,
      rows
    }
    fs.writeFileSync(path.join(home, "results.json"), `${JSON.stringify(report, null, 2)}\n`)
    fs.writeFileSync(path.join(home, "chart.svg"), chartOf(only(report, headlines)))
    const page = path.join(home, "../RESULTS.md")
    fs.writeFileSync(page, placed(fs.readFileSync(page, "utf8"), tableOf(report)))
    bench.note(
      "written: results.json and chart.svg of test/bench/peers, and the table of test/bench/RESULTS.md"
    )
  }
}
