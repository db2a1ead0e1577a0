/** Runs the cases, compiled; see run.ts. */
import * as os from "node:os"
import { cache } from "./cases/cache.js"
import { close } from "./cases/close.js"
import { datastore } from "./cases/datastore.js"
import { doorbell } from "./cases/doorbell.js"
import { durable } from "./cases/durable.js"
import { enqueue } from "./cases/enqueue.js"
import { mergeDiff } from "./cases/mergeDiff.js"
import { mergePool } from "./cases/mergePool.js"
import { mergePoolSmall } from "./cases/mergePoolSmall.js"
import { middleware } from "./cases/middleware.js"
import { peers } from "./cases/peers.js"
import { postgres } from "./cases/postgres.js"
import { projection } from "./cases/projection.js"
import { server } from "./cases/server.js"
import { sqlite } from "./cases/sqlite.js"
import { sse } from "./cases/sse.js"
import { table } from "./cases/table.js"
import { tick } from "./cases/tick.js"
import { watch } from "./cases/watch.js"
import { type Case, type Finding, makeBench } from "./support/bench.js"

const cases: ReadonlyArray<Case> = [
  enqueue,
  tick,
  close,
  sqlite,
  postgres,
  server,
  durable,
  middleware,
  watch,
  datastore,
  mergeDiff,
  mergePool,
  mergePoolSmall,
  sse,
  doorbell,
  cache,
  table,
  projection,
  peers
]

const print = (line: string): void => {
  process.stdout.write(`${line}\n`)
}

const args = process.argv.slice(2)
const quick = args.includes("--quick")
const named = args.filter((arg) => !arg.startsWith("--"))
const unknown = named.filter((name) => !cases.some((each) => each.name === name))

const main = async (): Promise<number> => {
  if (args.includes("--list") || unknown.length > 0) {
    if (unknown.length > 0) print(`unknown: ${unknown.join(", ")}`)
    for (const { about, name } of cases) print(`${name.padEnd(12)}${about}`)
    return unknown.length > 0 ? 2 : 0
  }
  const pairs = quick ? 6 : 15
  const cpus = os.cpus()
  const busy = os.loadavg()[0] ?? 0
  print(`Node.js ${process.version}, ${cpus.length} x ${cpus[0]?.model ?? "unknown processor"}`)
  if (busy > 0.5)
    print(`Other work keeps this machine busy (load ${busy.toFixed(1)}): trust the ratios, not the figures.`)
  print(
    `${pairs} interleaved pairs; medians, ratios with the interval of two order statistics that holds the median`
  )
  const all: Array<readonly [string, Finding]> = []
  for (const each of cases) {
    if (named.length > 0 && !named.includes(each.name)) continue
    const bench = makeBench(pairs, quick, print)
    print(`\n== ${each.name}: ${each.about}`)
    await each.run(bench)
    for (const finding of bench.findings) all.push([each.name, finding])
  }
  print("\n== Summary")
  for (const [name, { found, target, verdict, what }] of all) {
    print(`${verdict === "missed" ? "MISSED" : "met   "}  ${name}: ${what}: ${found}; target ${target}`)
  }
  return all.some(([, { verdict }]) => verdict === "missed") ? 1 : 0
}

process.exit(await main())
