/**
 * Live tables of two processes over one table on a real Postgres, with one log, while their links are cut, delayed and
 * half-open and their backends are ended. No read with `atLeast` is older than its revision, and no other read is older
 * than `health` promised when it began. The history of commits, which the log holds, is the judge.
 */
import { afterAll, beforeAll, describe, expect, it } from "@effect/vitest"
import { Effect, Exit, Scope } from "effect"
import * as PgChangeLog from "../../src/sql/PgChangeLog.js"
import type { TableChange } from "../../src/Table.js"
import { type Fate, type TcpProxy, tcpProxy, throughProxy } from "../support/http/tcpProxy.js"
import { runs } from "../support/laws/laws.js"
import { type PostgresServer, startPostgres } from "../support/postgres/server.js"
import { openClient, ownSchema } from "../support/postgres/tables.js"
import { bundled } from "../support/processes/bundled.js"
import { type Child, startChild } from "../support/processes/childProcess.js"
import type { TableReport, TableSetting } from "./tableChild.js"

let server: PostgresServer
let script: string
// Hooks of vitest are in promises.
const scope = Effect.runSync(Scope.make())

beforeAll(async () => {
  server = await startPostgres({ settings: { fsync: "off", synchronous_commit: "off" } })
  script = await Effect.runPromise(Scope.extend(bundled("test/faults/tableChild.ts"), scope))
}, 120_000)
afterAll(async () => {
  await Effect.runPromise(Scope.close(scope, Exit.void))
  await server?.stop()
})

/** A process, and the links that it depends on. */
interface Process {
  readonly name: string
  readonly child: Child
  readonly table: TcpProxy
  readonly log: TcpProxy
}

const start = (name: string, url: string): Effect.Effect<Process, never, Scope.Scope> =>
  Effect.gen(function* () {
    const table = yield* tcpProxy(server.port)
    const log = yield* tcpProxy(server.port)
    const setting: TableSetting = {
      name,
      table: throughProxy(url, table),
      log: throughProxy(url, log),
      direct: url
    }
    return { name, table, log, child: yield* startChild(script, JSON.stringify(setting)) }
  })

const countOf = ({ child: { lines } }: Process, beginning: string): number =>
  lines.filter((line) => line.startsWith(beginning)).length

/** Completes when the process has reported so many more lines that begin so. */
const more = (process: Process, beginning: string, times: number): Effect.Effect<void, Error> =>
  process.child.said(beginning, countOf(process, beginning) + times)

/** Each chunk in so many has this fate, until there were enough of them. */
const some = (fate: Fate, every: number, times: number): (() => Fate) => {
  let chunks = 0
  let met = 0
  return () => {
    if (met === times || ++chunks % every !== 0) return "pass"
    met++
    return fate
  }
}

type Sql = (statement: string) => Effect.Effect<unknown, unknown>

type Fault = (process: Process, sql: Sql, commits: Commits) => Effect.Effect<unknown, unknown>

const killed =
  (part: string): Fault =>
  ({ name }, sql) =>
    sql(
      `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE '${name} ${part}' AND pid <> pg_backend_pid()`
    )

const cut =
  (link: "table" | "log", fate: Fate): Fault =>
  (process) =>
    Effect.gen(function* () {
      process[link].follow({ fromServer: some(fate, 5, 3), fromClient: some(fate, 9, 3) })
      yield* more(process, "wrote", 5)
      process[link].follow({})
    })

/** Both directions are lost until the process has reported what it makes of that, and something more was done. */
const halfOpen =
  (link: "table" | "log", until: string, also: Fault = () => Effect.void): Fault =>
  (process, sql, commits) =>
    Effect.gen(function* () {
      process[link].follow({ fromServer: () => "freeze", fromClient: () => "freeze" })
      yield* more(process, until, 1)
      yield* also(process, sql, commits)
      process[link].follow({})
      yield* process[link].breakAll
    })

/** Behind the process, the log forgets what it has not followed, and what it writes itself meanwhile. */
const compacted: Fault = (process, _sql, commits) =>
  Effect.andThen(more(process, "wrote", 3), commits.compact)

const slow: Fault = ({ child, log, name, table }) =>
  Effect.gen(function* () {
    let packets = 0
    const fate = (): Fate => (++packets * 7) % 40
    for (const link of [table, log]) link.follow({ fromServer: fate, fromClient: () => packets % 9 })
    yield* more({ child, log, name, table }, "wrote", 8)
    for (const link of [table, log]) link.follow({})
  })

const faults: ReadonlyArray<Fault> = [
  killed("bell"),
  slow,
  cut("log", "reset"),
  halfOpen("log", "read Suspect"),
  halfOpen("log", "read Suspect", compacted),
  killed("%"),
  cut("table", "cut"),
  halfOpen("table", "failed"),
  killed("table")
]

/** The history of commits: the values of each id, each with the number of its revision. */
type History = ReadonlyMap<string, ReadonlyArray<{ readonly value: string; readonly seq: number }>>

/** What was committed, as the log has it. */
interface Commits {
  readonly history: History
  /** Takes what was committed since it was taken last. Returns the number of the last revision. */
  readonly take: Effect.Effect<number, unknown>
  /** Takes everything, and lets the log forget it. */
  readonly compact: Effect.Effect<void, unknown>
}

const commitsOf = (url: string): Effect.Effect<Commits, unknown, Scope.Scope> =>
  Effect.gen(function* () {
    const log = yield* PgChangeLog.make<TableChange>({ url, table: "log" })
    const history = new Map<string, Array<{ readonly value: string; readonly seq: number }>>()
    let { floor: after } = yield* log.head
    const take = Effect.gen(function* () {
      const { head } = yield* log.head
      while (after.seq < head.seq) {
        for (const { events, revision } of yield* log.read({ after, limit: 500 })) {
          after = revision
          for (const event of events) {
            if (event._tag !== "Put") continue
            const id = event.key.replace("prices/", "")
            const values = history.get(id) ?? []
            history.set(id, [...values, { value: String(event.value.row?.value), seq: revision.seq }])
          }
        }
      }
      return after.seq
    })
    return { history, take, compact: Effect.flatMap(take, log.compact) }
  })

const reportsOf = ({ child: { lines } }: Process): ReadonlyArray<TableReport> =>
  lines.flatMap((line) =>
    /^(wrote|read|failed) /.test(line) ? [JSON.parse(line.slice(line.indexOf("{")))] : []
  )

/** What of an answer is not as it was promised. */
const problemsOf = (
  history: History,
  acknowledged: ReadonlyArray<{ readonly at: number; readonly seq: number }>,
  read: TableReport & { readonly _tag: "Read" }
): ReadonlyArray<string> => {
  const { atLeast, begunAt, isWhole, revision, staleness, values } = read
  const promisedAt = begunAt - staleness * 1_000
  // Acknowledged before what was promised, by any of the processes.
  const before = acknowledged.filter(({ at }) => at < promisedAt)
  const floor = Math.max(0, atLeast ?? 0, revision ?? 0)
  const problems: Array<string> = []
  let from = 0
  let to = Number.POSITIVE_INFINITY
  for (const [id, all] of history) {
    if (!isWhole && !(id in values)) continue
    const value = values[id] ?? "none"
    const at = all.findIndex((one) => one.value === value)
    if (at < 0 && value !== "none") problems.push(`${id} is ${value}, which was never committed`)
    const next = all[at + 1]?.seq ?? Number.POSITIVE_INFINITY
    if (next <= floor) problems.push(`${id} is ${value}, older than revision ${floor}`)
    const missed = before.find(({ seq }) => seq >= next && all.some((one) => one.seq === seq))
    if (missed !== undefined)
      problems.push(
        `${id} is ${value}, older than revision ${missed.seq} by ${promisedAt - missed.at} µs more`
      )
    from = Math.max(from, all[at]?.seq ?? 0)
    to = Math.min(to, next)
  }
  if (isWhole && from >= to) problems.push("the list is of no revision")
  return problems.map((problem) => `${problem}: ${JSON.stringify(read)}`)
}

const rounds = runs(1)

describe("two processes with live tables over one table and one log", () => {
  it.scopedLive(
    "read nothing older than a revision that they know, or than health promises, whatever their links do",
    () =>
      Effect.gen(function* () {
        const url = yield* ownSchema(server.url)
        const sql = yield* openClient(url)
        const processes = [yield* start("one", url), yield* start("two", url)] as const
        for (const { child } of processes) yield* child.said("ready")
        const commits = yield* commitsOf(url)
        for (let round = 0; round < rounds; round++) {
          for (const [n, fault] of faults.entries()) {
            const chosen = processes[(n + round) % 2]!
            yield* fault(chosen, sql, commits)
            for (const process of processes) yield* more(process, "wrote", 3)
          }
        }
        for (const { child } of processes) {
          child.kill("SIGTERM")
          yield* child.said("done")
        }

        const last = yield* commits.take
        const { history } = commits
        const seqOf = new Map([...history.values()].flat().map(({ seq, value }) => [value, seq]))
        const reports = processes.flatMap(reportsOf)
        const acknowledged = reports.flatMap((one) =>
          one._tag === "Wrote" ? [{ at: one.at, seq: seqOf.get(one.value) ?? Number.NaN }] : []
        )
        expect(
          acknowledged.filter(({ seq }) => Number.isNaN(seq)),
          "what was acknowledged is committed"
        ).toEqual([])
        const reads = reports.filter((one) => one._tag === "Read")
        expect(reads.flatMap((read) => problemsOf(history, acknowledged, read))).toEqual([])
        const bounded = reads.filter(({ staleness }) => staleness < 1_000)
        const failures = reports.filter(({ _tag }) => _tag === "Failed")
        process.stdout.write(
          `${last} commits, ${rounds * faults.length} faults, ${reads.length} reads, ${bounded.length} of them with a bound below 1 s, ${failures.length} failed calls\n`
        )
        expect(acknowledged.length).toBeGreaterThan(6 * rounds * faults.length)
        expect(reads.some(({ atLeast }) => atLeast !== undefined)).toBe(true)
        expect(bounded.length).toBeGreaterThan(0)
      }),
    runs(60_000)
  )
})
