/** Rows a second, and processor time, until records are committed. */
import * as Reactivity from "@effect/experimental/Reactivity"
import * as PgClient from "@effect/sql-pg/PgClient"
import Sqlite from "better-sqlite3"
import { Effect, Redacted, type Scope } from "effect"
import * as Pg from "pg"
import type { Storage } from "../../../src/Storage.js"
import * as PgStorage from "../../../src/sql/PgStorage.js"
import * as SqliteStorage from "../../../src/sql/SqliteStorage.js"
import * as SqliteWorker from "../../../src/sql/SqliteWorker.js"
import { copyBatch } from "../baselines/postgres.js"
import { openHandWritten } from "../baselines/sqlite.js"
import type { Writers } from "../support/peers.js"
import { flushed, turn, using, withRecorder } from "../support/recorders.js"
import { batchesOf, columnNames, columns, type Entry, makeEntries } from "../support/records.js"
import { type Comparison, compare, cpuOf, recorderName } from "./compare.js"
import { unnest } from "./unnest.js"

const table = { table: "entries", columns, id: "id" } as const
const rows = 10_000
const batch = 1000

type Save = (entries: ReadonlyArray<Entry>) => Promise<unknown>

/** Measures the time and the processor time of a record. Each sample has records of its own. */
const both = async (
  comparison: Comparison,
  where: string,
  saves: { readonly [name: string]: Save },
  reasons: { readonly [name: string]: string },
  own = recorderName
): Promise<void> => {
  const samples = (cost: (save: Save) => Promise<number>) =>
    Object.fromEntries(Object.entries(saves).map(([name, save]) => [name, () => cost(save)]))
  const wall = async (save: Save) => {
    const entries = makeEntries(rows)
    const start = performance.now()
    await save(entries)
    return ((performance.now() - start) * 1000) / rows
  }
  const cpu = (save: Save) => {
    const entries = makeEntries(rows)
    return cpuOf(rows, () => save(entries))
  }
  await compare(comparison, `${where}: time until committed, µs/record`, samples(wall), reasons, own)
  for (const { median, name } of comparison.rows.slice(-Object.keys(saves).length))
    comparison.bench.note(`  ${name}: ${Math.round(1e6 / median).toLocaleString("en-US")} rows/s`)
  await compare(comparison, `${where}: processor time of this process, µs/record`, samples(cpu), reasons, own)
}

const recording =
  (recorder: {
    readonly unsafeSave: (entry: Entry) => boolean
    readonly flush: Effect.Effect<void, unknown>
  }) =>
  (entries: ReadonlyArray<Entry>): Promise<void> => {
    for (const entry of entries) recorder.unsafeSave(entry)
    return flushed(recorder)
  }

const inBatches =
  (insert: (part: ReadonlyArray<Entry>) => Promise<unknown>): Save =>
  async (entries) => {
    for (const part of batchesOf(entries, batch)) await insert(part)
  }

const sqlInsert = (url: string) =>
  Effect.map(PgClient.make({ url: Redacted.make(url), maxConnections: 1 }), (sql) =>
    inBatches((part) =>
      Effect.runPromise(
        sql`INSERT INTO entries ${sql.insert(part.map((entry) => ({ ...entry, detail: JSON.stringify(entry.detail) })))} ON CONFLICT (id) DO NOTHING`
      )
    )
  ).pipe(Effect.provide(Reactivity.layer))

/** Measures saves into Postgres. */
export const postgres = (comparison: Comparison, peers: Writers, url: string): Promise<void> =>
  using(PgStorage.make({ ...table, url }), (storage) =>
    using(sqlInsert(url), (inserting) =>
      withRecorder(storage as Storage<Entry>, {}, async (recorder) => {
        const client = new Pg.Client({ connectionString: url })
        await client.connect()
        const [boss, graphile] = [await peers.makePgBoss(url), await peers.makeGraphile(url)]
        try {
          await both(
            comparison,
            "Postgres",
            {
              [recorderName]: recording(recorder),
              "sql.insert of Effect": inBatches((part) => inserting(part)),
              "unnest by hand": inBatches(unnest(client, "entries")),
              "binary COPY by hand": inBatches((part) => copyBatch(client, "entries", part)),
              "pg-boss insert": inBatches((part) => boss.insert(part)),
              "graphile-worker add_jobs": inBatches((part) => graphile.insert(part))
            },
            {
              "binary COPY by hand": "it checks no record, and knows no ON CONFLICT: a retry would fail",
              "unnest by hand": "it checks no record, and nothing retries, splits or accounts for it",
              "sql.insert of Effect": "it checks no record, and nothing retries, splits or accounts for it",
              "pg-boss insert": "its process only makes one JSON text; its server does the rest",
              "graphile-worker add_jobs": "its process only makes one JSON text; its server does the rest"
            }
          )
        } finally {
          await Promise.all([client.end(), boss.close(), graphile.close()])
        }
      })
    )
  )

/** One prepared row, executed for each record in one transaction. */
const preparedRows = (filename: string): Save => {
  const database = new Sqlite(filename)
  database.pragma("synchronous = FULL")
  const statement = database.prepare(
    `INSERT INTO entries (${columnNames.join(",")}) VALUES (${columnNames.map(() => "?").join(",")}) ON CONFLICT (id) DO NOTHING`
  )
  const insert = database.transaction((part: ReadonlyArray<Entry>) => {
    for (const entry of part) {
      const { action, actor, at, detail, duration_ms, id, outcome, request_id, status, target } = entry
      const head = [id, at.getTime(), actor, action, target, outcome, status, duration_ms, request_id]
      statement.run(...head, JSON.stringify(detail))
    }
  })
  return async (entries) => {
    for (const part of batchesOf(entries, batch)) {
      insert.immediate(part)
      await turn()
    }
  }
}

/** Measures saves into SQLite files with synchronous FULL. */
export const sqlite = (comparison: Comparison, file: string): Promise<void> => {
  const thread = `${recorderName}, on this thread`
  const open = (make: Effect.Effect<unknown, unknown, Scope.Scope>) =>
    make as Effect.Effect<Storage<Entry>, unknown, Scope.Scope>
  return using(open(SqliteStorage.make({ ...table, filename: `${file}-1` })), (first) =>
    using(open(SqliteWorker.make({ ...table, filename: `${file}-2` })), (second) =>
      withRecorder(first, {}, (onThread) =>
        withRecorder(second, {}, async (inWorker) => {
          const multiRow = openHandWritten(`${file}-3`)
          openHandWritten(`${file}-4`).close()
          const byHand = "it checks no record, and nothing retries, splits or accounts for it"
          await both(
            comparison,
            "SQLite, synchronous FULL",
            {
              [thread]: recording(onThread),
              [`${recorderName}, by SqliteWorker`]: recording(inWorker),
              "a multi-row INSERT by hand": async (entries) => {
                for (const part of batchesOf(entries, batch)) {
                  multiRow.insert(part)
                  await turn()
                }
              },
              "prepared rows in a transaction by hand": preparedRows(`${file}-4`)
            },
            { "a multi-row INSERT by hand": byHand, "prepared rows in a transaction by hand": byHand },
            thread
          )
          multiRow.close()
        })
      )
    )
  )
}
