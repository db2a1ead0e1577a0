/** Bulk saves into SQLite with `synchronous = FULL`, and what they do to the event loop. */
import { Effect, type Scope } from "effect"
import type { Storage } from "../../../src/Storage.js"
import * as SqliteStorage from "../../../src/sql/SqliteStorage.js"
import * as SqliteWorker from "../../../src/sql/SqliteWorker.js"
import { openHandWritten } from "../baselines/sqlite.js"
import { type Bench, type Case, collect, interleave } from "../support/bench.js"
import { inTemporaryFile } from "../support/files.js"
import { flushed, turn, using, withRecorder } from "../support/recorders.js"
import { batchesOf, columns, type Entry, makeEntries } from "../support/records.js"
import { longestStall } from "../support/stalls.js"

const stalls = { inThread: 20, worker: 5 }

type Open = (filename: string) => Effect.Effect<Storage<Entry>, unknown, Scope.Scope>

const options = (filename: string) => ({ filename, table: "entries", columns, id: "id" }) as const
const inThread: Open = (filename) => SqliteStorage.make(options(filename))
const worker: Open = (filename) => SqliteWorker.make(options(filename))

const onStorage = <A>(open: Open, use: (storage: Storage<Entry>) => Promise<A>): Promise<A> =>
  inTemporaryFile((filename) => using(open(filename), use))

interface Work {
  /** Saved first, and not timed: it compiles the code and parses the statement. */
  readonly warm: ReadonlyArray<Entry>
  readonly entries: ReadonlyArray<Entry>
  readonly size: number
}

/** Rows per second. */
const timed = async (
  { entries, warm }: Work,
  save: (entries: ReadonlyArray<Entry>) => Promise<unknown>
): Promise<number> => {
  await save(warm)
  const start = performance.now()
  await save(entries)
  return (entries.length * 1000) / (performance.now() - start)
}

const saving = (open: Open, work: Work): Promise<number> =>
  onStorage(open, (storage) =>
    timed(work, (entries) =>
      Effect.runPromise(
        Effect.forEach(
          batchesOf(entries, work.size),
          (batch) => Effect.zipLeft(storage.save(batch), endOfTurn),
          {
            discard: true
          }
        )
      )
    )
  )

const recording = (open: Open, work: Work): Promise<number> =>
  onStorage(open, (storage) =>
    withRecorder(storage, { maxBatchSize: work.size }, (recorder) =>
      timed(work, (entries) => {
        for (const entry of entries) recorder.unsafeSave(entry)
        return flushed(recorder)
      })
    )
  )

// A turn between two batches, as a server needs it that does anything else, and as the Recorder leaves it.
const endOfTurn = Effect.promise(turn)

const byHand = (work: Work): Promise<number> =>
  inTemporaryFile(async (filename) => {
    const database = openHandWritten(filename)
    try {
      return await timed(work, async (entries) => {
        for (const batch of batchesOf(entries, work.size)) {
          database.insert(batch)
          await turn()
        }
      })
    } finally {
      database.close()
    }
  })

const rates = async (bench: Bench, size: number, rows: number): Promise<void> => {
  const work = { warm: makeEntries(rows / 2), entries: makeEntries(rows), size }
  const samples = await interleave(
    { rounds: bench.pairs },
    {
      hand: () => byHand(work),
      save: () => saving(inThread, work),
      recorder: () => recording(inThread, work),
      worker: () => recording(worker, work)
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
      await flushed(recorder)
      // Here it begins: the first half has parsed the statement and compiled the code.
      collect()
      return longestStall(async () => {
        for (const entry of entries.slice(half)) recorder.unsafeSave(entry)
        await flushed(recorder)
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
  bench.figure("SqliteWorker", samples.worker, "ms")
  const beyond = samples.worker.map((millis, i) => millis - samples.idle[i]!)
  bench.limit("SqliteWorker, beyond when nothing is saved", beyond, "ms", { atMost: stalls.worker })
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
