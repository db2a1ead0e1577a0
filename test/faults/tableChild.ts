/**
 * A process with a live table over a table on Postgres, whose changes are in a log that it follows, in
 * liveTables.test.ts. It writes and reads at random, and reports each write that was acknowledged, and each read with what
 * was promised of it.
 */
import * as PgClient from "@effect/sql-pg/PgClient"
import { Effect, Layer, Logger, Option, Random, Redacted, Schedule } from "effect"
import * as LiveTable from "../../src/LiveTable.js"
import * as PgChangeLog from "../../src/sql/PgChangeLog.js"
import * as PgDoorbell from "../../src/sql/PgDoorbell.js"
import * as SqlTable from "../../src/sql/SqlTable.js"
import * as Table from "../../src/Table.js"
import * as Watch from "../../src/Watch.js"
import { report } from "../support/processes/report.js"

export const prices = Table.define({
  name: "prices",
  columns: { id: Table.Column.text, value: Table.Column.text },
  id: "id"
})

export const ids = ["a", "b", "c", "d", "e"]

export interface TableSetting {
  readonly name: string
  /** How the table is reached, by links with faults. */
  readonly table: string
  /** How the log and its doorbell are reached. */
  readonly log: string
  /** Without faults: revisions that other processes know. */
  readonly direct: string
}

/** Times are microseconds of the monotonic clock that all processes of the machine share. */
export type TableReport =
  | { readonly _tag: "Wrote"; readonly value: string; readonly at: number }
  | { readonly _tag: "Failed"; readonly call: "read" | "write"; readonly reason: string }
  | {
      readonly _tag: "Read"
      /** The values, by id, of one answer. */
      readonly values: Readonly<Record<string, string>>
      readonly isWhole: boolean
      readonly begunAt: number
      /** What `health` promised when it began, in milliseconds. */
      readonly staleness: number
      readonly state: string
      readonly freshness: string
      /** It must hold everything up to these revisions of the log. */
      readonly atLeast: number | undefined
      readonly revision: number | undefined
    }

const { direct, log: logUrl, name, table: tableUrl } = JSON.parse(process.argv[2] ?? "{}") as TableSetting

/** A read is reported with what `health` called the live table. */
const say = (line: TableReport) =>
  Effect.sync(() => {
    const words = line._tag === "Read" ? `read ${line.state}` : line._tag.toLowerCase()
    report(`${words} ${JSON.stringify(line)}`)
  })

const now = (): number => Number(process.hrtime.bigint() / 1_000n)

const failed = (call: "read" | "write") => (error: { readonly _tag: string; readonly reason?: string }) =>
  say({ _tag: "Failed", call, reason: error.reason ?? error._tag })

const anyOf = <A>(all: ReadonlyArray<A>) => Effect.map(Random.nextIntBetween(0, all.length), (at) => all[at]!)

type Live = LiveTable.Of<typeof prices>

/** At SIGTERM it ends its reads and writes, and waits until it follows the log to its head. */
let goesOn = true
process.once("SIGTERM", () => {
  goesOn = false
})

const write = (live: Live, attempt: number) =>
  Effect.gen(function* () {
    const id = yield* anyOf(ids)
    const value = `${name}${attempt}`
    yield* Effect.matchEffect(live.replace({ id, value }), {
      onFailure: failed("write"),
      onSuccess: () => {
        const at = now()
        return say({ _tag: "Wrote", value, at })
      }
    })
    yield* Effect.sleep(yield* Random.nextIntBetween(0, 12))
  })

type Found = { readonly values: Record<string, string>; readonly answer: LiveTable.Answer<unknown> }

const reads: ReadonlyArray<
  (
    live: Live,
    options: LiveTable.ReadOptions | undefined,
    id: string
  ) => Effect.Effect<Found, LiveTable.ReadFailed | Table.InvalidQuery>
> = [
  (live, options, id) =>
    Effect.map(live.get(id, options), (answer) => ({
      values: { [id]: Option.match(answer.value, { onNone: () => "none", onSome: ({ value }) => value }) },
      answer
    })),
  (live, options) =>
    Effect.map(live.list({}, options), (answer) => ({
      values: Object.fromEntries(answer.value.map((row) => [row.id, row.value])),
      answer
    }))
]

const read = (live: Live, head: Effect.Effect<{ readonly head: PgRevision }, unknown>) =>
  Effect.gen(function* () {
    const id = yield* anyOf(ids)
    const at = yield* anyOf([0, 0, 0, 1])
    const asks = yield* anyOf([true, false, false])
    const atLeast = asks ? (yield* Effect.orDie(head)).head : undefined
    // The time first: what takes long between the two makes the promise no stricter.
    const begunAt = now()
    const { staleness, state } = yield* live.health
    yield* Effect.matchEffect(
      reads[at]!(live, atLeast === undefined ? undefined : { atLeast, wait: 200 }, id),
      {
        onFailure: failed("read"),
        onSuccess: ({ answer: { freshness, revision }, values }) =>
          say({
            _tag: "Read",
            values,
            isWhole: at === 1,
            begunAt,
            staleness,
            state,
            freshness: freshness._tag,
            atLeast: atLeast?.seq,
            revision: Option.getOrUndefined(revision)?.seq
          })
      }
    )
    yield* Effect.sleep(yield* Random.nextIntBetween(0, 6))
  })

type PgRevision = { readonly epoch: string; readonly seq: number; readonly tag: number }

const main = Effect.gen(function* () {
  const doorbell = yield* PgDoorbell.make({
    url: logUrl,
    applicationName: `${name} bell`,
    connectTimeout: "500 millis",
    pingInterval: "100 millis",
    pingTimeout: "200 millis"
  })
  const log = yield* PgChangeLog.make<Table.TableChange>({
    url: logUrl,
    table: "log",
    doorbell,
    applicationName: `${name} log`,
    connectTimeout: "500 millis"
  })
  const known = yield* PgChangeLog.make({ url: direct, table: "log" })
  const client = yield* Layer.build(
    PgClient.layer({ url: Redacted.make(tableUrl), applicationName: `${name} table`, maxConnections: 4 })
  )
  const table = yield* Effect.provide(SqlTable.make(prices, { log: { table: "log", doorbell } }), client)
  const changes = yield* Watch.make(log, { heartbeat: "150 millis" })
  const live = yield* LiveTable.make(table, {
    changes,
    ttl: "1 hour",
    hardTimeout: "700 millis",
    writeTimeout: "700 millis",
    doubt: "1 second",
    sample: 0,
    closeDeadline: 0
  })
  yield* live.ready
  report("ready")
  const reading = Effect.repeat(read(live, known.head), { while: () => goesOn })
  let attempt = 0
  const writing = Effect.repeat(
    Effect.suspend(() => write(live, ++attempt)),
    { while: () => goesOn }
  )
  yield* Effect.all([writing, ...Array.from({ length: 3 }, () => reading)], {
    concurrency: "unbounded",
    discard: true
  })
  // When all is well again the log is followed to its head.
  const { head } = yield* known.head
  yield* Effect.retry(
    Effect.filterOrFail(
      live.health,
      ({ position, state }) => state === "Live" && Option.exists(position, ({ seq }) => seq >= head.seq)
    ),
    Schedule.spaced("20 millis")
  )
  report("done")
}).pipe(Effect.provide(Logger.remove(Logger.defaultLogger)))

Effect.runPromise(Effect.scoped(main)).then(
  () => process.exit(0),
  (error) => {
    report(`ended ${String(error)}`)
    process.exit(1)
  }
)
