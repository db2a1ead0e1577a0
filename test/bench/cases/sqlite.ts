/** Bulk saves into SQLite with `synchronous = FULL`, and what they do to the event loop. */
import { Effect, type Scope } from "effect"
import type { Storage } from "../../../src/Storage.js"
import * as SqliteStorage from "../../../src/sql/SqliteStorage.js"
import * as SqliteWorker from "../../../src/sql/SqliteWorker.js"
import { openHandWritten } from "../baselines/sqlite.js"
import { type Bench, type Case, collect, interleave } from "../support/bench.js"
import { inTemporaryFile } from "../support/files.js"
import { settled, turn, using, withRecorder } from "../support/recorders.js"
import { batchesOf, columns, type Entry, makeEntries } from "../support/records.js"
import { longestStall } from "../support/stalls.js"

const stalls = { inThread: 20, worker: 5 }

type Open = (filename: string) => Effect.Effect<Storage<Entry>, unknown, Scope.Scope>

const options = (filename: string) => ({ filename, table: "entries", columns, id: "id" }) as const
const inThread: Open = (filename) => SqliteStorage.make(options(filename))
const worker: Open = (filename) => SqliteWorker.make(options(filename))

const onStorage = <A>(open: Open, use: (storage: Storage<Entry>) => Promise<A>): Promise<A> =>
  inTemporaryFile((filename) => using(open(filename), use))

/** Rows per second, from milliseconds. */
const rate = (rows: number, millis: number): number => (rows * 1000) / millis

const timed = async (rows: number, work: () => Promise<unknown> | void): Promise<number> => {
  const start = performance.now()
  await work()
  return rate(rows, performance.now() - start)
}

const saving = (open: Open, batches: ReadonlyArray<ReadonlyArray<Entry>>, rows: number): Promise<number> =>
  onStorage(open, (storage) =>
    timed(rows, () =>
      Effect.runPromise(Effect.forEach(batches, (batch) => storage.save(batch), { discard: true }))
    )
  )

const recording = (open: Open, entries: ReadonlyArray<Entry>, maxBatchSize: number): Promise<number> =>
  onStorage(open, (storage) =>
    withRecorder(storage, { maxBatchSize }, (recorder) =>
      timed(entries.length, async () => {
        for (const entry of entries) recorder.unsafeSave(entry)
        await settled(recorder)
      })
    )
  )

const byHand = (batches: ReadonlyArray<ReadonlyArray<Entry>>, rows: number): Promise<number> =>
  inTemporaryFile(async (filename) => {
    const database = openHandWritten(filename)
    try {
      // A turn between two batches, as a server needs it that does anything else.
      return await timed(rows, async () => {
        for (const batch of batches) {
          database.insert(batch)
          await turn()
        }
      })
    } finally {
      database.close()
    }
  })

const rates = async (bench: Bench, size: number, rows: number): Promise<void> => {
  const entries = makeEntries(rows)
  const batches = batchesOf(entries, size)
  const samples = await interleave(
    { rounds: bench.pairs },
    {
      hand: () => byHand(batches, rows),
      save: () => saving(inThread, batches, rows),
      recorder: () => recording(inThread, entries, size),
      worker: () => recording(worker, entries, size)
    }
  )
  bench.heading(`${rows.toLocaleString("en-US")} records in batches of ${size}, synchronous FULL`)
  bench.figure("multi-row INSERT by hand on better-sqlite3", samples.hand, "rows/s")
  bench.figure("save of SqliteStorage alone", samples.save, "rows/s")
  bench.figure("Recorder on SqliteStorage", samples.recorder, "rows/s")
  bench.figure("Recorder on SqliteWorker", samples.worker, "rows/s")
  bench.ratio(`Recorder to by hand, batches of ${size}`, samples.recorder, samples.hand, { atLeast: 0.65 })
  bench.ratio(`save alone to by hand, batches of ${size}`, samples.save, samples.hand)
  bench.ratio(`Recorder with the worker to by hand, batches of ${size}`, samples.worker, samples.hand)
}

const stall = (open: Open, entries: ReadonlyArray<Entry>): Promise<number> =>
  onStorage(open, (storage) =>
    withRecorder(storage, {}, async (recorder) => {
      const half = entries.length / 2
      for (const entry of entries.slice(0, half)) recorder.unsafeSave(entry)
      await settled(recorder)
      // Here it begins: the first half has parsed the statement and compiled the code.
      collect()
      return longestStall(async () => {
        for (const entry of entries.slice(half)) recorder.unsafeSave(entry)
        await settled(recorder)
      })
    })
  )

const waits = async (bench: Bench): Promise<void> => {
  const entries = makeEntries(40_000)
  const samples = await interleave(
    { rounds: bench.pairs },
    {
      idle: () => longestStall(() => new Promise((resolve) => setTimeout(resolve, 200))),
      inThread: () => stall(inThread, entries),
      worker: () => stall(worker, entries)
    }
  )
  bench.heading(
    "The longest wait for a turn of the event loop, while 20,000 records are saved in batches of 1,000"
  )
  bench.figure("nothing is saved", samples.idle, "ms")
  bench.limit("SqliteStorage on this thread", samples.inThread, "ms", { atMost: stalls.inThread })
  bench.limit("SqliteWorker", samples.worker, "ms", { atMost: stalls.worker })
}

export const sqlite: Case = {
  name: "sqlite",
  about:
    "bulk saves with synchronous FULL, to a multi-row INSERT by hand on the same driver; event-loop stalls",
  run: async (bench) => {
    await rates(bench, 100, 20_000)
    await rates(bench, 1000, 50_000)
    await waits(bench)
  }
}
