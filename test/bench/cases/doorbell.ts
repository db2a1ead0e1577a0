/** What it costs writers of a Postgres log to notify others of their commits, after each or inside of it. */

import { SqlClient } from "@effect/sql/SqlClient"
import * as PgClient from "@effect/sql-pg/PgClient"
import { Effect, Layer, Redacted, Runtime, Stream } from "effect"
import * as ChangeLog from "../../../src/ChangeLog.js"
import * as PgDoorbell from "../../../src/sql/PgDoorbell.js"
import * as SqlChangeLog from "../../../src/sql/SqlChangeLog.js"
import { insertAndNotify } from "../baselines/notify.js"
import { type Bench, type Case, interleave } from "../support/bench.js"
import { withDatabase } from "../support/database.js"
import { using } from "../support/recorders.js"

/** How writers notify: not at all, by the doorbell after the commit, or by NOTIFY in the transaction. */
const ways = ["silent", "doorbell", "inside"] as const
type Way = (typeof ways)[number]

const insert = (table: string, n: number) =>
  Effect.flatMap(SqlClient, (sql) => sql`INSERT INTO ${sql(table)} (n, text) VALUES (${n}, 'shipped')`)

const connected = (url: string) =>
  Effect.tap(PgDoorbell.make({ url: Redacted.make(url) }), ({ states }) =>
    Stream.runHead(Stream.filter(states, ({ _tag }) => _tag === "Up"))
  )

/** One way, its table and its logs, and a listener on a connection of its own, as another process does. */
const makeWay = (way: Way, url: string, feeds: ReadonlyArray<string>, listener: PgDoorbell.PgDoorbell) =>
  Effect.gen(function* () {
    const sql = yield* SqlClient
    const table = `orders_${way}`
    const channel = `log_${way}`
    yield* sql`DROP TABLE IF EXISTS ${sql(table)}`
    yield* sql`CREATE TABLE ${sql(table)} (id bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
      n int NOT NULL, text text NOT NULL)`
    const doorbell = way === "doorbell" ? yield* connected(url) : undefined
    const logs: Array<SqlChangeLog.SqlChangeLog<unknown>> = []
    let rings = 0
    for (const feed of feeds) {
      logs.push(yield* SqlChangeLog.make({ table: channel, feed, doorbell }))
      yield* listener.listen(channel, feed, () => rings++)
    }
    const write = (writer: number, n: number) =>
      SqlChangeLog.transact(({ append }) => {
        const feed = feeds[writer % feeds.length]!
        const log = logs[writer % feeds.length]!
        return Effect.zipRight(
          way === "inside" ? insertAndNotify(table, n, channel, feed) : insert(table, n),
          append(log, [ChangeLog.put(`/orders/${n}`, { status: "shipped" })])
        )
      })
    const written = Effect.map(
      Effect.forEach(logs, ({ head }) => head),
      (heads) => heads.reduce((sum, { head }) => sum + head.seq, 0)
    )
    return { write, written, rings: () => rings }
  })

type Writing = Effect.Effect.Success<ReturnType<typeof makeWay>>

/** Milliseconds per transaction. */
const timed = async (
  way: Way,
  { rings, write, written }: Writing,
  runtime: Runtime.Runtime<SqlClient>,
  writers: number,
  count: number
): Promise<number> => {
  const run = Runtime.runPromise(runtime)
  const [before, received] = [await run(written), rings()]
  let next = 0
  const start = performance.now()
  const writer = (number: number) =>
    Effect.whileLoop({
      while: () => next < count,
      body: () => write(number, next++),
      step: () => {}
    })
  await run(
    Effect.forEach(
      Array.from({ length: writers }, (_, n) => n),
      writer,
      {
        concurrency: "unbounded",
        discard: true
      }
    )
  )
  const millis = performance.now() - start
  const after = await run(written)
  if (after - before !== count) throw new Error(`${way}: ${after - before} of ${count} revisions are there`)
  if (way !== "silent" && rings() === received) throw new Error(`${way}: no ring was received`)
  return millis / count
}

const rates = (bench: Bench, url: string, writers: number, kind: "one feed" | "a feed each"): Promise<void> =>
  using(
    Effect.gen(function* () {
      const client = PgClient.layer({ url: Redacted.make(url), maxConnections: writers })
      const runtime = yield* Layer.toRuntime(client)
      const feeds = Array.from(
        { length: kind === "one feed" ? 1 : writers },
        (_, n) => `${writers} ${kind} ${n}`
      )
      const listener = yield* connected(url)
      const make = (way: Way) => Effect.provide(makeWay(way, url, feeds, listener), runtime)
      return {
        runtime,
        silent: yield* make("silent"),
        doorbell: yield* make("doorbell"),
        inside: yield* make("inside")
      }
    }),
    async ({ runtime, ...made }) => {
      const parts = 4
      const count = bench.quick ? 100 : 200
      const sample = (way: Way) => () => timed(way, made[way], runtime, writers, count)
      const millis = await interleave(
        { rounds: bench.pairs, parts },
        { silent: sample("silent"), doorbell: sample("doorbell"), inside: sample("inside") }
      )
      const rate = (way: Way) => millis[way].map((each) => 1000 / each)
      const at = `${writers} writers, ${kind}`
      bench.heading(`${parts} x ${count} transactions of an INSERT and an append by ${at}, fsync on`)
      bench.figure("no notification", rate("silent"), "commits/s")
      bench.figure("rung by PgDoorbell after the commit", rate("doorbell"), "commits/s")
      bench.figure("NOTIFY inside the transaction", rate("inside"), "commits/s")
      bench.ratio(`doorbell to no notification, ${at}`, rate("doorbell"), rate("silent"), { atLeast: 0.95 })
      bench.ratio(`NOTIFY inside to no notification, ${at}`, rate("inside"), rate("silent"))
    }
  )

export const doorbell: Case = {
  name: "doorbell",
  about: "writers of a Postgres log that ring after their commits, to writers that do not notify",
  run: (bench) =>
    withDatabase(async ({ url, version }) => {
      bench.note(`PostgreSQL ${version}; the listener has a connection of its own, and shares this process`)
      await rates(bench, url, 8, "one feed")
      await rates(bench, url, 32, "one feed")
      await rates(bench, url, 32, "a feed each")
    })
}
