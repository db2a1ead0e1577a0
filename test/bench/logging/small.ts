/**
 * Processor time of small saves, one after the other, each until it is committed: of 1, 4 and 20 records. By hand means
 * the same statement, prepared, in the same place: on a client of `pg`, in a thread that gets the records by a message
 * and answers by one, or on this thread. The recorder's part holds its call, its batch, its check and its `flush`.
 */

import type { Effect, Scope } from "effect"
import * as Pg from "pg"
import type { Storage } from "../../../src/Storage.js"
import * as PgStorage from "../../../src/sql/PgStorage.js"
import * as SqliteStorage from "../../../src/sql/SqliteStorage.js"
import * as SqliteWorker from "../../../src/sql/SqliteWorker.js"
import { openHandWritten } from "../baselines/sqlite.js"
import { startHandWritten } from "../baselines/sqliteThread.js"
import { flushed, turn, using, withRecorder } from "../support/recorders.js"
import { batchesOf, columns, type Entry, makeEntries } from "../support/records.js"
import { type Comparison, compare, cpuOf, recorderName } from "./compare.js"
import { unnest } from "./unnest.js"

const table = { table: "entries", columns, id: "id" } as const
const sizes = [1, 4, 20]
const byHand = "the same statement by hand"
const reasons = { [byHand]: "it checks no record, and nothing retries, splits or accounts for it" }

type Save = (part: ReadonlyArray<Entry>) => Promise<unknown>

const storageOf = (make: Effect.Effect<unknown, unknown, Scope.Scope>) =>
  make as Effect.Effect<Storage<Entry>, unknown, Scope.Scope>

const onRecorder = <A>(
  make: Effect.Effect<unknown, unknown, Scope.Scope>,
  use: (save: Save) => Promise<A>
): Promise<A> =>
  using(storageOf(make), (storage) =>
    withRecorder(storage, {}, (recorder) =>
      use((part) => {
        for (const entry of part) recorder.unsafeSave(entry)
        return flushed(recorder)
      })
    )
  )

const measure = async (
  comparison: Comparison,
  where: string,
  ways: { readonly [name: string]: Save }
): Promise<void> => {
  const saves = comparison.bench.quick ? 60 : 200
  for (const size of sizes) {
    const sample = (save: Save) => () => {
      const parts = batchesOf(makeEntries(saves * size), size)
      return cpuOf(saves, async () => {
        for (const part of parts) await save(part)
      })
    }
    const samples = Object.fromEntries(Object.entries(ways).map(([name, save]) => [name, sample(save)]))
    await compare(comparison, `${where}: a save of ${size}, awaited: processor time, µs`, samples, reasons)
  }
}

/** Measures small saves into SQLite files with synchronous FULL. */
export const smallSqlite = (comparison: Comparison, file: string): Promise<void> =>
  onRecorder(SqliteWorker.make({ ...table, filename: `${file}-small-1` }), (inWorker) =>
    onRecorder(SqliteStorage.make({ ...table, filename: `${file}-small-2` }), async (onThread) => {
      const thread = await startHandWritten(`${file}-small-3`)
      const hand = openHandWritten(`${file}-small-4`)
      try {
        const threads = "SQLite, in a thread of its own"
        await measure(comparison, threads, { [recorderName]: inWorker, [byHand]: thread.insert })
        await measure(comparison, "SQLite, on this thread", {
          [recorderName]: onThread,
          [byHand]: async (part) => {
            hand.insert(part)
            await turn()
          }
        })
      } finally {
        await thread.close()
        hand.close()
      }
    })
  )

/** Measures small saves into Postgres. */
export const smallPostgres = (comparison: Comparison, url: string): Promise<void> =>
  onRecorder(PgStorage.make({ ...table, table: "small", url }), async (recording) => {
    const client = new Pg.Client({ connectionString: url })
    await client.connect()
    await client.query("CREATE TABLE small_by_hand (LIKE small INCLUDING ALL)")
    try {
      const insert = unnest(client, "small_by_hand")
      await measure(comparison, "Postgres", { [recorderName]: recording, [byHand]: insert })
    } finally {
      await client.end()
    }
  })
