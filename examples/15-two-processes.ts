/**
 * Follows in one process what another one appends: a log in Postgres, and a doorbell that rings by LISTEN and NOTIFY.
 *
 * Run: `npm run examples -- 15`. It uses the database of DATABASE_URL, and starts itself once more as the writer. Prints
 * the events as they arrive from the other process; then it drops its tables.
 */
import assert from "node:assert/strict"
import { spawn } from "node:child_process"
import { once } from "node:events"
import { fileURLToPath } from "node:url"
import { Chunk, Config, Console, Effect, Redacted, Stream } from "effect"
import { ChangeLog, Id, Watch } from "effect-recorder"
import * as PgChangeLog from "effect-recorder/sql/PgChangeLog"
import * as PgDoorbell from "effect-recorder/sql/PgDoorbell"
import pg from "pg"

interface Order {
  readonly status: "placed" | "paid"
  readonly process: number
}

const url = Config.nonEmptyString("DATABASE_URL")

/** The log of a process. Its commits ring the other processes, and theirs ring it. */
const openLog = (table: string) =>
  Effect.gen(function* () {
    const server = { url: Redacted.make(yield* url) }
    const doorbell = yield* PgDoorbell.make(server)
    return { doorbell, log: yield* PgChangeLog.make<Order>({ ...server, table, doorbell }) }
  })

const write = (table: string) =>
  Effect.gen(function* () {
    const { log } = yield* openLog(table)
    for (const status of ["placed", "paid"] as const) {
      yield* log.append([ChangeLog.put("/orders/1", { status, process: process.pid })])
    }
  })

const dropTables = (table: string) =>
  Effect.gen(function* () {
    const connectionString = yield* url
    yield* Effect.promise(async () => {
      const client = new pg.Client({ connectionString })
      await client.connect()
      const { rows } = await client.query("SELECT tablename FROM pg_tables WHERE tablename LIKE $1", [
        `${table}%`
      ])
      for (const { tablename } of rows) await client.query(`DROP TABLE ${tablename}`)
      await client.end()
    })
  })

const follow = Effect.gen(function* () {
  const table = `example_${(yield* Id.uuid7).replaceAll("-", "")}`
  yield* Effect.addFinalizer(() => Effect.orDie(dropTables(table)))
  const { doorbell, log } = yield* openLog(table)
  // Behind a pooler in transaction mode it would be down, with the reason, and poll.
  yield* Stream.runHead(Stream.filter(doorbell.states, ({ _tag }) => _tag === "Up"))

  const watch = yield* Watch.make(log)
  const watcher = yield* watch.open(ChangeLog.prefix("/orders/"))
  const writer = spawn(process.execPath, [...process.execArgv, fileURLToPath(import.meta.url), table], {
    stdio: "inherit"
  })
  const exited = once(writer, "exit")

  const events = yield* watcher.frames.pipe(
    Stream.mapConcat((frame) => (frame._tag === "Events" ? frame.events : [])),
    Stream.tap((event) => Console.log(event._tag === "Put" ? event.value : event)),
    Stream.take(2),
    Stream.runCollect
  )
  const values = Chunk.toReadonlyArray(events).map((event) => event._tag === "Put" && event.value)
  assert.deepEqual(values, [
    { status: "placed", process: writer.pid },
    { status: "paid", process: writer.pid }
  ])
  assert.deepEqual(yield* Effect.promise(() => exited), [0, null])
})

const [, , table] = process.argv
await Effect.runPromise(Effect.scoped(table === undefined ? follow : write(table)))
