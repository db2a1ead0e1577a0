/**
 * A process that serves permanent pools over its input and output, in pools.test.ts and poolHistories.test.ts. It reports
 * `ready`, then for each line of its input:
 *
 * - `merge <ack> <n> <merge>`: `merged <ack> <client> <n>` or `failed <ack> <client> <n> <reason>`
 * - `state <ack>`: `state <ack> <hash> <patch>`, of what is committed
 *
 * It reports `cells <ack> <cells>` for each frame that a follower is given.
 */
import { createInterface } from "node:readline"
import type { SqlClient } from "@effect/sql/SqlClient"
import * as PgClient from "@effect/sql-pg/PgClient"
import * as SqliteClient from "@effect/sql-sqlite-node/SqliteClient"
import { Effect, Layer, Redacted, Runtime, Schedule, Stream } from "effect"
import * as MergePool from "../../../src/MergePool.js"
import * as SqlDatastore from "../../../src/sql/SqlDatastore.js"
import type { Frame } from "../../../src/Watch.js"
import { strategies } from "../../support/mergePool/served.js"
import { report } from "../../support/processes/report.js"

export type Ack = "memory" | "flushed"

export interface PoolSetting {
  /** Of Postgres; else a file of SQLite. */
  readonly url?: string
  readonly filename?: string
  /** What its sessions of Postgres are called. */
  readonly name: string
  /** The pools, each of which is called as it answers. */
  readonly pools: ReadonlyArray<Ack>
  readonly lease: number
}

/** What a client merges. */
export interface Merge {
  readonly client: string
  readonly patch: MergePool.Patch
}

const given = JSON.parse(process.argv[2] ?? "{}") as PoolSetting

const client: Layer.Layer<SqlClient> =
  given.url === undefined
    ? Layer.orDie(SqliteClient.layer({ filename: given.filename ?? "" }))
    : Layer.orDie(
        PgClient.layer({ url: Redacted.make(given.url), maxConnections: 3, applicationName: given.name })
      )

const reportCells = (ack: Ack, frame: Frame<MergePool.PoolCell>): void => {
  if (frame._tag === "Snapshot")
    report(`cells ${ack} ${JSON.stringify(frame.entries.map(({ value }) => value))}`)
  if (frame._tag !== "Events") return
  const cells = frame.events.flatMap((event) => (event._tag === "Put" ? [event.value] : []))
  report(`cells ${ack} ${JSON.stringify(cells)}`)
}

const answer = (pool: MergePool.PoolHandle, line: string) => {
  const [call = "", ack = ""] = line.split(" ", 2)
  const rest = line.slice(call.length + ack.length + 2)
  if (call === "state") {
    return Effect.gen(function* () {
      yield* pool.flush
      const patch = yield* pool.state({ read: "latest" })
      report(`state ${ack} ${yield* pool.hash()} ${JSON.stringify(patch)}`)
    })
  }
  const n = rest.slice(0, rest.indexOf(" "))
  const { client, patch } = JSON.parse(rest.slice(n.length + 1)) as Merge
  return Effect.match(pool.merge(patch, { as: { principal: client, client } }), {
    onFailure: ({ message }) => report(`failed ${ack} ${client} ${n} ${message}`),
    onSuccess: () => report(`merged ${ack} ${client} ${n}`)
  })
}

const main = Effect.gen(function* () {
  const { lease } = given
  const backend = yield* SqlDatastore.make({
    table: "kept",
    lease,
    lockTimeout: "1 second",
    poll: "1 second"
  })
  const catalog = yield* MergePool.make(backend)
  const pools = new Map<string, MergePool.PoolHandle>()
  for (const ack of given.pools) {
    // A former owner that was killed has a lease.
    const pool = yield* catalog
      .open({ id: ack, kind: "permanent", ack, strategies })
      .pipe(Effect.retry({ schedule: Schedule.spaced(50), while: ({ reason }) => reason === "Owned" }))
    pools.set(ack, pool)
    const following = Stream.runForEach(pool.follow(), (frame) => Effect.sync(() => reportCells(ack, frame)))
    yield* Effect.forkScoped(
      Effect.catchAll(following, (end) => Effect.sync(() => report(`over ${ack} ${end.message}`)))
    )
  }
  report("ready")
  const runtime = yield* Effect.runtime<never>()
  yield* Effect.async<never>(() => {
    createInterface({ input: process.stdin }).on("line", (line) => {
      const pool = pools.get(line.split(" ", 2)[1] ?? "")
      if (pool !== undefined) Runtime.runFork(runtime)(answer(pool, line))
    })
  })
})

Effect.runPromise(Effect.scoped(main).pipe(Effect.provide(client))).catch((error) => {
  report(`over ${String(error)}`)
  process.exit(1)
})
