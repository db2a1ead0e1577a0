/** Bulk saves into Postgres, beside what can be written by hand on the same driver. */
import { Effect } from "effect"
import * as Pg from "pg"
import type { Storage } from "../../../src/Storage.js"
import * as PgStorage from "../../../src/sql/PgStorage.js"
import { copyBatch, insertOne } from "../baselines/postgres.js"
import { type Bench, type Case, interleave } from "../support/bench.js"
import { withDatabase } from "../support/database.js"
import { flushed, using, withRecorder } from "../support/recorders.js"
import { batchesOf, columns, type Entry, makeEntries } from "../support/records.js"

interface Sides {
  readonly storage: Storage<Entry>
  readonly client: Pg.Client
  readonly pool: Pg.Pool
}

const handlers = 10

/** Rows per second; the table is empty at the start. */
const timed = async (
  { client }: Sides,
  table: string,
  rows: number,
  work: () => Promise<unknown>
): Promise<number> => {
  await client.query(`TRUNCATE ${table}`)
  const start = performance.now()
  await work()
  const millis = performance.now() - start
  const { rows: counted } = await client.query<{ n: string }>(`SELECT count(*) AS n FROM ${table}`)
  if (Number(counted[0]?.n) !== rows)
    throw new Error(`${table} holds ${counted[0]?.n} rows instead of ${rows}`)
  return (rows * 1000) / millis
}

const rates = async (
  bench: Bench,
  sides: Sides,
  size: number,
  rows: number,
  least: number
): Promise<void> => {
  const { client, pool, storage } = sides
  const entries = makeEntries(rows)
  const batches = batchesOf(entries, size)
  const single = entries.slice(0, 400)
  const shared = entries.slice(0, 2_000)
  const samples = await interleave(
    { rounds: bench.pairs },
    {
      copy: () =>
        timed(sides, "copied", rows, async () => {
          for (const batch of batches) await copyBatch(client, "copied", batch)
        }),
      save: () =>
        timed(sides, "entries", rows, () =>
          Effect.runPromise(Effect.forEach(batches, (batch) => storage.save(batch), { discard: true }))
        ),
      recorder: () =>
        timed(sides, "entries", rows, () =>
          withRecorder(storage, { maxBatchSize: size }, async (recorder) => {
            for (const entry of entries) recorder.unsafeSave(entry)
            await flushed(recorder)
          })
        ),
      pool: () =>
        timed(sides, "pooled", shared.length, async () => {
          let next = 0
          const handle = async () => {
            while (next < shared.length) await insertOne(pool, "pooled", shared[next++]!)
          }
          await Promise.all(Array.from({ length: handlers }, handle))
        }),
      single: () =>
        timed(sides, "pooled", single.length, async () => {
          for (const entry of single) await insertOne(client, "pooled", entry)
        })
    }
  )
  const at = `batches of ${size}`
  bench.heading(`${rows.toLocaleString("en-US")} records in ${at}, each batch awaited, ON CONFLICT, fsync on`)
  bench.figure("one INSERT for each record, awaited", samples.single, "rows/s")
  bench.figure(`the same by ${handlers} handlers on a pool of ${handlers}`, samples.pool, "rows/s")
  bench.figure("binary COPY on one connection", samples.copy, "rows/s")
  bench.figure("save of PgStorage alone", samples.save, "rows/s")
  bench.figure("Recorder on PgStorage", samples.recorder, "rows/s")
  bench.ratio(`Recorder to binary COPY, ${at} (1.0 is what we try for)`, samples.recorder, samples.copy, {
    atLeast: 0.7
  })
  bench.ratio(`save alone to binary COPY, ${at}`, samples.save, samples.copy)
  bench.ratio(`binary COPY to one awaited INSERT, ${at}`, samples.copy, samples.single)
  bench.ratio(`Recorder to ${handlers} handlers, ${at}`, samples.recorder, samples.pool, { atLeast: 6 })
  bench.ratio(`Recorder to one awaited INSERT, ${at}`, samples.recorder, samples.single, { atLeast: least })
}

export const postgres: Case = {
  name: "postgres",
  about: "idempotent bulk saves, to binary COPY, to handlers on a pool, and to one awaited INSERT per record",
  run: (bench) =>
    withDatabase(async ({ url, version }) => {
      bench.note(`PostgreSQL ${version}`)
      const options = { url, table: "entries", columns, id: "id" } as const
      await using(PgStorage.make(options), async (storage) => {
        const client = new Pg.Client({ connectionString: url })
        const pool = new Pg.Pool({ connectionString: url, max: handlers })
        await client.connect()
        try {
          for (const table of ["copied", "pooled"]) {
            await client.query(`CREATE TABLE ${table} (LIKE entries INCLUDING ALL)`)
          }
          await rates(bench, { storage, client, pool }, 100, 20_000, 20)
          await rates(bench, { storage, client, pool }, 1000, 50_000, 25)
        } finally {
          await Promise.all([client.end(), pool.end()])
        }
      })
    })
}
