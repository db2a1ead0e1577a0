/**
 * Stores an audit trail in Postgres, one statement per batch and one row per id, and reads it page by page.
 *
 * Run: `npm run examples -- 07`. It uses the database of DATABASE_URL, or a PostgreSQL server that is started for this
 * run. Prints the server, and how many statements stored how many records; then it drops its table.
 */
import assert from "node:assert/strict"
import { Config, Console, Effect, Option, Redacted } from "effect"
import { Id, Recorder, Storage } from "effect-recorder"
import * as PgStorage from "effect-recorder/sql/PgStorage"
import pg from "pg"

const columns = {
  id: Storage.Column.uuid,
  at: Storage.Column.timestamp,
  actor: Storage.Column.text,
  detail: Storage.Column.nullable(Storage.Column.json)
}

const url = Effect.gen(function* () {
  const given = yield* Config.option(Config.nonEmptyString("DATABASE_URL"))
  if (Option.isSome(given)) {
    yield* Console.log("the server is the one that DATABASE_URL names")
    return given.value
  }
  const { startPostgres } = yield* Effect.promise(() => import("../test/support/postgres/server.js"))
  const server = yield* Effect.acquireRelease(
    Effect.promise(() => startPostgres()),
    (server) => Effect.promise(() => server.stop())
  )
  yield* Console.log(
    `the server is PostgreSQL ${server.version}, started for this run; DATABASE_URL would name another`
  )
  return server.url
})

const program = Effect.gen(function* () {
  const connectionString = yield* url
  const client = yield* Effect.acquireRelease(
    Effect.promise(async () => {
      const client = new pg.Client({ connectionString })
      await client.connect()
      return client
    }),
    (client) => Effect.promise(() => client.end())
  )
  const table = `example_${(yield* Id.uuid7).replaceAll("-", "")}`
  yield* Effect.addFinalizer(() => Effect.promise(() => client.query(`DROP TABLE IF EXISTS ${table}`)))

  const recorder = yield* Recorder.makeDeferred(
    PgStorage.make({
      url: Redacted.make(connectionString),
      table,
      columns,
      id: "id",
      indexes: [{ name: `${table}_actor`, columns: ["actor", "at"] }]
    })
  )
  const nextId = yield* Id.makeUuid7
  const records = Array.from({ length: 5_000 }, (_, n) => ({
    id: nextId(),
    at: new Date(Date.UTC(2024, 0, 1) + n),
    actor: n % 10 === 0 ? "alice" : "bob",
    detail: { n }
  }))
  yield* recorder.saveAll(records)
  // Saves some records again, as after a lost answer: their ids exist already.
  yield* recorder.saveAll(records.slice(0, 100))

  // Pages by key: each page begins after the last row of the page before.
  const query = {
    where: Storage.Query.eq("actor", "alice"),
    orderBy: [Storage.Query.desc("at")],
    limit: 200
  } as const
  const pages: Array<number> = []
  let page = yield* recorder.load(query)
  for (let last = page.at(-1); last !== undefined; last = page.at(-1)) {
    pages.push(page.length)
    page = yield* recorder.load({ ...query, after: last })
  }
  assert.deepEqual(pages, [200, 200, 100])

  const { stats } = yield* recorder.close
  const { rows } = yield* Effect.promise(() => client.query(`SELECT count(*)::int AS n FROM ${table}`))
  assert.deepEqual([rows[0].n, stats.stored, stats.duplicates], [5_000, 5_100, 100])
  yield* Console.log(
    `${stats.stored} records accepted in ${stats.saves} statements, ${rows[0].n} rows, table dropped`
  )
})

await Effect.runPromise(Effect.scoped(program))
