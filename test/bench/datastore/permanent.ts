/** Permanent stores: to a recorder that stores the same rows with a log, and several processes to one. */
import { once } from "node:events"
import type { SqlClient } from "@effect/sql/SqlClient"
import * as PgClient from "@effect/sql-pg/PgClient"
import * as SqliteClient from "@effect/sql-sqlite-node/SqliteClient"
import { Effect, Layer, Redacted } from "effect"
import * as ChangeLog from "../../../src/ChangeLog.js"
import * as Datastore from "../../../src/Datastore.js"
import * as Recorder from "../../../src/Recorder.js"
import { Column } from "../../../src/Storage.js"
import * as SqlDatastore from "../../../src/sql/SqlDatastore.js"
import * as SqlStorage from "../../../src/sql/SqlStorage.js"
import { nextMessage, startProcess } from "../processes/protocol.js"
import { type Bench, interleave } from "../support/bench.js"
import { withDatabase } from "../support/database.js"
import { inTemporaryFile } from "../support/files.js"
import { flushed, using } from "../support/recorders.js"

interface Item {
  readonly id: string
  readonly text: string
  readonly n: number
}

/** How many keys the rows have: most rows replace one. */
const keys = 1000

let made = 0

const nextItem = (): Item => {
  const n = made++
  return { id: `item-${n % keys}`, text: "what is written about it", n }
}

const columns = { id: Column.text, key: Column.text, data: Column.json }

/** A catalog, and a recorder over a table with a log that has the same state, both over the client of the context. */
const sides = Effect.gen(function* () {
  const stores = yield* Datastore.make(yield* SqlDatastore.make({ table: "stores" }))
  const store = yield* stores.open<Item>({ id: "board", kind: "permanent" })
  const storage = yield* SqlStorage.make({
    table: "recorded",
    columns,
    id: "id",
    log: {
      table: "recorded_log",
      feed: "rows",
      state: "latest",
      toEntry: ({ data, key }) => ({ changes: [ChangeLog.put(key, data)] })
    }
  })
  const recorder = yield* Recorder.make(storage, { maxBatchSize: 2500 })
  yield* recorder.ready
  return { store, recorder }
})

/** The client lives as long as what is over it. */
const over = (client: Layer.Layer<SqlClient, unknown>) =>
  Effect.flatMap(Layer.build(client), (context) => Effect.provide(sides, context))

const perSecond = async (rows: number, work: () => Promise<unknown>): Promise<number> => {
  const start = performance.now()
  await work()
  return (rows * 1000) / (performance.now() - start)
}

const compare = (bench: Bench, database: string, client: Layer.Layer<SqlClient, unknown>): Promise<void> =>
  using(over(client), async ({ recorder, store }) => {
    const rows = bench.quick ? 2000 : 10_000
    const samples = await interleave(
      { rounds: bench.pairs, warmUps: 1 },
      {
        store: () =>
          perSecond(rows, () => {
            for (let i = 0; i < rows; i++) store.unsafeSet(nextItem())
            return Effect.runPromise(store.flush)
          }),
        recorder: () =>
          perSecond(rows, () => {
            for (let i = 0; i < rows; i++) {
              const data = nextItem()
              recorder.unsafeSave({ id: `row-${data.n}`, key: data.id, data })
            }
            return flushed(recorder)
          })
      }
    )
    bench.figure(`a permanent store on ${database}`, samples.store, "rows/s")
    bench.figure("a recorder over a table with a log", samples.recorder, "rows/s")
    bench.ratio(`a store to a recorder of the same rows, ${database}`, samples.store, samples.recorder, {
      atLeast: 0.6
    })
  })

/** Rows each second that some processes write to one store at once. */
const together = (children: ReadonlyArray<ReturnType<typeof startProcess>>, rows: number) => () =>
  perSecond(rows, () =>
    Promise.all(
      children.map((child) => {
        const answered = nextMessage(child)
        child.send(Math.ceil(rows / children.length))
        return answered
      })
    )
  )

const processes = async (bench: Bench, url: string): Promise<void> => {
  const rows = bench.quick ? 1500 : 6000
  const children = Array.from({ length: 3 }, () => startProcess("setter", [url]))
  try {
    for (const child of children) await nextMessage(child)
    const samples = await interleave(
      { rounds: bench.pairs, warmUps: 1 },
      { one: together(children.slice(0, 1), rows), three: together(children, rows) }
    )
    bench.figure("one process on a store", samples.one, "rows/s")
    bench.figure("three processes on one store together", samples.three, "rows/s")
    bench.ratio("three processes on one store to one", samples.three, samples.one, { atLeast: 0.3 })
  } finally {
    for (const child of children) {
      const gone = once(child, "exit")
      child.kill()
      await gone
    }
  }
}

/** Compares permanent stores to a recorder on each database, and processes on one store. */
export const permanent = async (bench: Bench): Promise<void> => {
  await inTemporaryFile((filename) => compare(bench, "SQLite", SqliteClient.layer({ filename })))
  await withDatabase(async ({ url }) => {
    await compare(bench, "Postgres", PgClient.layer({ url: Redacted.make(url) }))
    await processes(bench, url)
  })
}
