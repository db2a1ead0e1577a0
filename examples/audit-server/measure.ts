/** Measures the same routes with and without the audit under the same load, then checks the account. */
import { FetchHttpClient, HttpClient } from "@effect/platform"
import { Console, Data, Deferred, Duration, Effect, Metric, Schema } from "effect"
import { Metrics, Recorder } from "effect-recorder"
import * as Database from "./database.js"
import * as Load from "./load.js"
import * as Report from "./report.js"
import { Audit, audited, routes, type Serving, serve } from "./server.js"

class NotOpened extends Data.TaggedError("NotOpened")<{ readonly message: string }> {}

class Unbalanced extends Data.TaggedError("Unbalanced")<{ readonly message: string }> {}

const connections = 50

const Latest = Schema.Array(Schema.Struct({ request_id: Schema.String }))

/** Checks that a query sees every record saved before it: the newest one is always the request just answered. */
const queries = (url: string, times: number) =>
  Effect.gen(function* () {
    const client = yield* HttpClient.HttpClient
    for (let i = 1; i <= times; i++) {
      const id = `query-${i}`
      yield* client.get(new URL("/orders/17", url), { headers: { "x-user": "bob", "x-request-id": id } })
      const response = yield* client.get(new URL("/audit", url))
      const [newest] = yield* Schema.decodeUnknown(Latest)(yield* response.json)
      if (newest?.request_id !== id) {
        return yield* new Unbalanced({ message: `the query does not see ${id}: ${newest?.request_id}` })
      }
      yield* Console.log(
        `  GET /audit after GET /orders/17 with the id ${id}: its newest record is ${newest.request_id}`
      )
    }
    return 2 * times
  }).pipe(Effect.provide(FetchHttpClient.layer))

/** Runs the loads and the queries and closes. Returns the account and the expected number of records. */
const run = (database: Database.Database, requests: number) =>
  Effect.gen(function* () {
    const mayOpen = yield* Deferred.make<void>()
    const slowDatabase = Effect.zipRight(Deferred.await(mayOpen), database.open)
    const recorder = yield* Recorder.makeDeferred(slowDatabase, { name: "audit" })
    const [withAudit, without] = yield* Effect.all([serve(audited, 0), serve(routes, 0)]).pipe(
      Effect.provideService(Audit, recorder)
    )
    const load = (name: string, { requests, url }: Serving, amount: number) => {
      const before = requests()
      const progress = Effect.suspend(() => {
        const pending = Report.count(recorder.unsafeStats().pending)
        return Console.log(`    ${Report.count(requests() - before)} requests, ${pending} records pending`)
      })
      return Load.run(`${url}/orders/17?token=not-recorded`, amount, connections).pipe(
        Effect.raceFirst(Effect.forever(Effect.delay(progress, "2 seconds"))),
        Effect.tap((result) => Console.log(Report.loadLine(name, result)))
      )
    }

    yield* Console.log("The server accepts traffic, its database is not open yet:")
    const early = yield* load("with auditing", withAudit, Math.max(connections, Math.ceil(requests / 20)))
    const { _tag } = yield* recorder.status
    const waiting = (yield* recorder.stats).pending
    yield* Console.log(`  the recorder is ${_tag}, ${Report.count(waiting)} records wait`)
    yield* Deferred.succeed(mayOpen, undefined)
    const opening = Effect.zipRight(recorder.ready, recorder.flush)
    const [opened] = yield* Effect.timed(opening).pipe(
      Effect.timeoutFail({
        duration: "30 seconds",
        onTimeout: () => new NotOpened({ message: `the database cannot be reached: ${database.description}` })
      })
    )
    yield* Console.log(
      `  the database is open, and they are stored, after ${Math.round(Duration.toMillis(opened))} ms`
    )

    yield* Console.log(
      `Warm-up, then ${Report.count(requests)} requests each over ${connections} connections:`
    )
    yield* load("warm-up, without", without, Math.max(connections, Math.ceil(requests / 4)))
    const warm = yield* load("warm-up, with", withAudit, Math.max(connections, Math.ceil(requests / 4)))
    const plain1 = yield* load("without auditing", without, requests)
    const audited1 = yield* load("with auditing", withAudit, requests)
    const audited2 = yield* load("with auditing", withAudit, requests)
    const plain2 = yield* load("without auditing", without, requests)
    const plain = Report.mean([plain1, plain2])
    const withAll = Report.mean([audited1, audited2])

    yield* Console.log("In short:")
    yield* Console.log(Report.loadLine("without auditing", plain))
    yield* Console.log(Report.loadLine("with auditing", withAll))
    yield* Console.log(Report.share(withAll, plain))

    yield* Console.log("Queries, in the order of the queue:")
    const asked = yield* queries(withAudit.url, 3)
    const { stats } = yield* recorder.close
    yield* Console.log("Closed:")
    return {
      stats,
      expected: early.answered + warm.answered + withAll.answered + asked,
      failed: early.failed + warm.failed + withAll.failed + plain.failed
    }
  })

const batchSizes = Effect.map(
  Metric.value(Metric.tagged(Metrics.batchSize, "recorder", "audit")),
  ({ max, min }) => ({
    max,
    min
  })
)

/** Measures, closes and reads back. Fails unless the account balances and equals the rows of the database. */
export const measure = (requests: number) =>
  Effect.gen(function* () {
    const database = yield* Effect.acquireRelease(Database.choose, ({ remove }) => remove)
    yield* Console.log(`${database.description}, removed at the end`)
    const { expected, failed, stats } = yield* Effect.scoped(run(database, requests))
    yield* Console.log(`  ${Report.batches(stats, yield* batchSizes)}`)

    const { first, last, rows } = yield* database.readBack
    yield* Console.log(`Read back by a plain client, after the close (${Report.count(rows)} rows):`)
    yield* Console.log("  first", first)
    yield* Console.log("  last", last)
    yield* Console.log(`\n${Report.account(stats)}`)
    if (!Report.balances(stats) || rows !== stats.stored || stats.accepted !== expected || failed > 0) {
      const message =
        `the account or the rows are wrong: ${rows} rows, ${expected} audited requests answered, ` +
        `${failed} failed, ${stats.pending} pending, ${stats.refused} refused`
      return yield* new Unbalanced({ message })
    }
    yield* Console.log("the account balances, and the rows of this run are the records that it calls stored")
  }).pipe(Effect.scoped)
